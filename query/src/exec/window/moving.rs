//! Functions that need not look at every sample of every window, because windows move forward.

use std::ops::Range;

use super::RangeWindow;
use super::columns::Columns;
use super::rate::Changes;
use crate::plan::Windows;
use crate::syntax::Function;

/// A function over windows of one series that move forward. It gives what the function gives over each window alone, to
/// the bit.
pub(super) enum Moving<'a> {
    Changes(Changes<'a>),
    Extremes(Extremes<'a>),
}

impl<'a> Moving<'a> {
    /// `None` if the function looks at every sample of a window.
    pub(super) fn of(node: &Windows, columns: &'a Columns<'a>) -> Option<Self> {
        match node.function {
            Function::MinOverTime => Some(Self::Extremes(Extremes::of(&columns.values, false))),
            Function::MaxOverTime => Some(Self::Extremes(Extremes::of(&columns.values, true))),
            _ => Changes::of(node, columns).map(Self::Changes),
        }
    }

    /// What it makes of the window over the samples `inside`.
    pub(super) fn at(&mut self, window: &RangeWindow<'_>, inside: &Range<usize>) -> Option<f64> {
        match self {
            Self::Changes(changes) => changes.at(window, inside),
            Self::Extremes(extremes) => extremes.at(inside),
        }
    }
}

/// The largest or smallest values of windows: a sample that is followed by a better one can be forgotten.
pub(super) struct Extremes<'a> {
    values: &'a [f64],
    most: bool,
    /// Samples that may still be the best of a window, each better than all behind it; those before `first` are done.
    candidates: Vec<usize>,
    first: usize,
    /// How many samples have been looked at.
    seen: usize,
}

impl<'a> Extremes<'a> {
    fn of(values: &'a [f64], most: bool) -> Self {
        Self { values, most, candidates: Vec::new(), first: 0, seen: 0 }
    }

    fn at(&mut self, inside: &Range<usize>) -> Option<f64> {
        // what lies before the window is never looked at again
        self.seen = self.seen.max(inside.start);
        while self.seen < inside.end {
            self.add(self.seen);
            self.seen += 1;
        }
        while self.candidates.get(self.first).is_some_and(|&index| index < inside.start) {
            self.first += 1;
        }
        let best = self.candidates.get(self.first).copied();
        // among nothing but NaN, the last
        best.or(inside.end.checked_sub(1).filter(|_| !inside.is_empty())).map(|index| self.values[index])
    }

    fn add(&mut self, index: usize) {
        let value = self.values[index];
        if value.is_nan() {
            return;
        }
        // of equal values, the first counts
        let is_worse = |known: f64| if self.most { known < value } else { known > value };
        while self.candidates.len() > self.first
            && self.candidates.last().is_some_and(|&last| is_worse(self.values[last]))
        {
            self.candidates.pop();
        }
        if self.candidates.len() == self.first {
            self.candidates.clear();
            self.first = 0;
        }
        self.candidates.push(index);
    }
}

#[cfg(test)]
mod tests {
    use model::Samples;
    use proptest::prelude::*;

    use super::super::columns::Cursor;
    use super::super::over_samples;
    use super::*;
    use crate::plan::Grid;
    use crate::syntax::{ByteRange, Edges};

    proptest! {
        #[test]
        fn windows_moving_over_a_series_are_windows(
            gaps in prop::collection::vec((1_i64..40, 0_u8..12, 0_i64..60), 0..60),
            (range_ms, step_ms, with_starts) in (1_i64..200, 0_i64..50, any::<bool>()),
        ) {
            let mut samples = Samples::default();
            let mut at_ms = 0;
            for &(gap, value, since) in &gaps {
                at_ms += gap;
                samples.push(at_ms, match value {
                    10 => f64::NAN,
                    11 => -0.0,
                    value => f64::from(value) / 3.0,
                });
                if with_starts {
                    samples.start_ms.push(at_ms - since);
                }
            }
            let columns = Columns::of(&samples);
            let times = Grid { start_ms: 1, step_ms, count: 60 };
            for function in [
                Function::Rate,
                Function::Increase,
                Function::Delta,
                Function::MinOverTime,
                Function::MaxOverTime,
            ] {
                let (edges, range) = (Edges::Plain, ByteRange::default());
                let node = Windows { function, times, range_ms, edges, grid: times, range, parameter_range: range };
                let evaluate = over_samples(function).expect("is one of floats");
                let mut moving = Moving::of(&node, &columns).expect("moves");
                let mut cursor = Cursor::over(&columns.times);
                for end_ms in times.times() {
                    let start_ms = end_ms - range_ms;
                    let inside = cursor.at(start_ms, end_ms);
                    let window = RangeWindow {
                        times: &columns.times[inside.clone()],
                        values: &columns.values[inside.clone()],
                        starts: columns.starts.get(inside.clone()).unwrap_or(&[]),
                        start_ms,
                        end_ms,
                        eval_ms: end_ms,
                        parameters: [0.0; 2],
                    };
                    let bits = |value: Option<f64>| value.map(f64::to_bits);
                    prop_assert_eq!(bits(moving.at(&window, &inside)), bits(evaluate(&window)), "{:?}", function);
                }
            }
        }
    }
}
