//! What is not in the object store yet: readers of the same process see it at once.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Stamp;

use crate::entry::Entry;

/// An entry and its place in the order.
#[derive(Debug)]
pub struct Stamped<E> {
    /// Counted by the tail. Unlike the stamp, it stays: a run of entries is known by these.
    pub(crate) sequence: u64,
    pub(crate) stamp: Stamp,
    pub(crate) entry: Arc<E>,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
}

/// Entries that follow each other, by their sequence.
pub(crate) type Run = RangeInclusive<u64>;

/// What one writer holds in memory. Shared by the writer, its flusher and the readers of the process.
///
/// Entries stand in stamp order, and a segment is always a run of them taken from the front. Segments are numbered in the
/// same order, so numbers tell which segments hold what is still in here.
#[derive(Debug)]
pub struct Tail<E> {
    inner: Mutex<Inner<E>>,
}

#[derive(Debug)]
struct Inner<E> {
    entries: VecDeque<Arc<Stamped<E>>>,
    bytes: usize,
    last_us: i64,
    next_sequence: u64,
    /// The entries of segments with lower numbers have left.
    first_number: u32,
}

impl<E> Default for Tail<E> {
    fn default() -> Self {
        let inner =
            Inner { entries: VecDeque::new(), bytes: 0, last_us: 0, next_sequence: 0, first_number: 0 };
        Self { inner: Mutex::new(inner) }
    }
}

/// A tail would hold more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) waiting: usize,
}

/// What a tail held at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot<E> {
    /// In stamp order.
    pub(crate) entries: Vec<Arc<Stamped<E>>>,
    /// Segments of the same writer with this number or a higher one hold nothing but these and what came later.
    pub(crate) first_number: u32,
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
        let (sequence, stamp) = (inner.next_sequence, Stamp { at_us, writer });
        let stamped = Arc::new(Stamped { sequence, stamp, entry: Arc::new(entry), bytes });
        inner.last_us = at_us;
        inner.next_sequence += 1;
        inner.bytes += bytes;
        inner.entries.push_back(Arc::clone(&stamped));
        Ok(stamped)
    }

    /// The entries of a run with the stamps that they have now.
    pub(crate) fn run(&self, run: &Run) -> Vec<Arc<Stamped<E>>> {
        let inner = self.lock();
        let first = inner.entries.partition_point(|entry| entry.sequence < *run.start());
        inner.entries.range(first..).take_while(|entry| run.contains(&entry.sequence)).cloned().collect()
    }

    /// Stamps everything that waits anew, in the same order and not before `now_us`. All of it, so that what was
    /// acknowledged first stays first.
    pub(crate) fn stamp_anew(&self, now_us: i64) {
        let mut inner = self.lock();
        let mut at_us = inner.last_us;
        for entry in &mut inner.entries {
            at_us = now_us.max(at_us + 1);
            let Stamped { sequence, stamp: Stamp { writer, .. }, bytes, .. } = **entry;
            let stamp = Stamp { at_us, writer };
            *entry = Arc::new(Stamped { sequence, stamp, entry: Arc::clone(&entry.entry), bytes });
        }
        inner.last_us = at_us;
    }

    /// Forgets a run: it is in the object store as the segment of this number, or will not be.
    pub(crate) fn settle(&self, run: &Run, number: u32) {
        self.remove(run).first_number = number + 1;
    }

    /// Forgets a run that was refused before it got a number.
    pub(crate) fn refuse(&self, run: &Run) {
        drop(self.remove(run));
    }

    fn remove(&self, run: &Run) -> MutexGuard<'_, Inner<E>> {
        let mut guard = self.lock();
        let Inner { entries, bytes, .. } = &mut *guard;
        entries.retain(|entry| {
            let leaves = run.contains(&entry.sequence);
            *bytes -= if leaves { entry.bytes } else { 0 };
            !leaves
        });
        guard
    }

    /// What is waiting.
    pub(crate) fn snapshot(&self) -> Snapshot<E> {
        let inner = self.lock();
        Snapshot { entries: inner.entries.iter().cloned().collect(), first_number: inner.first_number }
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
