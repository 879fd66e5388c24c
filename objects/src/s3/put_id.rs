//! Names for puts, so that a store can be asked whose write it holds.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The metadata of an object that holds the id of its put.
pub(super) const PUT_ID_KEY: &str = "mayfly-put";

/// Gives ids that no other store in the world gives.
#[derive(Debug)]
pub(super) struct PutIds {
    instance: String,
    next: AtomicU64,
}

impl PutIds {
    pub(super) fn new() -> Self {
        // Randomly keyed by the operating system, which is all that is needed of it.
        let random = RandomState::new();
        let instance = format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2));
        Self { instance, next: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        format!("{}-{}", self.instance, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
