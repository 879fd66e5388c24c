//! The retry keys of the pushes of a run, in an object beside it.
//!
//! `MAYFKEY1`, then of each push that counted, in order of keys: key (16 bytes), what was asked for (8 bytes), stamp (8 bytes) and
//! writer (8 bytes), big endian; and at the end the XXH3-64 (8 bytes, big endian) of all that.

use model::{RetryKey, Stamp};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"MAYFKEY1";
const ENTRY_BYTES: usize = 40;
const CHECK_BYTES: usize = 8;

/// A push that counted.
pub(crate) type Counted = (RetryKey, Stamp);

/// The object of some keys, given in any order.
pub(crate) fn encode(mut counted: Vec<Counted>) -> Vec<u8> {
    counted.sort_unstable();
    counted.dedup();
    let mut bytes = Vec::with_capacity(MAGIC.len() + counted.len() * ENTRY_BYTES + CHECK_BYTES);
    bytes.extend(MAGIC);
    for (retry, stamp) in counted {
        bytes.extend(retry.key.to_be_bytes());
        bytes.extend(retry.body.to_be_bytes());
        bytes.extend(stamp.at_us.to_be_bytes());
        bytes.extend(stamp.writer.to_be_bytes());
    }
    let check = xxh3_64(&bytes);
    bytes.extend(check.to_be_bytes());
    bytes
}

/// The keys in an object, in order; `None` if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Counted>> {
    let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if xxh3_64(body) != u64::from_be_bytes(*check) {
        return None;
    }
    let entries = body.strip_prefix(MAGIC)?.chunks(ENTRY_BYTES);
    entries
        .map(|entry| {
            let (key, rest) = entry.split_first_chunk::<16>()?;
            let (body, rest) = rest.split_first_chunk::<8>()?;
            let (at_us, writer) = rest.split_first_chunk::<8>()?;
            let retry = RetryKey { key: u128::from_be_bytes(*key), body: u64::from_be_bytes(*body) };
            let writer = u64::from_be_bytes(writer.try_into().ok()?);
            Some((retry, Stamp { at_us: i64::from_be_bytes(*at_us), writer }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_and_damage_is_found() {
        let counted = |key, at_us| (RetryKey { key, body: 7 }, Stamp { at_us, writer: 9 });
        let bytes = encode(vec![counted(2, 5), counted(1, -6), counted(2, 5)]);
        assert_eq!(decode(&bytes), Some(vec![counted(1, -6), counted(2, 5)]));
        assert_eq!(decode(&encode(Vec::new())), Some(Vec::new()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "{at} bytes");
        }
    }
}
