//! A query before anything is read.

use model::Selection;

use super::QueryOptions;
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
}

impl Planned {
    /// What must be read, and which labels of it matter.
    pub fn selections(&self) -> impl Iterator<Item = (&Selection, &NeededLabels)> {
        self.plan.selections.iter().zip(&self.plan.needed)
    }
}
