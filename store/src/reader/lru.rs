//! What was fetched, bounded in bytes. Objects never change, so nothing in here is ever stale.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Keeps what was used last.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    bytes_max: usize,
    inner: Mutex<Inner<K, V>>,
}

#[derive(Debug)]
struct Inner<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Least recently used first.
    by_use: BTreeMap<u64, K>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    last_use: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Lru<K, V> {
    pub(super) fn new(bytes_max: usize) -> Self {
        let inner = Inner { entries: HashMap::new(), by_use: BTreeMap::new(), bytes: 0, uses: 0 };
        Self { bytes_max, inner: Mutex::new(inner) }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        let entry = inner.entries.get_mut(key)?;
        let value = entry.value.clone();
        let before = std::mem::replace(&mut entry.last_use, now);
        if let Some(key) = inner.by_use.remove(&before) {
            inner.by_use.insert(now, key);
        }
        Some(value)
    }

    /// Forgets all but those of which this is true.
    pub(super) fn retain(&self, is_kept: impl Fn(&K) -> bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { entries, by_use, bytes, .. } = &mut *inner;
        by_use.retain(|_, key| {
            let keeps = is_kept(key);
            if !keeps && let Some(entry) = entries.remove(key) {
                *bytes -= entry.bytes;
            }
            keeps
        });
    }

    /// Keeps a value that takes so much, key included, if that is not more than all may take. Gives the keys of what is
    /// kept no longer.
    pub(super) fn put(&self, key: K, value: V, bytes: usize) -> Vec<K> {
        if bytes > self.bytes_max {
            return vec![key];
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let last_use = inner.uses;
        if let Some(old) = inner.entries.insert(key.clone(), Entry { value, bytes, last_use }) {
            inner.by_use.remove(&old.last_use);
            inner.bytes -= old.bytes;
        }
        inner.by_use.insert(last_use, key);
        inner.bytes += bytes;
        let mut gone = Vec::new();
        while inner.bytes > self.bytes_max
            && let Some((_, oldest)) = inner.by_use.pop_first()
        {
            if let Some(entry) = inner.entries.remove(&oldest) {
                inner.bytes -= entry.bytes;
            }
            gone.push(oldest);
        }
        gone
    }

    pub(super) fn remove(&self, key: &K) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = inner.entries.remove(key) {
            inner.by_use.remove(&entry.last_use);
            inner.bytes -= entry.bytes;
        }
    }

    /// What all that is kept takes.
    pub(super) fn bytes(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let lru = Lru::new(30);
        for key in ["a", "b", "c"] {
            assert_eq!(lru.put(key, key.len(), 10), [""; 0]);
        }
        assert!(lru.get(&"a").is_some());
        assert_eq!(lru.put("d", 1, 10), ["b"]);
        let held = ["a", "b", "c", "d"].map(|key| lru.get(&key).is_some());
        assert_eq!(held, [true, false, true, true]);
        assert_eq!(lru.put("c", 1, 20), ["a"]);
        let held = ["a", "b", "c", "d"].map(|key| lru.get(&key).is_some());
        assert_eq!(held, [false, false, true, true], "what is put again counts once");
        assert_eq!(lru.put("e", 1, 31), ["e"], "larger than all of it");
        assert_eq!((lru.get(&"e"), lru.bytes()), (None, 30));
        lru.remove(&"c");
        assert_eq!((lru.get(&"c"), lru.bytes()), (None, 10));
    }
}
