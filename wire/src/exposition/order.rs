//! The order of an exposition.

use crate::family::Family;

/// Puts families in order of names, labels in order of names, and the metrics of a family in order of the number of
/// their labels, then of the labels' values.
pub fn sort(families: &mut [Family]) {
    families.sort_by(|a, b| a.name.cmp(&b.name));
    for family in families {
        for metric in &mut family.metrics {
            metric.labels.sort_by(|a, b| a.0.cmp(&b.0));
        }
        family.metrics.sort_by(|a, b| {
            let values = |metric: &crate::Metric| metric.labels.len();
            let by_value = || a.labels.iter().map(|l| &l.1).cmp(b.labels.iter().map(|l| &l.1));
            values(a).cmp(&values(b)).then_with(by_value).then(a.timestamp_ms.cmp(&b.timestamp_ms))
        });
    }
}
