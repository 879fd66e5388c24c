//! Where labels go that a push gets on its way.

use std::sync::Arc;

use model::Labels;
use wire::Family;

/// Puts labels on a push to a group: into the group, which gives them to all its metrics and keeps apart what pushers of other labels
/// push to a group of the same name. What the sender has set itself stays: a label that the group has already, and one that some of the
/// metrics have, which only the others get then. Says which group it is, and whether metrics were changed.
pub(super) fn place(labels: &Labels, group: &Labels, families: &mut [Family]) -> (Labels, bool) {
    let (mut placed, mut is_changed) = (group.to_builder(), false);
    for label in labels.iter().filter(|label| group.get(&label.name).is_none()) {
        let has = |metric: &wire::Metric| {
            metric.labels.iter().any(|(name, value)| *name == label.name && !value.is_empty())
        };
        if !families.iter().flat_map(|family| &family.metrics).any(has) {
            placed.set(Arc::clone(&label.name), Arc::clone(&label.value));
            continue;
        }
        is_changed = true;
        for metric in families.iter_mut().flat_map(|family| &mut family.metrics) {
            if !has(metric) {
                metric.labels.retain(|(name, _)| *name != label.name);
                metric.labels.push((Arc::clone(&label.name), Arc::clone(&label.value)));
            }
        }
    }
    (placed.build(), is_changed)
}
