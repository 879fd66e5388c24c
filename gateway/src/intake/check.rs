//! The checks of a body against itself. The texts are those of the Pushgateway.

use std::collections::{HashMap, HashSet};

use model::{Labels, MetricType};
use wire::{Family, Metric, MetricValue, quote};

use super::dump::dump;

/// A way in which pushed metrics contradict each other or the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// A sample carries a time of its own.
    #[error("pushed metrics must not have timestamps")]
    Timestamp,
    /// A plain family is called like a part of a histogram or summary.
    #[error(
        "collected metric named {} collides with previously collected {kind} named {}",
        quoted(.name), quoted(.base)
    )]
    PartCollides {
        /// The plain family.
        name: String,
        /// `histogram` or `summary`.
        kind: &'static str,
        /// Its name.
        base: String,
    },
    /// A histogram or summary has a part that is called like a plain family.
    #[error(
        "collected {kind} named {} collides with previously collected metric named {}",
        quoted(.name), quoted(.part)
    )]
    BaseCollides {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The plain family.
        part: String,
    },
    /// A metric breaks a rule.
    #[error("collected metric {} {{ {dump}}} {fault}", quoted(.family))]
    Metric {
        /// The name of its family.
        family: String,
        /// The metric in prototext.
        dump: String,
        /// The rule.
        fault: MetricFault,
    },
}

/// The rule that a metric breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricFault {
    /// Its value is none of its family's type.
    #[error("is not a {0}")]
    NotA(&'static str),
    /// A label name that is reserved or empty.
    #[error("has a label with an invalid name: {0}")]
    LabelName(String),
    /// A label name twice.
    #[error("has two or more labels with the same name: {0}")]
    RepeatedLabel(String),
    /// A label that the type makes itself.
    #[error("must not have an explicit {} label", quoted(.0))]
    ExplicitLabel(&'static str),
    /// Another metric is the same series.
    #[error("was collected before with the same name and label values")]
    Duplicate,
}

fn quoted(text: &str) -> String {
    quote::text(text.as_bytes())
}

/// More faults than this are not looked for: nobody reads them.
pub(crate) const FAULTS_MAX: usize = 20;

/// Checks families whose metrics have their grouping labels, in order of names. If a sample has a time of its own where none may,
/// that is the only fault reported.
pub(super) fn check(families: &[Family], timestamps: bool) -> Result<(), Vec<Inconsistency>> {
    let metrics = || families.iter().flat_map(|family| &family.metrics);
    if !timestamps && metrics().any(|metric| metric.timestamp_ms.is_some()) {
        return Err(vec![Inconsistency::Timestamp]);
    }
    let by_name: HashMap<&str, &Family> = families.iter().map(|family| (&*family.name, family)).collect();
    let mut faults = Vec::new();
    for family in families {
        if let Some(collision) = collision(family, &by_name) {
            faults.push(collision);
            continue;
        }
        let mut seen = HashSet::new();
        for metric in &family.metrics {
            if faults.len() == FAULTS_MAX {
                return Err(faults);
            }
            let fault = metric_fault(family.r#type, metric).or_else(|| {
                let labels = Labels::from_pairs(metric.labels.iter().cloned());
                (!seen.insert((labels, metric.timestamp_ms))).then_some(MetricFault::Duplicate)
            });
            faults.extend(fault.map(|fault| Inconsistency::Metric {
                family: family.name.to_string(),
                dump: dump(metric),
                fault,
            }));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Whether this family has the name of a part of another.
fn collision(family: &Family, by_name: &HashMap<&str, &Family>) -> Option<Inconsistency> {
    ["_count", "_sum", "_bucket"].into_iter().find_map(|suffix| {
        let base = family.name.strip_suffix(suffix)?;
        let kind = match by_name.get(base)?.r#type {
            MetricType::Histogram | MetricType::GaugeHistogram => "histogram",
            MetricType::Summary if suffix != "_bucket" => "summary",
            _ => return None,
        };
        Some(Inconsistency::PartCollides { name: family.name.to_string(), kind, base: base.to_owned() })
    })
}

fn metric_fault(r#type: MetricType, metric: &Metric) -> Option<MetricFault> {
    let fits = matches!(
        (r#type, &metric.value),
        (MetricType::Counter, MetricValue::Counter(_))
            | (MetricType::Gauge, MetricValue::Gauge(_))
            | (MetricType::Untyped | MetricType::Info | MetricType::StateSet, MetricValue::Untyped(_))
            | (MetricType::Summary, MetricValue::Summary(_))
            | (MetricType::Histogram | MetricType::GaugeHistogram, MetricValue::Histogram(_))
    );
    if !fits {
        return Some(MetricFault::NotA(type_name(r#type)));
    }
    let made_by_type = match r#type {
        MetricType::Summary => "quantile",
        // the Pushgateway lets this one pass, and shows samples with two labels of that name
        MetricType::Histogram | MetricType::GaugeHistogram => "le",
        _ => "",
    };
    let mut previous = None;
    for (name, _) in &metric.labels {
        if previous == Some(name) {
            return Some(MetricFault::RepeatedLabel(name.to_string()));
        }
        if name.is_empty() || name.starts_with("__") {
            return Some(MetricFault::LabelName(name.to_string()));
        }
        if **name == *made_by_type {
            return Some(MetricFault::ExplicitLabel(made_by_type));
        }
        previous = Some(name);
    }
    None
}

/// The type as the Pushgateway's errors and API name it.
pub(crate) fn type_name(r#type: MetricType) -> &'static str {
    match r#type {
        MetricType::Counter => "COUNTER",
        MetricType::Gauge => "GAUGE",
        MetricType::Summary => "SUMMARY",
        MetricType::Untyped | MetricType::Info | MetricType::StateSet => "UNTYPED",
        MetricType::Histogram => "HISTOGRAM",
        MetricType::GaugeHistogram => "GAUGE_HISTOGRAM",
    }
}
