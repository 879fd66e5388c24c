//! Which segments are in a run: their ids, in an object beside it.
//!
//! `MAYFIDS1`, then of each segment the writer (8 bytes), the number (4 bytes) and the beginning of its minute in µs since 1970
//! (8 bytes), as [`super::sealed_list`] says.

use super::sealed_list::Entry;
use crate::layout::Minute;

/// A segment: its writer, its number, and the minute under which it is filed. One that was put again has several minutes.
pub(crate) type Id = (u64, u32, Minute);

impl Entry for Id {
    const MAGIC: &'static [u8; 8] = b"MAYFIDS1";
    const BYTES: usize = 20;

    fn put(&self, bytes: &mut Vec<u8>) {
        let (writer, number, minute) = self;
        bytes.extend(writer.to_be_bytes());
        bytes.extend(number.to_be_bytes());
        bytes.extend(minute.start_us().to_be_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (writer, rest) = bytes.split_first_chunk::<8>()?;
        let (number, minute) = rest.split_first_chunk::<4>()?;
        let minute = Minute::of(i64::from_be_bytes(minute.try_into().ok()?));
        Some((u64::from_be_bytes(*writer), u32::from_be_bytes(*number), minute))
    }
}

/// Whether a segment, found under a minute, is in a run under another one. Ids stand in ascending order.
pub(crate) fn is_sealed(ids: &[Id], (writer, number, minute): Id) -> bool {
    let first = ids.partition_point(|id| (id.0, id.1) < (writer, number));
    let same = ids[first..].iter().take_while(|id| (id.0, id.1) == (writer, number));
    same.into_iter().any(|id| id.2 < minute)
}

#[cfg(test)]
mod tests {
    use super::super::sealed_list;
    use super::*;

    #[test]
    fn ids_survive_and_tell_what_is_sealed() {
        let at = |minute: i64| Minute::of(minute * 60_000_000);
        let ids = [(1, 9, at(3)), (7, 1, at(5)), (7, 2, at(3))];
        sealed_list::check(&[(7, 2, at(3)), (1, 9, at(3)), (7, 1, at(5)), (7, 2, at(3))], &ids);
        // under its own minute a segment may be in a run and go on after it
        let sealed =
            [(7, 2, at(3)), (7, 2, at(4)), (7, 1, at(5)), (7, 3, at(9))].map(|id| is_sealed(&ids, id));
        assert_eq!(sealed, [false, true, false, false]);
    }
}
