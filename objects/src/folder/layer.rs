//! The few file operations that a put is made of, as a seam: a test can drop what was never synced, or fill the disk.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Mode, OFlags};

/// Permissions of new files, before the umask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
/// Permissions of new folders, before the umask.
const DIR_MODE: Mode = Mode::from_raw_mode(0o777);

/// A name within an open directory.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The open directory.
    pub dir: &'a File,
    /// One path segment.
    pub name: &'a str,
}

/// Every file operation of [`Folder`](super::Folder) that changes something. The default bodies are the real thing; a
/// test overrides those that it wants to watch or to fail.
///
/// Directories are passed as open handles: when a directory has been removed behind the caller's back, the operation
/// fails with `NotFound`, even if another directory now stands at the same path.
pub trait FileLayer: Debug + Send + Sync + 'static {
    /// Creates an empty file for reading and writing; fails when the name is taken.
    fn create(&self, at: Entry<'_>) -> io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(rustix::fs::openat(at.dir, at.name, flags, FILE_MODE)?))
    }

    /// Writes all bytes at an offset.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Returns when the content of the file is on disk.
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Returns when the entries of the directory are on disk.
    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        dir.sync_all()
    }

    /// Creates a directory; fails when the name is taken.
    fn make_dir(&self, at: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(at.dir, at.name, DIR_MODE)?)
    }

    /// Gives a file a second name; fails when that name is taken.
    fn link(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::linkat(from.dir, from.name, to.dir, to.name, AtFlags::empty())?)
    }

    /// Moves a file, over whatever file stands there.
    fn rename(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::renameat(from.dir, from.name, to.dir, to.name)?)
    }

    /// Removes a file.
    fn unlink(&self, at: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(at.dir, at.name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    fn remove_dir(&self, at: Entry<'_>) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(at.dir, at.name, AtFlags::REMOVEDIR)?)
    }
}

/// The real file system.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealFiles;

impl FileLayer for RealFiles {}

/// Opens a directory below another one. A symbolic link is not followed.
pub(super) fn open_dir(at: Entry<'_>) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(rustix::fs::openat(at.dir, at.name, flags, Mode::empty())?))
}

/// Whether a directory stands at this name.
pub(super) fn is_dir(at: Entry<'_>) -> bool {
    rustix::fs::statat(at.dir, at.name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}
