//! Which segments are in a run: their ids, in an object beside it.
//!
//! `MAYFIDS1`, then of each segment, in ascending order, the writer (8 bytes), the number (4 bytes) and the beginning of its minute
//! in µs since 1970 (8 bytes), big endian; and at the end the XXH3-64 (8 bytes, big endian) of all that.

use xxhash_rust::xxh3::xxh3_64;

use crate::layout::Minute;

const MAGIC: &[u8; 8] = b"MAYFIDS1";
const ID_BYTES: usize = 20;
const CHECK_BYTES: usize = 8;

/// A segment: its writer, its number, and the minute under which it is filed. One that was put again has several minutes.
pub(crate) type Id = (u64, u32, Minute);

/// Whether a segment, found under a minute, is in a run under another one. Ids stand in ascending order.
pub(crate) fn is_sealed(ids: &[Id], (writer, number, minute): Id) -> bool {
    let first = ids.partition_point(|id| (id.0, id.1) < (writer, number));
    let same = ids[first..].iter().take_while(|id| (id.0, id.1) == (writer, number));
    same.into_iter().any(|id| id.2 < minute)
}

/// The object of some ids, given in any order.
pub(crate) fn encode(mut ids: Vec<Id>) -> Vec<u8> {
    ids.sort_unstable();
    ids.dedup();
    let mut bytes = Vec::with_capacity(MAGIC.len() + ids.len() * ID_BYTES + CHECK_BYTES);
    bytes.extend(MAGIC);
    for (writer, number, minute) in ids {
        bytes.extend(writer.to_be_bytes());
        bytes.extend(number.to_be_bytes());
        bytes.extend(minute.start_us().to_be_bytes());
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
        let (writer, rest) = id.split_first_chunk::<8>()?;
        let (number, minute) = rest.split_first_chunk::<4>()?;
        let minute = Minute::of(i64::from_be_bytes(minute.try_into().ok()?));
        Some((u64::from_be_bytes(*writer), u32::from_be_bytes(*number), minute))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_and_damage_is_found() {
        let at = |minute: i64| Minute::of(minute * 60_000_000);
        let bytes = encode(vec![(7, 2, at(3)), (1, 9, at(3)), (7, 1, at(5)), (7, 2, at(3))]);
        let ids = decode(&bytes).expect("is whole");
        assert_eq!(ids, [(1, 9, at(3)), (7, 1, at(5)), (7, 2, at(3))]);
        // under its own minute a segment may be in a run and go on after it
        let sealed =
            [(7, 2, at(3)), (7, 2, at(4)), (7, 1, at(5)), (7, 3, at(9))].map(|id| is_sealed(&ids, id));
        assert_eq!(sealed, [false, true, false, false]);
        assert_eq!(decode(&encode(Vec::new())), Some(Vec::new()));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "{at} bytes");
        }
    }
}
