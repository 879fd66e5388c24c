//! Single observations that stand for many, and lead to their traces.

use crate::Labels;

/// An exemplar's labels have no more characters than this, names and values together: so OpenMetrics has it, and Prometheus.
pub const EXEMPLAR_CHARS_MAX: usize = 128;

/// One observation of what a series counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// What leads to its trace.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl Exemplar {
    /// Whether its labels are no longer than [`EXEMPLAR_CHARS_MAX`].
    pub fn is_short(&self) -> bool {
        let chars = self.labels.iter().map(|label| label.name.chars().count() + label.value.chars().count());
        chars.sum::<usize>() <= EXEMPLAR_CHARS_MAX
    }
}

/// The exemplars of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarSeries {
    /// All labels of the series.
    pub labels: Labels,
    /// In order of time, and of one time in order of values.
    pub exemplars: Vec<Exemplar>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_and_not_bytes() {
        let check = |value: &str, expect: bool| {
            let labels = Labels::from_pairs([("trace_id", value)]);
            assert_eq!(Exemplar { labels, value: 1.0, at_ms: 0 }.is_short(), expect);
        };
        check(&"é".repeat(120), true);
        check(&"é".repeat(121), false);
    }
}
