//! Metric families as they travel: what text and protobuf bodies say, before anything is made of it.

use std::sync::Arc;

use model::MetricType;

/// A metric family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family {
    /// The name. For a histogram `h` it is `h`, whatever its samples are called.
    pub name: Arc<str>,
    /// The help text; empty if none was given.
    pub help: Arc<str>,
    /// The unit; empty if none was given. The text format 0.0.4 has none.
    pub unit: Arc<str>,
    /// The type.
    pub r#type: MetricType,
    /// What was measured.
    pub metrics: Vec<Metric>,
}

/// One label set of a family, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Names and values as they were sent: in any order, and perhaps empty or (from protobuf) repeated.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// The value.
    pub value: MetricValue,
    /// The time that the sender gave.
    pub timestamp_ms: Option<i64>,
    /// When this counter, summary or histogram began to count.
    pub created_ms: Option<i64>,
    /// Of a counter, and of a native histogram. Those of classic buckets stand with their [`Bucket`].
    pub exemplars: Vec<Exemplar>,
}

impl Metric {
    /// A metric with no times and no exemplars.
    pub fn new(labels: Vec<(Arc<str>, Arc<str>)>, value: MetricValue) -> Self {
        Self { labels, value, timestamp_ms: None, created_ms: None, exemplars: Vec::new() }
    }
}

/// What one metric holds. Whether this fits the type of its family is for the receiver to check.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum MetricValue {
    /// A protobuf metric without any value.
    #[default]
    Absent,
    /// A counter.
    Counter(f64),
    /// A gauge.
    Gauge(f64),
    /// A number of which nothing is known.
    Untyped(f64),
    /// A summary.
    Summary(Summary),
    /// A histogram: classic, native or both.
    Histogram(Histogram),
}

/// Quantiles that the client computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many observations.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The quantiles, in the order in which they were sent.
    pub quantiles: Vec<Quantile>,
}

/// One quantile of a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantile {
    /// Which: 0 to 1.
    pub quantile: f64,
    /// Its value.
    pub value: f64,
}

/// A histogram. Counts are floats, because clients may send fractions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// How many observations.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The classic buckets, in the order in which they were sent. `+Inf` may be missing.
    pub buckets: Vec<Bucket>,
    /// The native histogram, if it was sent as one.
    pub native: Option<Arc<model::Histogram>>,
}

/// A classic bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    /// The upper bound, inclusive.
    pub upper_bound: f64,
    /// Observations up to the bound.
    pub cumulative_count: f64,
    /// An observation that fell into the bucket.
    pub exemplar: Option<Box<Exemplar>>,
}

/// One observation, with labels that lead to its trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exemplar {
    /// Names and values.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// What was observed.
    pub value: f64,
    /// When.
    pub timestamp_ms: Option<i64>,
}
