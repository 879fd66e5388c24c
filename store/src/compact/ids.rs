//! Which segments are in a run: their ids, in an object beside it.
//!
//! `MAYFIDS1`, then of each segment, in ascending order, the writer (8 bytes) and the number (4 bytes), big endian; and at the
//! end the XXH3-64 (8 bytes, big endian) of all that.

use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"MAYFIDS1";
const ID_BYTES: usize = 12;
const CHECK_BYTES: usize = 8;

/// Writer and number of a segment.
pub(crate) type Id = (u64, u32);

/// The object of some ids, given in any order.
pub(crate) fn encode(mut ids: Vec<Id>) -> Vec<u8> {
    ids.sort_unstable();
    ids.dedup();
    let mut bytes = Vec::with_capacity(MAGIC.len() + ids.len() * ID_BYTES + CHECK_BYTES);
    bytes.extend(MAGIC);
    for (writer, number) in ids {
        bytes.extend(writer.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    let check = xxh3_64(&bytes);
    bytes.extend(check.to_be_bytes());
    bytes
}

/// The ids in an object, in ascending order; `None` if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<Id>> {
    let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if xxh3_64(body) != u64::from_be_bytes(*check) {
        return None;
    }
    let ids = body.strip_prefix(MAGIC)?.chunks(ID_BYTES);
    ids.map(|id| {
        let (writer, number) = id.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*writer), u32::from_be_bytes(number.try_into().ok()?)))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_and_damage_is_found() {
        let bytes = encode(vec![(7, 2), (1, 9), (7, 1), (7, 2)]);
        assert_eq!(decode(&bytes), Some(vec![(1, 9), (7, 1), (7, 2)]));
        assert_eq!(decode(&encode(Vec::new())), Some(Vec::new()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "{at} bytes");
        }
    }
}
