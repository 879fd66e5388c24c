//! Native histograms, as Prometheus keeps them in float form.
//!
//! Buckets are stored as spans; everything that computes with them sees sides, lists of index and count.

mod bounds;
mod buckets;
mod estimate;
mod mean;
mod reset;
mod sum;
mod text;
mod trim;

#[cfg(test)]
mod tests;

pub use buckets::Bucket;
pub use estimate::Skew;
pub use mean::HistogramMean;
pub use sum::{HistogramSum, IncompatibleBuckets, SumRemarks};
pub use trim::Trim;

/// What is known about a counter reset before a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterReset {
    /// Nothing: compare the buckets.
    #[default]
    Unknown,
    /// This histogram starts anew.
    Reset,
    /// This histogram continues the one before.
    NotReset,
    /// A gauge histogram: resets have no meaning.
    Gauge,
}

/// A run of buckets that follow each other without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Distance from the end of the previous span; for the first one, the index of its first bucket.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// A native histogram with float counts. Bucket counts are absolute, not deltas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// -4 to 8: exponential buckets, each `2^(2^-schema)` times as wide as the one before. -53: custom bounds.
    pub schema: i8,
    /// Observations within this distance of zero are in the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Where the positive buckets lie.
    pub positive_spans: Vec<Span>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<Span>,
    /// Counts of the positive buckets, in span order.
    pub positive_counts: Vec<f64>,
    /// Counts of the negative buckets, in span order.
    pub negative_counts: Vec<f64>,
    /// Upper bounds for schema -53, ascending, without +Inf.
    pub custom_bounds: Vec<f64>,
    /// Whether this histogram continues the one before.
    pub counter_reset: CounterReset,
}

impl Histogram {
    /// All counts times `by`.
    #[must_use]
    pub fn scaled(&self, by: f64) -> Self {
        let mut sum = HistogramSum::of(self);
        sum.scale(by);
        sum.value()
    }

    /// All counts divided by `by`; dividing by zero leaves no buckets.
    #[must_use]
    pub fn divided(&self, by: f64) -> Self {
        let mut sum = HistogramSum::of(self);
        sum.divide(by);
        sum.value()
    }
}
