//! The table, shared by all requests, and how what the store holds comes into it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Change, GroupKey};
use store::{Submitted, WriteError};
use tokio::sync::watch;
use tokio::time::timeout;
use wire::Family;

use super::claim::Claim;
use super::conflict::{Wanted, conflicts};
use super::fill::Filling;
use super::table::{Entry, NEVER_US, Table};
use super::unsure::{self, Outcome, Unsure};
use crate::intake::Inconsistency;

/// What the groups of this process hold.
#[derive(Debug)]
pub(crate) struct Held {
    seed: u64,
    state: Mutex<State>,
    unsure: Unsure,
    is_filled: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    table: Table,
    /// What was pushed since a fill began; `None` while there is none.
    since: Option<Vec<Entry>>,
    /// Whether the store may hold something else than the table says.
    is_doubtful: bool,
}

/// More pushes than this during one fill, and it is given up: they wait in memory.
const PUSHES_DURING_FILL_MAX: usize = 1_000_000;

/// What a push is about to do.
#[derive(Debug)]
pub(crate) struct Intent<'a> {
    pub(crate) group: GroupKey,
    pub(crate) change: Change,
    pub(crate) claims: Vec<Claim>,
    /// What the claims were made of, if they are to be compared with what is held.
    pub(crate) compared: Option<&'a [Family]>,
    pub(crate) ttl_us: Option<u64>,
}

/// What became of a push.
#[derive(Debug)]
pub(crate) enum Claimed<T> {
    /// It was handed on, with this result.
    Submitted(T),
    /// It contradicts what is held.
    Refused(Vec<Inconsistency>),
}

impl Held {
    /// Knows nothing yet. `seed` is to be a number that clients cannot guess.
    pub(crate) fn new(seed: u64) -> Self {
        let state = State { table: Table::default(), since: None, is_doubtful: true };
        Self {
            seed,
            state: Mutex::new(state),
            unsure: Unsure::default(),
            is_filled: watch::Sender::new(false),
        }
    }

    /// What families of a push want to hold.
    pub(crate) fn claims(&self, families: &[Family]) -> Vec<Claim> {
        families.iter().map(|family| Claim::of_pushed(family, self.seed)).collect()
    }

    /// Compares a push with what is held, unless it is unchecked; hands it on; and notes what it does: one step, so that of
    /// two pushes that contradict each other the second is refused, and the table follows the order of the stamps. `submit`
    /// must not wait.
    pub(crate) fn push<T, E>(
        &self,
        intent: Intent<'_>,
        now_us: i64,
        submit: impl FnOnce() -> Result<T, E>,
    ) -> Result<Claimed<T>, E> {
        let Intent { group, change, claims, compared, ttl_us } = intent;
        let mut state = self.lock();
        state.table.expire(now_us);
        if let Some(families) = compared {
            let faults = conflicts(&state.table, &Wanted { group, change, claims: &claims, families });
            if !faults.is_empty() {
                return Ok(Claimed::Refused(faults));
            }
        }
        let submitted = submit()?;
        let ttl_us = ttl_us.and_then(|ttl_us| i64::try_from(ttl_us).ok());
        let until_us = ttl_us.map_or(NEVER_US, |ttl_us| now_us.saturating_add(ttl_us));
        state.note(Entry { group, change, claims, until_us });
        Ok(Claimed::Submitted(submitted))
    }

    /// Hands on what ends groups, and notes that.
    pub(crate) fn end<T, E>(
        &self,
        group: GroupKey,
        change: Change,
        submit: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.lock();
        let submitted = submit()?;
        state.note(Entry { group, change, claims: Vec::new(), until_us: NEVER_US });
        Ok(submitted)
    }

    /// Whether a group is there.
    pub(crate) fn has_group(&self, group: GroupKey, now_us: i64) -> bool {
        let mut state = self.lock();
        state.table.expire(now_us);
        state.table.has_group(group)
    }

    /// How many groups and metrics it knows of.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.table.group_count(), state.table.metric_count())
    }

    /// Waits until what was handed on, and noted, is stored. If it is not, or nobody waits for it any more and it turns out not
    /// to be, a fill is due.
    pub(crate) async fn stored(&self, submitted: Submitted) -> Result<(), WriteError> {
        let mut waiting = Waiting { held: self, outcome: Some(unsure::outcome(submitted)) };
        let Some(outcome) = &mut waiting.outcome else { return Ok(()) };
        let stored = outcome.await;
        waiting.outcome = None;
        if stored.is_err() {
            self.doubt();
        }
        stored
    }

    /// Nobody will wait for what was handed on, and noted.
    pub(crate) fn leave(&self, submitted: Submitted) {
        self.leave_outcome(unsure::outcome(submitted));
    }

    fn leave_outcome(&self, outcome: Outcome) {
        if !self.unsure.add(outcome) {
            self.doubt();
        }
    }

    /// Whether a fill is due: nothing was read yet, or what was handed on may not have been stored.
    pub(crate) fn is_doubtful(&self) -> bool {
        if self.unsure.settle() {
            self.doubt();
        }
        self.lock().is_doubtful
    }

    pub(super) fn doubt(&self) {
        self.lock().is_doubtful = true;
    }

    /// To be called before the store is read for [`Held::fill`]: what is pushed from now on is remembered until then.
    pub(crate) fn begin_fill(&self) {
        let mut state = self.lock();
        state.since = Some(Vec::new());
        state.is_doubtful = false;
    }

    /// The store could not be read.
    pub(crate) fn give_up_fill(&self) {
        let mut state = self.lock();
        state.since = None;
        state.is_doubtful = true;
    }

    /// For what is read of the store then.
    pub(crate) fn filling(&self) -> Filling {
        Filling::new(self.seed)
    }

    /// Begins anew with what the store holds, and what was pushed since [`Held::begin_fill`] on top of that. What the store
    /// holds may have some of those pushes already: applying them once more changes nothing. Takes time.
    pub(crate) fn fill(&self, filling: Filling) {
        let mut table = filling.table();
        let mut state = self.lock();
        // given up, because too much was pushed meanwhile
        let Some(since) = state.since.take() else { return };
        since.into_iter().for_each(|entry| table.apply(entry));
        state.table = table;
        drop(state);
        self.is_filled.send_replace(true);
    }

    /// Waits until the table has been filled once, but not longer than this. Answers whether it has been.
    pub(crate) async fn filled(&self, at_most: Duration) -> bool {
        let mut is_filled = self.is_filled.subscribe();
        // the sender lives as long as this
        timeout(at_most, is_filled.wait_for(|filled| *filled)).await.is_ok_and(|waited| waited.is_ok())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // whoever panicked in here left the table as it was or with a whole change in it
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A push whose client waits. If the client leaves, this is dropped with what is not known yet.
struct Waiting<'a> {
    held: &'a Held,
    outcome: Option<Outcome>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.held.leave_outcome(outcome);
        }
    }
}

impl State {
    fn note(&mut self, entry: Entry) {
        if let Some(since) = &mut self.since {
            if since.len() < PUSHES_DURING_FILL_MAX {
                since.push(entry.clone());
            } else {
                self.since = None;
                self.is_doubtful = true;
            }
        }
        self.table.apply(entry);
    }
}
