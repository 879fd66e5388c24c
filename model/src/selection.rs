//! What a query asks of the store.

use std::collections::BTreeSet;
use std::sync::Arc;

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

/// Which labels of its series a query looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeededLabels {
    /// All of them.
    All,
    /// These.
    These(BTreeSet<Arc<str>>),
}

impl NeededLabels {
    /// The labels that say what a metric is. They are always among those that are needed.
    pub const METADATA: [&str; 3] = [Labels::NAME, "__type__", "__unit__"];

    /// Whether a label is needed.
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }

    /// Of the labels of a series those that are needed.
    pub fn of(&self, labels: &Labels) -> Labels {
        match labels.iter().all(|label| self.includes(&label.name)) {
            true => labels.clone(),
            false => {
                let needed = labels.iter().filter(|label| self.includes(&label.name));
                Labels::from_sorted(needed.cloned().collect())
            }
        }
    }

    /// What both need.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::These(mut own), Self::These(other)) => {
                own.extend(other);
                Self::These(own)
            }
            _ => Self::All,
        }
    }
}
