//! What readers keep in memory of what they have read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::lru::Lru;
use super::open::{Kept, Key};
use crate::layout::Stream;

/// What was read, by object. Readers of one store may share it, whoever's data they read: an object's name says whose it is, and a
/// reader asks for none that lies outside of its tenant's folder.
#[derive(Debug)]
pub struct ReadMemory {
    read: Lru<Key, Kept>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
}

impl ReadMemory {
    /// One that holds no more than so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { read: Lru::new(bytes_max), forgotten: AtomicU64::new(0) }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        self.read.get(key)
    }

    /// How often something was forgotten.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Keeps what takes so many bytes, key included, unless something was forgotten `since` it was asked for.
    pub(super) fn put(&self, key: Key, kept: Kept, bytes: usize, since: u64) {
        if self.forgotten() != since {
            return;
        }
        let place = key.clone();
        self.read.put(key, kept, bytes);
        // what is forgotten from now on goes with the rest
        if self.forgotten() != since {
            self.read.remove(&place);
        }
    }

    /// Forgets what was read of the tenant of a stream.
    pub(super) fn forget(&self, stream: &Stream) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.read.retain(|key| !stream.is_of_tenant(key.object()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::path::Path;

    use super::*;
    use crate::Tenant;

    #[test]
    fn what_is_forgotten_is_of_one_tenant() {
        let (memory, prefix) = (ReadMemory::new(1 << 10), Path::from("p"));
        let stream = |name: &str| Stream::pushes(&prefix, &Tenant::new(name).expect("a name"));
        let keys = |name: &str| {
            let object = stream(name).manifest();
            [Key::Page(object.clone(), 7), Key::Opened(object.clone()), Key::Name(object, Arc::from("up"))]
        };
        for key in keys("a").into_iter().chain(keys("a-b")) {
            memory.put(key, Kept::Page(Bytes::new()), 10, 0);
        }
        memory.forget(&Stream::samples(&prefix, &Tenant::new("a").expect("a name")));
        assert!(keys("a").iter().all(|key| memory.get(key).is_none()));
        assert!(keys("a-b").iter().all(|key| memory.get(key).is_some()));
        assert_eq!(memory.read.bytes(), 30);
        // somebody who asked before
        let late = keys("a")[0].clone();
        memory.put(late.clone(), Kept::Page(Bytes::new()), 10, 0);
        assert!(memory.get(&late).is_none());
        memory.put(late.clone(), Kept::Page(Bytes::new()), 10, memory.forgotten());
        assert!(memory.get(&late).is_some());
    }
}
