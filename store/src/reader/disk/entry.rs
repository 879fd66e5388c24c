//! A file of the cache: what it is a copy of, the copy, and a checksum of both.

use bytes::Bytes;
use object_store::path::Path;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// First bytes of a file, with the version of its format.
const MAGIC: &[u8; 8] = b"mayfly-1";

const CHECK_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;

/// A part of an object. Objects never change, so neither do parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All of it.
    Whole(Path),
    /// Its last bytes: footer and page index.
    End(Path),
    /// The page that begins there.
    Page(Path, u64),
    /// No part of it, but what the manifest of this name told of deletions when the cache was cleared last.
    Deletions(Path),
}

impl Piece {
    fn key(&self) -> String {
        match self {
            Self::Whole(object) => format!("whole {object}"),
            Self::End(object) => format!("end {object}"),
            Self::Page(object, start) => format!("page {start} {object}"),
            Self::Deletions(manifest) => format!("deletions {manifest}"),
        }
    }

    pub(super) fn name(&self) -> Name {
        Name(xxh3_128(self.key().as_bytes()))
    }

    /// The file of a copy.
    pub(super) fn file(&self, bytes: &[u8]) -> Vec<u8> {
        let key = self.key();
        let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
        let content = [&length, key.as_bytes(), bytes].concat();
        [&MAGIC[..], &xxh3_64(&content).to_le_bytes(), &content].concat()
    }

    /// The copy in a file; `None` if the file is damaged, or of something else or of another version.
    pub(super) fn copy(&self, file: &Bytes) -> Option<Bytes> {
        let checked = file.strip_prefix(MAGIC)?;
        let (check, content) = checked.split_first_chunk::<CHECK_BYTES>()?;
        if u64::from_le_bytes(*check) != xxh3_64(content) {
            return None;
        }
        let (length, rest) = content.split_first_chunk::<LENGTH_BYTES>()?;
        let (key, copy) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        (key == self.key().as_bytes()).then(|| file.slice_ref(copy))
    }
}

/// What a file is called, below a folder of its first two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(u128);

impl Name {
    const DIGITS: usize = 32;

    pub(super) fn folder(self) -> String {
        format!("{:02x}", self.0 >> 120)
    }

    pub(super) fn file(self) -> String {
        format!("{:032x}", self.0)
    }

    /// `None`: no such name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        (name.len() == Self::DIGITS).then(|| u128::from_str_radix(name, 16).ok()).flatten().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_or_none() {
        let object = Path::from("tenant/pushes/hot/x.parquet");
        let pieces = [
            Piece::Whole(object.clone()),
            Piece::End(object.clone()),
            Piece::Page(object.clone(), 4),
            Piece::Page(object, 44),
        ];
        for piece in &pieces {
            let file = Bytes::from(piece.file(b"copied"));
            for other in &pieces {
                let expect = (piece == other).then(|| Bytes::from_static(b"copied"));
                assert_eq!(other.copy(&file), expect, "{other:?} of {piece:?}");
            }
            for length in 0..file.len() {
                assert_eq!(piece.copy(&file.slice(..length)), None, "{length} bytes of it");
                let mut damaged = file.to_vec();
                damaged[length] ^= 1;
                assert_eq!(piece.copy(&damaged.into()), None, "damaged at {length}");
            }
            assert_eq!(Name::parse(&piece.name().file()), Some(piece.name()));
        }
        assert_eq!(Name::parse("12"), None);
        assert_eq!(Name::parse(&"g".repeat(32)), None);
    }
}
