//! A query before anything is read.

use std::sync::Arc;

use model::Selection;

use super::QueryOptions;
use crate::explain::Explanation;
use crate::plan::Plan;
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

    /// What must be read, and which labels of it matter.
    pub fn selections(&self) -> impl Iterator<Item = (&Selection, &NeededLabels)> {
        self.plan.selections.iter().zip(&self.plan.needed)
    }
}
