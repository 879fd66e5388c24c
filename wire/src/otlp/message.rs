//! What an export holds, whichever way it was written. Names of fields are those of JSON.

use serde::Deserialize;
use serde_json::Value as Json;

use super::json::{double, doubles, long, longs, maybe_double, maybe_long, null_as_default, unsigned};

/// An `ExportMetricsServiceRequest`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResourceMetrics {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) resource: Attributed,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attributed {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ScopeMetrics {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) scope: Scope,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) metrics: Vec<Metric>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) schema_url: String,
}

/// What has measured: a library.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Scope {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) version: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) attributes: Vec<Attribute>,
}

/// A name and a value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Attribute {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) key: String,
    /// As an `AnyValue` is written in JSON.
    pub(super) value: Json,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metric {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) description: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) unit: String,
    pub(super) gauge: Option<Points<Number>>,
    pub(super) sum: Option<Points<Number>>,
    pub(super) histogram: Option<Points<Histogram>>,
    pub(super) exponential_histogram: Option<Points<Exponential>>,
    pub(super) summary: Option<Points<Summary>>,
}

/// What a metric holds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "P: Deserialize<'de>"))]
pub(super) struct Points<P> {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) data_points: Vec<P>,
    /// 1: delta, 2: cumulative.
    #[serde(deserialize_with = "unsigned")]
    pub(super) aggregation_temporality: u64,
    pub(super) is_monotonic: bool,
}

impl<P> Default for Points<P> {
    fn default() -> Self {
        Self { data_points: Vec::new(), aggregation_temporality: 0, is_monotonic: false }
    }
}

/// What every data point has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Common {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) attributes: Vec<Attribute>,
    #[serde(deserialize_with = "unsigned")]
    pub(super) start_time_unix_nano: u64,
    #[serde(deserialize_with = "unsigned")]
    pub(super) time_unix_nano: u64,
    /// Bit 0: nothing was recorded.
    #[serde(deserialize_with = "unsigned")]
    pub(super) flags: u64,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) exemplars: Vec<Exemplar>,
}

/// One observation. Ids are hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Exemplar {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) filtered_attributes: Vec<Attribute>,
    #[serde(deserialize_with = "unsigned")]
    pub(super) time_unix_nano: u64,
    #[serde(deserialize_with = "maybe_double")]
    pub(super) as_double: Option<f64>,
    #[serde(deserialize_with = "maybe_long")]
    pub(super) as_int: Option<i64>,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) span_id: String,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) trace_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Number {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(deserialize_with = "maybe_double")]
    pub(super) as_double: Option<f64>,
    #[serde(deserialize_with = "maybe_long")]
    pub(super) as_int: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Histogram {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(deserialize_with = "unsigned")]
    pub(super) count: u64,
    #[serde(deserialize_with = "maybe_double")]
    pub(super) sum: Option<f64>,
    #[serde(deserialize_with = "longs")]
    pub(super) bucket_counts: Vec<u64>,
    #[serde(deserialize_with = "doubles")]
    pub(super) explicit_bounds: Vec<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Exponential {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(deserialize_with = "unsigned")]
    pub(super) count: u64,
    #[serde(deserialize_with = "maybe_double")]
    pub(super) sum: Option<f64>,
    #[serde(deserialize_with = "long")]
    pub(super) scale: i64,
    #[serde(deserialize_with = "unsigned")]
    pub(super) zero_count: u64,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) positive: Buckets,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) negative: Buckets,
    #[serde(deserialize_with = "double")]
    pub(super) zero_threshold: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Buckets {
    #[serde(deserialize_with = "long")]
    pub(super) offset: i64,
    #[serde(deserialize_with = "longs")]
    pub(super) bucket_counts: Vec<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Summary {
    #[serde(flatten)]
    pub(super) common: Common,
    #[serde(deserialize_with = "unsigned")]
    pub(super) count: u64,
    #[serde(deserialize_with = "double")]
    pub(super) sum: f64,
    #[serde(deserialize_with = "null_as_default")]
    pub(super) quantile_values: Vec<Quantile>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Quantile {
    #[serde(deserialize_with = "double")]
    pub(super) quantile: f64,
    #[serde(deserialize_with = "double")]
    pub(super) value: f64,
}

impl Message {
    /// Metrics, data points, buckets, exemplars and attributes, together.
    pub(super) fn parts(&self) -> usize {
        fn sum<P>(points: Option<&Points<P>>, common: fn(&P) -> &Common, more: fn(&P) -> usize) -> usize {
            let points = points.iter().flat_map(|points| &points.data_points);
            let of_common = |common: &Common| {
                let exemplars = common.exemplars.iter();
                let of_exemplars = exemplars.map(|exemplar| 1 + exemplar.filtered_attributes.len());
                common.attributes.len() + of_exemplars.sum::<usize>()
            };
            points.map(|point| 1 + of_common(common(point)) + more(point)).sum()
        }
        let of_metric = |metric: &Metric| {
            1 + sum(metric.gauge.as_ref(), |p| &p.common, |_| 0)
                + sum(metric.sum.as_ref(), |p| &p.common, |_| 0)
                + sum(metric.histogram.as_ref(), |p| &p.common, |p| p.bucket_counts.len())
                + sum(
                    metric.exponential_histogram.as_ref(),
                    |p| &p.common,
                    |p| p.positive.bucket_counts.len() + p.negative.bucket_counts.len(),
                )
                + sum(metric.summary.as_ref(), |p| &p.common, |p| p.quantile_values.len())
        };
        let of_resource = |resource: &ResourceMetrics| {
            let of_scope = |scope: &ScopeMetrics| {
                scope.scope.attributes.len() + scope.metrics.iter().map(of_metric).sum::<usize>()
            };
            1 + resource.resource.attributes.len()
                + resource.scope_metrics.iter().map(of_scope).sum::<usize>()
        };
        self.resource_metrics.iter().map(of_resource).sum()
    }
}
