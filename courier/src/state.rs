//! The state of notifications as one object: read only where it has changed, swapped whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alert::{Cause, LoadError, Loaded, StateStore, SwapError, Version};
use notify::{STATE_BYTES_MAX, State};
use tokio::sync::Mutex;

use crate::courier::CourierError;

/// How often a change is tried when others write meanwhile.
const ATTEMPTS_MAX: usize = 10;

/// The state, and what is known of it.
pub(crate) struct StateObject {
    store: Arc<dyn StateStore>,
    /// Whoever changes the state holds it from reading to writing, so that nobody in this process is in the way of another.
    known: Mutex<Option<(Version, Arc<State>)>>,
    /// How large it was when it was read or written last.
    bytes: AtomicUsize,
    /// How large it may be.
    pub(crate) bytes_max: usize,
}

impl StateObject {
    pub(crate) fn new(store: Arc<dyn StateStore>) -> Self {
        Self { store, known: Mutex::default(), bytes: AtomicUsize::new(0), bytes_max: STATE_BYTES_MAX }
    }

    /// Whether it was so large that nothing should be added: what is told of the same alerts takes room too.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.bytes_max / 2
    }

    /// The state as it is now.
    pub(crate) async fn read(&self) -> Result<Arc<State>, CourierError> {
        let mut known = self.known.lock().await;
        Ok(self.load(&mut known).await?.1)
    }

    /// Changes the state, and returns it with what `change` returns. It is durable then. When somebody else has changed it
    /// meanwhile, `change` is asked again, with what they have left.
    pub(crate) async fn change<T>(
        &self,
        mut change: impl FnMut(&mut State) -> T,
    ) -> Result<(T, Arc<State>), CourierError> {
        let mut known = self.known.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let (version, before) = self.load(&mut known).await?;
            let mut after = State::clone(&before);
            let changed = change(&mut after);
            if after == *before {
                return Ok((changed, before));
            }
            let bytes = after.encode_within(self.bytes_max)?;
            let len = bytes.len();
            match self.store.swap(bytes, version.as_ref()).await {
                Ok(version) => {
                    self.bytes.store(len, Ordering::Relaxed);
                    let after = Arc::new(after);
                    *known = Some((version, Arc::clone(&after)));
                    return Ok((changed, after));
                }
                Err(SwapError::Conflict) => {}
                Err(SwapError::Unknown(cause)) => return Err(CourierError::Write(cause)),
            }
        }
        Err(CourierError::Contended)
    }

    async fn load(
        &self,
        known: &mut Option<(Version, Arc<State>)>,
    ) -> Result<(Option<Version>, Arc<State>), CourierError> {
        let loaded = self.store.load(known.as_ref().map(|(version, _)| version)).await;
        match (loaded.map_err(|LoadError(cause): LoadError| CourierError::Read(cause))?, &*known) {
            (Loaded::State(bytes, version), _) => {
                self.bytes.store(bytes.len(), Ordering::Relaxed);
                let state = Arc::new(State::decode(&bytes)?);
                *known = Some((version.clone(), Arc::clone(&state)));
                Ok((Some(version), state))
            }
            (Loaded::Same, Some((version, state))) => Ok((Some(version.clone()), Arc::clone(state))),
            (Loaded::Same, None) => {
                Err(CourierError::Read(Cause::from("the store knows a state that we do not")))
            }
            (Loaded::Nothing, _) => {
                self.bytes.store(0, Ordering::Relaxed);
                *known = None;
                Ok((None, Arc::default()))
            }
        }
    }
}
