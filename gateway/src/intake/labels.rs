//! The labels that a pushed series gets.

use std::sync::Arc;

use model::Labels;
use wire::Metric;

/// Puts the grouping labels on a metric, each in place of its own first one of that name: a second one stays, to be refused. Labels are
/// in order of names then.
pub(super) fn force(metric: &mut Metric, group: &Labels) {
    for label in group {
        match metric.labels.iter_mut().find(|(name, _)| *name == label.name) {
            Some((_, value)) => *value = Arc::clone(&label.value),
            None => metric.labels.push((Arc::clone(&label.name), Arc::clone(&label.value))),
        }
    }
    metric.labels.sort_by(|a, b| a.0.cmp(&b.0));
}
