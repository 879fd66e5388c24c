//! The retry keys of the pushes of a run, in an object beside it.
//!
//! `MAYFKEY1`, then of each push that counted key (16 bytes), what was asked for (8 bytes), stamp (8 bytes) and writer (8 bytes),
//! as [`super::sealed_list`] says.

use model::{RetryKey, Stamp};

use super::sealed_list::Entry;

/// A push that counted.
pub(crate) type Counted = (RetryKey, Stamp);

impl Entry for Counted {
    const MAGIC: &'static [u8; 8] = b"MAYFKEY1";
    const BYTES: usize = 40;

    fn put(&self, bytes: &mut Vec<u8>) {
        let (retry, stamp) = self;
        bytes.extend(retry.key.to_be_bytes());
        bytes.extend(retry.body.to_be_bytes());
        bytes.extend(stamp.at_us.to_be_bytes());
        bytes.extend(stamp.writer.to_be_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (key, rest) = bytes.split_first_chunk::<16>()?;
        let (body, rest) = rest.split_first_chunk::<8>()?;
        let (at_us, writer) = rest.split_first_chunk::<8>()?;
        let retry = RetryKey { key: u128::from_be_bytes(*key), body: u64::from_be_bytes(*body) };
        let writer = u64::from_be_bytes(writer.try_into().ok()?);
        Some((retry, Stamp { at_us: i64::from_be_bytes(*at_us), writer }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealed_list;
    use super::*;

    #[test]
    fn keys_survive() {
        let counted = |key, at_us| (RetryKey { key, body: 7 }, Stamp { at_us, writer: 9 });
        let expect = [counted(1, -6), counted(2, 5)];
        sealed_list::check(&[counted(2, 5), counted(1, -6), counted(2, 5)], &expect);
    }
}
