//! How OTLP is made into series: the same for all receivers of a process, and it may change while they work.

use std::sync::{Arc, PoisonError, RwLock};

use wire::otlp::Translation;

/// What is in force. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedTranslation(Arc<RwLock<Arc<Translation>>>);

impl SharedTranslation {
    /// Puts another one in force, for requests that are decoded from now on.
    pub fn set(&self, translation: Translation) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(translation);
    }

    pub(crate) fn in_force(&self) -> Arc<Translation> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
