//! What files come to when they are merged, by the kind of their stream.

use std::sync::Arc;

use bytes::Bytes;

use crate::layout::{Day, Minute};
use crate::segment::{Segment, merge_samples};

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pushes,
    Samples,
}

/// Rows, and the retry keys of the pushes that are in them.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) segment: Segment,
    pub(super) keys: Option<Bytes>,
}

/// A run before it is written.
#[derive(Debug)]
pub(super) struct MergedRun {
    /// Of samples: the day of their time.
    pub(super) day: Option<Day>,
    pub(super) content: Merged,
    /// How many rows are gone.
    pub(super) rows_merged: u64,
}

impl Kind {
    /// The runs of files that are given in the order in which they were written.
    pub(super) fn merge(self, inputs: &[Arc<Segment>]) -> Vec<MergedRun> {
        match self {
            Self::Samples => samples(inputs),
            Self::Pushes => Vec::new(),
        }
    }
}

fn samples(inputs: &[Arc<Segment>]) -> Vec<MergedRun> {
    let had: usize = inputs.iter().map(|input| input.rows.len()).sum();
    let days = merge_samples(inputs);
    let have: usize = days.values().map(|segment| segment.rows.len()).sum();
    let mut rows_merged = (had - have) as u64;
    let runs = days.into_iter().map(|(day, segment)| MergedRun {
        day: Some(day),
        content: Merged { segment, keys: None },
        // of several days nobody asks which had them
        rows_merged: std::mem::take(&mut rows_merged),
    });
    runs.collect()
}

/// What is held at some time.
#[derive(Debug)]
pub(super) struct FrameContent {
    pub(super) segment: Segment,
    /// Whether it says all, or what differs from the frame before.
    pub(super) is_full: bool,
}

/// The frame at `at`, from the frames before it and what happened since; `None` if nothing has changed.
pub(super) fn frame(
    _held: Vec<Vec<Arc<Segment>>>,
    _happened: Vec<Arc<Segment>>,
    _at: Minute,
) -> Option<FrameContent> {
    None
}
