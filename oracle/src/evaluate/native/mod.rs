//! Native histograms, bucket by bucket, as Prometheus' specification of them has it.

mod add;
mod estimate;
mod reset;
mod trim;

use std::collections::BTreeMap;

use model::{CounterReset, Histogram, Span};

pub(super) use add::{mean_of, sum_of};
pub(super) use trim::Cut;

/// The schema of histograms with bounds of their own.
const CUSTOM: i32 = -53;

/// A native histogram. Buckets that are not in the maps are empty.
#[derive(Clone, Debug)]
pub struct Native {
    schema: i32,
    zero_threshold: f64,
    zero: f64,
    count: f64,
    sum: f64,
    positive: BTreeMap<i32, f64>,
    negative: BTreeMap<i32, f64>,
    bounds: Vec<f64>,
    hint: CounterReset,
}

/// A bucket and its bounds.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    lower: f64,
    upper: f64,
    count: f64,
    is_zero: bool,
}

impl From<&Histogram> for Native {
    fn from(histogram: &Histogram) -> Self {
        Self {
            schema: i32::from(histogram.schema),
            zero_threshold: histogram.zero_threshold,
            zero: histogram.zero_count,
            count: histogram.count,
            sum: histogram.sum,
            positive: by_index(&histogram.positive_spans, &histogram.positive_counts),
            negative: by_index(&histogram.negative_spans, &histogram.negative_counts),
            bounds: histogram.custom_bounds.clone(),
            hint: histogram.counter_reset,
        }
    }
}

fn by_index(spans: &[Span], counts: &[f64]) -> BTreeMap<i32, f64> {
    let (mut buckets, mut index, mut counts) = (BTreeMap::new(), 0, counts.iter());
    for span in spans {
        index += span.offset;
        for _ in 0..span.length {
            if let Some(count) = counts.next().filter(|count| **count != 0.0) {
                buckets.insert(index, *count);
            }
            index += 1;
        }
    }
    buckets
}

impl Native {
    fn is_custom(&self) -> bool {
        self.schema == CUSTOM
    }

    /// The upper bound of a positive bucket.
    fn bound(&self, index: i32) -> f64 {
        if self.is_custom() {
            return match usize::try_from(index) {
                Ok(index) => self.bounds.get(index).copied().unwrap_or(f64::INFINITY),
                Err(_) => f64::NEG_INFINITY,
            };
        }
        2.0_f64.powf(f64::from(index) * 2.0_f64.powi(-self.schema))
    }

    fn positive_bucket(&self, (index, count): (&i32, &f64)) -> Bucket {
        Bucket { lower: self.bound(index - 1), upper: self.bound(*index), count: *count, is_zero: false }
    }

    fn negative_bucket(&self, (index, count): (&i32, &f64)) -> Bucket {
        Bucket { lower: -self.bound(*index), upper: -self.bound(index - 1), count: *count, is_zero: false }
    }

    fn zero_bucket(&self) -> Bucket {
        let (mut lower, mut upper) = (-self.zero_threshold, self.zero_threshold);
        if self.negative.is_empty() && !self.positive.is_empty() {
            lower = 0.0;
        }
        if self.positive.is_empty() && !self.negative.is_empty() {
            upper = 0.0;
        }
        Bucket { lower, upper, count: self.zero, is_zero: true }
    }

    /// All buckets that are not empty, from the lowest to the highest, with the bounds between which their observations are
    /// taken to lie: nothing is on a side of zero on which there are no buckets, and nothing is below zero in a lowest bucket
    /// of its own bounds that reaches above it.
    fn buckets(&self) -> Vec<Bucket> {
        let mut all: Vec<Bucket> =
            self.negative.iter().rev().map(|bucket| self.negative_bucket(bucket)).collect();
        // one of which more was taken away than there was is left out
        if self.zero > 0.0 {
            all.push(self.zero_bucket());
        }
        all.extend(self.positive.iter().map(|bucket| self.positive_bucket(bucket)));
        if let Some(first) = all.first_mut().filter(|first| first.lower == f64::NEG_INFINITY)
            && first.upper > 0.0
        {
            first.lower = 0.0;
        }
        all
    }

    fn each_number(&mut self, mut change: impl FnMut(&mut f64)) {
        let Self { zero, count, sum, positive, negative, .. } = self;
        let sides = positive.values_mut().chain(negative.values_mut());
        [zero, count, sum].into_iter().chain(sides).for_each(&mut change);
        self.forget_empty();
    }

    fn forget_empty(&mut self) {
        for side in [&mut self.positive, &mut self.negative] {
            side.retain(|_, count| *count != 0.0);
        }
    }

    pub(super) fn times(mut self, by: f64) -> Self {
        self.each_number(|number| *number *= by);
        if by < 0.0 {
            self.hint = CounterReset::Gauge;
        }
        self
    }

    /// Divided by zero, no buckets are left.
    pub(super) fn divided(mut self, by: f64) -> Self {
        if by == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        self.each_number(|number| *number /= by);
        if by < 0.0 {
            self.hint = CounterReset::Gauge;
        }
        self
    }

    pub(super) fn into_gauge(mut self) -> Self {
        self.hint = CounterReset::Gauge;
        self
    }

    /// What a subquery says of it: between its steps there may be resets that it does not know.
    pub(super) fn without_reset(mut self) -> Self {
        if self.hint != CounterReset::Gauge {
            self.hint = CounterReset::Unknown;
        }
        self
    }

    pub(super) fn count(&self) -> f64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Whether both hold the same observations.
    #[expect(clippy::float_cmp, reason = "that is the question")]
    pub(super) fn same(&self, other: &Self) -> bool {
        self.schema == other.schema
            && self.zero_threshold == other.zero_threshold
            && self.zero == other.zero
            && self.count == other.count
            && (self.sum == other.sum || self.sum.is_nan() && other.sum.is_nan())
            && self.positive == other.positive
            && self.negative == other.negative
            && self.bounds == other.bounds
    }

    /// How the two differ if not by rounding: numbers are compared with `same`, where a bucket is missing it is empty.
    pub(crate) fn difference(&self, other: &Self, same: fn(f64, f64) -> bool) -> Option<String> {
        if self.schema != other.schema || self.bounds != other.bounds {
            return Some("other buckets".to_owned());
        }
        let of = |side: &BTreeMap<i32, f64>, index: i32| side.get(&index).copied().unwrap_or(0.0);
        let of_side = |a: &BTreeMap<i32, f64>, b: &BTreeMap<i32, f64>| {
            let mut all = a.keys().chain(b.keys());
            all.find(|index| !same(of(a, **index), of(b, **index))).copied()
        };
        if let Some(index) = of_side(&self.positive, &other.positive) {
            return Some(format!("positive bucket {index}"));
        }
        if let Some(index) = of_side(&self.negative, &other.negative) {
            return Some(format!("negative bucket {index}"));
        }
        let numbers = [
            ("zero threshold", self.zero_threshold, other.zero_threshold),
            ("zero bucket", self.zero, other.zero),
            ("count", self.count, other.count),
            ("sum", self.sum, other.sum),
        ];
        let different = numbers.into_iter().find(|(_, a, b)| !same(*a, *b));
        different.map(|(what, a, b)| format!("{what} {a} and {b}"))
    }
}
