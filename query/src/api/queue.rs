//! Who may be evaluated now, and who waits.
//!
//! All tenants of a process share the places for queries that are evaluated. Whoever finds none waits in the line of its tenant. A
//! place that becomes free goes to the tenants in turn, and within a tenant to who has waited longest, so however many queries one
//! of them sends, another waits no longer than until its turn comes.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::counts::TenantQueries;

/// The places of a process.
#[derive(Debug)]
pub(super) struct Queue {
    places: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Places that are taken.
    taken: usize,
    /// The number of the next line, and of the next one in it.
    next: u64,
    /// Tenants with somebody who waits; the first has the next turn.
    turns: VecDeque<u64>,
    lines: HashMap<u64, Line>,
}

/// What a tenant has.
#[derive(Debug)]
struct Line {
    taken: usize,
    places: usize,
    /// By number, in the order in which they came.
    waiting: VecDeque<(u64, oneshot::Sender<Place>)>,
}

/// The way of one tenant to a place.
#[derive(Debug)]
pub(super) struct Door {
    queue: Arc<Queue>,
    line: u64,
    waiting_max: usize,
    refused: AtomicU64,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    queue: Arc<Queue>,
    line: u64,
}

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, state: Mutex::default() })
    }

    /// How many are evaluated at once at the most.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// How many are evaluated or wait, of all tenants.
    pub(super) fn all(&self) -> usize {
        let state = self.state();
        state.taken + state.lines.values().map(|line| line.waiting.len()).sum::<usize>()
    }

    /// A way for a tenant, which has at most so many places at once.
    pub(super) fn door(self: &Arc<Self>, places: Option<usize>, waiting_max: usize) -> Door {
        let mut state = self.state();
        state.next += 1;
        let number = state.next;
        let places = places.unwrap_or(self.places);
        state.lines.insert(number, Line { taken: 0, places, waiting: VecDeque::new() });
        Door { queue: Arc::clone(self), line: number, waiting_max, refused: AtomicU64::new(0) }
    }

    /// Nothing is left half done while the lock is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places to those who have waited. They are handed over when the lock is open again: who does not wait any more
    /// gives its place back.
    fn hand_out(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut given = Vec::new();
        while state.taken < self.places
            && let Some((line, receiver)) = state.next_in_turn()
        {
            given.push((receiver, Place { queue: Arc::clone(self), line }));
        }
        drop(state);
        for (receiver, place) in given {
            // an error is the place, which goes back
            let _ = receiver.send(place);
        }
    }
}

impl State {
    /// Takes a place for who is next; `None` if nobody may have one.
    fn next_in_turn(&mut self) -> Option<(u64, oneshot::Sender<Place>)> {
        let may = |line: &u64| self.lines.get(line).is_some_and(|line| line.taken < line.places);
        let turn = self.turns.iter().position(may)?;
        let number = self.turns.remove(turn)?;
        let line = self.lines.get_mut(&number)?;
        let (_, receiver) = line.waiting.pop_front()?;
        line.taken += 1;
        self.taken += 1;
        if !line.waiting.is_empty() {
            self.turns.push_back(number);
        }
        Some((number, receiver))
    }
}

impl Door {
    /// A place, at once or after waiting for it. Whoever stops asking leaves the line.
    ///
    /// # Errors
    /// If too many of the tenant wait already.
    pub(super) async fn enter(&self) -> Result<Place, Full> {
        let Some(waiting) = self.take_or_wait()? else { return Ok(self.place()) };
        waiting.place().await.ok_or(Full)
    }

    /// Takes a place, or stands in line.
    fn take_or_wait(&self) -> Result<Option<Waiting<'_>>, Full> {
        let mut guard = self.queue.state();
        let state = &mut *guard;
        // whoever waits for a place that is free has been given it
        let is_free = state.taken < self.queue.places;
        let line = state.lines.get_mut(&self.line).ok_or(Full)?;
        if is_free && line.taken < line.places {
            line.taken += 1;
            state.taken += 1;
            return Ok(None);
        }
        if line.waiting.len() >= self.waiting_max {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        state.next += 1;
        let number = state.next;
        line.waiting.push_back((number, sender));
        if line.waiting.len() == 1 {
            state.turns.push_back(self.line);
        }
        Ok(Some(Waiting { door: self, number, receiver }))
    }

    fn place(&self) -> Place {
        Place { queue: Arc::clone(&self.queue), line: self.line }
    }

    /// How many may wait.
    pub(super) fn waiting_max(&self) -> usize {
        self.waiting_max
    }

    /// How many of the tenant there are.
    pub(super) fn queries(&self) -> TenantQueries {
        let state = self.queue.state();
        let (evaluated, waiting) =
            state.lines.get(&self.line).map_or((0, 0), |line| (line.taken, line.waiting.len()));
        TenantQueries { evaluated, waiting, refused: self.refused.load(Ordering::Relaxed) }
    }

    /// The queue that it leads to.
    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // those who are evaluated may outlive it, and count for all tenants until they end
        self.queue.state().lines.remove(&self.line);
    }
}

/// Somebody in line.
struct Waiting<'d> {
    door: &'d Door,
    number: u64,
    receiver: oneshot::Receiver<Place>,
}

impl Waiting<'_> {
    /// The place, once it is given.
    async fn place(mut self) -> Option<Place> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.door.queue.state();
        let number = self.door.line;
        let Some(line) = state.lines.get_mut(&number) else { return };
        let Some(place) = line.waiting.iter().position(|(waiting, _)| *waiting == self.number) else {
            return;
        };
        line.waiting.remove(place);
        if line.waiting.is_empty() {
            state.turns.retain(|turn| *turn != number);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.taken -= 1;
        if let Some(line) = state.lines.get_mut(&self.line) {
            line.taken -= 1;
        }
        self.queue.hand_out(state);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn tenants_have_turns_however_many_one_of_them_sends() {
        let queue = Queue::new(1);
        let (flood, other) = (queue.door(None, 10), queue.door(None, 10));
        let first = flood.enter().now_or_never().expect("is free").expect("is taken");
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(flood.enter())).collect();
        assert!(waiting.iter_mut().all(|one| one.as_mut().now_or_never().is_none()));
        let mut patient = Box::pin(other.enter());
        assert!(patient.as_mut().now_or_never().is_none());
        assert_eq!(queue.all(), 7);
        assert_eq!(flood.queries(), TenantQueries { evaluated: 1, waiting: 5, refused: 0 });
        drop(first);
        let second = waiting[0].as_mut().now_or_never().expect("came first").expect("is taken");
        assert!(patient.as_mut().now_or_never().is_none());
        drop(second);
        let place = patient.as_mut().now_or_never().expect("has its turn").expect("is taken");
        assert!(waiting[1].as_mut().now_or_never().is_none());
        // who leaves the line is not waited for
        drop(waiting.remove(1));
        drop(place);
        assert!(waiting[1].as_mut().now_or_never().is_some());
        drop((waiting.split_off(0), patient));
        assert_eq!((queue.all(), queue.state().turns.len()), (0, 0));
    }

    #[test]
    fn a_tenant_has_no_more_places_than_its_own() {
        let queue = Queue::new(3);
        let (narrow, wide) = (queue.door(Some(1), 1), queue.door(None, 0));
        let held = narrow.enter().now_or_never().expect("is free").expect("is taken");
        let mut waiting = Box::pin(narrow.enter());
        assert!(waiting.as_mut().now_or_never().is_none(), "two places are free, but not for it");
        assert_eq!(narrow.enter().now_or_never().map(Result::err), Some(Some(Full)));
        let others: Vec<_> = (0..2).map(|_| wide.enter().now_or_never().expect("is free")).collect();
        assert_eq!(wide.enter().now_or_never().map(Result::err), Some(Some(Full)));
        drop(others);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert!(waiting.as_mut().now_or_never().is_some());
        assert_eq!((narrow.queries().refused, wide.queries().refused), (1, 1));
    }

    #[test]
    fn a_place_outlives_its_door() {
        let queue = Queue::new(1);
        let (closed, open) = (queue.door(None, 1), queue.door(None, 1));
        let held = closed.enter().now_or_never().expect("is free").expect("is taken");
        let mut waiting = Box::pin(open.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(closed);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(held);
        assert!(waiting.as_mut().now_or_never().is_some());
    }
}
