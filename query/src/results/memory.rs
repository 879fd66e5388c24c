//! All results that are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stretch::Stretch;

/// Results of range queries of whomever, each found by those alone who asked for it: see the module.
#[derive(Debug)]
pub struct Results {
    bytes_max: usize,
    inner: Mutex<Inner>,
    scopes: AtomicU64,
    counts: Counts,
}

/// Of which query something is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Whose: no two sources have the same.
    pub(super) scope: u64,
    /// As it was written, since remarks tell where in it something is.
    pub(super) text: Arc<str>,
    pub(super) step_ms: i64,
    /// Where steps lie between multiples of the step.
    pub(super) phase_ms: i64,
    pub(super) lookback_ms: i64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    stretch: Arc<Stretch>,
    bytes: usize,
    last_use: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) unfit: AtomicU64,
    pub(super) contradictions: AtomicU64,
    evictions: AtomicU64,
    pub(super) steps_reused: AtomicU64,
    pub(super) steps_evaluated: AtomicU64,
}

/// What [`Results`] have counted, and hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultsStats {
    /// Queries of which some steps were found.
    pub hits: u64,
    /// Queries of which none were, although they could have been.
    pub misses: u64,
    /// Queries of which some were found that could not be used, since it showed that all at once would have been otherwise.
    pub unfit: u64,
    /// Of these, those where a step that was evaluated again was not what it had been: never, unless something is broken.
    pub contradictions: u64,
    /// Results that made room for others.
    pub evictions: u64,
    /// Steps of hits that were not evaluated.
    pub steps_reused: u64,
    /// Steps of hits that were.
    pub steps_evaluated: u64,
    /// Queries of which something is kept.
    pub entries: u64,
    /// The memory that it takes.
    pub bytes: u64,
}

impl Results {
    /// Results of no more than so many bytes in all.
    pub fn new(bytes_max: usize) -> Self {
        let inner = Mutex::default();
        Self { bytes_max, inner, scopes: AtomicU64::new(0), counts: Counts::default() }
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// What it has counted, and holds.
    pub fn stats(&self) -> ResultsStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { hits, misses, unfit, contradictions, evictions, steps_reused, steps_evaluated } =
            &self.counts;
        let inner = self.lock();
        ResultsStats {
            hits: of(hits),
            misses: of(misses),
            unfit: of(unfit),
            contradictions: of(contradictions),
            evictions: of(evictions),
            steps_reused: of(steps_reused),
            steps_evaluated: of(steps_evaluated),
            entries: inner.entries.len() as u64,
            bytes: inner.bytes as u64,
        }
    }

    /// A number that nobody else has: for a source of which results are to be kept.
    pub(crate) fn scope(&self) -> u64 {
        self.scopes.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn count(&self, of: fn(&Counts) -> &AtomicU64, number: usize) {
        of(&self.counts).fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Stretch>> {
        let mut inner = self.lock();
        inner.uses += 1;
        let now = inner.uses;
        let entry = inner.entries.get_mut(key)?;
        entry.last_use = now;
        Some(Arc::clone(&entry.stretch))
    }

    /// Keeps this in the place of what was kept of the query. What was not asked for the longest makes room.
    pub(super) fn put(&self, key: Key, stretch: Stretch) {
        let bytes = size_of::<(Key, Entry)>() + key.text.len() + stretch.memory_bytes();
        let mut inner = self.lock();
        inner.remove(&key);
        if bytes > self.bytes_max {
            return;
        }
        inner.uses += 1;
        let last_use = inner.uses;
        inner.bytes += bytes;
        inner.entries.insert(key, Entry { stretch: Arc::new(stretch), bytes, last_use });
        while inner.bytes > self.bytes_max {
            let oldest = inner.entries.iter().min_by_key(|(_, entry)| entry.last_use);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
            inner.remove(&oldest);
            self.count(|counts| &counts.evictions, 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // nothing in here panics between two changes that belong together
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stretch::tests::stretch;
    use super::*;

    fn key(scope: u64, text: &str) -> Key {
        Key { scope, text: text.into(), step_ms: 15_000, phase_ms: 0, lookback_ms: 300_000 }
    }

    #[test]
    fn what_was_not_asked_for_the_longest_makes_room() {
        let one = size_of::<(Key, Entry)>() + 1 + stretch(0, 10, 3).memory_bytes();
        let results = Results::new(3 * one);
        for text in ["a", "b", "c"] {
            results.put(key(0, text), stretch(0, 10, 3));
        }
        assert!(results.get(&key(0, "a")).is_some());
        results.put(key(0, "d"), stretch(0, 10, 3));
        let held = ["a", "b", "c", "d"].map(|text| results.get(&key(0, text)).is_some());
        assert_eq!(held, [true, false, true, true]);
        // the same query again takes the place that it has
        results.put(key(0, "d"), stretch(10, 20, 3));
        let stats = results.stats();
        assert_eq!((stats.entries, stats.evictions), (3, 1));
        assert_eq!(stats.bytes, 3 * one as u64);
        // what is larger than all of it is not kept, nor what it would have replaced
        results.put(key(0, "d"), stretch(0, 10_000, 300));
        assert_eq!((results.stats().entries, results.stats().evictions), (2, 1));
        assert!(results.get(&key(1, "a")).is_none(), "is of another");
    }
}
