//! Virtual time, and what happens when: one thing at a time.
//!
//! Between two events everything that can go on without one goes on, until all that is left waits for an event. So at most one
//! thing happens at once, and what happens does not depend on how threads are scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};

/// What happens at a time, once.
type Happening = Box<dyn FnOnce() + Send>;

struct Event {
    due_us: i64,
    /// Decides between those that are due at once, so that it does not matter who was asked first.
    tie: u64,
    happening: Happening,
}

impl Event {
    fn place(&self) -> (i64, u64) {
        (self.due_us, self.tie)
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

struct State {
    now_us: i64,
    events: BinaryHeap<Reverse<Event>>,
}

/// What time it is, and what is to happen.
pub(crate) struct Schedule {
    state: Mutex<State>,
    /// Counts whatever goes on, so that it shows when nothing does.
    activity: AtomicU64,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule at {} us", self.now_us())
    }
}

impl Schedule {
    pub(crate) fn at_us(now_us: i64) -> Self {
        Self { state: Mutex::new(State { now_us, events: BinaryHeap::new() }), activity: AtomicU64::new(0) }
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.lock().now_us
    }

    /// Lets something happen at a time.
    pub(crate) fn at(&self, due_us: i64, tie: u64, happening: impl FnOnce() + Send + 'static) {
        self.goes_on();
        self.lock().events.push(Reverse(Event { due_us, tie, happening: Box::new(happening) }));
    }

    /// Something goes on.
    pub(crate) fn goes_on(&self) {
        self.activity.fetch_add(1, Ordering::SeqCst);
    }

    /// Goes to a time, and lets happen what is due until then.
    pub(crate) async fn advance_to(&self, to_us: i64) {
        loop {
            self.settle().await;
            let next = {
                let mut state = self.lock();
                match state.events.peek() {
                    Some(Reverse(event)) if event.due_us <= to_us => {
                        let Reverse(event) = state.events.pop().expect("it is there");
                        // no two things happen at once
                        state.now_us = event.due_us.max(state.now_us + 1);
                        event
                    }
                    _ => {
                        state.now_us = to_us.max(state.now_us + 1);
                        return;
                    }
                }
            };
            (next.happening)();
        }
    }

    /// When the next thing happens, if anything will.
    pub(crate) fn next_us(&self) -> Option<i64> {
        self.lock().events.peek().map(|Reverse(event)| event.due_us)
    }

    /// Waits until nothing goes on any more: blocking work is done by one thread in order, so what comes after all of it in
    /// the queue comes when all of it is done. Nothing of the store does blocking work twice in a row without anything else
    /// that shows in between.
    pub(crate) async fn settle(&self) {
        let mut quiet = 0;
        while quiet < 2 {
            self.quieten().await;
            let before = self.activity.load(Ordering::SeqCst);
            // another thread is slow to ask, so it is asked when nobody else has anything to do
            tokio::task::spawn_blocking(|| ()).await.expect("works");
            self.quieten().await;
            quiet = if self.activity.load(Ordering::SeqCst) == before { quiet + 1 } else { 0 };
        }
    }

    /// Waits until nothing goes on that needs no other thread.
    async fn quieten(&self) {
        let mut quiet = 0;
        while quiet < 3 {
            let before = self.activity.load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            quiet = if self.activity.load(Ordering::SeqCst) == before { quiet + 1 } else { 0 };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("unpoisoned")
    }
}

/// A future of which every poll shows.
pub(crate) struct Shown<F> {
    pub(crate) of: Pin<Box<F>>,
    pub(crate) schedule: std::sync::Arc<Schedule>,
}

impl<F: Future> Future for Shown<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.schedule.goes_on();
        self.of.as_mut().poll(context)
    }
}
