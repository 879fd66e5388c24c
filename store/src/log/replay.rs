//! After a crash: what the log holds becomes the segments that it was to become.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::Stamp;
use object_store::ObjectStore;

use super::frame::{self, End};
use super::{CodecError, LogFiles, parse_file_name};
use crate::entry::Entry;
use crate::layout::Stream;
use crate::tail::Stamped;
use crate::writer::{WriteError, write_segment};

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
    store: &dyn ObjectStore,
    stream: &Stream,
) -> Result<Replayed, LogError> {
    let io_error = |name: &str, source| LogError::Io { path: files.path(name), source };
    let mut replayed = Replayed::default();
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
            write_segment(store, stream, writer, number, entries)
                .await
                .map_err(|source| LogError::Write { path: files.path(&name), source })?;
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

fn stamped<E: Entry>(payload: &[u8], writer: u64) -> Result<Arc<Stamped<E>>, CodecError> {
    let (at_us, entry) = E::decode(payload)?;
    let bytes = entry.memory_bytes();
    Ok(Arc::new(Stamped { stamp: Stamp { at_us, writer }, entry, bytes }))
}
