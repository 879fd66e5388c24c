//! What files come to when they are merged, by the kind of their stream.

use std::sync::Arc;

use super::CompactSettings;
use super::keys::Counted;
use super::lease::micros;
use crate::layout::Day;
use crate::merge::{MergeSettings, Merged, Span, merge_pushes, merge_samples};
use crate::segment::Segment;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pushes,
    Samples,
}

/// A run before it is written.
#[derive(Debug)]
pub(super) struct MergedRun {
    /// Of samples: the day of their time.
    pub(super) day: Option<Day>,
    pub(super) segment: Segment,
    /// The retry keys of the segments that were merged; what was a run had them beside it.
    pub(super) keys: Vec<Counted>,
    /// How many rows are gone.
    pub(super) rows_merged: u64,
}

impl Kind {
    /// The runs of files that are given in the order in which they were written, and that hold all of a span.
    pub(super) fn merge(
        self,
        inputs: &[Arc<Segment>],
        span: Span,
        counted: &[Counted],
        settings: &CompactSettings,
    ) -> Vec<MergedRun> {
        match self {
            Self::Samples => samples(inputs),
            Self::Pushes => {
                let by_us = Some(micros(settings.aggregate_resolution)).filter(|by_us| *by_us > 0);
                let settings = MergeSettings { aggregate_resolution_us: by_us };
                let Merged { run: segment, keys, repeated_rows, joined_rows } =
                    merge_pushes(inputs, span, counted, settings);
                vec![MergedRun { day: None, segment, keys, rows_merged: repeated_rows + joined_rows }]
            }
        }
    }
}

fn samples(inputs: &[Arc<Segment>]) -> Vec<MergedRun> {
    let (days, mut rows_merged) = merge_samples(inputs);
    let runs = days.into_iter().map(|(day, segment)| MergedRun {
        day: Some(day),
        segment,
        keys: Vec::new(),
        // of several days nobody asks which had them
        rows_merged: std::mem::take(&mut rows_merged),
    });
    runs.collect()
}
