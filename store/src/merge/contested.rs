//! Where the order of events needs their writers.

use std::collections::HashSet;
use std::sync::Arc;

use model::Stamp;

use crate::segment::Segment;

/// The microseconds in which several writers have stamped something. Nowhere else does the order need writers, so nowhere
/// else do runs name them.
#[derive(Debug, Default)]
pub(super) struct Contested {
    at_us: HashSet<i64>,
}

impl Contested {
    pub(super) fn of(inputs: &[Arc<Segment>]) -> Self {
        let mut stamps: Vec<Stamp> = Vec::new();
        for input in inputs {
            let first = stamps.len();
            stamps.extend(input.head_stamps());
            stamps.extend((0..input.rows.len()).map(|row| input.stamp(row)));
            // the series of a push share its stamp
            stamps[first..].sort_unstable();
            let mut kept = first;
            for index in first..stamps.len() {
                if kept == first || stamps[index] != stamps[kept - 1] {
                    stamps[kept] = stamps[index];
                    kept += 1;
                }
            }
            stamps.truncate(kept);
        }
        stamps.sort_unstable();
        let differ = |pair: &[Stamp]| pair[0].at_us == pair[1].at_us && pair[0].writer != pair[1].writer;
        let at_us = stamps.windows(2).filter(|pair| differ(pair)).map(|pair| pair[0].at_us).collect();
        Self { at_us }
    }

    pub(super) fn contains(&self, at_us: i64) -> bool {
        !self.at_us.is_empty() && self.at_us.contains(&at_us)
    }

    /// A stamp as the run has it. `of_run`: it comes from a run, and has its writer only if it needs it.
    pub(super) fn stamp(&self, stamp: Stamp) -> Stamp {
        if self.contains(stamp.at_us) { stamp } else { Stamp { writer: 0, ..stamp } }
    }
}
