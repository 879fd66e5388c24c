//! What a tick has done, and what kept it from doing more.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::path::Path;

use super::inputs::HotSegment;
use super::limits::MergeLimit;
use crate::compute::ComputeError;
use crate::manifest::{LoadError, Manifest, SwapError, Violation};

/// What a tick has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Somebody else works on the stream, so nothing was done.
    pub held_by_another: bool,
    /// There is more to do than one tick does: call again.
    pub is_behind: bool,
    /// Segments that were not in a run when the tick began.
    pub waiting: u64,
    /// Segments that still are in no run.
    pub left: u64,
    /// The minute of the oldest of them, in µs.
    pub oldest_left_us: Option<i64>,
    /// Who had the lease last, and until when, in µs; 0: nobody.
    pub lease: (u64, i64),
    /// Segments that are in runs now.
    pub segments: u64,
    /// Rows that were read to be merged, from segments and from runs.
    pub rows: u64,
    /// Runs that were made.
    pub runs: u64,
    /// Frames that were made.
    pub frames: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Runs that are older than the retention.
    pub runs_dropped: u64,
    /// Rows of runs and frames that were looked through for what is to be deleted.
    pub sifted: u64,
    /// Rows that are in no run any more since they were asked to be deleted.
    pub deleted: u64,
    /// Objects that were deleted, since nothing needs them.
    pub swept: u64,
    /// What stays as it is, since to merge it would take too much memory.
    pub unmerged: Unmerged,
    /// An object that cannot be read, and keeps all that comes after it from being merged.
    pub blocked: Option<Blocked>,
}

/// Hours and days that are over, and stay as they are since to merge them would take too much memory. Nothing is lost by that, but
/// a query opens more files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmerged {
    /// Runs that would be fewer.
    pub runs: u64,
    /// Days without a frame.
    pub frames: u64,
    /// What they would exceed.
    pub limits: BTreeSet<MergeLimit>,
}

impl Unmerged {
    /// The names of the limits, with commas between them.
    pub fn limits_told(&self) -> String {
        let names: Vec<&str> = self.limits.iter().map(|limit| limit.name()).collect();
        names.join(", ")
    }

    /// Runs of one hour or day, and what keeps them from being merged: nothing if it is one.
    pub(super) fn add_runs(&mut self, runs: usize, reached: BTreeSet<MergeLimit>) {
        if runs > 1 {
            self.runs += runs as u64;
            self.limits.extend(reached);
        }
    }

    pub(super) fn add_frame(&mut self, limit: MergeLimit) {
        self.frames += 1;
        self.limits.insert(limit);
    }
}

impl Progress {
    /// What this and a later tick have done together, and how the later one ended.
    pub fn add(&mut self, later: &Self) {
        let before = std::mem::replace(self, later.clone());
        self.waiting = before.waiting.max(later.waiting);
        self.segments += before.segments;
        self.rows += before.rows;
        self.runs += before.runs;
        self.frames += before.frames;
        self.read_bytes += before.read_bytes;
        self.written_bytes += before.written_bytes;
        self.runs_dropped += before.runs_dropped;
        self.sifted += before.sifted;
        self.deleted += before.deleted;
        self.swept += before.swept;
    }

    /// Takes over what a manifest tells.
    pub(super) fn see(&mut self, manifest: &Manifest, hot: &[HotSegment]) {
        let is_left = |segment: &HotSegment| manifest.watermark.is_none_or(|mark| segment.minute() >= mark);
        let first = hot.partition_point(|segment| !is_left(segment));
        self.left = (hot.len() - first) as u64;
        self.oldest_left_us = hot.get(first).map(|segment| segment.name.stamped_us);
        self.lease = (manifest.lease.holder, manifest.lease.until_us);
    }
}

/// An object that keeps others from being merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Which.
    pub object: Path,
    /// What is wrong with it.
    pub reason: Arc<str>,
}

/// What kept a tick from doing all of it.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// The object store failed.
    #[error("could not read or write {object}: {source}")]
    Store {
        /// What was to be read or written.
        object: Path,
        /// The store's error.
        source: object_store::Error,
    },
    /// The manifest cannot be read.
    #[error("{0}")]
    Manifest(String),
    /// Somebody else has swapped the manifest: the next tick plans anew.
    #[error("{0} was swapped by somebody else")]
    Conflict(Path),
    /// What was to be written breaks an invariant: nothing was written.
    #[error("{0}")]
    Invariant(String),
    /// A file that was made before cannot be read.
    #[error("{object} cannot be read: {reason}")]
    Damaged {
        /// Which.
        object: Path,
        /// What is wrong with it.
        reason: String,
    },
    /// An object of this name is there, and is another: a killed tick of another version, or with other settings, has left it.
    /// The next tick makes objects of other names.
    #[error("{0} is there already and is not what was to be written")]
    Differs(Path),
    /// A file could not be encoded.
    #[error("could not encode {name}: {reason}")]
    Encode {
        /// Which.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
    /// What was read could not be merged.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl From<LoadError> for CompactError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store { object, source } => Self::Store { object, source },
            other => Self::Manifest(other.to_string()),
        }
    }
}

impl From<SwapError> for CompactError {
    fn from(error: SwapError) -> Self {
        match error {
            SwapError::Conflict(object) => Self::Conflict(object),
            SwapError::Store { object, source } => Self::Store { object, source },
            other => Self::Manifest(other.to_string()),
        }
    }
}

impl From<Violation> for CompactError {
    fn from(violation: Violation) -> Self {
        Self::Invariant(violation.to_string())
    }
}
