//! Objects among the segments that cannot be read: answers go without them and say so.
//!
//! Segments never change, so an object that was found damaged is not fetched again for every query. Somebody may put a
//! good one in its place, though, which shows in the listing.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::ObjectMeta;
use object_store::path::Path;

/// An object that an answer goes without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Which.
    pub object: Path,
    /// What is wrong with it.
    pub reason: Arc<str>,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incomplete: {} cannot be read: {}", self.object, self.reason)
    }
}

/// What a listing says about the content of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    size: u64,
    last_modified_us: i64,
    e_tag: Option<String>,
}

impl Version {
    pub(super) fn of(listed: &ObjectMeta) -> Self {
        Self {
            size: listed.size,
            last_modified_us: listed.last_modified.timestamp_micros(),
            e_tag: listed.e_tag.clone(),
        }
    }

    /// Of an object of which the content never changes.
    pub(super) fn of_size(size: u64) -> Self {
        Self { size, last_modified_us: 0, e_tag: None }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// The unreadable objects that are known.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    known: Mutex<BTreeMap<Path, (Version, Arc<str>)>>,
}

impl Unreadable {
    /// Why this version of an object cannot be read, if that is known.
    pub(super) fn reason(&self, object: &Path, version: &Version) -> Option<Arc<str>> {
        let known = self.lock();
        known.get(object).filter(|(bad, _)| bad == version).map(|(_, reason)| Arc::clone(reason))
    }

    /// Remembers what is wrong with this version of an object, and tells the log when it is news.
    pub(super) fn note(&self, object: &Path, version: &Version, reason: impl fmt::Display) -> Arc<str> {
        // two queries may find out at the same time: under one lock the first of them tells
        let mut known = self.lock();
        if let Some((_, reason)) = known.get(object).filter(|(bad, _)| bad == version) {
            return Arc::clone(reason);
        }
        let reason: Arc<str> = reason.to_string().into();
        tracing::error!(%object, %reason, "cannot be read: answers go without it");
        known.insert(object.clone(), (version.clone(), Arc::clone(&reason)));
        reason
    }

    /// The objects below a folder with which something is wrong.
    pub(super) fn known_below(&self, folder: &Path) -> HashSet<Path> {
        self.lock().keys().filter(|object| object.prefix_matches(folder)).cloned().collect()
    }

    /// An object was read.
    pub(super) fn was_read(&self, object: &Path) {
        if self.lock().remove(object).is_some() {
            tracing::info!(%object, "can be read again");
        }
    }

    /// Forgets objects that are gone.
    pub(super) fn forget(&self, gone: &HashSet<Path>) {
        if !gone.is_empty() {
            self.lock().retain(|object, _| !gone.contains(object));
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Path, (Version, Arc<str>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
