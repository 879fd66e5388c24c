//! The few file operations that a log is made of, as a seam: a test can drop what was never synced, or fill the disk.
//! They block, and are called where that does no harm.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A folder of log files.
pub trait LogFiles: Debug + Send + Sync {
    /// A new file, locked by the caller for as long as it is open.
    ///
    /// # Errors
    /// As of all of these: of the disk. The caller asks no more of the file, and later for another.
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>>;

    /// Returns when the names in the folder are on disk.
    ///
    /// # Errors
    /// If it is not known whether they are.
    fn sync_folder(&self) -> io::Result<()>;

    /// The names of all files, sorted.
    ///
    /// # Errors
    /// If they cannot be known.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Locks and reads a file; `None` if somebody else holds it, or it is gone.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    fn claim(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Removes a file. That this is on disk is not waited for: a file that comes back is replayed to the same segment.
    ///
    /// # Errors
    /// If it stays.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Moves a file aside, so that it is kept and not replayed.
    ///
    /// # Errors
    /// If it stays where it is.
    fn set_aside(&self, name: &str) -> io::Result<()>;

    /// Where the file is, for people.
    fn path(&self, name: &str) -> PathBuf;
}

/// A file that grows.
pub trait LogFile: Debug + Send {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// If not all of them were added; some of the first may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the content is on disk.
    ///
    /// # Errors
    /// If it is not known whether it is.
    fn sync(&mut self) -> io::Result<()>;
}

/// A real folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder, if it is not there.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        make_folder(&path, &mut |folder| File::open(folder)?.sync_all())?;
        Ok(Self { path })
    }
}

/// Makes a folder and those above it that are missing. The names of all of them are on disk when it returns, also of those
/// that were there: whoever made them may have crashed before they were.
pub(super) fn make_folder(path: &Path, sync: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    // `a`, the first of `a/b`, lies in the working directory
    let parent =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let Some(parent) = parent else { return Ok(()) };
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(parent, sync)?;
            match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Err(_) if path.is_dir() => {}
        Err(error) => return Err(error),
    }
    sync(parent)
}

impl LogFiles for Folder {
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        // locked before it has the name by which a replay would find it
        let unborn = self.path(&format!("{name}.new"));
        let file = File::options().append(true).create_new(true).open(&unborn)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        fs::rename(&unborn, self.path(name))?;
        Ok(Box::new(file))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn claim(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.path(name);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        // the lock ends here; whoever replays the same file at the same time writes the same segment
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            // its owner has written the same segment, and was quicker
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        fs::rename(self.path(name), self.path(&format!("{name}.damaged")))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
