//! A query before anything is read.

use std::sync::Arc;

use model::Selection;

use super::QueryOptions;
use crate::explain::Explanation;
use crate::plan::{Grid, Plan, Reach};
use crate::source::NeededLabels;

/// A query of which all times are fixed.
#[derive(Debug)]
pub struct Planned {
    pub(super) plan: Plan,
    /// Whether it asks for one time.
    pub(super) instant: bool,
    pub(super) lookback_ms: i64,
    pub(super) options: QueryOptions,
    pub(super) explanation: Option<Arc<Explanation>>,
}

impl Planned {
    /// What it does, and what it will have taken by the time that is looked at; `None` unless [`QueryOptions::explained`].
    pub fn explanation(&self) -> Option<Arc<Explanation>> {
        self.explanation.clone()
    }

    /// The same, which may take no longer than this.
    #[must_use]
    pub(crate) fn within(mut self, timeout_ms: i64) -> Self {
        self.options.timeout_ms = Some(timeout_ms);
        self
    }

    /// How long it may take by what it says itself.
    pub(crate) fn timeout_ms(&self) -> i64 {
        self.options.timeout_ms.unwrap_or(i64::MAX)
    }

    /// How often it sees what was pushed scraped, if it says so itself.
    pub(crate) fn as_scraped_ms(&self) -> Option<i64> {
        self.options.as_scraped_ms
    }

    /// Its times, if its values at some of them can be told by those times alone, and how far around each lies what counts.
    pub(crate) fn movable(&self) -> Option<(Grid, Reach)> {
        (!self.instant).then_some((self.plan.root.grid, self.plan.reach?))
    }

    /// How old a sample may be to count.
    pub(crate) fn lookback_ms(&self) -> i64 {
        self.lookback_ms
    }

    /// What must be read, and which labels of it matter.
    pub fn selections(&self) -> impl Iterator<Item = (&Selection, &NeededLabels)> {
        self.plan.selections.iter().zip(&self.plan.needed)
    }
}
