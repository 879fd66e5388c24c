//! The disk of a log: a literal one, that may have no space left.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use mayfly_store::{LogFile, LogFiles};

use super::chance::Chance;
use super::ledger::Id;

/// How a file begins, and how many bytes stand before each record: docs of `store/src/log`.
const MAGIC: &[u8] = b"MAYFLOG1";
const HEAD_BYTES: usize = 12;

/// A folder of logs. It outlives the processes that write to it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    files: BTreeMap<String, Content>,
    /// What was in files that are gone: somebody may have read one before.
    gone: BTreeMap<String, Vec<i64>>,
    /// How many bytes there is space for; `None`: for as many as you like.
    space: Option<usize>,
    chance: Chance,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// Somebody writes it.
    is_locked: bool,
}

impl Disk {
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Chance::of(seed, &["disk"]);
        let inner = Inner { files: BTreeMap::new(), gone: BTreeMap::new(), space: None, chance };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    pub(crate) fn set_space(&self, space: Option<usize>) {
        self.lock().space = space;
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    /// The stamps of what the file of a segment holds, or held; `None`: there was no such file.
    pub(crate) fn stamps(&self, (writer, number): Id) -> Option<Vec<i64>> {
        let name = format!("{writer:016x}{number:08x}.log");
        let inner = self.lock();
        let held = inner.files.get(&name).map(|content| stamps(&content.bytes));
        held.or_else(|| inner.gone.get(&name).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("unpoisoned")
    }
}

/// The stamps of all whole records.
fn stamps(bytes: &[u8]) -> Vec<i64> {
    let mut found = Vec::new();
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    while let Some((head, after)) = rest.split_at_checked(HEAD_BYTES) {
        let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        found.push(stamp(payload));
        rest = after;
    }
    found
}

/// The stamp of an entry: the first field of a Protobuf message, a number.
fn stamp(payload: &[u8]) -> i64 {
    assert_eq!(payload.first(), Some(&0x08), "a record begins with its stamp");
    let mut value = 0_u64;
    for (index, byte) in payload[1..].iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value.cast_signed()
}

impl Inner {
    /// Whether something that takes no bytes of its own is refused.
    fn is_refused(&mut self, per_mille: u64) -> io::Result<()> {
        match self.space {
            Some(0) if self.chance.happens(per_mille) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl LogFiles for Disk {
    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut inner = self.lock();
        inner.is_refused(400)?;
        inner.files.insert(name.to_owned(), Content { is_locked: true, ..Content::default() });
        Ok(Box::new(Open { disk: self.clone(), name: name.to_owned() }))
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.lock().is_refused(300)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn claim(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let inner = self.lock();
        let free = inner.files.get(name).filter(|content| !content.is_locked);
        Ok(free.map(|content| content.bytes.clone()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        if let Some(content) = inner.files.remove(name) {
            inner.gone.insert(name.to_owned(), stamps(&content.bytes));
        }
        Ok(())
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        let content = inner.files.remove(name).unwrap_or_default();
        inner.files.insert(format!("{name}.damaged"), content);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("disk").join(name)
    }
}

/// A file that somebody writes.
#[derive(Debug)]
struct Open {
    disk: Disk,
    name: String,
}

impl LogFile for Open {
    /// Of what there is no space for, the first part is written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.lock();
        let fits = inner.space.unwrap_or(bytes.len()).min(bytes.len());
        inner.space = inner.space.map(|space| space - fits);
        // a file that is gone is still there for who has it open
        if let Some(content) = inner.files.get_mut(&self.name) {
            content.bytes.extend_from_slice(&bytes[..fits]);
        }
        if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// Where there is no space, what was taken may turn out to have none.
    fn sync(&mut self) -> io::Result<()> {
        self.disk.lock().is_refused(300)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(content) = self.disk.lock().files.get_mut(&self.name) {
            content.is_locked = false;
        }
    }
}
