//! What readers keep in memory of what they have read.

use super::lru::Lru;
use super::open::{Kept, Key};
use crate::layout::Stream;

/// What was read, by object. Readers of one store may share it, whoever's data they read: an object's name says whose it is, and a
/// reader asks for none that lies outside of its tenant's folder.
#[derive(Debug)]
pub struct ReadMemory(Lru<Key, Kept>);

impl ReadMemory {
    /// One that holds no more than so many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self(Lru::new(bytes_max))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        self.0.get(key)
    }

    /// Keeps what takes so many bytes, key included.
    pub(super) fn put(&self, key: Key, kept: Kept, bytes: usize) {
        self.0.put(key, kept, bytes);
    }

    /// Forgets what was read of the tenant of a stream.
    pub(super) fn forget(&self, stream: &Stream) {
        self.0.retain(|key| !stream.is_of_tenant(key.object()));
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
            memory.put(key, Kept::Page(Bytes::new()), 10);
        }
        memory.forget(&Stream::samples(&prefix, &Tenant::new("a").expect("a name")));
        assert!(keys("a").iter().all(|key| memory.get(key).is_none()));
        assert!(keys("a-b").iter().all(|key| memory.get(key).is_some()));
        assert_eq!(memory.0.bytes(), 30);
    }
}
