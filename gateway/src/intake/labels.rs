//! The labels that a pushed series gets.

use std::sync::Arc;

use model::Labels;
use wire::Metric;

/// Puts the grouping labels on a metric, in place of its own of the same names. Labels are in order of names then.
pub(super) fn force(metric: &mut Metric, group: &Labels) {
    metric.labels.retain(|(name, _)| group.get(name).is_none());
    let forced = group.iter().map(|label| (Arc::clone(&label.name), Arc::clone(&label.value)));
    metric.labels.extend(forced);
    metric.labels.sort_by(|a, b| a.0.cmp(&b.0));
}
