//! What is not in the object store yet: readers of the same process see it at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Stamp;

use crate::entry::Entry;

/// An entry and its place in the order.
#[derive(Debug)]
pub struct Stamped<E> {
    pub(crate) stamp: Stamp,
    pub(crate) entry: E,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
}

/// What one writer holds in memory. Shared by the writer, its flusher and the readers of the process.
///
/// Entries stand in stamp order, and a segment is always a run of them taken from the front; so a segment of this writer
/// whose first stamp is not older than the first entry of a snapshot holds nothing that the snapshot lacks but what came
/// later.
#[derive(Debug)]
pub struct Tail<E> {
    inner: Mutex<Inner<E>>,
}

#[derive(Debug)]
struct Inner<E> {
    entries: VecDeque<Arc<Stamped<E>>>,
    bytes: usize,
    last_us: i64,
}

impl<E> Default for Tail<E> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { entries: VecDeque::new(), bytes: 0, last_us: 0 }) }
    }
}

/// A tail would hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) waiting: usize,
}

impl<E: Entry> Tail<E> {
    /// Stamps an entry and makes it visible: later than every entry before it, and not before `now_us`.
    pub(crate) fn append(
        &self,
        entry: E,
        writer: u64,
        now_us: i64,
        bytes_max: usize,
    ) -> Result<Arc<Stamped<E>>, Full> {
        let bytes = entry.memory_bytes();
        let mut inner = self.lock();
        // whatever the gateway's own limits let through fits, so the tail is full only when it is, and not for some
        if inner.bytes >= bytes_max {
            return Err(Full { waiting: inner.bytes });
        }
        let at_us = now_us.max(inner.last_us + 1);
        let stamped = Arc::new(Stamped { stamp: Stamp { at_us, writer }, entry, bytes });
        inner.last_us = at_us;
        inner.bytes += bytes;
        inner.entries.push_back(Arc::clone(&stamped));
        Ok(stamped)
    }

    /// Forgets the entries up to and including `last`: they are in the object store, or have been refused.
    pub(crate) fn remove_through(&self, last: Stamp) {
        let mut inner = self.lock();
        while inner.entries.front().is_some_and(|entry| entry.stamp <= last) {
            if let Some(entry) = inner.entries.pop_front() {
                inner.bytes -= entry.bytes;
            }
        }
    }

    /// Forgets the entries from `first` to `last`, both included: they have been refused.
    pub(crate) fn remove_between(&self, first: Stamp, last: Stamp) {
        let mut inner = self.lock();
        let Inner { entries, bytes, .. } = &mut *inner;
        entries.retain(|entry| {
            let refused = first <= entry.stamp && entry.stamp <= last;
            *bytes -= if refused { entry.bytes } else { 0 };
            !refused
        });
    }

    /// What is waiting, in stamp order.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Stamped<E>>> {
        self.lock().entries.iter().cloned().collect()
    }

    /// About how many bytes are waiting.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// How many entries are waiting.
    pub fn entries(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        // nothing in here panics between two changes that belong together
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
