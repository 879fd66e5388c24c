//! Everything that changes objects: put, delete, copy, rename.
//!
//! A put is: content to a temporary file, sync the file, give it its name, sync the directory. Before the last step has
//! returned nothing is acknowledged; a reader may see the object a moment before it is on disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::path::Path as Location;
use object_store::{Error, PutMode, PutPayload, PutResult, Result};

use super::FolderError;
use super::dirs::{Dirs, is_absence};
use super::etag;
use super::layer::{Entry, FileLayer, is_dir};
use super::lock::Locks;
use super::name::Name;
use super::read;
use super::scratch::{Scratch, Temp};

/// How often a put makes its directory anew when somebody removes it.
const ATTEMPTS: usize = 100;
/// How much a copy reads at once.
const COPY_BYTES: usize = 1024 * 1024;

/// What changes objects in one folder. All of it blocks the thread.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) root: PathBuf,
    pub(super) layer: Arc<dyn FileLayer>,
    pub(super) dirs: Dirs,
    pub(super) locks: Locks,
    pub(super) scratch: Arc<Scratch>,
}

impl Writer {
    pub(super) fn put(&self, location: &Location, payload: &PutPayload, mode: &PutMode) -> Result<PutResult> {
        let fail = |error: FolderError| error.into_store(location);
        let name = Name::new(location).map_err(fail)?;
        if let PutMode::Update(_) = mode {
            // Most conflicts show here, before anything is written.
            let current = self.dirs.existing(&name.dir).map_err(fail)?;
            self.check_update(location, &name, current.as_deref(), mode)?;
        }
        let temp = self.scratch.create().map_err(fail)?;
        let e_tag = temp.write_all(payload.iter().map(AsRef::as_ref)).map_err(fail)?;
        temp.sync().map_err(fail)?;
        self.place(location, &name, temp, mode)?;
        Ok(PutResult { e_tag: Some(e_tag), version: None })
    }

    /// Gives a synced file the name of an object, and returns when the name is on disk.
    pub(super) fn place(
        &self,
        location: &Location,
        name: &Name,
        mut temp: Temp,
        mode: &PutMode,
    ) -> Result<()> {
        let fail = |error: FolderError| error.into_store(location);
        let path = self.root.join(name.path());
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..ATTEMPTS {
            let dir = match self.dirs.durable(&name.dir) {
                Ok(dir) => dir,
                Err(FolderError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    last = source;
                    continue;
                }
                Err(error) => return Err(fail(error)),
            };
            let to = Entry { dir: &dir, name: &name.file };
            let placed = match mode {
                PutMode::Create => self.create(&mut temp, to, name),
                PutMode::Overwrite => self.replace(&mut temp, to, name),
                PutMode::Update(_) => {
                    let _held = self.locks.hold(&[&name.path()]).map_err(fail)?;
                    self.check_update(location, name, Some(&dir), mode)?;
                    self.layer.rename(temp.entry(), to).map(|()| temp.set_moved())
                }
            };
            match placed {
                Ok(()) => return self.sync_dir(&dir, &path).map_err(fail),
                Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
                Err(error) => return Err(self.refused(location, &path, to, error)),
            }
        }
        Err(fail(FolderError::Restless { path, attempts: ATTEMPTS, source: last }))
    }

    /// Gives the file a name that nobody has.
    fn create(&self, temp: &mut Temp, to: Entry<'_>, name: &Name) -> io::Result<()> {
        match self.layer.link(temp.entry(), to) {
            Err(error) if lacks_links(&error) => {
                let _held = self.locks.hold(&[&name.path()]).map_err(io::Error::other)?;
                self.move_to_free(temp.entry(), to).map(|()| temp.set_moved())
            }
            other => other,
        }
    }

    fn replace(&self, temp: &mut Temp, to: Entry<'_>, name: &Name) -> io::Result<()> {
        let _held = self.locks.hold(&[&name.path()]).map_err(io::Error::other)?;
        self.layer.rename(temp.entry(), to).map(|()| temp.set_moved())
    }

    /// For file systems without hard links: look and move, under the lock of the name, as every put here then does.
    fn move_to_free(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        match rustix::fs::statat(to.dir, to.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(rustix::io::Errno::NOENT) => self.layer.rename(from, to),
            Err(error) => Err(error.into()),
        }
    }

    fn check_update(
        &self,
        location: &Location,
        name: &Name,
        dir: Option<&File>,
        mode: &PutMode,
    ) -> Result<()> {
        let PutMode::Update(version) = mode else {
            return Ok(());
        };
        let path = self.root.join(name.path());
        let Some(expected) = &version.e_tag else {
            return Err(FolderError::EtagMissing { path }.into_store(location));
        };
        let current = dir
            .map(|dir| read::open_at(Entry { dir, name: &name.file }))
            .transpose()
            .map(Option::flatten)
            .and_then(|file| file.map(|file| etag::of_file(&file)).transpose())
            .map_err(|error| FolderError::io("read", path, error).into_store(location))?;
        match current {
            Some(current) if current == *expected => Ok(()),
            current => {
                let current = current.as_deref().unwrap_or("missing");
                let source = format!("its etag is {current}, not {expected}").into();
                Err(Error::Precondition { path: location.to_string(), source })
            }
        }
    }

    /// The error for a name that could not be taken.
    fn refused(&self, location: &Location, path: &FilePath, to: Entry<'_>, error: io::Error) -> Error {
        if is_dir(to) {
            return FolderError::IsAFolder { path: path.into() }.into_store(location);
        }
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Error::AlreadyExists { path: location.to_string(), source: error.into() };
        }
        FolderError::io("name", path, error).into_store(location)
    }

    fn sync_dir(&self, dir: &File, object: &FilePath) -> Result<(), FolderError> {
        self.layer.sync_dir(dir).map_err(|error| FolderError::io_unknown("sync the folder of", object, error))
    }

    /// Removes an object. That it was not there is no error.
    pub(super) fn delete(&self, location: &Location) -> Result<()> {
        let fail = |error: FolderError| error.into_store(location);
        let name = Name::new(location).map_err(fail)?;
        let path = self.root.join(name.path());
        let Some(dir) = self.dirs.existing(&name.dir).map_err(fail)? else {
            return Ok(());
        };
        let at = Entry { dir: &dir, name: &name.file };
        if is_dir(at) {
            return Ok(());
        }
        let held = self.locks.hold(&[&name.path()]).map_err(fail)?;
        match self.layer.unlink(at) {
            Err(error) if !is_absence(&error) => return Err(fail(FolderError::io("remove", path, error))),
            // Also if it is gone already: whoever removed it may not have synced yet.
            _ => self.sync_dir(&dir, &path).map_err(fail)?,
        }
        drop(held);
        self.dirs.prune(&name.dir);
        Ok(())
    }

    pub(super) fn copy(&self, from: &Location, to: &Location, mode: &PutMode) -> Result<()> {
        let source_name = Name::new(from).map_err(|error| error.into_store(from))?;
        let target_name = Name::new(to).map_err(|error| error.into_store(to))?;
        let source_path = self.root.join(source_name.path());
        let source = read::open(&source_path).map_err(|error| error.into_store(from))?;
        let temp = self.scratch.create().map_err(|error| error.into_store(to))?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut offset = 0;
        loop {
            let read = source
                .read_at(&mut buffer, offset)
                .map_err(|error| FolderError::io("read", &source_path, error).into_store(from))?;
            if read == 0 {
                break;
            }
            temp.write_at(&buffer[..read], offset).map_err(|error| error.into_store(to))?;
            offset += read as u64;
        }
        temp.sync().map_err(|error| error.into_store(to))?;
        self.place(to, &target_name, temp, mode)
    }

    /// Moves an object. After a crash it may be at both names, never at none.
    pub(super) fn rename(&self, from: &Location, to: &Location, exclusive: bool) -> Result<()> {
        let source = Name::new(from).map_err(|error| error.into_store(from))?;
        let target = Name::new(to).map_err(|error| error.into_store(to))?;
        let fail = |error: FolderError| error.into_store(to);
        let (source_path, target_path) = (self.root.join(source.path()), self.root.join(target.path()));
        for _ in 0..ATTEMPTS {
            let held = self.locks.hold(&[&source.path(), &target.path()]).map_err(fail)?;
            read::open(&source_path).map_err(|error| error.into_store(from))?;
            let Some(source_dir) = self.dirs.existing(&source.dir).map_err(fail)? else {
                continue;
            };
            let target_dir = match self.dirs.durable(&target.dir) {
                Err(FolderError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(fail)?,
            };
            let source_at = Entry { dir: &source_dir, name: &source.file };
            let target_at = Entry { dir: &target_dir, name: &target.file };
            let moved = if exclusive {
                match self.layer.link(source_at, target_at) {
                    Ok(()) => Ok(false),
                    Err(error) if lacks_links(&error) => {
                        self.move_to_free(source_at, target_at).map(|()| true)
                    }
                    Err(error) => Err(error),
                }
            } else {
                self.layer.rename(source_at, target_at).map(|()| true)
            };
            let moved = match moved {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(self.refused(to, &target_path, target_at, error)),
                Ok(moved) => moved,
            };
            self.sync_dir(&target_dir, &target_path).map_err(fail)?;
            if !moved {
                let removed = self.layer.unlink(source_at);
                removed.map_err(|error| fail(FolderError::io_unknown("remove", &source_path, error)))?;
            }
            self.sync_dir(&source_dir, &source_path).map_err(fail)?;
            drop(held);
            self.dirs.prune(&source.dir);
            return Ok(());
        }
        let source = io::ErrorKind::NotFound.into();
        Err(fail(FolderError::Restless { path: target_path, attempts: ATTEMPTS, source }))
    }
}

/// Whether this file system has no hard links.
fn lacks_links(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported)
}
