//! What becomes of the metrics of a push that is aggregated: how each meets what its group holds.
//!
//! | type | unless said otherwise |
//! |---|---|
//! | counter, untyped, histogram (classic and native) | is added |
//! | summary | sum and count are added; quantiles cannot be, so they are dropped |
//! | gauge | replaces, or as the header says: the sum, the least, the largest |
//! | gauge histogram | replaces, or is added if the header says sum |
//! | info, state set | replaces |
//!
//! A sample may say otherwise by a label that other aggregating gateways use, and that is taken off: `clearmode` is
//! `aggregate` (add up; a gauge as the header says), `replace` (replace this series), or `family` (replace whatever the
//! group holds of this family).

use model::{Merge, MetricType};
use wire::{Family, Metric, MetricValue};

use crate::terms::Gauges;

/// The label by which a sample says what becomes of it.
pub(crate) const CLEAR_MODE: &str = "clearmode";

/// A sample whose label `clearmode` nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("label {CLEAR_MODE} of metric {family:?} is {value:?}: expected aggregate, replace or family")]
pub struct ClearModeError {
    /// The metric's family.
    pub family: String,
    /// What the label says.
    pub value: String,
}

/// How the metrics of a family meet what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Merges {
    /// Of each metric, in order.
    pub(crate) of_metrics: Vec<Merge>,
    /// Whether whatever is held of the family ends.
    pub(crate) replaces_family: bool,
}

/// Decides about a family as it was sent, and takes the labels off that say so.
pub(crate) fn merges(family: &mut Family, gauges: Gauges) -> Result<Merges, ClearModeError> {
    let mut merges = Merges::default();
    for metric in &mut family.metrics {
        let mode = take_clear_mode(metric);
        let merge = match mode.as_deref() {
            None => usual(family.r#type, gauges),
            Some("aggregate") => added_up(family.r#type, gauges),
            Some("replace") => Merge::Set,
            Some("family") => {
                merges.replaces_family = true;
                Merge::Set
            }
            Some(other) => {
                return Err(ClearModeError { family: family.name.to_string(), value: other.to_owned() });
            }
        };
        if let (Merge::Add, MetricValue::Summary(summary)) = (merge, &mut metric.value) {
            summary.quantiles.clear();
        }
        merges.of_metrics.push(merge);
    }
    Ok(merges)
}

fn take_clear_mode(metric: &mut Metric) -> Option<String> {
    let index = metric.labels.iter().position(|(name, _)| **name == *CLEAR_MODE)?;
    let (_, value) = metric.labels.remove(index);
    Some(value.to_string())
}

fn usual(r#type: MetricType, gauges: Gauges) -> Merge {
    match r#type {
        MetricType::Counter | MetricType::Untyped | MetricType::Histogram | MetricType::Summary => Merge::Add,
        MetricType::Gauge => match gauges {
            Gauges::Last => Merge::Set,
            Gauges::Sum => Merge::Add,
            Gauges::Min => Merge::Min,
            Gauges::Max => Merge::Max,
        },
        MetricType::GaugeHistogram if gauges == Gauges::Sum => Merge::Add,
        MetricType::GaugeHistogram | MetricType::Info | MetricType::StateSet => Merge::Set,
    }
}

/// A gauge that is to be aggregated is added, if the header does not say how.
fn added_up(r#type: MetricType, gauges: Gauges) -> Merge {
    match usual(r#type, gauges) {
        Merge::Set => Merge::Add,
        merge => merge,
    }
}
