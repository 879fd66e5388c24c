//! Where the order of events needs their writers.

use std::collections::HashSet;

use model::Stamp;

use crate::segment::Segment;

/// The microseconds in which several writers have stamped something. Nowhere else does the order need writers, so nowhere
/// else do runs name them.
#[derive(Debug, Default)]
pub(crate) struct Contested {
    at_us: HashSet<i64>,
    is_told: bool,
}

/// The stamps of inputs that are looked at one by one.
#[derive(Debug, Default)]
pub(crate) struct Stamps(Vec<Stamp>);

impl Stamps {
    /// Takes the stamps of head and rows of an input.
    pub(crate) fn add(&mut self, input: &Segment) {
        let Self(stamps) = self;
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
}

impl Contested {
    /// Of all inputs together.
    pub(crate) fn of(Stamps(mut stamps): Stamps) -> Self {
        stamps.sort_unstable();
        let differ = |pair: &[Stamp]| pair[0].at_us == pair[1].at_us && pair[0].writer != pair[1].writer;
        let at_us = stamps.windows(2).filter(|pair| differ(pair)).map(|pair| pair[0].at_us).collect();
        Self { at_us, is_told: false }
    }

    /// Of runs, which name writers where that is needed, and have no minute in common.
    pub(crate) fn told() -> Self {
        Self { at_us: HashSet::new(), is_told: true }
    }

    pub(super) fn contains(&self, at_us: i64) -> bool {
        !self.at_us.is_empty() && self.at_us.contains(&at_us)
    }

    /// A stamp as the run has it: with its writer only if it needs it.
    pub(super) fn stamp(&self, stamp: Stamp) -> Stamp {
        if self.is_told || self.contains(stamp.at_us) { stamp } else { Stamp { writer: 0, ..stamp } }
    }
}
