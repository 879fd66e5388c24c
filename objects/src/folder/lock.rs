//! Locks between processes and threads, one for every bucket of object names.
//!
//! What replaces or removes an object holds the lock of its name, so that a conditional update can compare and swap. A
//! put that only creates needs none: a name that is taken stays taken while an update holds the lock.
//!
//! The lock files are made when they are first needed and are never removed: removing a lock file that somebody waits
//! for would give two holders. Their number and the hash are part of the format of a folder, because all processes on
//! it must agree.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use xxhash_rust::xxh3::xxh3_64;

use super::FolderError;

/// Number of lock files.
pub(super) const BUCKETS: u64 = 64;

/// The lock files of one folder.
#[derive(Debug)]
pub(super) struct Locks {
    dir: PathBuf,
}

/// Held until dropped: closing the file gives the lock back.
#[derive(Debug)]
pub(super) struct Held {
    _files: Vec<File>,
}

impl Locks {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Waits for the locks of these object paths. Blocks the thread.
    pub(super) fn hold(&self, paths: &[&str]) -> Result<Held, FolderError> {
        let mut buckets: Vec<u64> = paths.iter().map(|path| bucket_of(path)).collect();
        // One order for all, or two renames could wait for each other.
        buckets.sort_unstable();
        buckets.dedup();
        let mut files = Vec::with_capacity(buckets.len());
        for bucket in buckets {
            let path = self.dir.join(bucket.to_string());
            let locked = open_file(&path).and_then(|file| {
                lock_exclusive(&file)?;
                Ok(file)
            });
            files.push(locked.map_err(|error| FolderError::io("lock", path, error))?);
        }
        Ok(Held { _files: files })
    }
}

fn bucket_of(path: &str) -> u64 {
    xxh3_64(path.as_bytes()) % BUCKETS
}

fn open_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

fn lock_exclusive(file: &File) -> io::Result<()> {
    loop {
        match rustix::fs::flock(file, FlockOperation::LockExclusive) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Takes the lock of an open file or directory unless somebody else has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
