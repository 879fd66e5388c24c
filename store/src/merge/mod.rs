//! From segments and runs to runs, and from runs to frames: what compaction writes, as pure functions of what it has read.
//!
//! A run holds the events of a stretch of time of which everything is known. So each event can say itself what ended it, and
//! the head keeps only what concerns events before the run. A frame holds what is held at the end of a run.

mod contested;
mod filling;
mod frame;
mod head;
mod pushes;
mod rounds;
mod samples;
mod sorted;
mod survey;
mod thin;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

pub(crate) use contested::{Contested, Stamps};
pub(crate) use filling::{FileLimits, Filling};
pub(crate) use frame::{FrameHeads, FrameMerge, Surveyed};
pub(crate) use pushes::{Known, PushMerge};
pub(crate) use rounds::{Round, Rounds};
pub(crate) use samples::SampleMerge;
pub(crate) use sorted::sorted;
pub(crate) use survey::{Survey, Uneven};
pub(crate) use thin::Cells;
#[cfg(test)]
pub(crate) use whole::{MergeSettings, frame, merge_pushes, merge_samples};

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
