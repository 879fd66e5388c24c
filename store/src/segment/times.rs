//! The times of rows in memory. Series that are sampled at one interval take next to nothing.

use std::ops::Range;

/// Of rows one after the other, ascending within a series. Milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Times {
    /// Rows at one distance each.
    Runs(Vec<Run>),
    Each(Vec<i64>),
}

/// Rows up to the next run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    first_row: u32,
    step_ms: u32,
    from_ms: i64,
}

impl Times {
    /// As whatever takes less.
    pub(super) fn of(each_ms: Vec<i64>) -> Self {
        // a run takes as much as two times
        let runs_max = each_ms.len() / 3;
        let mut runs: Vec<Run> = Vec::new();
        let mut row = 0;
        while row < each_ms.len() && runs.len() <= runs_max {
            let (from_ms, first_row) = (each_ms[row], u32::try_from(row).unwrap_or(u32::MAX));
            let step = each_ms.get(row + 1).map(|next| next.wrapping_sub(from_ms));
            let step_ms = step.and_then(|step| u32::try_from(step).ok());
            let step = i64::from(step_ms.unwrap_or(0));
            row += 1;
            while row < each_ms.len()
                && step_ms.is_some()
                && each_ms[row].wrapping_sub(each_ms[row - 1]) == step
            {
                row += 1;
            }
            runs.push(Run { first_row, step_ms: step_ms.unwrap_or(0), from_ms });
        }
        match runs.len() <= runs_max && u32::try_from(each_ms.len()).is_ok() {
            true => {
                runs.shrink_to_fit();
                Self::Runs(runs)
            }
            false => Self::Each(each_ms),
        }
    }

    /// About how much memory they take.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Runs(runs) => runs.len() * size_of::<Run>(),
            Self::Each(each) => each.len() * size_of::<i64>(),
        }
    }

    pub(crate) fn at(&self, row: usize) -> i64 {
        match self {
            Self::Runs(runs) => runs[run_of(runs, row)].at(row),
            Self::Each(each) => each[row],
        }
    }

    /// Of the rows of one series those of a time, both ends included.
    pub(crate) fn within(&self, rows: Range<usize>, (from_ms, to_ms): (i64, i64)) -> Range<usize> {
        match self {
            Self::Each(each) => {
                let each = &each[rows.clone()];
                let start = each.partition_point(|&at| at < from_ms);
                let end = each.partition_point(|&at| at <= to_ms);
                rows.start + start..rows.start + end.max(start)
            }
            Self::Runs(runs) => {
                let start = first_from(runs, &rows, from_ms);
                let end = to_ms.checked_add(1).map_or(rows.end, |behind| first_from(runs, &rows, behind));
                start..end.max(start)
            }
        }
    }

    /// Adds the times of some rows to others.
    pub(crate) fn extend(&self, rows: Range<usize>, into: &mut Vec<i64>) {
        match self {
            Self::Each(each) => into.extend_from_slice(&each[rows]),
            Self::Runs(runs) => {
                let mut row = rows.start;
                let mut place = run_of(runs, row);
                while row < rows.end {
                    let next = runs.get(place + 1).map_or(rows.end, |next| next.first_row as usize);
                    let (run, end) = (runs[place], next.min(rows.end));
                    let (first, step) = (run.at(row), i64::from(run.step_ms));
                    into.extend((0_i64..).take(end - row).map(|nth| first + nth * step));
                    (row, place) = (end, place + 1);
                }
            }
        }
    }
}

impl Run {
    fn at(self, row: usize) -> i64 {
        let nth = i64::try_from(row).unwrap_or(i64::MAX) - i64::from(self.first_row);
        self.from_ms + nth * i64::from(self.step_ms)
    }
}

/// The run of a row.
fn run_of(runs: &[Run], row: usize) -> usize {
    runs.partition_point(|run| run.first_row as usize <= row).saturating_sub(1)
}

/// The first row of a series that is not before a time, or the end.
fn first_from(runs: &[Run], rows: &Range<usize>, from_ms: i64) -> usize {
    if rows.is_empty() {
        return rows.start;
    }
    let (first, last) = (run_of(runs, rows.start), run_of(runs, rows.end - 1));
    // runs within a series ascend; the first may begin in another series
    let behind = first + 1 + runs[first + 1..=last].partition_point(|run| run.from_ms < from_ms);
    let (run, end) = (runs[behind - 1], runs.get(behind).map_or(rows.end, |run| run.first_row as usize));
    let end = end.min(rows.end);
    let start = (run.first_row as usize).max(rows.start);
    let left = from_ms.saturating_sub(run.at(start));
    if left <= 0 {
        return start;
    }
    match u64::from(run.step_ms) {
        0 => end.min(start + 1),
        step => {
            let skipped = left.unsigned_abs().div_ceil(step);
            start.saturating_add(usize::try_from(skipped).unwrap_or(usize::MAX)).min(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Series, each of runs of so many rows at one distance.
    fn series() -> impl Strategy<Value = Vec<Vec<(u8, u16)>>> {
        prop::collection::vec(prop::collection::vec((1..9_u8, 1..4_u16), 1..5), 1..8)
    }

    proptest! {
        #[test]
        fn they_are_the_times_that_were_given(series in series(), from in 0..60_i64, long in 0..40_i64) {
            let (mut each, mut ranges) = (Vec::new(), Vec::new());
            for of_series in series {
                let (start, mut at) = (each.len(), 0);
                for (count, step) in of_series {
                    for _ in 0..count {
                        at += i64::from(step);
                        each.push(at);
                    }
                }
                ranges.push(start..each.len());
            }
            let times = Times::of(each.clone());
            for (row, at) in each.iter().enumerate() {
                prop_assert_eq!(times.at(row), *at);
            }
            for range in ranges {
                let mut all = vec![7];
                times.extend(range.clone(), &mut all);
                prop_assert_eq!(&all[1..], &each[range.clone()]);
                let expect: Vec<usize> =
                    range.clone().filter(|row| (from..=from + long).contains(&each[*row])).collect();
                let found = times.within(range.clone(), (from, from + long));
                prop_assert_eq!(found.collect::<Vec<_>>(), expect);
                prop_assert_eq!(times.within(range.clone(), (i64::MIN, i64::MAX)), range);
            }
        }
    }

    #[test]
    fn one_interval_takes_little() {
        let regular = Times::of((0..1_000).map(|at| 15_000 * at).collect());
        assert_eq!(regular.memory_bytes(), size_of::<Run>());
        let irregular: Vec<i64> = (0..1_000).map(|at| at * at).collect();
        assert_eq!(Times::of(irregular.clone()), Times::Each(irregular));
        assert_eq!(Times::of(Vec::new()), Times::Runs(Vec::new()));
    }
}
