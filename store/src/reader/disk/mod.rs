//! Copies of what was fetched, on a local disk: what a process does not find in its memory, after a restart say, it need
//! not ask the object store for. Bounded in bytes.
//!
//! Nothing depends on it. A copy that is damaged, or cannot be read, is none; one that cannot be written is not kept. So
//! nothing is synced either: a crash leaves damaged copies at worst.

mod entry;
mod folder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::lru::Lru;
use crate::stats::count;
use entry::Name;
pub(super) use entry::Piece;
pub use folder::DiskCacheError;
use folder::{Folder, Listed};

/// Whatever a file holds, it takes blocks of a disk.
const BLOCK_BYTES: u64 = 4 << 10;

/// Tasks that write copies at once. What comes meanwhile is not kept, rather than to wait in memory.
const WRITES_MAX: usize = 8;

/// A cache on a local disk. One process at a time uses a folder; several readers of it may share one.
#[derive(Debug)]
pub struct DiskCache {
    folder: Folder,
    bytes_max: u64,
    index: Lru<Name, ()>,
    writes: Arc<Semaphore>,
    /// How often it was cleared.
    cleared: AtomicU64,
    /// What manifests told of deletions when it was cleared.
    told: Mutex<BTreeMap<object_store::path::Path, Bytes>>,
    found: AtomicU64,
    missed: AtomicU64,
    damaged: AtomicU64,
    failures: AtomicU64,
}

/// What a cache on disk has counted since its start, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCacheStats {
    /// Parts of objects that were found.
    pub found: u64,
    /// Those that were not.
    pub missed: u64,
    /// Copies that were thrown away because they were not what had been written.
    pub damaged: u64,
    /// Copies that could not be read, written or removed.
    pub failures: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

impl DiskCache {
    /// Takes a folder, which is made if it is not there, and keeps what is in it of earlier caches, up to the bound. In
    /// blocks of a disk, copies never take more than `bytes_max`, apart from those that are just being written.
    ///
    /// Asks the file system about every copy, so it takes time.
    ///
    /// # Errors
    /// If another process uses the folder, or it cannot be written to.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self, DiskCacheError> {
        let folder = Folder::open(folder)?;
        let cache = Self {
            bytes_max,
            index: Lru::new(usize::try_from(bytes_max).unwrap_or(usize::MAX)),
            writes: Arc::new(Semaphore::new(WRITES_MAX)),
            cleared: AtomicU64::new(0),
            told: Mutex::default(),
            found: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            folder,
        };
        for file in cache.folder.files()? {
            cache.note(file.name, file.bytes);
        }
        Ok(cache)
    }

    /// Removes what was written before. Whatever was removed from the object store is so removed from here too.
    /// Waits for the disk.
    pub fn remove_older(&self, than: SystemTime) {
        for file in self.files().into_iter().filter(|file| file.written < than) {
            self.index.remove(&file.name);
            self.remove(file.name);
        }
    }

    /// How often it was cleared.
    pub(super) fn cleared(&self) -> u64 {
        self.cleared.load(Ordering::SeqCst)
    }

    /// Forgets everything at once, and removes it soon, but notes what a manifest tells of deletions, so that a later process need not
    /// do so again.
    pub(super) fn clear(self: &Arc<Self>, manifest: object_store::path::Path, told: Bytes) {
        let since = self.cleared.fetch_add(1, Ordering::SeqCst) + 1;
        self.index.retain(|_| false);
        let notes = {
            let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(manifest, told);
            all.iter().map(|(manifest, told)| (Piece::Deletions(manifest.clone()), told.clone())).collect()
        };
        self.put(notes, since);
        let cache = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            for file in cache.files() {
                // what has been put meanwhile is kept
                if cache.index.get(&file.name).is_none() {
                    cache.remove(file.name);
                }
            }
        });
    }

    /// What it has counted, and what it holds.
    pub fn stats(&self) -> DiskCacheStats {
        DiskCacheStats {
            found: self.found.load(Ordering::Relaxed),
            missed: self.missed.load(Ordering::Relaxed),
            damaged: self.damaged.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            bytes: self.index.bytes() as u64,
        }
    }

    /// The copies of pieces, as far as there are any.
    pub(super) async fn get(self: &Arc<Self>, pieces: Vec<Piece>) -> Vec<Option<Bytes>> {
        let (none, wanted) = (vec![None; pieces.len()], pieces.len());
        let copies = if pieces.iter().any(|piece| self.index.get(&piece.name()).is_some()) {
            let cache = Arc::clone(self);
            let read = move || pieces.iter().map(|piece| cache.read(piece)).collect();
            tokio::task::spawn_blocking(read).await.unwrap_or(none)
        } else {
            none
        };
        let found = copies.iter().flatten().count();
        count(&self.found, found);
        count(&self.missed, wanted - found);
        copies
    }

    /// Keeps copies, soon, if there are not too many to be kept already, and unless it was cleared `since` they were asked for.
    pub(super) fn put(self: &Arc<Self>, mut copies: Vec<(Piece, Bytes)>, since: u64) {
        copies.retain(|(piece, _)| self.index.get(&piece.name()).is_none());
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        let cache = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            copies.iter().for_each(|(piece, bytes)| cache.write(piece, bytes, since));
            // whoever waits for the permit may take the folder anew, which it cannot as long as this cache lives
            drop(cache);
            drop(permit);
        });
    }

    fn files(&self) -> Vec<Listed> {
        self.folder.files().unwrap_or_else(|error| {
            self.failed(&error);
            Vec::new()
        })
    }

    fn read(&self, piece: &Piece) -> Option<Bytes> {
        let name = piece.name();
        self.index.get(&name)?;
        match self.folder.read(name) {
            Ok(Some(file)) => {
                let copy = piece.copy(&file);
                if copy.is_none() {
                    count(&self.damaged, 1);
                    self.index.remove(&name);
                    self.remove(name);
                }
                copy
            }
            Ok(None) => {
                self.index.remove(&name);
                None
            }
            Err(error) => {
                self.failed(&error);
                None
            }
        }
    }

    fn write(&self, piece: &Piece, bytes: &Bytes, since: u64) {
        let (name, file) = (piece.name(), piece.file(bytes));
        if blocks(file.len() as u64) > self.bytes_max || self.cleared() != since {
            return;
        }
        match self.folder.write(name, &file) {
            Ok(()) => self.note(name, file.len() as u64),
            Err(error) => self.failed(&error),
        }
        // what is cleared from now on goes with the rest
        if self.cleared() != since {
            self.index.remove(&name);
            self.remove(name);
        }
    }

    /// Takes note of a file, and removes those for which there is no place any longer.
    fn note(&self, name: Name, bytes: u64) {
        let bytes = usize::try_from(blocks(bytes)).unwrap_or(usize::MAX);
        self.index.put(name, (), bytes).into_iter().for_each(|gone| self.remove(gone));
    }

    fn remove(&self, name: Name) {
        if let Err(error) = self.folder.remove(name) {
            self.failed(&error);
        }
    }

    /// A disk that fails fails often: the metric says how often.
    fn failed(&self, error: &DiskCacheError) {
        if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(%error, "a copy of the storage on disk cannot be used; further failures are only counted");
        }
    }

    /// Waits until all that was put is kept.
    #[cfg(test)]
    pub(crate) async fn settled(&self) {
        let all = u32::try_from(WRITES_MAX).expect("a small number");
        let _all = self.writes.acquire_many(all).await.expect("never closed");
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

#[cfg(test)]
mod tests;
