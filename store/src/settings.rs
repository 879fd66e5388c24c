//! What an operator may set about the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::reader::{DiskCache, ReadMemory};

/// How a writer groups pushes and how much it takes.
#[derive(Clone, Debug)]
pub struct WriterSettings {
    /// Identifies the writer: no two writers of a tenant may ever share one, so it is drawn at random at each start.
    pub writer: u64,
    /// How long the first entry of a group waits for others that may share its segment, or its place in the log.
    pub group_delay: Duration,
    /// A segment is closed when it holds about this many bytes of rows.
    pub segment_bytes_max: usize,
    /// An entry of more bytes of rows is refused for good. There is no more than half of what a record of the log can
    /// hold, whatever is set.
    pub entry_bytes_max: usize,
    /// While this many bytes of rows wait to be written, pushes are refused as busy. The last one taken may exceed it.
    pub buffer_bytes_max: usize,
    /// While the clock is known to be off the store's by more than this, pushes are refused.
    pub max_skew: Duration,
}

impl WriterSettings {
    /// The defaults, for a writer with this identity.
    pub fn of_writer(writer: u64) -> Self {
        Self {
            writer,
            group_delay: Duration::ZERO,
            segment_bytes_max: 8 << 20,
            entry_bytes_max: crate::log::ENTRY_BYTES_MAX,
            buffer_bytes_max: 64 << 20,
            max_skew: Duration::from_secs(30),
        }
    }
}

/// Where a writer logs, and when the log becomes segments.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// A folder on a local disk. Several writers may share it.
    pub folder: PathBuf,
    /// What is in the log is in the object store after about so long.
    pub flush_interval: Duration,
}

/// How much a reader holds and does at once.
#[derive(Clone, Debug)]
pub struct ReaderSettings {
    /// What was read and is kept in memory, in bytes: decoded segments, footers and pages.
    pub cache_bytes_max: usize,
    /// Where that is kept, for readers that share it; `None`: each has a memory of its own, of so many bytes.
    pub memory: Option<Arc<ReadMemory>>,
    /// Where what was read is kept on a local disk too. Readers may share it.
    pub disk: Option<Arc<DiskCache>>,
    /// Requests to the object store at once, per query.
    pub requests_max: usize,
    /// Objects of at most so many bytes are fetched whole: one request, and soon no more bytes than the parts that several
    /// queries need.
    pub whole_bytes_max: u64,
    /// A query over more segments than this is refused.
    pub segments_max: usize,
    /// Series are read in batches of about so many rows, where each series counts as 64 more.
    pub batch_rows: usize,
    /// Who wants all series of a selection at once gets no more than about so many bytes of them.
    pub answer_bytes_max: usize,
    /// Exemplars of one answer.
    pub exemplars_max: usize,
}

impl ReaderSettings {
    /// The same, with one memory for all readers that get these settings.
    #[must_use]
    pub fn sharing_memory(self) -> Self {
        let memory = Some(Arc::new(ReadMemory::new(self.cache_bytes_max)));
        Self { memory, ..self }
    }
}

impl Default for ReaderSettings {
    fn default() -> Self {
        Self {
            cache_bytes_max: 128 << 20,
            memory: None,
            disk: None,
            requests_max: 32,
            whole_bytes_max: 256 << 10,
            segments_max: 100_000,
            batch_rows: 1 << 20,
            answer_bytes_max: 4 << 30,
            exemplars_max: 100_000,
        }
    }
}
