//! Object layout, segments, buffers, acknowledgement and reads. This crate alone knows object names and the Parquet
//! schema.
//!
//! In data-flow order: a [`Writer`] stamps pushes, keeps them in its tail until a flush turns them into one segment (one
//! Parquet object, one PUT), and acknowledges them when that PUT has been answered. A [`Reader`] lists segments, decodes
//! them, adds the tail and folds events to step functions.

mod compact;
mod compute;
mod confined;
mod deletion;
mod entry;
mod exemplars;
mod fold;
mod hot;
mod inspect;
mod layout;
mod log;
mod manifest;
mod merge;
mod reader;
mod segment;
mod settings;
mod stats;
mod tail;
mod writer;

pub use compact::{
    CompactError, CompactSettings, Compactor, MergeLimit, MergeLimits, Progress, RETENTION_MIN, Unmerged,
};
pub use compute::{ComputeError, compute};
pub use confined::Confined;
pub use deletion::{DELETIONS_MAX, DeleteError, Deleter, Deletion};
pub use entry::{Entry, SampleBatch};
pub use exemplars::NewExemplar;
pub use inspect::{Holds, InspectError, Inspector, Inventory, Partition, Place, Problem, Verified};
pub use layout::{LayoutError, Stream, Tenant};
pub use log::{LogError, LogFile, LogFiles, Replayed};
pub use reader::{
    Answer, Deletable, DiskCache, DiskCacheError, DiskCacheStats, Found, HeldFamily, HeldPart, HeldStream,
    LeftOut, LiveFamily, LiveGroup, Prepared, PushedExemplar, ReadError, ReadErrorKind, ReadMemory, Reader,
    SeriesStream, Shown, Source, Usage, View, Viewer,
};
pub use segment::SegmentError;
pub use settings::{LogSettings, ReaderSettings, WriterSettings};
pub use stats::{ReaderStats, WriterStats};
pub use tail::{Stamped, Tail};
pub use writer::{Ack, ClockSkew, Submitted, WriteError, WriteErrorKind, Writer};
