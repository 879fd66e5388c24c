//! Directories that are known to be on disk.
//!
//! A synced file in a directory that is itself not synced is lost with it. Whether the directory was made just now by
//! this put, by another thread or by another process that has not synced it yet cannot be seen, so every directory on
//! the way to an object is synced once before it is trusted.
//!
//! Trust is bound to an open handle: an empty directory may be removed and made anew by somebody else, but then the
//! handle's directory has no link any more, and nothing can be put into it either.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::FolderError;
use super::layer::{Entry, FileLayer, open_dir};
use super::name::join;

/// How many directories stay open. More of them in turn cost syncs, not correctness.
const OPEN_DIRS_MAX: usize = 64;

/// The directories of one folder.
#[derive(Debug)]
pub(super) struct Dirs {
    root: PathBuf,
    root_dir: Arc<File>,
    layer: Arc<dyn FileLayer>,
    /// Relative path and handle, the most recently used one last.
    trusted: Mutex<Vec<(String, Arc<File>)>>,
}

impl Dirs {
    pub(super) fn new(root: PathBuf, root_dir: File, layer: Arc<dyn FileLayer>) -> Self {
        Self { root, root_dir: Arc::new(root_dir), layer, trusted: Mutex::default() }
    }

    /// The directory at this relative path, made if it is missing, and on disk together with all above it.
    ///
    /// Fails with `NotFound` when somebody removes directories meanwhile; then try again.
    pub(super) fn durable(&self, relative: &str) -> Result<Arc<File>, FolderError> {
        if relative.is_empty() {
            return Ok(Arc::clone(&self.root_dir));
        }
        if let Some(dir) = self.trusted(relative) {
            return Ok(dir);
        }
        let (above, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        let parent = self.durable(above)?;
        let at = Entry { dir: &parent, name };
        match self.layer.make_dir(at) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(FolderError::io("create the folder", self.root.join(relative), error));
            }
            _ => {}
        }
        let dir = open_dir(at).map_err(|error| {
            if is_no_dir(&error) {
                FolderError::NotAFolder { path: self.root.join(relative) }
            } else {
                FolderError::io("open the folder", self.root.join(relative), error)
            }
        })?;
        self.layer
            .sync_dir(&parent)
            .map_err(|error| FolderError::io("sync the folder", self.root.join(above), error))?;
        let dir = Arc::new(dir);
        self.trust(relative, &dir);
        Ok(dir)
    }

    /// The directory at this relative path, if there is one.
    pub(super) fn existing(&self, relative: &str) -> Result<Option<Arc<File>>, FolderError> {
        if relative.is_empty() {
            return Ok(Some(Arc::clone(&self.root_dir)));
        }
        if let Some(dir) = self.trusted(relative) {
            return Ok(Some(dir));
        }
        let path = self.root.join(relative);
        match open_dir(Entry { dir: &self.root_dir, name: relative }) {
            Ok(dir) => Ok(Some(Arc::new(dir))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(FolderError::io("open the folder", path, error)),
        }
    }

    /// Removes this directory and those above it as far as they are empty.
    ///
    /// This needs no sync: an empty directory that comes back after a crash is no object.
    pub(super) fn prune(&self, relative: &str) {
        let mut rest = relative;
        while !rest.is_empty() {
            let (above, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            let Ok(Some(parent)) = self.existing(above) else {
                return;
            };
            if self.layer.remove_dir(Entry { dir: &parent, name }).is_err() {
                return;
            }
            rest = above;
        }
    }

    fn trusted(&self, relative: &str) -> Option<Arc<File>> {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        let index = trusted.iter().position(|(path, _)| path == relative)?;
        let found = trusted.remove(index);
        if !found.1.metadata().is_ok_and(|meta| meta.nlink() > 0) {
            return None;
        }
        let dir = Arc::clone(&found.1);
        trusted.push(found);
        Some(dir)
    }

    fn trust(&self, relative: &str, dir: &Arc<File>) {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.retain(|(path, _)| path != relative);
        if trusted.len() >= OPEN_DIRS_MAX {
            trusted.remove(0);
        }
        trusted.push((relative.to_string(), Arc::clone(dir)));
    }
}

/// Whether this error says that no object can be at the path.
pub(super) fn is_absence(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || is_no_dir(error)
}

/// Whether something else than a directory stands where one was expected: a file, or a symbolic link, which is not
/// followed.
fn is_no_dir(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Makes the root and what is missing above it, and sees to it that they are on disk.
pub(super) fn make_root(
    root: &Path,
    layer: &dyn FileLayer,
) -> Result<(), (&'static str, PathBuf, io::Error)> {
    let mut missing = Vec::new();
    let mut existing = root;
    while let Err(error) = std::fs::metadata(existing) {
        let Some(parent) = existing.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) else {
            return Err(("look at", existing.into(), error));
        };
        missing.push(existing);
        existing = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    }
    if missing.is_empty() {
        // It may have been made by a process that died before its sync. Somebody who must not open the folder above
        // has not made this one either.
        let parent = root.canonicalize().ok().and_then(|root| File::open(root.parent()?).ok());
        return match parent.map(|parent| layer.sync_dir(&parent)) {
            Some(Err(error)) => Err(("sync the folder of", root.into(), error)),
            _ => Ok(()),
        };
    }
    for path in missing.into_iter().rev() {
        let above = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = File::open(above).map_err(|error| ("open", above.into(), error))?;
        let name = join("", &path.file_name().unwrap_or_default().to_string_lossy());
        match layer.make_dir(Entry { dir: &parent, name: &name }) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(("create", path.into(), error));
            }
            _ => {}
        }
        layer.sync_dir(&parent).map_err(|error| ("sync", above.into(), error))?;
    }
    Ok(())
}
