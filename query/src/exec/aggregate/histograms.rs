//! Sums and means of native histograms, beside those of floats.

use std::sync::Arc;

use model::{Histogram, HistogramMean, HistogramSum, IncompatibleBuckets, SumRemarks, Value};

use crate::exec::points::Points;

/// What was wrong with the values of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Floats and histograms at the same time.
    pub(super) mixed_kinds: bool,
    /// The metric of the first series that had custom buckets where others have exponential ones, or the other way round.
    pub(super) incompatible: Option<String>,
    pub(super) remarks: SumRemarks,
}

/// The histograms of one group at each time of a grid.
#[derive(Clone, Debug)]
pub(crate) struct Histograms {
    mean: bool,
    count: usize,
    /// Empty until there is one.
    slots: Vec<Slot>,
    trouble: Trouble,
}

#[derive(Clone, Debug)]
enum Slot {
    Empty,
    Sum(HistogramSum),
    Mean(HistogramMean),
    Incompatible,
}

impl Histograms {
    pub(super) fn sum(count: usize) -> Self {
        Self { mean: false, count, slots: Vec::new(), trouble: Trouble::default() }
    }

    pub(super) fn mean(count: usize) -> Self {
        Self { mean: true, ..Self::sum(count) }
    }

    pub(super) fn add(&mut self, points: &Points, name: &str) {
        for (index, histogram) in points.histograms() {
            if self.slots.is_empty() {
                self.slots = vec![Slot::Empty; self.count];
            }
            match self.slots[index].add(histogram, self.mean) {
                Ok(remarks) => self.trouble.remarks = self.trouble.remarks.and(remarks),
                Err(IncompatibleBuckets) => {
                    self.trouble.incompatible.get_or_insert_with(|| name.to_owned());
                    self.slots[index] = Slot::Incompatible;
                }
            }
        }
    }

    /// The values of the group; where it has both kinds, it has none.
    pub(super) fn finish(mut self, float: impl Fn(usize) -> Option<f64>) -> (Points, Trouble) {
        if self.slots.is_empty() {
            return (Points::of_floats(self.count, float), self.trouble);
        }
        let mut points = Points::default();
        for (index, slot) in self.slots.iter().enumerate() {
            let histogram = match slot {
                Slot::Empty => {
                    float(index).into_iter().for_each(|value| points.push(index, value));
                    continue;
                }
                Slot::Incompatible => continue,
                Slot::Sum(sum) => sum.value(),
                Slot::Mean(mean) => mean.value(),
            };
            if float(index).is_some() {
                self.trouble.mixed_kinds = true;
            } else {
                points.push_value(index, Value::Histogram(Arc::new(histogram)));
            }
        }
        (points, self.trouble)
    }
}

impl Slot {
    fn add(&mut self, histogram: &Histogram, mean: bool) -> Result<SumRemarks, IncompatibleBuckets> {
        match self {
            Self::Sum(sum) => return sum.add(histogram),
            Self::Mean(known) => return known.add(histogram),
            Self::Incompatible => {}
            Self::Empty if mean => *self = Self::Mean(HistogramMean::of(histogram)),
            Self::Empty => *self = Self::Sum(HistogramSum::of(histogram)),
        }
        Ok(SumRemarks::default())
    }
}
