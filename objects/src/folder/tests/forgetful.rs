//! File operations on a real folder that remember what would be on disk, so that a test can pull the plug.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path as FilePath;
use std::sync::{Mutex, MutexGuard};

use crate::folder::layer::open_dir;
use crate::folder::{Entry, FileLayer, RealFiles};

/// What a crash leaves of that which was not synced. Real file systems lie between these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// Nothing: no content, no name, no removal.
    OnlySyncedSurvives,
    /// Every name and every removal, but no content.
    NamesSurvive,
}

#[derive(Debug, Default)]
struct State {
    /// Synced content by inode.
    contents: HashMap<u64, Vec<u8>>,
    /// Synced entries by inode.
    listings: HashMap<u64, BTreeMap<String, u64>>,
    /// Which inodes are directories.
    dirs: HashSet<u64>,
    /// Handles that keep inode numbers from being used again.
    pinned: Vec<File>,
    operations: usize,
    syncs: usize,
    stop_before: Option<usize>,
    skipped_sync: Option<usize>,
}

/// The layer: operations work on the real folder, syncs copy what they cover into the state.
#[derive(Debug, Default)]
pub(super) struct Forgetful(Mutex<State>);

impl Forgetful {
    /// From the operation of this number on, everything fails: the machine is off.
    pub(super) fn stopping_before(operation: usize) -> Self {
        Self(Mutex::new(State { stop_before: Some(operation), ..State::default() }))
    }

    /// The sync of this number is claimed but not done.
    pub(super) fn skipping_sync(sync: usize) -> Self {
        Self(Mutex::new(State { skipped_sync: Some(sync), ..State::default() }))
    }

    pub(super) fn operations(&self) -> usize {
        self.state().operations
    }

    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// Writes into `target` what a crash would leave of `base` now.
    pub(super) fn crash(&self, base: &FilePath, target: &FilePath, crash: Crash) -> io::Result<()> {
        let state = self.state();
        match crash {
            Crash::OnlySyncedSurvives => restore_synced(&state, std::fs::metadata(base)?.ino(), target),
            Crash::NamesSurvive => restore_named(&state, base, target),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn step(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.stop_before.is_some_and(|stop| state.operations >= stop) {
            return Err(io::Error::other("the machine is off"));
        }
        state.operations += 1;
        Ok(())
    }

    /// Counts a sync and says whether it is really to be done.
    fn sync_step(&self) -> io::Result<bool> {
        self.step()?;
        let mut state = self.state();
        state.syncs += 1;
        Ok(state.skipped_sync != Some(state.syncs - 1))
    }

    fn pin(&self, file: File) {
        self.state().pinned.push(file);
    }
}

fn restore_synced(state: &State, dir: u64, target: &FilePath) -> io::Result<()> {
    let Some(listing) = state.listings.get(&dir) else { return Ok(()) };
    for (name, inode) in listing {
        let path = target.join(name);
        if state.dirs.contains(inode) {
            std::fs::create_dir(&path)?;
            restore_synced(state, *inode, &path)?;
        } else {
            std::fs::write(path, state.contents.get(inode).map_or(&[][..], Vec::as_slice))?;
        }
    }
    Ok(())
}

fn restore_named(state: &State, live: &FilePath, target: &FilePath) -> io::Result<()> {
    for entry in std::fs::read_dir(live)? {
        let entry = entry?;
        let path = target.join(entry.file_name());
        let meta = entry.metadata()?;
        if meta.is_dir() {
            std::fs::create_dir(&path)?;
            restore_named(state, &entry.path(), &path)?;
        } else {
            std::fs::write(path, state.contents.get(&meta.ino()).map_or(&[][..], Vec::as_slice))?;
        }
    }
    Ok(())
}

fn listing(dir: &File) -> io::Result<BTreeMap<String, u64>> {
    let mut listing = BTreeMap::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The store's own files are no objects; it makes them without this layer.
        if ![".", "..", ".mayfly"].contains(&name.as_str()) {
            listing.insert(name, entry.ino());
        }
    }
    Ok(listing)
}

impl FileLayer for Forgetful {
    fn create(&self, at: Entry<'_>) -> io::Result<File> {
        self.step()?;
        let file = RealFiles.create(at)?;
        self.pin(file.try_clone()?);
        Ok(file)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step()?;
        RealFiles.write_at(file, bytes, offset)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        if self.sync_step()? {
            let meta = file.metadata()?;
            let mut content = vec![0; usize::try_from(meta.len()).unwrap()];
            file.read_exact_at(&mut content, 0)?;
            self.state().contents.insert(meta.ino(), content);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        if self.sync_step()? {
            let listing = listing(dir)?;
            self.state().listings.insert(dir.metadata()?.ino(), listing);
        }
        Ok(())
    }

    fn make_dir(&self, at: Entry<'_>) -> io::Result<()> {
        self.step()?;
        RealFiles.make_dir(at)?;
        let dir = open_dir(at)?;
        self.state().dirs.insert(dir.metadata()?.ino());
        self.pin(dir);
        Ok(())
    }

    fn link(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        self.step()?;
        RealFiles.link(from, to)
    }

    fn rename(&self, from: Entry<'_>, to: Entry<'_>) -> io::Result<()> {
        self.step()?;
        RealFiles.rename(from, to)
    }

    fn unlink(&self, at: Entry<'_>) -> io::Result<()> {
        self.step()?;
        RealFiles.unlink(at)
    }

    fn remove_dir(&self, at: Entry<'_>) -> io::Result<()> {
        self.step()?;
        RealFiles.remove_dir(at)
    }
}
