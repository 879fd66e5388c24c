//! Metrics of rules and notifications, under the names that Prometheus gives them.

use std::sync::Arc;

use alert::{Evaluator, GroupCounts, ReceiverCounts, Snapshot};
use model::MetricType;
use query::api::LastReload;
use wire::{Family, Metric};

use crate::serve::own_metrics::{self, family_of as family};

/// A number of one group or receiver.
type Read<T> = fn(&T) -> Option<f64>;

#[rustfmt::skip]
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
const OF_GROUPS: [(&str, &str, MetricType, Read<GroupCounts>); 9] = [
    ("prometheus_rule_evaluations_total", "The total number of rule evaluations.", MetricType::Counter, |c| Some(c.evaluations as f64)),
    ("prometheus_rule_evaluation_failures_total", "The total number of rule evaluation failures.", MetricType::Counter, |c| Some(c.failures as f64)),
    ("prometheus_rule_group_iterations_total", "The total number of scheduled rule group evaluations, whether executed or missed.", MetricType::Counter, |c| Some(c.iterations as f64)),
    ("prometheus_rule_group_iterations_missed_total", "The total number of rule group evaluations missed.", MetricType::Counter, |c| Some(c.missed as f64)),
    ("prometheus_rule_group_last_evaluation_timestamp_seconds", "The timestamp of the last rule group evaluation in seconds.", MetricType::Gauge, |c| c.last_evaluation_ms.map(seconds)),
    ("prometheus_rule_group_last_duration_seconds", "The duration of the last rule group evaluation.", MetricType::Gauge, |c| Some(seconds(c.last_duration_ms))),
    ("prometheus_rule_group_last_evaluation_samples", "The number of samples returned during the last rule group evaluation.", MetricType::Gauge, |c| Some(c.last_samples as f64)),
    ("prometheus_rule_group_interval_seconds", "The interval of a rule group.", MetricType::Gauge, |c| Some(seconds(c.interval_ms))),
    ("prometheus_rule_group_rules", "The number of rules.", MetricType::Gauge, |c| Some(c.rules as f64)),
];

#[rustfmt::skip]
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
const OF_RECEIVERS: [(&str, &str, Read<ReceiverCounts>); 3] = [
    ("prometheus_notifications_sent_total", "Total number of alerts sent.", |c| Some(c.sent as f64)),
    ("prometheus_notifications_errors_total", "Total number of sent alerts affected by errors.", |c| Some(c.errors as f64)),
    ("prometheus_notifications_dropped_total", "Total number of alerts dropped due to errors when sending to Alertmanager.", |c| Some(c.dropped as f64)),
];

/// What rules and their files come to.
pub(in crate::serve) fn families(evaluator: &Evaluator, reload: &LastReload) -> Vec<Family> {
    let mut snapshot = evaluator.counts();
    for receiver in evaluator.receivers() {
        snapshot.receivers.entry(receiver).or_default();
    }
    let Snapshot { groups, receivers, last_tick_ms } = &snapshot;
    let of_groups = OF_GROUPS.iter().map(|(name, help, r#type, read)| {
        let of_group = |(key, counts)| Some(metric(*r#type, Some(("rule_group", key)), read(counts)?));
        family(name, help, *r#type, groups.iter().filter_map(of_group).collect())
    });
    let of_receivers = OF_RECEIVERS.iter().map(|(name, help, read)| {
        let r#type = MetricType::Counter;
        let of_receiver = |(key, counts)| Some(metric(r#type, Some(("alertmanager", key)), read(counts)?));
        family(name, help, r#type, receivers.iter().filter_map(of_receiver).collect())
    });
    let gauges = [
        (
            "prometheus_notifications_alertmanagers_discovered",
            "The number of alertmanagers discovered and active.",
            Some(count(evaluator.receivers().len())),
        ),
        (
            "prometheus_config_last_reload_successful",
            "Whether the last configuration reload attempt was successful.",
            Some(f64::from(u8::from(reload.is_good()))),
        ),
        (
            "prometheus_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.",
            Some(seconds(reload.good_ms())),
        ),
        (
            "mayfly_rules_last_tick_timestamp_seconds",
            "When rules were last evaluated, or nothing was due, without an error.",
            last_tick_ms.map(seconds),
        ),
    ];
    let gauges = gauges.into_iter().map(|(name, help, value)| {
        let metrics = value.map(|value| metric(MetricType::Gauge, None, value)).into_iter().collect();
        family(name, help, MetricType::Gauge, metrics)
    });
    of_groups.chain(of_receivers).chain(gauges).filter(|family| !family.metrics.is_empty()).collect()
}

fn metric(r#type: MetricType, label: Option<(&str, &String)>, value: f64) -> Metric {
    let labels: Vec<(Arc<str>, Arc<str>)> =
        label.map(|(name, value)| (name.into(), value.as_str().into())).into_iter().collect();
    own_metrics::metric(labels, r#type, value)
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn count(count: usize) -> f64 {
    count as f64
}
