//! Evenly spaced times.

use std::ops::Range;

/// `count` times, from `start_ms` on, `step_ms` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Grid {
    /// One time.
    pub(crate) fn once(at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 0, count: 1 }
    }

    /// All times from `start_ms` up to `end_ms`.
    pub(crate) fn over(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let count = if end_ms < start_ms { 0 } else { (end_ms - start_ms) / step_ms.max(1) + 1 };
        Self { start_ms, step_ms, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }

    pub(crate) fn at(&self, index: usize) -> i64 {
        self.start_ms.saturating_add(self.step_ms.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX)))
    }

    pub(crate) fn end_ms(&self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }

    /// The same times, this much earlier.
    pub(crate) fn earlier(&self, by_ms: i64) -> Self {
        Self { start_ms: self.start_ms.saturating_sub(by_ms), ..*self }
    }

    /// The same time, as often as this grid has times.
    pub(crate) fn pinned(&self, at_ms: i64) -> Self {
        Self { start_ms: at_ms, step_ms: 0, count: self.count }
    }

    /// The places of the times from `first_ms` to `last_ms`, both included.
    pub(crate) fn places(&self, first_ms: i64, last_ms: i64) -> Range<usize> {
        if first_ms > last_ms {
            return 0..0;
        }
        if self.step_ms <= 0 {
            let inside = (first_ms..=last_ms).contains(&self.start_ms);
            return 0..if inside { self.count } else { 0 };
        }
        // how many times lie before a point in time
        let before = |at_ms: i128| {
            let steps = (at_ms - i128::from(self.start_ms) + i128::from(self.step_ms) - 1)
                .div_euclid(i128::from(self.step_ms));
            usize::try_from(steps.max(0)).unwrap_or(usize::MAX).min(self.count)
        };
        before(i128::from(first_ms))..before(i128::from(last_ms) + 1)
    }

    /// All times, in order.
    pub(crate) fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let grid = *self;
        (0..grid.count).map(move |index| grid.at(index))
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn the_end_is_included_only_if_a_step_meets_it() {
        let times = |grid: Grid| grid.times().collect::<Vec<_>>();
        assert_eq!(times(Grid::over(0, 10, 5)), [0, 5, 10]);
        assert_eq!(times(Grid::over(0, 9, 5)), [0, 5]);
        assert_eq!(times(Grid::over(3, 3, 5)), [3]);
        assert_eq!(times(Grid::over(5, 3, 5)), [0_i64; 0]);
        assert_eq!(times(Grid::over(0, 10, 5).earlier(2).pinned(7)), [7, 7, 7]);
    }

    #[test]
    fn places_are_those_of_the_times_between() {
        let grid = Grid::over(100, 200, 10);
        for first in 80..220 {
            for last in 80..220 {
                let expect: Vec<usize> =
                    (0..grid.count).filter(|&index| (first..=last).contains(&grid.at(index))).collect();
                assert_eq!(grid.places(first, last).collect::<Vec<_>>(), expect, "{first} to {last}");
            }
        }
        assert_eq!(grid.places(i64::MIN, i64::MAX), 0..11);
        assert_eq!(grid.pinned(7).places(7, 7), 0..11);
        assert_eq!(grid.pinned(7).places(8, i64::MAX), 0..0);
    }
}
