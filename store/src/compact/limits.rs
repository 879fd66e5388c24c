//! How much may be in memory as a whole while runs are merged or a frame is made. What would take more is not merged: then a query
//! opens more files, and [`Progress::unmerged`](super::Progress::unmerged) tells which limit it was.

use crate::manifest::{Object, Run};

/// Runs that are merged at once.
const RUNS_MAX: usize = 64;

/// Of each run that is merged one file is in memory. Those of all runs together have no more bytes.
const OPEN_BYTES_MAX: u64 = 128 << 20;

/// What heads say is in memory as a whole. Of runs that are merged they have no more rows together, nor those that a frame is
/// made of; what has more stays as it is. It takes about 400 bytes for each.
const HEAD_ROWS_MAX: u64 = 1 << 19;

/// Retry keys and ids of runs that are merged have no more bytes together.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// Of histograms whose pushes have different bounds, rows that are looked at for one frame.
const UNEVEN_ROWS_MAX: usize = 1 << 20;

/// How much is merged at once. The defaults keep a tick within the memory of a small function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeLimits {
    /// Runs.
    pub runs_max: usize,
    /// Bytes of the files that are open, one of each run.
    pub open_bytes_max: u64,
    /// Rows of heads, of the runs that are merged or of all that a frame is made of.
    pub head_rows_max: u64,
    /// Bytes of retry keys and ids.
    pub list_bytes_max: u64,
    /// Rows since the last frame of histograms whose pushes have different bounds: those are folded as a whole.
    pub uneven_rows_max: usize,
}

impl Default for MergeLimits {
    fn default() -> Self {
        Self {
            runs_max: RUNS_MAX,
            open_bytes_max: OPEN_BYTES_MAX,
            head_rows_max: HEAD_ROWS_MAX,
            list_bytes_max: LIST_BYTES_MAX,
            uneven_rows_max: UNEVEN_ROWS_MAX,
        }
    }
}

/// One of [`MergeLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MergeLimit {
    /// `RUNS_MAX`
    Runs,
    /// `OPEN_BYTES_MAX`
    OpenBytes,
    /// `HEAD_ROWS_MAX`
    HeadRows,
    /// `LIST_BYTES_MAX`
    ListBytes,
    /// `UNEVEN_ROWS_MAX`
    UnevenRows,
}

impl MergeLimit {
    /// As documents and logs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Runs => "RUNS_MAX",
            Self::OpenBytes => "OPEN_BYTES_MAX",
            Self::HeadRows => "HEAD_ROWS_MAX",
            Self::ListBytes => "LIST_BYTES_MAX",
            Self::UnevenRows => "UNEVEN_ROWS_MAX",
        }
    }
}

/// What a merge of runs takes in memory.
#[derive(Clone, Copy, Default)]
pub(super) struct Load {
    runs: usize,
    open_bytes: u64,
    head_rows: u64,
    list_bytes: u64,
}

impl Load {
    /// With another run, or the limit that keeps it out.
    pub(super) fn and(self, run: &Run, limits: &MergeLimits) -> Result<Self, MergeLimit> {
        let more = Self {
            runs: self.runs + 1,
            open_bytes: self.open_bytes + run.objects.iter().map(|object| object.bytes).max().unwrap_or(0),
            head_rows: self.head_rows + head_rows(&run.objects),
            list_bytes: self.list_bytes + run.list_bytes,
        };
        let reached = [
            (more.runs > limits.runs_max, MergeLimit::Runs),
            (more.open_bytes > limits.open_bytes_max, MergeLimit::OpenBytes),
            (more.head_rows > limits.head_rows_max, MergeLimit::HeadRows),
            (more.list_bytes > limits.list_bytes_max, MergeLimit::ListBytes),
        ];
        match reached.into_iter().find(|(is_reached, _)| *is_reached) {
            Some((_, limit)) => Err(limit),
            None => Ok(more),
        }
    }
}

/// The rows of the heads of some files.
pub(super) fn head_rows(objects: &[Object]) -> u64 {
    objects.iter().map(|object| object.head_rows).sum()
}
