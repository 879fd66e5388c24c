//! Native histograms, as Prometheus keeps them in float form.

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
