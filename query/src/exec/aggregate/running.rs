//! Aggregations that take one series after the other.

use crate::exec::points::Points;
use crate::exec::{Mean, Sum};
use crate::syntax::AggregateOp;

use super::histograms::{Histograms, Trouble};

/// What one group has come to at each time of a grid.
pub(super) enum Running {
    Sum(Vec<Option<Sum>>, Histograms),
    Mean(Vec<Option<Mean>>, Histograms),
    Count(Vec<f64>),
    Group(Vec<bool>),
    Extreme { most: bool, values: Vec<Option<f64>> },
    Spread { root: bool, values: Vec<Spread> },
}

/// Welford's variance.
#[derive(Clone, Copy, Default)]
pub(super) struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }
}

impl Running {
    pub(super) fn new(op: AggregateOp, count: usize) -> Self {
        match op {
            AggregateOp::Avg => Self::Mean(vec![None; count], Histograms::mean(count)),
            AggregateOp::Count => Self::Count(vec![0.0; count]),
            AggregateOp::Group => Self::Group(vec![false; count]),
            AggregateOp::Min | AggregateOp::Max => {
                Self::Extreme { most: op == AggregateOp::Max, values: vec![None; count] }
            }
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                Self::Spread { root: op == AggregateOp::Stddev, values: vec![Spread::default(); count] }
            }
            _ => Self::Sum(vec![None; count], Histograms::sum(count)),
        }
    }

    /// Adds a series.
    pub(super) fn add(&mut self, points: &Points) {
        match self {
            Self::Count(counts) => {
                points.floats().for_each(|(index, _)| counts[index] += 1.0);
                points.histograms().for_each(|(index, _)| counts[index] += 1.0);
            }
            Self::Group(present) => {
                points.floats().for_each(|(index, _)| present[index] = true);
                points.histograms().for_each(|(index, _)| present[index] = true);
            }
            Self::Sum(sums, histograms) => {
                histograms.add(points);
                for (index, value) in points.floats() {
                    match &mut sums[index] {
                        Some(sum) => sum.add(value),
                        empty => *empty = Some(Sum::of(value)),
                    }
                }
            }
            Self::Mean(means, histograms) => {
                histograms.add(points);
                points.floats().for_each(|(index, value)| means[index].get_or_insert_default().add(value));
            }
            Self::Extreme { most, values } => {
                for (index, value) in points.floats() {
                    let known = values[index].get_or_insert(value);
                    let better = if *most { value > *known } else { value < *known };
                    if better || known.is_nan() {
                        *known = value;
                    }
                }
            }
            Self::Spread { values, .. } => {
                points.floats().for_each(|(index, value)| values[index].add(value));
            }
        }
    }

    /// Whether histograms have no meaning for this aggregation.
    pub(super) fn ignores_histograms(&self) -> bool {
        matches!(self, Self::Extreme { .. } | Self::Spread { .. })
    }

    /// The values of the group, and what was wrong with them.
    pub(super) fn finish(self) -> (Points, Trouble) {
        let points = match self {
            Self::Sum(sums, histograms) => {
                return histograms.finish(|index| sums[index].map(|sum| sum.value()));
            }
            Self::Mean(means, histograms) => {
                return histograms.finish(|index| means[index].map(|mean| mean.value()));
            }
            Self::Count(counts) => {
                Points::of_floats(counts.len(), |index| (counts[index] > 0.0).then_some(counts[index]))
            }
            Self::Group(present) => Points::of_floats(present.len(), |index| present[index].then_some(1.0)),
            Self::Extreme { values, .. } => Points::of_floats(values.len(), |index| values[index]),
            Self::Spread { root, values } => Points::of_floats(values.len(), |index| {
                let spread = values[index];
                let variance = spread.squares / spread.count;
                (spread.count > 0.0).then(|| if root { variance.sqrt() } else { variance })
            }),
        };
        (points, Trouble::default())
    }
}
