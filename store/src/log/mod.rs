//! The write-ahead log: what is acknowledged before it is in the object store.
//!
//! A log is a folder of files. A file holds the entries of one segment to be: when the segment is in the object store, the
//! file goes. Files are named `{writer}{number}.log` by the segment's writer and number, so a file that is replayed after
//! a crash becomes the very same segment under the very same name, however often that happens.
//!
//! ```text
//! file   = "MAYFLOG1" record*
//! record = length u32 · XXH3-64 of the payload u64 · payload      (little endian)
//! ```
//!
//! A record is acknowledged when file and folder are synced. A torn record at the end was never acknowledged and is
//! dropped; a record that is damaged and has others behind it is an error that names file and offset. The owner of a file
//! holds a lock on it, so that nobody replays a log that is still being written.

mod codec;
mod files;
mod frame;
mod replay;

use std::io;
use std::sync::Arc;

pub(crate) use codec::{CodecError, Logged};
pub(crate) use files::Folder;
pub use files::{LogFile, LogFiles};
pub(crate) use frame::ENTRY_BYTES_MAX;
pub(crate) use replay::replay;
pub use replay::{LogError, Replayed};

/// Writes the log of one writer.
#[derive(Debug)]
pub(crate) struct Log {
    files: Arc<dyn LogFiles>,
    writer: u64,
    next_number: u32,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u32,
    file: Box<dyn LogFile>,
    is_new: bool,
    /// An error leaves it open what the file holds, so it takes no more.
    is_broken: bool,
}

impl Log {
    pub(crate) fn new(files: Arc<dyn LogFiles>, writer: u64) -> Self {
        Self { files, writer, next_number: 0, current: None }
    }

    /// Returns when the payloads are on disk. After an error nothing is known about them, and the file takes no more.
    pub(crate) fn append(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        for payload in payloads {
            // nothing is written yet, so the file is as good as before
            frame::check(payload).map_err(io::Error::other)?;
        }
        let result = self.try_append(payloads);
        if let (Err(_), Some(current)) = (&result, &mut self.current) {
            current.is_broken = true;
        }
        result
    }

    fn try_append(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        if self.is_broken() {
            return Err(io::Error::other("the log file broke and has not been replaced yet"));
        }
        let mut bytes = Vec::with_capacity(payloads.iter().map(|p| p.len() + frame::HEAD_BYTES).sum());
        payloads.iter().for_each(|payload| frame::write(&mut bytes, payload));
        let current = match &mut self.current {
            Some(current) => current,
            None => {
                let number = self.next_number;
                self.next_number += 1;
                let file = self.files.create(&file_name(self.writer, number))?;
                let current = self.current.insert(Current { number, file, is_new: true, is_broken: false });
                current.file.append(frame::MAGIC)?;
                current
            }
        };
        current.file.append(&bytes)?;
        current.file.sync()?;
        if current.is_new {
            self.files.sync_folder()?;
            current.is_new = false;
        }
        Ok(())
    }

    /// Whether the current file takes no more.
    pub(crate) fn is_broken(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.is_broken)
    }

    /// Ends the current file. Its number, if there was one: its entries are to become that segment.
    pub(crate) fn rotate(&mut self) -> Option<u32> {
        self.current.take().map(|current| current.number)
    }

    /// Forgets a file whose segment is in the object store.
    pub(crate) fn remove(files: &dyn LogFiles, writer: u64, number: u32) -> io::Result<()> {
        files.remove(&file_name(writer, number))
    }
}

fn file_name(writer: u64, number: u32) -> String {
    format!("{writer:016x}{number:08x}.log")
}

fn parse_file_name(name: &str) -> Option<(u64, u32)> {
    let id = name.strip_suffix(".log").filter(|id| id.len() == 24)?;
    Some((u64::from_str_radix(id.get(..16)?, 16).ok()?, u32::from_str_radix(id.get(16..)?, 16).ok()?))
}

#[cfg(test)]
pub(crate) mod tests;
