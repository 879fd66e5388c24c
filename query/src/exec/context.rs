//! What evaluating needs wherever it happens.

use std::cell::RefCell;

use model::Labels;

use super::{Budget, ExecSettings, Line, names};
use crate::annotations::Annotations;

/// Settings, what may still be used, and where remarks go. Threads that share a budget have contexts of their own.
pub(crate) struct Context<'a> {
    pub(super) settings: ExecSettings,
    pub(super) budget: &'a Budget,
    pub(super) notes: RefCell<Annotations>,
    /// The labels whose name was taken away last, and without it: those of the next series may be the same.
    nameless: RefCell<Option<[Labels; 2]>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(settings: ExecSettings, budget: &'a Budget) -> Self {
        Self { settings, budget, notes: RefCell::default(), nameless: RefCell::default() }
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
            let mut last = self.nameless.borrow_mut();
            line.labels = match &*last {
                Some([named, nameless]) if *named == line.labels => nameless.clone(),
                _ => {
                    let nameless = names::without_metadata(&line.labels);
                    *last = Some([line.labels.clone(), nameless.clone()]);
                    nameless
                }
            };
        }
    }
}
