//! Decoded segments in memory, bounded in bytes. Segments never change, so nothing in here is ever stale.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::path::Path;

use crate::segment::Segment;

#[derive(Debug)]
pub(super) struct Cache {
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Path, Entry>,
    /// Least recently used first.
    by_use: BTreeMap<u64, Path>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    segment: Arc<Segment>,
    bytes: usize,
    last_use: u64,
}

impl Cache {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, inner: Mutex::default() }
    }

    pub(super) fn get(&self, object: &Path) -> Option<Arc<Segment>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        let entry = inner.entries.get_mut(object)?;
        let segment = Arc::clone(&entry.segment);
        let before = std::mem::replace(&mut entry.last_use, now);
        if let Some(path) = inner.by_use.remove(&before) {
            inner.by_use.insert(now, path);
        }
        Some(segment)
    }

    pub(super) fn put(&self, object: Path, segment: Arc<Segment>) {
        let bytes = segment.memory_bytes() + object.as_ref().len();
        if bytes > self.bytes_max {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let last_use = inner.uses;
        if let Some(old) = inner.entries.insert(object.clone(), Entry { segment, bytes, last_use }) {
            inner.by_use.remove(&old.last_use);
            inner.bytes -= old.bytes;
        }
        inner.by_use.insert(last_use, object);
        inner.bytes += bytes;
        while inner.bytes > self.bytes_max
            && let Some((_, oldest)) = inner.by_use.pop_first()
        {
            if let Some(entry) = inner.entries.remove(&oldest) {
                inner.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let path = |name: &str| Path::from(name);
        let segment = Arc::new(Segment {
            descriptions: vec![
                crate::segment::Description {
                    at_us: 0,
                    family: "f".into(),
                    metadata: model::Metadata::default()
                };
                5
            ],
            ..Segment::default()
        });
        let cache = Cache::new(3 * (segment.memory_bytes() + 1));
        for name in ["a", "b", "c"] {
            cache.put(path(name), Arc::clone(&segment));
        }
        assert!(cache.get(&path("a")).is_some());
        cache.put(path("d"), Arc::clone(&segment));
        let held: Vec<bool> =
            ["a", "b", "c", "d"].iter().map(|name| cache.get(&path(name)).is_some()).collect();
        assert_eq!(held, [true, false, true, true]);
    }
}
