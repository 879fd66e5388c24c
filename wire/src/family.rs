//! Metric families as they travel: what text and protobuf bodies say, before anything is made of it.

use std::sync::Arc;

use model::{Labels, Metadata, MetricType};

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

impl Family {
    /// What is told of it besides its metrics.
    pub fn metadata(&self) -> Metadata {
        Metadata { r#type: self.r#type, help: Arc::clone(&self.help), unit: Arc::clone(&self.unit) }
    }
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
    /// Of a counter, and of a histogram. Those of classic buckets may also stand with their [`Bucket`].
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

impl Exemplar {
    /// As it is stored, if that may be: at its time, or else at another, and with labels that are not too long.
    pub fn stored(&self, otherwise_ms: i64) -> Option<model::Exemplar> {
        let labels = Labels::from_pairs(self.labels.iter().cloned());
        let at_ms = self.timestamp_ms.unwrap_or(otherwise_ms);
        Some(model::Exemplar { labels, value: self.value, at_ms }).filter(model::Exemplar::is_short)
    }
}

impl Family {
    /// Whether some of its metrics have exemplars.
    pub fn has_exemplars(&self) -> bool {
        let in_buckets = |metric: &Metric| match &metric.value {
            MetricValue::Histogram(histogram) => {
                histogram.buckets.iter().any(|bucket| bucket.exemplar.is_some())
            }
            _ => false,
        };
        self.metrics.iter().any(|metric| !metric.exemplars.is_empty() || in_buckets(metric))
    }
}
