//! Of each metric name what was decoded last, as long as somebody keeps it: the next file has the same series.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::segment::Segment;

/// Beyond so many names, those that nobody keeps are forgotten.
const NAMES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<Arc<str>, Weak<Segment>>>);

impl Names {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Segment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name)?.upgrade()
    }

    pub(super) fn set(&self, name: &Arc<str>, segment: &Arc<Segment>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.retain(|_, segment| segment.strong_count() > 0);
        }
        if names.len() < NAMES_MAX || names.contains_key(name) {
            names.insert(Arc::clone(name), Arc::downgrade(segment));
        }
    }
}
