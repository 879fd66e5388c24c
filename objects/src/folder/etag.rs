//! The etag of a file is the hash of its content, so that it is the same for every process and after every restart.
//!
//! An inode number with a modification time would be cheaper, but both repeat: two updates of one size within a tick of
//! the file system's clock can look alike.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3Default;

/// How much is read at once for hashing.
const READ_BYTES: usize = 256 * 1024;

/// Hashes content piece by piece.
pub(super) struct EtagHasher(Box<Xxh3Default>);

impl EtagHasher {
    pub(super) fn new() -> Self {
        Self(Box::default())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(&self) -> String {
        format!("{:032x}", self.0.digest128())
    }
}

/// The etag of these bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    let mut hasher = EtagHasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// The etag of a whole file, from its start.
pub(super) fn of_file(file: &File) -> io::Result<String> {
    let mut hasher = EtagHasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
