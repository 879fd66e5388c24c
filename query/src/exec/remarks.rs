//! The words of remarks, which are those of Prometheus.

use crate::syntax::quoted;

/// What histograms are put together for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Combination {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combination {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

pub(super) fn quantile_out_of_range(phi: f64) -> String {
    format!("quantile value should be between 0 and 1, got {}", model::float::shortest(phi))
}

pub(super) fn mixed_kinds(name: &str) -> String {
    format!("encountered a mix of histograms and floats for metric name {}", quoted(name))
}

pub(super) fn mixed_buckets(name: &str) -> String {
    format!(
        "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
        quoted(name)
    )
}

pub(super) fn not_a_counter(name: &str) -> String {
    format!("this native histogram metric is not a counter: {}", quoted(name))
}

pub(super) fn overlapping_start(name: &str) -> String {
    format!("sample has start time that overlaps with previous sample timestamp for metric {}", quoted(name))
}

pub(super) fn not_a_gauge(name: &str) -> String {
    format!("this native histogram metric is not a gauge: {}", quoted(name))
}

pub(super) fn ignored_in_range(name: &str) -> String {
    format!(
        "ignored histograms in a range containing both floats and histograms for metric name {}",
        quoted(name)
    )
}

pub(super) fn resets_conflict(combination: Combination) -> String {
    format!("conflicting counter resets during histogram {}", combination.as_str())
}

pub(super) fn bounds_reconciled(combination: Combination) -> String {
    format!("mismatched custom buckets were reconciled during {}", combination.as_str())
}

/// Adds the name, if there is one.
pub(super) fn with_name(text: &str, name: &str) -> String {
    if name.is_empty() { text.to_owned() } else { format!("{text} for metric name {}", quoted(name)) }
}
