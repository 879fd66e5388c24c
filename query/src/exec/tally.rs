//! How many samples a query looked at and read, time by time.

use std::ops::Range;

use super::Weight;
use crate::plan::Grid;

/// How many samples were looked at for each time of a grid, and how many of them for the first time: a sample in the
/// windows of several times is looked at for each, and read once, for the first. A native histogram counts as several
/// samples. Counts only if that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Empty if nothing is to be counted.
    looked_at: Vec<u64>,
    /// As long as `looked_at`.
    read: Vec<u64>,
    /// Series that have a value somewhere, and how many values.
    gave: (u64, u64),
}

impl Tally {
    /// Counts at so many times, if `wanted`.
    pub(crate) fn new(wanted: bool, count: usize) -> Self {
        let counts = if wanted { vec![0; count] } else { Vec::new() };
        Self { looked_at: counts.clone(), read: counts, gave: (0, 0) }
    }

    /// What [`Tally::counts`] took apart; `None` if these are no such counts.
    pub(crate) fn from_counts(looked_at: Vec<u64>, read: Vec<u64>, gave: (u64, u64)) -> Option<Self> {
        (looked_at.len() == read.len()).then_some(Self { looked_at, read, gave })
    }

    /// What was looked at and what was read, by time.
    pub(crate) fn counts(&self) -> (&[u64], &[u64]) {
        (&self.looked_at, &self.read)
    }

    /// How many times it counts at.
    pub(crate) fn len(&self) -> usize {
        self.looked_at.len()
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.looked_at.is_empty()
    }

    /// Series that a fragment gave or added up, and their values.
    pub(crate) fn gave(&self) -> (u64, u64) {
        self.gave
    }

    /// Counts the values of a series.
    pub(super) fn give(&mut self, values: u64) {
        self.gave.0 += 1;
        self.gave.1 = self.gave.1.saturating_add(values);
    }

    /// What counts at so many times take in memory. They are no samples.
    pub(crate) fn weight_of(count: usize) -> Weight {
        Weight { samples: 0, bytes: (count as u64).saturating_mul(16) }
    }

    /// Counts samples for the time at a place of the grid, `read` of them for the first time.
    #[inline]
    pub(super) fn add(&mut self, place: usize, looked_at: u64, read: u64) {
        if let (Some(all), Some(first)) = (self.looked_at.get_mut(place), self.read.get_mut(place)) {
            *all = all.saturating_add(looked_at);
            *first = first.saturating_add(read);
        }
    }

    /// Adds what was counted at the same times.
    pub(super) fn absorb(&mut self, other: &Self) {
        for (place, (looked_at, read)) in other.looked_at.iter().zip(&other.read).enumerate() {
            self.add(place, *looked_at, *read);
        }
    }

    /// Adds what was counted once for a value that is the same at all times.
    pub(super) fn absorb_everywhere(&mut self, once: &Self) {
        let looked_at = sum(&once.looked_at);
        (0..self.len()).for_each(|place| self.add(place, looked_at, 0));
        self.add(0, 0, sum(&once.read));
    }

    /// Leaves what was looked at: the values of a subquery are not read, but computed.
    pub(super) fn forget_read(&mut self) {
        self.read.fill(0);
    }

    /// Adds what was read for the times of a subquery, each where its value is first inside of one of the windows that
    /// end at `ends`.
    pub(super) fn absorb_read(&mut self, inner: &Self, steps: Grid, ends: Grid, range_ms: i64) {
        let mut next = 0;
        for place in 0..self.len() {
            let end_ms = ends.at(place);
            let start_ms = end_ms.saturating_sub(range_ms);
            while inner.read.get(next).is_some_and(|_| steps.at(next) <= end_ms) {
                if steps.at(next) > start_ms {
                    self.add(place, 0, inner.read[next]);
                }
                next += 1;
            }
        }
    }

    /// Each time of the grid with what was looked at and what was read for it.
    pub(crate) fn into_steps(self, grid: Grid) -> [Vec<(i64, u64)>; 2] {
        [self.looked_at, self.read].map(|counts| grid.times().zip(counts).collect())
    }
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// Tells which samples of windows that move forward no window before had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FirstSeen {
    /// Samples before this have been seen.
    end: usize,
}

impl FirstSeen {
    /// Of the samples `inside` of the next window, those that are new.
    pub(super) fn of(&mut self, inside: &Range<usize>) -> Range<usize> {
        let new = inside.start.max(self.end).min(inside.end)..inside.end;
        self.end = self.end.max(inside.end);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_what_is_wanted() {
        let mut tally = Tally::new(true, 2);
        tally.add(1, 3, 2);
        tally.add(7, 1, 1);
        let mut once = Tally::new(true, 1);
        once.add(0, 5, 4);
        tally.absorb_everywhere(&once);
        tally.absorb(&Tally::from_counts(vec![1, 0], vec![1, 0], (0, 0)).expect("fit"));
        assert_eq!(tally.counts(), (&[6, 8][..], &[5, 2][..]));
        let mut off = Tally::new(false, 2);
        off.absorb(&tally);
        off.absorb_everywhere(&tally);
        assert_eq!((off.len(), off.is_wanted()), (0, false));
        assert_eq!(Tally::from_counts(vec![1], Vec::new(), (0, 0)), None);
    }

    #[test]
    fn a_step_of_a_subquery_counts_for_the_first_window_that_has_it() {
        let inner = Tally::from_counts(vec![0; 6], vec![1, 2, 4, 8, 16, 32], (0, 0)).expect("fit");
        let steps = Grid::over(10, 60, 10);
        let check = |ends: Grid, range_ms: i64, expect: &[u64]| {
            let mut tally = Tally::new(true, ends.count);
            tally.absorb_read(&inner, steps, ends, range_ms);
            assert_eq!(tally.counts().1, expect, "{ends:?} {range_ms}");
        };
        check(Grid::over(30, 60, 15), 30, &[7, 8, 48]);
        // what lies between windows is in none
        check(Grid::over(20, 60, 20), 10, &[2, 8, 32]);
        check(Grid::once(60).pinned(40), 20, &[12]);
        check(Grid { start_ms: 40, step_ms: 0, count: 3 }, 20, &[12, 0, 0]);
    }

    #[test]
    fn what_windows_share_is_new_once() {
        let mut seen = FirstSeen::default();
        assert_eq!(seen.of(&(2..5)), 2..5);
        assert_eq!(seen.of(&(3..6)), 5..6);
        assert!(seen.of(&(4..4)).is_empty() && seen.of(&(4..6)).is_empty());
        assert_eq!(seen.of(&(8..9)), 8..9);
    }
}
