//! `/api/v1/metrics`: every group and what it holds, in the Pushgateway's JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::float::shortest;
use model::{Histogram, Metadata, MetricType};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{HeldFamily, LiveGroup};
use wire::{Family, Metric, MetricValue};

use crate::intake::{PUSH_FAILURE_HELP, PUSH_FAILURE_TIME, PUSH_TIME, type_name};
use crate::scrape;
use crate::time::rfc3339;

/// A group: its labels, whether the last push to it succeeded, and its families by name.
type Group = BTreeMap<String, Entry>;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    Labels(Map<String, Value>),
    Succeeded(bool),
    Family(FamilyJson),
}

#[derive(Debug, Serialize)]
pub(crate) struct FamilyJson {
    time_stamp: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    help: Arc<str>,
    metrics: Vec<Value>,
}

/// All groups. A family that is called like a key of the object takes its place, as with the Pushgateway.
pub(crate) fn groups(live: &[LiveGroup]) -> Vec<Group> {
    live.iter().map(group).collect()
}

fn group(live: &LiveGroup) -> Group {
    let labels: Map<String, Value> =
        live.labels.iter().map(|label| (label.name.to_string(), json!(*label.value))).collect();
    let mut group = Group::from([
        ("labels".to_owned(), Entry::Labels(labels)),
        ("last_push_successful".to_owned(), Entry::Succeeded(last_push_succeeded(live))),
    ]);
    for family in with_failure_time(live) {
        let metrics = scrape::families_of(&family).into_iter();
        let shown = FamilyJson {
            time_stamp: rfc3339(family.pushed_us),
            r#type: type_name(family.metadata.r#type),
            help: Arc::clone(&family.metadata.help),
            metrics: metrics.flat_map(|Family { metrics, .. }| metrics).map(|m| metric(&m)).collect(),
        };
        group.insert(family.name.to_string(), Entry::Family(shown));
    }
    group
}

/// The value of a family with one series.
fn value_of(live: &LiveGroup, name: &str) -> Option<f64> {
    let family = live.families.iter().find(|family| *family.name == *name)?;
    match family.series.first()? {
        (_, model::Value::Float(value)) => Some(*value),
        _ => None,
    }
}

/// Whether no push was refused since the last one that was taken.
pub(crate) fn last_push_succeeded(live: &LiveGroup) -> bool {
    value_of(live, PUSH_FAILURE_TIME).unwrap_or(0.0) <= value_of(live, PUSH_TIME).unwrap_or(0.0)
}

/// The families, with the failure time 0 where no push was ever refused: that is not stored.
fn with_failure_time(live: &LiveGroup) -> Vec<HeldFamily> {
    let mut families = live.families.clone();
    let at = |name: &str| families.binary_search_by(|family| (*family.name).cmp(name));
    let (Err(place), Ok(pushed)) = (at(PUSH_FAILURE_TIME), at(PUSH_TIME)) else { return families };
    let labels = live.labels.to_builder().set(model::Labels::NAME, PUSH_FAILURE_TIME).build();
    let zero = HeldFamily {
        name: PUSH_FAILURE_TIME.into(),
        metadata: Metadata { r#type: MetricType::Gauge, help: PUSH_FAILURE_HELP.into(), unit: "".into() },
        pushed_us: families[pushed].pushed_us,
        series: vec![(labels, model::Value::Float(0.0))],
    };
    families.insert(place, zero);
    families
}

fn metric(metric: &Metric) -> Value {
    let labels: Map<String, Value> =
        metric.labels.iter().map(|(name, value)| (name.to_string(), json!(**value))).collect();
    let text = |value: f64| json!(shortest(value));
    // whole counts are integers in Go, and are printed as such
    let count = |count: f64| {
        let is_whole = count.fract() == 0.0 && (0.0..9e15).contains(&count);
        if is_whole { json!((count as u64).to_string()) } else { text(count) }
    };
    match &metric.value {
        MetricValue::Absent => json!({ "labels": labels }),
        MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
            json!({ "labels": labels, "value": text(*value) })
        }
        MetricValue::Summary(summary) => {
            let quantiles: Map<String, Value> =
                summary.quantiles.iter().map(|q| (shortest(q.quantile), text(q.value))).collect();
            let count = summary.count.to_string();
            json!({ "labels": labels, "quantiles": quantiles, "count": count, "sum": text(summary.sum) })
        }
        MetricValue::Histogram(histogram) => {
            let buckets = match &histogram.native {
                Some(native) => native_buckets(native),
                None => {
                    let bucket = |b: &wire::Bucket| (shortest(b.upper_bound), count(b.cumulative_count));
                    Value::Object(histogram.buckets.iter().map(bucket).collect())
                }
            };
            let (count, sum) = (count(histogram.count), text(histogram.sum));
            json!({ "labels": labels, "buckets": buckets, "count": count, "sum": sum })
        }
    }
}

/// Each as the rule of its bounds (0: left open, 1: right open, 2: both open, 3: both closed), its bounds and its count.
fn native_buckets(native: &Histogram) -> Value {
    let bucket = |bucket: &model::Bucket| {
        let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        json!([rule, shortest(bucket.lower), shortest(bucket.upper), shortest(bucket.count)])
    };
    native.buckets().iter().filter(|bucket| bucket.count != 0.0).map(bucket).collect()
}
