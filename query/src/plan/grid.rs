//! Evenly spaced times.

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
}
