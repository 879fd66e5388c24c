//! How many samples a query looked at, time by time.

use crate::plan::Grid;

/// How many samples were looked at for each time of a grid: a sample in the windows of several times counts for each, and
/// a native histogram counts as several. Counts only if that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Empty if nothing is to be counted.
    counts: Vec<u64>,
}

impl Tally {
    /// Counts at so many times, if `wanted`.
    pub(crate) fn new(wanted: bool, count: usize) -> Self {
        Self { counts: if wanted { vec![0; count] } else { Vec::new() } }
    }

    pub(crate) fn from_counts(counts: Vec<u64>) -> Self {
        Self { counts }
    }

    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.counts.is_empty()
    }

    /// Counts samples for the time at a place of the grid.
    #[inline]
    pub(super) fn add(&mut self, place: usize, samples: u64) {
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(samples);
        }
    }

    /// Adds what was counted at the same times.
    pub(super) fn absorb(&mut self, other: &Self) {
        for (place, samples) in other.counts.iter().enumerate() {
            self.add(place, *samples);
        }
    }

    /// Adds what was counted once for a value that is the same at all times.
    pub(super) fn absorb_everywhere(&mut self, once: &Self) {
        let samples = once.counts.iter().fold(0_u64, |sum, samples| sum.saturating_add(*samples));
        (0..self.counts.len()).for_each(|place| self.add(place, samples));
    }

    /// Each time of the grid with what was counted for it.
    pub(crate) fn into_steps(self, grid: Grid) -> Vec<(i64, u64)> {
        grid.times().zip(self.counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_what_is_wanted() {
        let mut tally = Tally::new(true, 2);
        tally.add(1, 3);
        tally.add(7, 1);
        let mut once = Tally::new(true, 1);
        once.add(0, 5);
        tally.absorb_everywhere(&once);
        tally.absorb(&Tally::from_counts(vec![1, 0]));
        assert_eq!(tally.counts(), [6, 8]);
        let mut off = Tally::new(false, 2);
        off.absorb(&tally);
        off.absorb_everywhere(&tally);
        assert_eq!((off.counts().len(), off.is_wanted()), (0, false));
    }
}
