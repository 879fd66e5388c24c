//! Files on their way to become objects.
//!
//! Every open store has a directory of its own below `.mayfly/tmp`, which it keeps locked. When a process dies its lock
//! goes, so whoever opens the folder next can tell the left-overs of the dead from the work of the living without
//! looking at any clock.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::FolderError;
use super::etag::{self, EtagHasher};
use super::layer::{Entry, FileLayer};
use super::lock::try_lock;

/// How many stores may have one folder open at the same time.
const OPEN_STORES_MAX: u32 = 10_000;

/// The locked directory of one open store.
#[derive(Debug)]
pub(super) struct Scratch {
    dir: File,
    path: PathBuf,
    next: AtomicU64,
    layer: Arc<dyn FileLayer>,
}

impl Scratch {
    /// Removes what the dead left in `tmp`, and takes a directory there.
    pub(super) fn open(tmp: &Path, layer: Arc<dyn FileLayer>) -> Result<Self, (PathBuf, io::Error)> {
        sweep(tmp).map_err(|error| (tmp.into(), error))?;
        for number in 0..OPEN_STORES_MAX {
            let path = tmp.join(number.to_string());
            match take(&path) {
                Ok(Some(dir)) => {
                    return Ok(Self { dir, path, next: AtomicU64::new(0), layer });
                }
                Ok(None) => {}
                Err(error) => return Err((path, error)),
            }
        }
        let full = io::Error::new(io::ErrorKind::QuotaExceeded, "10,000 stores have it open");
        Err((tmp.into(), full))
    }

    /// Creates an empty file.
    pub(super) fn create(self: &Arc<Self>) -> Result<Temp, FolderError> {
        let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let file = self
            .layer
            .create(Entry { dir: &self.dir, name: &name })
            .map_err(|error| FolderError::io("create", self.path.join(&name), error))?;
        Ok(Temp { file, name, scratch: Arc::clone(self), moved: false })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Anything that is left here the next open sweeps.
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// A file that has no object's name yet; removed when dropped.
#[derive(Debug)]
pub(super) struct Temp {
    file: File,
    name: String,
    scratch: Arc<Scratch>,
    moved: bool,
}

impl Temp {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry { dir: &self.scratch.dir, name: &self.name }
    }

    /// Writes these pieces one after the other, and returns the etag of the whole.
    pub(super) fn write_all<'a>(
        &self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<String, FolderError> {
        let mut hasher = EtagHasher::new();
        let mut offset = 0;
        for piece in pieces {
            hasher.update(piece);
            self.write_at(piece, offset)?;
            offset += piece.len() as u64;
        }
        Ok(hasher.finish())
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), FolderError> {
        self.scratch
            .layer
            .write_at(&self.file, bytes, offset)
            .map_err(|error| FolderError::io("write", self.path(), error))
    }

    /// Returns when the content is on disk.
    pub(super) fn sync(&self) -> Result<(), FolderError> {
        self.scratch.layer.sync_file(&self.file).map_err(|error| FolderError::io("sync", self.path(), error))
    }

    /// The etag of what was written.
    pub(super) fn etag(&self) -> Result<String, FolderError> {
        etag::of_file(&self.file).map_err(|error| FolderError::io("read", self.path(), error))
    }

    /// Says that the file was moved away from here.
    pub(super) fn set_moved(&mut self) {
        self.moved = true;
    }

    fn path(&self) -> PathBuf {
        self.scratch.path.join(&self.name)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.moved
            && let Err(error) = self.scratch.layer.unlink(self.entry())
        {
            tracing::warn!(path = %self.path().display(), %error, "temporary file not removed");
        }
    }
}

/// Makes and locks a directory; none if somebody else has it.
fn take(path: &Path) -> io::Result<Option<File>> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let dir = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !try_lock(&dir)? {
        return Ok(None);
    }
    // A sweeper may have removed it before it was locked, or somebody's left-overs may still lie in it.
    let live = dir.metadata()?.nlink() > 0 && std::fs::read_dir(path)?.next().is_none();
    Ok(live.then_some(dir))
}

/// Removes every directory that nobody holds, with its files.
fn sweep(tmp: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(tmp)? {
        let path = entry?.path();
        let dir = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if try_lock(&dir)? {
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
