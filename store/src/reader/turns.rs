//! Whoever wants the same at the same time waits for the first, and then finds it in memory: many rules ask for the same files at
//! once, and so do the panels of a dashboard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::open::Key;

/// Beyond so many, those that nobody waits for are forgotten.
const TURNS_MAX: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Key, Weak<AsyncMutex<()>>>>);

impl Turns {
    /// Waits until nobody else reads this. It is one's turn until the guard is dropped.
    pub(super) async fn of(&self, key: &Key) -> OwnedMutexGuard<()> {
        let turn = self.turn(key);
        turn.lock_owned().await
    }

    fn turn(&self, key: &Key) -> Arc<AsyncMutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= TURNS_MAX {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::default();
        turns.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }
}
