//! After a crash: what the log holds becomes the segments that it was to become.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt;
use model::Stamp;

use super::frame::{self, End};
use super::{CodecError, LogFiles, parse_file_name};
use crate::entry::Entry;
use crate::layout::SegmentName;
use crate::tail::Stamped;
use crate::writer::{Batch, SegmentId, Target, WriteError};

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Files whose entries are segments now.
    pub files: usize,
    /// Entries in them.
    pub entries: usize,
    /// Files with damage before their end, each with the offset. What stood before it has been kept; the file has been
    /// set aside under a name that ends in `.damaged`.
    pub damaged: Vec<(PathBuf, usize)>,
}

/// Why a log cannot be replayed. Nothing is lost: the next start tries again.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder or a file in it cannot be used.
    #[error("log {path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store does not take the segment.
    #[error("log {path}: {source}", path = path.display())]
    Write {
        /// Which file was to become a segment.
        path: PathBuf,
        /// Why it did not.
        source: WriteError,
    },
    /// A record that is whole is no entry: it is from a later version.
    #[error("log {path}: {reason}: upgrade Mayfly", path = path.display())]
    Entry {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Makes segments of all files that nobody writes any more, and removes them.
pub(crate) async fn replay<E: Entry>(
    files: &Arc<dyn LogFiles>,
    target: &Target,
) -> Result<Replayed, LogError> {
    let io_error = |name: &str, source| LogError::Io { path: files.path(name), source };
    let mut replayed = Replayed::default();
    let mut written: Option<HashMap<u64, Vec<(u32, i64)>>> = None;
    for name in files.list().map_err(|error| io_error("", error))? {
        let Some((writer, number)) = parse_file_name(&name) else {
            continue;
        };
        let Some(bytes) = files.claim(&name).map_err(|error| io_error(&name, error))? else {
            continue;
        };
        let content = frame::read(&bytes);
        let entries = content
            .payloads
            .iter()
            .map(|payload| stamped::<E>(payload, writer))
            .collect::<Result<Vec<_>, CodecError>>()
            .map_err(|error| LogError::Entry { path: files.path(&name), reason: error.to_string() })?;
        if !entries.is_empty() {
            replayed.entries += entries.len();
            let failed = |source| LogError::Write { path: files.path(&name), source };
            let written = match &mut written {
                Some(written) => written,
                None => written.insert(last_stamps::<E>(target).await.map_err(failed)?),
            };
            let of_writer = written.entry(writer).or_default();
            let before = of_writer.iter().filter(|(other, _)| *other < number).map(|(_, last_us)| *last_us);
            let id = SegmentId::new(writer, number);
            let last_us = write(target, id, entries, before.max()).await.map_err(failed)?;
            of_writer.push((number, last_us));
        }
        replayed.files += 1;
        match content.end {
            End::Clean | End::Torn => files.remove(&name).map_err(|error| io_error(&name, error))?,
            End::Damaged { offset } => {
                files.set_aside(&name).map_err(|error| io_error(&name, error))?;
                replayed.damaged.push((files.path(&name), offset));
            }
        }
    }
    Ok(replayed)
}

/// By writer: numbers and last stamps of the segments that are in the store. For samples, whose times are no stamps, the
/// minute stands for the stamp.
async fn last_stamps<E: Entry>(target: &Target) -> Result<HashMap<u64, Vec<(u32, i64)>>, WriteError> {
    let hot = target.stream.hot();
    let mut listing = target.store.list(Some(&hot));
    let mut found: HashMap<u64, Vec<(u32, i64)>> = HashMap::new();
    while let Some(entry) = listing.next().await {
        let unavailable = |reason| WriteError::Unavailable { object: hot.clone(), reason: Arc::new(reason) };
        if let Ok(name) = SegmentName::parse(&entry.map_err(unavailable)?.location) {
            let last_us = if E::TIMES_ARE_STAMPS { name.to_us } else { name.stamped_us };
            found.entry(name.writer).or_default().push((name.number, last_us));
        }
    }
    Ok(found)
}

/// Writes the entries of one file, with stamps behind those of the writer's segments before it; gives the last.
async fn write<E: Entry>(
    target: &Target,
    mut id: SegmentId,
    mut entries: Batch<E>,
    before_us: Option<i64>,
) -> Result<i64, WriteError> {
    if let (Some(first), Some(before_us)) = (entries.first(), before_us)
        && first.stamp.at_us <= before_us
    {
        // what came before has been stamped anew
        id.stamped_anew(first.stamp.at_us);
        entries = stamped_anew(&entries, before_us + 1);
    }
    let mut latest = entries.clone();
    let stamp_anew = |now_us: i64| {
        let last_us = latest.last().map_or(i64::MIN, |last| last.stamp.at_us);
        latest = stamped_anew(&latest, now_us.max(last_us + 1));
        latest.clone()
    };
    target.commit(&mut id, entries, stamp_anew).await?;
    Ok(latest.last().map_or(i64::MIN, |last| last.stamp.at_us))
}

/// The same entries with stamps that follow each other from `from_us` on.
fn stamped_anew<E>(entries: &[Arc<Stamped<E>>], from_us: i64) -> Batch<E> {
    let anew = entries.iter().zip(from_us..).map(|(old, at_us)| {
        let stamp = Stamp { at_us, writer: old.stamp.writer };
        Arc::new(Stamped { sequence: old.sequence, stamp, entry: Arc::clone(&old.entry), bytes: old.bytes })
    });
    anew.collect()
}

fn stamped<E: Entry>(payload: &[u8], writer: u64) -> Result<Arc<Stamped<E>>, CodecError> {
    let (at_us, entry) = E::decode(payload)?;
    let bytes = entry.memory_bytes();
    Ok(Arc::new(Stamped { sequence: 0, stamp: Stamp { at_us, writer }, entry: Arc::new(entry), bytes }))
}
