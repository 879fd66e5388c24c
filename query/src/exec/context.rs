//! What evaluating needs wherever it happens.

use std::cell::RefCell;

use super::{Budget, ExecSettings, Line, names};
use crate::annotations::Annotations;

/// Settings, what may still be used, and where remarks go. Threads that share a budget have contexts of their own.
pub(crate) struct Context<'a> {
    pub(super) settings: ExecSettings,
    pub(super) budget: &'a Budget,
    pub(super) notes: RefCell<Annotations>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(settings: ExecSettings, budget: &'a Budget) -> Self {
        Self { settings, budget, notes: RefCell::default() }
    }

    /// The remarks so far.
    pub(crate) fn into_annotations(self) -> Annotations {
        self.notes.into_inner()
    }

    /// Says that a series is no longer what its name says.
    pub(super) fn drop_name(&self, line: &mut Line) {
        if self.settings.delayed_name_removal {
            line.drop_name = true;
        } else {
            line.labels = names::without_metadata(&line.labels);
        }
    }
}
