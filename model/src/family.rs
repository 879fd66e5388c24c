//! What is known about a metric family besides its samples.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::Labels;

/// The type of a metric family, as `# TYPE` lines and the protobuf exposition name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MetricType {
    /// Only goes up, or starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// A histogram whose buckets may shrink.
    GaugeHistogram,
    /// Quantiles computed by the client.
    Summary,
    /// Nothing is known: `untyped` in the text format, `unknown` in OpenMetrics.
    #[default]
    Untyped,
    /// OpenMetrics `info`.
    Info,
    /// OpenMetrics `stateset`.
    StateSet,
}

impl MetricType {
    /// The name in the text format 0.0.4.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }
}

/// Somebody who knows but some series, so that what they say of a family is not for all: a hash (XXH3) of which series those are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Teller(pub u128);

impl Teller {
    /// Who knows the series that this text means.
    pub fn of(series: &str) -> Self {
        Self(xxh3_128(series.as_bytes()))
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Teller({:032x})", self.0)
    }
}

/// What is told of a family, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What is told.
    pub metadata: Metadata,
    /// `None`: it is for all who see the family.
    pub by: Option<Teller>,
}

/// Where types and units are labels (the feature `type-and-unit-labels` of Prometheus), the one that says what a metric is.
pub const TYPE_LABEL: &str = "__type__";
/// And the one that says in what it counts.
pub const UNIT_LABEL: &str = "__unit__";

impl Labels {
    /// The same labels with those of a type and a unit. What is not known stays as it is.
    pub fn with_type_and_unit(&self, r#type: MetricType, unit: &str) -> Self {
        let mut labels = self.to_builder();
        if r#type != MetricType::Untyped {
            labels.set(TYPE_LABEL, r#type.as_str());
        }
        if !unit.is_empty() {
            labels.set(UNIT_LABEL, unit);
        }
        labels.build()
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no metric type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric type {0:?}")]
pub struct UnknownMetricType(pub String);

impl FromStr for MetricType {
    type Err = UnknownMetricType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "summary" => Self::Summary,
            "untyped" | "unknown" => Self::Untyped,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            _ => return Err(UnknownMetricType(word.to_owned())),
        })
    }
}

/// Type, help and unit of one metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The family's type.
    pub r#type: MetricType,
    /// The `# HELP` text; empty if none was given.
    pub help: Arc<str>,
    /// The OpenMetrics `# UNIT`; empty if none was given.
    pub unit: Arc<str>,
}
