//! The files of a cache: `entries` by name, `new` while they are written, and `lock`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;

use super::entry::Name;

/// A folder cannot be used as a cache.
#[derive(Debug, thiserror::Error)]
pub enum DiskCacheError {
    /// Another process uses it.
    #[error("{} is in use by another process: each needs a folder of its own", folder.display())]
    InUse {
        /// Which.
        folder: PathBuf,
    },
    /// The file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Its error.
        source: io::Error,
    },
}

/// A folder that this process alone uses.
#[derive(Debug)]
pub(super) struct Folder {
    entries: PathBuf,
    new: PathBuf,
    written: AtomicU64,
    /// Held as long as it is open.
    _lock: File,
}

/// A file that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) name: Name,
    pub(super) bytes: u64,
    pub(super) written: SystemTime,
}

impl Folder {
    /// Makes it if it is not there, and removes what was not written to the end.
    pub(super) fn open(folder: &Path) -> Result<Self, DiskCacheError> {
        let (entries, new, lock) = (folder.join("entries"), folder.join("new"), folder.join("lock"));
        fs::create_dir_all(&entries).map_err(at(&entries))?;
        let file = File::create(&lock).map_err(at(&lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DiskCacheError::InUse { folder: folder.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(DiskCacheError::Io { path: lock, source }),
        }
        if let Err(error) = fs::remove_dir_all(&new)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(DiskCacheError::Io { path: new, source: error });
        }
        fs::create_dir(&new).map_err(at(&new))?;
        Ok(Self { entries, new, written: AtomicU64::new(0), _lock: file })
    }

    /// What is there, the oldest first. What others have put here is left alone.
    pub(super) fn files(&self) -> Result<Vec<Listed>, DiskCacheError> {
        let mut files = Vec::new();
        for folder in fs::read_dir(&self.entries).map_err(at(&self.entries))? {
            let folder = folder.map_err(at(&self.entries))?.path();
            if !folder.is_dir() {
                continue;
            }
            for file in fs::read_dir(&folder).map_err(at(&folder))? {
                let file = file.map_err(at(&folder))?;
                let Some(name) = file.file_name().to_str().and_then(Name::parse) else { continue };
                let found = file.metadata().and_then(|found| Ok((found.len(), found.modified()?)));
                match found {
                    Ok((bytes, written)) if folder == self.folder(name) => {
                        files.push(Listed { name, bytes, written });
                    }
                    Ok(_) => {}
                    // removed meanwhile
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(DiskCacheError::Io { path: file.path(), source }),
                }
            }
        }
        files.sort_by_key(|file| file.written);
        Ok(files)
    }

    /// A file; `None` if it is not there.
    pub(super) fn read(&self, name: Name) -> Result<Option<Bytes>, DiskCacheError> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(DiskCacheError::Io { path, source }),
        }
    }

    pub(super) fn write(&self, name: Name, bytes: &[u8]) -> Result<(), DiskCacheError> {
        let new = self.new.join(self.written.fetch_add(1, Ordering::Relaxed).to_string());
        let (folder, path) = (self.folder(name), self.path(name));
        let written = fs::write(&new, bytes)
            .map_err(at(&new))
            .and_then(|()| fs::create_dir_all(&folder).map_err(at(&folder)))
            .and_then(|()| fs::rename(&new, &path).map_err(at(&path)));
        if written.is_err() {
            // the disk may be full; if this fails too, the next start removes it
            let _ = fs::remove_file(&new);
        }
        written
    }

    pub(super) fn remove(&self, name: Name) -> Result<(), DiskCacheError> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DiskCacheError::Io { path, source: error })
            }
            _ => Ok(()),
        }
    }

    fn folder(&self, name: Name) -> PathBuf {
        self.entries.join(name.folder())
    }

    fn path(&self, name: Name) -> PathBuf {
        self.folder(name).join(name.file())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DiskCacheError {
    move |source| DiskCacheError::Io { path: path.to_owned(), source }
}
