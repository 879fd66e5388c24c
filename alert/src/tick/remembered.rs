//! The state as an evaluator knows it: what has not changed in the store is not read again, and what a tick has not changed is
//! not encoded again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::progress::TickError;
use crate::ports::{Cause, LoadError, Loaded, StateStore, Version};
use crate::rules::Rules;
use crate::state::{self, Encoded, State};

/// The state in the store, and what is known of it.
pub(super) struct Remembered {
    store: Arc<dyn StateStore>,
    /// What was read or written last.
    last: Mutex<Option<Last>>,
    encoded: Mutex<Encoded>,
}

#[derive(Clone)]
struct Last {
    state: State,
    version: Version,
    /// The rules to which all of its groups belong, if that is known.
    rules: Option<Arc<Rules>>,
}

/// A state, and what is known about it.
pub(super) struct Known {
    pub(super) state: State,
    /// `None`: there never was one.
    pub(super) version: Option<Version>,
    /// The rules to which all of its groups belong, if that is known.
    pub(super) rules: Option<Arc<Rules>>,
}

/// A store of state that answers what it was not asked.
#[derive(Debug, thiserror::Error)]
#[error("the store says that nothing has changed since a version that it was not asked about")]
struct NothingIsKnown;

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

impl Remembered {
    pub(super) fn of(store: Arc<dyn StateStore>) -> Self {
        Self { store, last: Mutex::default(), encoded: Mutex::default() }
    }

    /// The newest state.
    pub(super) async fn load(&self) -> Result<Known, TickError> {
        let last = lock(&self.last).clone();
        match (self.store.load(last.as_ref().map(|last| &last.version)).await?, last) {
            (Loaded::Nothing, _) => Ok(Known { state: State::default(), version: None, rules: None }),
            (Loaded::Same, Some(Last { state, version, rules })) => {
                Ok(Known { state, version: Some(version), rules })
            }
            (Loaded::Same, None) => Err(LoadError(Cause::from(NothingIsKnown)).into()),
            (Loaded::State(bytes, version), _) => {
                let state = state::decode(&bytes)?;
                let last = Last { state: state.clone(), version: version.clone(), rules: None };
                *lock(&self.last) = Some(last);
                Ok(Known { state, version: Some(version), rules: None })
            }
        }
    }

    /// Replaces the state of the version that is expected; `rules` are those to which all of its groups belong.
    pub(super) async fn swap(
        &self,
        state: &State,
        expected: Option<&Version>,
        rules: Option<&Arc<Rules>>,
    ) -> Result<Version, TickError> {
        let bytes = lock(&self.encoded).encode(state)?;
        let version = self.store.swap(bytes, expected).await.map_err(TickError::Swap)?;
        let last = Last { state: state.clone(), version: version.clone(), rules: rules.cloned() };
        *lock(&self.last) = Some(last);
        Ok(version)
    }
}

/// Nothing in here is left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
