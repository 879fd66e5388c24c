//! The books: what was pushed, what was sent to the store as which segment, when it came there, and what was acknowledged.
//!
//! They are kept by what processes and the store say to each other, and know nothing of how either works inside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use bytes::Bytes;
use model::Push;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::manifest::{self, Deletion, Merged};

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
    Durable(i64),
    /// Nobody knows.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) given: Given,
    pub(crate) answer: Answer,
    /// Where its writer has it, for those who read in the same process.
    pub(crate) stamp_us: i64,
    /// It was acknowledged when it was in a log: others see it later.
    pub(crate) is_logged: bool,
    /// Where it has it in a log.
    given_us: i64,
}

/// What is known of one writer.
#[derive(Clone, Debug, Default)]
struct Writer {
    /// What is in no segment yet.
    waiting: Vec<usize>,
    last_us: i64,
    /// All that it has taken, in order.
    taken: Vec<usize>,
    /// What could not be written to its log.
    not_logged: Vec<usize>,
    /// It has given up on something, and nobody knows where it has the rest.
    is_uncertain: bool,
}

/// A segment: a writer and a number of its own.
pub(crate) type Id = (u64, u32);

/// A segment as it was sent under one minute.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) path: Path,
    pub(crate) minute_us: i64,
    /// What it has: of a log, who finds it may find more than who has written it knows to be there.
    pub(crate) entries: Vec<usize>,
    /// Of each entry, where they are stamped.
    pub(crate) stamps_us: Vec<i64>,
    /// The minute under which it was put first, if that was another one, in µs.
    since_us: Option<i64>,
    sent_us: i64,
    /// When it came to the store first.
    pub(crate) landed_us: Option<i64>,
}

impl Variant {
    /// Whether it had come to the store by then, and before its minute was over for too long.
    pub(crate) fn is_in_time(&self, by_us: i64) -> bool {
        let due_us = self.minute_us + MINUTE_US + IN_TIME_US;
        self.landed_us.is_some_and(|landed_us| landed_us <= by_us.min(due_us))
    }

    /// Whether it was put again when it is known no more what it may repeat: docs/format.md, "The manifest".
    pub(crate) fn is_too_late(&self, kept_us: i64) -> bool {
        self.since_us.is_some_and(|since_us| since_us < kept_us)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// What any variant has, in order.
    pub(crate) entries: Vec<usize>,
    pub(crate) variants: Vec<Variant>,
    /// Its writer wanted it to be deleted.
    pub(crate) is_taken_back: bool,
}

/// From when on a stream is kept, since a manifest came to the store that said so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) from_us: i64,
    pub(crate) landed_us: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    pub(crate) batches: BTreeMap<Id, Batch>,
    writers: BTreeMap<u64, Writer>,
    /// What was deleted from pushes, and from samples; in order of numbers.
    pub(crate) deletions: [Vec<Deletion>; 2],
    /// Of pushes, and of samples; rising.
    pub(crate) kept: [Vec<Kept>; 2],
    /// What is in runs of pushes, and of samples.
    pub(crate) merged: [Arc<Merged>; 2],
    /// How long compactors keep what there is; `None`: for good.
    pub(crate) retention_us: Option<i64>,
    /// Of sums from before what is kept, a part was deleted: all of them are gone, and nobody knows which those were.
    pub(crate) are_sums_unknown: bool,
    /// All logs have become segments.
    pub(crate) are_logs_written: bool,
}

/// By how much the clocks of compactors may be before the store's.
const CLOCK_US: i64 = 5_000_000;

/// A request takes no longer, unless the whole process stands still; then nobody reads in it either.
const REQUEST_US: i64 = 170_000_000;

impl Ledger {
    /// Something is given to a writer, at a time by its clock.
    pub(crate) fn given(&mut self, writer: u64, given: Given, now_us: i64, is_logged: bool) -> usize {
        let index = self.entries.len();
        let writer = self.writers.entry(writer).or_default();
        writer.last_us = now_us.max(writer.last_us + 1);
        writer.waiting.push(index);
        writer.taken.push(index);
        let (answer, at_us) = (Answer::Waits, writer.last_us);
        self.entries.push(Entry { given, answer, stamp_us: at_us, is_logged, given_us: at_us });
        index
    }

    /// It was refused: nobody will ever see it.
    pub(crate) fn refused(&mut self, writer: u64, index: usize) {
        let writer = self.writers.entry(writer).or_default();
        writer.waiting.retain(|waiting| *waiting != index);
        writer.taken.retain(|taken| *taken != index);
        self.entries[index].answer = Answer::Unknown;
    }

    /// It could not be written to the log: its writer has it no more, and the log may have it.
    pub(crate) fn not_logged(&mut self, writer: u64, index: usize) {
        let writer = self.writers.entry(writer).or_default();
        writer.waiting.retain(|waiting| *waiting != index);
        writer.taken.retain(|taken| *taken != index);
        writer.not_logged.push(index);
    }

    /// A writer has given up on a segment after it had stamped all anew: nobody was told where.
    pub(crate) fn gave_up(&mut self, writer: u64) {
        self.writers.entry(writer).or_default().is_uncertain = true;
    }

    /// The last that a writer has taken, so many of them, with where it has them; `None`: that is not known.
    pub(crate) fn tail(&self, writer: u64, length: usize, now_us: i64) -> Option<BTreeMap<usize, i64>> {
        let Some(known) = self.writers.get(&writer) else { return Some(BTreeMap::new()) };
        let stands_still = |batch: &Batch| {
            self.is_waiting(batch)
                && batch.variants.iter().any(|variant| variant.sent_us < now_us - REQUEST_US)
        };
        let of_writer = self.batches.range((writer, 0)..=(writer, u32::MAX));
        if known.is_uncertain || of_writer.into_iter().any(|(_, batch)| stands_still(batch)) {
            return None;
        }
        let first = known.taken.len().checked_sub(length)?;
        let tail = known.taken[first..].iter().map(|index| (*index, self.entries[*index].stamp_us));
        // writers put what they hold before that, or stamp it anew; here logs become segments only when they are closed
        let is_young = |(_, stamp_us): &(usize, i64)| *stamp_us > now_us - REQUEST_US;
        tail.clone().all(|entry| is_young(&entry)).then(|| tail.collect())
    }

    /// What a writer has taken of the entries from this one on, with where it has them, in order.
    pub(crate) fn taken_since(&self, writer: u64, first: usize) -> Vec<(usize, i64)> {
        let taken = self.writers.get(&writer).map_or(&[][..], |known| &known.taken);
        let since = taken.iter().filter(|index| **index >= first);
        since.map(|index| (*index, self.entries[*index].stamp_us)).collect()
    }

    pub(crate) fn answered(&mut self, index: usize, answer: Answer) {
        self.entries[index].answer = answer;
    }

    /// A PUT is sent. `in_log`: the stamps in the log of what it is made of, if there is a log.
    pub(crate) fn sent(
        &mut self,
        path: &Path,
        bytes: &Bytes,
        in_log: Option<&[i64]>,
        now_us: i64,
    ) -> Result<(), String> {
        let Some((minute_us, id)) = parsed(path) else { return Ok(()) };
        let (batch, writer) = (self.batches.entry(id).or_default(), self.writers.entry(id.0).or_default());
        if batch.variants.iter().any(|variant| variant.path == *path) {
            return Ok(());
        }
        let stamps_us = if path.as_ref().contains("/pushes/") { stamps(bytes) } else { Vec::new() };
        let entries = match in_log {
            None if batch.entries.is_empty() => std::mem::take(&mut writer.waiting),
            None => batch.entries.clone(),
            Some(stamps) => {
                let known = [&batch.entries, &writer.waiting, &writer.not_logged];
                let known: BTreeSet<usize> = known.into_iter().flatten().copied().collect();
                let is_in_log = |index: &usize| stamps.contains(&self.entries[*index].given_us);
                let mut found: Vec<usize> = known.into_iter().filter(is_in_log).collect();
                if found.len() > stamps_us.len() {
                    // who could not write them does not send them; who finds them there does
                    found.retain(|index| !writer.not_logged.contains(index));
                }
                writer.waiting.retain(|waiting| !found.contains(waiting));
                found
            }
        };
        if entries.is_empty() {
            return Err(format!("{path} was sent and nothing was given"));
        }
        if matches!(self.entries[entries[0]].given, Given::Push(_)) {
            if stamps_us.len() != entries.len() {
                return Err(format!("{path} has other pushes than {entries:?}, which were given"));
            }
            let is_new = |(index, stamp_us): (&usize, &i64)| self.entries[*index].stamp_us != *stamp_us;
            if entries.iter().zip(&stamps_us).any(is_new) {
                // what waits behind it was stamped anew with it
                writer.last_us = *stamps_us.last().expect("is not empty");
                for (index, stamp_us) in entries.iter().zip(&stamps_us) {
                    self.entries[*index].stamp_us = *stamp_us;
                }
                for index in &writer.waiting {
                    writer.last_us += 1;
                    self.entries[*index].stamp_us = writer.last_us;
                }
            }
        }
        batch.entries =
            entries.iter().chain(&batch.entries).copied().collect::<BTreeSet<_>>().into_iter().collect();
        batch.variants.push(Variant {
            path: path.clone(),
            minute_us,
            entries,
            stamps_us,
            since_us: since_us(path),
            sent_us: now_us,
            landed_us: None,
        });
        Ok(())
    }

    /// An object has come to the store.
    pub(crate) fn landed(&mut self, path: &Path, now_us: i64) {
        let Some((_, id)) = parsed(path) else { return };
        let variants = self.batches.get_mut(&id).into_iter().flat_map(|batch| &mut batch.variants);
        for variant in variants.filter(|variant| variant.path == *path) {
            variant.landed_us.get_or_insert(now_us);
        }
    }

    /// A manifest has come to the store.
    pub(crate) fn manifest_landed(
        &mut self,
        path: &Path,
        bytes: &Bytes,
        mut merged: Merged,
        now_us: i64,
    ) -> Result<(), String> {
        let stream = usize::from(path.as_ref().contains("/samples/"));
        let (known, kept_us) = (&mut self.deletions[stream], merged.kept_us);
        let last = known.last().map_or(0, |deletion| deletion.number);
        let told = manifest::deletions(bytes, now_us)?.into_iter().filter(|told| told.number > last);
        for deletion in told {
            self.are_sums_unknown |= stream == 0 && deletion.takes_part_of(kept_us);
            known.push(deletion);
        }
        for (id, minutes) in &self.merged[stream].minutes {
            merged.minutes.entry(*id).or_default().extend(minutes);
        }
        self.merged[stream] = Arc::new(merged);
        self.keep(stream, kept_us, now_us)
    }

    /// Whether no more has gone than may, and never comes back.
    fn keep(&mut self, stream: usize, kept_us: i64, now_us: i64) -> Result<(), String> {
        let before_us = self.kept[stream].last().map_or(i64::MIN, |kept| kept.from_us);
        if kept_us == before_us {
            return Ok(());
        }
        let latest_us = self.retention_us.map_or(i64::MIN, |keep_us| now_us + CLOCK_US - keep_us);
        if kept_us < before_us || kept_us > latest_us {
            return Err(format!("kept from {kept_us}, after {before_us}, and {latest_us} at the latest"));
        }
        if stream == 0 && !self.merged[stream].frames_us.contains(&kept_us) {
            return Err(format!("pushes are kept from {kept_us}, and there is no frame of then"));
        }
        self.kept[stream].push(Kept { from_us: kept_us, landed_us: now_us });
        Ok(())
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
            // that it is in a log somebody else does not see
            Answer::Durable(at_us) => {
                at_us <= by_us && (self.are_logs_written || !self.entries[*index].is_logged)
            }
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

/// The first minute of a segment that was put before: `…-again-20261122T2346.parquet`.
fn since_us(path: &Path) -> Option<i64> {
    minute_us(path.as_ref().strip_suffix(".parquet")?.split_once("-again-")?.1)
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
