//! Records of the log: length, checksum, payload.

use xxhash_rust::xxh3::xxh3_64;

pub(super) const MAGIC: &[u8] = b"MAYFLOG1";
pub(super) const HEAD_BYTES: usize = 12;

/// No record is larger: a length beyond it is damage, not a reason to allocate.
const PAYLOAD_BYTES_MAX: usize = 1 << 30;

/// No entry takes more memory. As a record it takes less than twice as many bytes: most are samples of 16 bytes, which are
/// at most 30 in a record.
pub(crate) const ENTRY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX / 2;

/// A payload that no reader would take for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of {bytes} bytes is larger than {PAYLOAD_BYTES_MAX}, which is PAYLOAD_BYTES_MAX of the log"
)]
pub(super) struct TooLong {
    bytes: usize,
}

/// Whether a payload can be a record.
pub(super) fn check(payload: &[u8]) -> Result<(), TooLong> {
    let bytes = payload.len();
    if bytes > PAYLOAD_BYTES_MAX { Err(TooLong { bytes }) } else { Ok(()) }
}

/// Adds a record. The payload has passed [`check`].
pub(super) fn write(bytes: &mut Vec<u8>, payload: &[u8]) {
    debug_assert_eq!(check(payload), Ok(()));
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&xxh3_64(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    pub(super) payloads: Vec<&'a [u8]>,
    pub(super) end: End,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Behind the last record.
    Clean,
    /// In the middle of a record that was being written: it was not acknowledged.
    Torn,
    /// The record at this offset is damaged, and more stands behind it.
    Damaged { offset: usize },
}

pub(super) fn read(bytes: &[u8]) -> Content<'_> {
    let mut payloads = Vec::new();
    if bytes.len() < MAGIC.len() {
        return Content { payloads, end: End::Torn };
    }
    if !bytes.starts_with(MAGIC) {
        return Content { payloads, end: End::Damaged { offset: 0 } };
    }
    let mut offset = MAGIC.len();
    while offset < bytes.len() {
        match record(&bytes[offset..]) {
            Ok(payload) => {
                payloads.push(payload);
                offset += HEAD_BYTES + payload.len();
            }
            Err(NoRecord) => {
                // the last record may be torn; where a whole one follows, wherever it begins, this one is damaged
                let follows =
                    (offset + 1..bytes.len()).any(|at| record(&bytes[at..]).is_ok_and(|p| !p.is_empty()));
                let end = if follows { End::Damaged { offset } } else { End::Torn };
                return Content { payloads, end };
            }
        }
    }
    Content { payloads, end: End::Clean }
}

/// The bytes begin with no whole record.
struct NoRecord;

/// The payload of the record that the bytes begin with.
fn record(bytes: &[u8]) -> Result<&[u8], NoRecord> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(NoRecord)?;
    let (checksum, rest) = rest.split_first_chunk::<8>().ok_or(NoRecord)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(NoRecord);
    }
    let payload = rest.get(..length).ok_or(NoRecord)?;
    if xxh3_64(payload) == u64::from_le_bytes(*checksum) { Ok(payload) } else { Err(NoRecord) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        payloads.iter().for_each(|payload| write(&mut bytes, payload));
        bytes
    }

    #[test]
    fn cut_at_any_byte_the_whole_records_are_read() {
        let payloads: [&[u8]; 3] = [b"one", b"", b"the third one"];
        let whole = file(&payloads);
        let ends: Vec<usize> = (0..=3).map(|n| file(&payloads[..n]).len()).collect();
        for length in 0..=whole.len() {
            let content = read(&whole[..length]);
            let complete = ends.iter().filter(|&&end| end <= length).count().saturating_sub(1);
            assert_eq!(content.payloads, payloads[..complete], "cut at {length}");
            let end = if ends.contains(&length) { End::Clean } else { End::Torn };
            assert_eq!(content.end, end, "cut at {length}");
        }
    }

    #[test]
    fn no_record_is_larger_than_what_is_read() {
        // of pages that nobody touches, so that it costs nothing
        let mut payload = vec![0; PAYLOAD_BYTES_MAX];
        assert_eq!(check(&payload), Ok(()));
        payload.push(0);
        let error = check(&payload).expect_err("too long");
        assert!(error.to_string().contains("larger than 1073741824, which is PAYLOAD_BYTES_MAX"), "{error}");
        let mut head = MAGIC.to_vec();
        head.extend(u32::try_from(payload.len()).expect("fits").to_le_bytes());
        head.extend([0; 100]);
        assert_eq!(read(&head), Content { payloads: vec![], end: End::Torn });
    }

    #[test]
    fn damage_before_the_last_record_is_told() {
        let mut bytes = file(&[b"one", b"two", b"three"]);
        bytes[MAGIC.len() + HEAD_BYTES] ^= 1;
        assert_eq!(read(&bytes), Content { payloads: vec![], end: End::Damaged { offset: MAGIC.len() } });
        // a length that is damaged hides nothing
        let mut bytes = file(&[b"one", b"two", b"three"]);
        bytes[MAGIC.len()] ^= 1;
        assert_eq!(read(&bytes).end, End::Damaged { offset: MAGIC.len() });
        bytes[MAGIC.len() + 3] ^= 0x80;
        assert_eq!(read(&bytes).end, End::Damaged { offset: MAGIC.len() });
        let mut bytes = file(&[b"one", b"two"]);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(read(&bytes), Content { payloads: vec![b"one"], end: End::Torn });
        assert_eq!(read(b"something else").end, End::Damaged { offset: 0 });
        let mut absurd = MAGIC.to_vec();
        absurd.extend([0xff; 30]);
        assert_eq!(read(&absurd).end, End::Torn);
    }
}
