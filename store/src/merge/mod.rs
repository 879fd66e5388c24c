//! From segments and runs to runs, and from runs to frames: what compaction writes, as pure functions of what it has read.
//!
//! A run holds the events of a stretch of time of which everything is known. So each event can say itself what ended it, and
//! the head keeps only what concerns events before the run. A frame holds what is held at the end of a run.

mod contested;
mod frame;
mod head;
mod pushes;
mod samples;
mod thin;

#[cfg(test)]
mod tests;

use model::{RetryKey, Stamp};

use crate::segment::Segment;
pub(crate) use frame::frame;
pub(crate) use pushes::merge_pushes;
pub(crate) use samples::merge_samples;

/// The stamps of which all events are known: `from_us` and what is before `end_us`. Both are beginnings of minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from_us: i64,
    pub(crate) end_us: i64,
}

impl Span {
    pub(crate) fn contains(&self, at_us: i64) -> bool {
        (self.from_us..self.end_us).contains(&at_us)
    }
}

/// What becomes of what is merged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MergeSettings {
    /// Of what is added to one series within a stretch of so many µs, counted from 1970, one row is left; it must divide a
    /// minute. `None`: all rows are left.
    pub(crate) aggregate_resolution_us: Option<i64>,
}

/// What segments or runs of pushes have become.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// The run.
    pub(crate) run: Segment,
    /// The retry keys that counted in segments, by key.
    pub(crate) keys: Vec<(RetryKey, Stamp)>,
    /// Rows that are not in the run since their pushes repeat others, or since they were read twice.
    pub(crate) repeated_rows: u64,
    /// Rows that were added to others.
    pub(crate) joined_rows: u64,
}
