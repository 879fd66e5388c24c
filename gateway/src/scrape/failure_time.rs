//! When pushes to a group last failed: 0 for a group whose pushes never did.

use std::collections::HashSet;

use model::MetricType;
use wire::{Family, Metric, MetricValue};

use crate::intake::{PUSH_FAILURE_HELP, PUSH_FAILURE_TIME, PUSH_TIME};

/// Adds the zeros. They are not stored: a failure is, and a group without one is worth no series.
pub(super) fn add_zeros(families: &mut Vec<Family>) {
    let index_of = |name: &str| families.iter().position(|family| &*family.name == name);
    let Some(pushed) = index_of(PUSH_TIME) else { return };
    let failed = index_of(PUSH_FAILURE_TIME);
    let known: HashSet<_> =
        failed.iter().flat_map(|&i| &families[i].metrics).map(|metric| &metric.labels).collect();
    let groups = families[pushed].metrics.iter().map(|metric| &metric.labels);
    let zeros: Vec<Metric> = groups
        .filter(|labels| !known.contains(labels))
        .map(|labels| Metric::new(labels.clone(), MetricValue::Gauge(0.0)))
        .collect();
    match failed {
        Some(failed) => families[failed].metrics.extend(zeros),
        None => families.push(Family {
            name: PUSH_FAILURE_TIME.into(),
            help: PUSH_FAILURE_HELP.into(),
            r#type: MetricType::Gauge,
            metrics: zeros,
            ..Family::default()
        }),
    }
}
