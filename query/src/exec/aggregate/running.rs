//! Aggregations that take one series after the other.

use crate::exec::points::Points;
use crate::exec::{ExecError, Mean, Result, Sum, Weight};
use crate::syntax::AggregateOp;

use super::histograms::{Histograms, Trouble};

/// What one group has come to at each time of a grid.
#[derive(Clone, Debug)]
pub(crate) enum Running {
    Sum(Vec<Option<Sum>>, Histograms),
    Mean(Vec<Option<Mean>>, Histograms),
    Count(Vec<f64>),
    Group(Vec<bool>),
    Extreme { most: bool, values: Vec<Option<f64>> },
    Spread { root: bool, values: Vec<Spread> },
}

/// Welford's variance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Count, mean and squares.
    pub(crate) fn parts(&self) -> [f64; 3] {
        [self.count, self.mean, self.squares]
    }

    pub(crate) fn from_parts([count, mean, squares]: [f64; 3]) -> Self {
        Self { count, mean, squares }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    /// Adds what other values have come to (Chan's formula).
    fn merge(&mut self, other: Self) {
        if other.count <= 1.0 {
            if other.count > 0.0 {
                self.add(other.mean);
            }
            return;
        }
        if self.count <= 0.0 {
            *self = other;
            return;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        self.mean += distance * (other.count / count);
        self.squares += other.squares + distance * distance * (self.count * other.count / count);
        self.count = count;
    }
}

/// Takes `value` if it goes further than what is known.
fn reach(known: &mut Option<f64>, value: f64, most: bool) {
    let known = known.get_or_insert(value);
    let further = if most { value > *known } else { value < *known };
    if further || known.is_nan() {
        *known = value;
    }
}

/// Brings each value of `other` to the one at the same place.
fn each<T: Copy>(own: &mut [Option<T>], other: &[Option<T>], mut merge: impl FnMut(&mut T, T)) {
    for (own, other) in own.iter_mut().zip(other) {
        match (own, *other) {
            (Some(own), Some(other)) => merge(own, other),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
    }
}

impl Running {
    pub(in crate::exec) fn new(op: AggregateOp, count: usize) -> Self {
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

    /// A sum without native histograms.
    pub(crate) fn of_sums(sums: Vec<Option<Sum>>) -> Self {
        let histograms = Histograms::sum(sums.len());
        Self::Sum(sums, histograms)
    }

    /// A mean without native histograms.
    pub(crate) fn of_means(means: Vec<Option<Mean>>) -> Self {
        let histograms = Histograms::mean(means.len());
        Self::Mean(means, histograms)
    }

    /// Adds a series, but for histograms that [`Running::add_histograms`] adds.
    pub(in crate::exec) fn add(&mut self, points: &Points) {
        match self {
            Self::Count(counts) => {
                points.each_float(counts, |count, _| *count += 1.0);
                points.histograms().for_each(|(index, _)| counts[index] += 1.0);
            }
            Self::Group(present) => {
                points.each_float(present, |present, _| *present = true);
                points.histograms().for_each(|(index, _)| present[index] = true);
            }
            Self::Sum(sums, _) => points.each_float(sums, |sum, value| match sum {
                Some(sum) => sum.add(value),
                empty => *empty = Some(Sum::of(value)),
            }),
            Self::Mean(means, _) => {
                points.each_float(means, |mean, value| mean.get_or_insert_default().add(value));
            }
            Self::Extreme { most, values } => {
                points.each_float(values, |known, value| reach(known, value, *most));
            }
            Self::Spread { values, .. } => points.each_float(values, Spread::add),
        }
    }

    /// Adds the native histograms of a series of a metric, where they are added up.
    pub(in crate::exec) fn add_histograms(&mut self, points: &Points, name: &str) {
        if let Self::Sum(_, histograms) | Self::Mean(_, histograms) = self {
            histograms.add(points, name);
        }
    }

    /// Adds what further series of the group have come to, but for native histograms.
    pub(in crate::exec) fn merge(&mut self, other: &Self) -> Result<()> {
        match (self, other) {
            (Self::Sum(own, _), Self::Sum(other, _)) => each(own, other, Sum::add_sum),
            (Self::Mean(own, _), Self::Mean(other, _)) => each(own, other, Mean::merge),
            (Self::Count(own), Self::Count(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            }
            (Self::Group(own), Self::Group(other)) => {
                own.iter_mut().zip(other).for_each(|(own, other)| *own |= other);
            }
            (Self::Extreme { most, values: own }, Self::Extreme { values: other, .. }) => {
                let with_values = own.iter_mut().zip(other);
                with_values.for_each(|(own, other)| {
                    other.iter().for_each(|&value| reach(own, value, *most));
                });
            }
            (Self::Spread { values: own, .. }, Self::Spread { values: other, .. }) => {
                own.iter_mut().zip(other).for_each(|(own, other)| own.merge(*other));
            }
            _ => return Err(ExecError::Internal { what: "parts of two aggregations were mixed up" }),
        }
        Ok(())
    }

    /// Whether histograms have no meaning for this aggregation.
    pub(in crate::exec) fn ignores_histograms(&self) -> bool {
        matches!(self, Self::Extreme { .. } | Self::Spread { .. })
    }

    /// Whether histograms are added up.
    pub(in crate::exec) fn adds_histograms(&self) -> bool {
        matches!(self, Self::Sum(..) | Self::Mean(..))
    }

    /// What [`Running::new`] will count as.
    pub(in crate::exec) fn weight_of(op: AggregateOp, count: usize) -> Weight {
        let slot = match op {
            AggregateOp::Avg => size_of::<Option<Mean>>(),
            AggregateOp::Count => size_of::<f64>(),
            AggregateOp::Group => size_of::<bool>(),
            AggregateOp::Min | AggregateOp::Max => size_of::<Option<f64>>(),
            AggregateOp::Stddev | AggregateOp::Stdvar => size_of::<Spread>(),
            _ => size_of::<Option<Sum>>(),
        };
        let samples = count as u64;
        Weight { samples, bytes: samples.saturating_mul(slot as u64) }
    }

    /// What this counts as, but for native histograms that are added up.
    pub(crate) fn weight(&self) -> Weight {
        fn of<T>(values: &[T]) -> Weight {
            Weight { samples: values.len() as u64, bytes: size_of_val(values) as u64 }
        }
        match self {
            Self::Sum(sums, _) => of(sums),
            Self::Mean(means, _) => of(means),
            Self::Count(counts) => of(counts),
            Self::Group(present) => of(present),
            Self::Extreme { values, .. } => of(values),
            Self::Spread { values, .. } => of(values),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// However series are cut into parts, the parts come to the same.
    #[test]
    fn parts_come_to_what_the_whole_comes_to() {
        let series: Vec<Points> = (0..9)
            .map(|nth| {
                let mut points = Points::default();
                (0..5).filter(|place| (place + nth) % 4 != 0).for_each(|place| {
                    #[expect(clippy::cast_precision_loss, reason = "small")]
                    points.push(place, (nth * nth) as f64 / 8.0 - place as f64);
                });
                points
            })
            .collect();
        for op in [
            AggregateOp::Sum,
            AggregateOp::Avg,
            AggregateOp::Count,
            AggregateOp::Group,
            AggregateOp::Min,
            AggregateOp::Max,
            AggregateOp::Stddev,
            AggregateOp::Stdvar,
        ] {
            assert_eq!(Running::new(op, 6).weight(), Running::weight_of(op, 6), "{op}");
            let fold = |series: &[Points]| {
                let mut running = Running::new(op, 6);
                series.iter().for_each(|points| running.add(points));
                running
            };
            let whole: Vec<_> = fold(&series).finish().0.floats().collect();
            for cut in 0..series.len() {
                let mut merged = fold(&series[..cut]);
                merged.merge(&fold(&series[cut..])).expect("the same aggregation");
                let merged: Vec<_> = merged.finish().0.floats().collect();
                assert_eq!(merged.len(), whole.len(), "{op} cut at {cut}");
                for (a, b) in merged.iter().zip(&whole) {
                    assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-12, "{op} cut at {cut}: {a:?} and {b:?}");
                }
            }
        }
        let mut sum = Running::new(AggregateOp::Sum, 1);
        assert!(sum.merge(&Running::new(AggregateOp::Count, 1)).is_err());
    }
}
