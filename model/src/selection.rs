//! What a query asks of the store.

use crate::{Labels, Matcher};

/// Which series, over which time.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// All must match; a label that a series lacks counts as empty.
    pub matchers: Vec<Matcher>,
    /// First millisecond asked for.
    pub start_ms: i64,
    /// Last millisecond asked for, inclusive.
    pub end_ms: i64,
}

impl Selection {
    /// Whether a series with these labels is asked for.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.matches(labels.get(&m.name).unwrap_or("")))
    }

    /// The metric name, if a matcher pins it to one.
    pub fn metric_name(&self) -> Option<&str> {
        self.matchers.iter().find_map(|m| {
            (&*m.name == "__name__" && m.op == crate::MatchOp::Equal && !m.value.is_empty())
                .then_some(&*m.value)
        })
    }
}
