//! The books: what was pushed, what was sent to the store as which segment, when it came there, and what was acknowledged.
//!
//! They are kept by what processes and the store say to each other, and know nothing of how either works inside.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use bytes::Bytes;
use model::{Push, Stamp};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// How long after the end of its minute a segment may come, in µs: docs/format.md, "Names".
const IN_TIME_US: i64 = 180_000_000;
pub(crate) const MINUTE_US: i64 = 60_000_000;

/// Something that was given to a writer.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    Push(Push),
    /// Values of series at times.
    Samples(Vec<(String, i64, f64)>),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Waits,
    /// Acknowledged, at a time.
    Durable(i64, Stamp),
    /// Nobody knows.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) given: Given,
    pub(crate) answer: Answer,
}

/// A segment: a writer and a number of its own.
pub(crate) type Id = (u64, u32);

/// A segment as it was sent under one minute.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) path: Path,
    pub(crate) minute_us: i64,
    /// Of each entry, where they are stamped.
    pub(crate) stamps_us: Vec<i64>,
    /// When it came to the store first.
    pub(crate) landed_us: Option<i64>,
}

impl Variant {
    /// Whether it had come to the store by then, and before its minute was over for too long.
    pub(crate) fn is_in_time(&self, by_us: i64) -> bool {
        let due_us = self.minute_us + MINUTE_US + IN_TIME_US;
        self.landed_us.is_some_and(|landed_us| landed_us <= by_us.min(due_us))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<usize>,
    pub(crate) variants: Vec<Variant>,
    /// Its writer wanted it to be deleted.
    pub(crate) is_taken_back: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    pub(crate) batches: BTreeMap<Id, Batch>,
    /// By writer, what is in no segment yet.
    waiting: BTreeMap<u64, Vec<usize>>,
    pub(crate) stamps_of_pushes: BTreeSet<i64>,
}

impl Ledger {
    /// Something is given to a writer.
    pub(crate) fn given(&mut self, writer: u64, given: Given) -> usize {
        self.entries.push(Entry { given, answer: Answer::Waits });
        let index = self.entries.len() - 1;
        self.waiting.entry(writer).or_default().push(index);
        index
    }

    /// It was refused: nobody will ever see it.
    pub(crate) fn refused(&mut self, writer: u64, index: usize) {
        self.waiting.entry(writer).or_default().retain(|waiting| *waiting != index);
        self.entries[index].answer = Answer::Unknown;
    }

    pub(crate) fn answered(&mut self, index: usize, answer: Answer) {
        self.entries[index].answer = answer;
    }

    /// A PUT is sent.
    pub(crate) fn sent(&mut self, path: &Path, bytes: &Bytes) {
        let Some((minute_us, id)) = parsed(path) else { return };
        let batch = self.batches.entry(id).or_default();
        if batch.entries.is_empty() {
            // a writer takes all that waits
            batch.entries = self.waiting.remove(&id.0).unwrap_or_default();
            assert!(!batch.entries.is_empty(), "{path} was sent and nothing was given");
        }
        if batch.variants.iter().any(|variant| variant.path == *path) {
            return;
        }
        let is_push = matches!(self.entries[batch.entries[0]].given, Given::Push(_));
        let stamps_us = if is_push { stamps(bytes) } else { Vec::new() };
        if is_push {
            assert_eq!(stamps_us.len(), batch.entries.len(), "{path} has other pushes than were given");
        }
        self.stamps_of_pushes.extend(&stamps_us);
        batch.variants.push(Variant { path: path.clone(), minute_us, stamps_us, landed_us: None });
    }

    /// An object has come to the store.
    pub(crate) fn landed(&mut self, path: &Path, now_us: i64) {
        let Some((_, id)) = parsed(path) else { return };
        let variants = self.batches.get_mut(&id).into_iter().flat_map(|batch| &mut batch.variants);
        for variant in variants.filter(|variant| variant.path == *path) {
            variant.landed_us.get_or_insert(now_us);
        }
    }

    /// Somebody wants an object to be deleted.
    pub(crate) fn delete_sent(&mut self, path: &Path, actor: &str) {
        let Some((_, id)) = parsed(path) else { return };
        if let Some(batch) = self.batches.get_mut(&id).filter(|_| !actor.starts_with("compactor")) {
            batch.is_taken_back = true;
        }
    }

    /// Whether all that a segment holds was acknowledged, by a time.
    pub(crate) fn is_durable(&self, batch: &Batch, by_us: i64) -> bool {
        let is_durable = |index: &usize| match self.entries[*index].answer {
            Answer::Durable(at_us, _) => at_us <= by_us,
            Answer::Waits | Answer::Unknown => false,
        };
        batch.entries.iter().any(is_durable)
    }

    /// Whether its writer may still send it.
    pub(crate) fn is_waiting(&self, batch: &Batch) -> bool {
        batch.entries.iter().any(|index| self.entries[*index].answer == Answer::Waits)
    }
}

/// The minute and the id in the name of a segment: `…/hot/20261122T2346/{writer 16}{number 8}-…`.
pub(crate) fn parsed(path: &Path) -> Option<(i64, Id)> {
    let mut parts = path.as_ref().rsplit('/');
    let (file, minute) = (parts.next()?, parts.next()?);
    if parts.next()? != "hot" {
        return None;
    }
    let writer = u64::from_str_radix(file.get(..16)?, 16).ok()?;
    let number = u32::from_str_radix(file.get(16..24)?, 16).ok()?;
    Some((minute_us(minute)?, (writer, number)))
}

/// The first µs of a minute, written `20261122T2346`.
pub(crate) fn minute_us(name: &str) -> Option<i64> {
    let at = chrono::NaiveDateTime::parse_from_str(&format!("{name}00"), "%Y%m%dT%H%M%S").ok()?;
    Some(at.and_utc().timestamp_micros())
}

/// The stamps in a segment of pushes.
fn stamps(bytes: &Bytes) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("is Parquet");
    let mask = ProjectionMask::columns(reader.parquet_schema(), ["__ts__"]);
    let mut found = BTreeSet::new();
    for batch in reader.with_projection(mask).build().expect("is read") {
        let batch = batch.expect("is read");
        found.extend(batch.column(0).as_primitive::<TimestampMicrosecondType>().values().iter().copied());
    }
    found.into_iter().collect()
}
