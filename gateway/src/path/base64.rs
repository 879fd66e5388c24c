//! Base64 of RFC 4648 section 5 (`-` and `_`), without padding, with the error positions that clients know.

/// Bytes that are not base64url.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {at}")]
pub struct Base64Error {
    /// Where it goes wrong.
    pub at: usize,
    /// What was decoded before that.
    pub decoded: Vec<u8>,
}

/// Decodes a value. Any number of `=` at its end is ignored.
pub(super) fn decode(encoded: &[u8]) -> Result<Vec<u8>, Base64Error> {
    let length = encoded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let mut decoded = Vec::with_capacity(length / 4 * 3 + 2);
    for (quantum, digits) in encoded[..length].chunks(4).enumerate() {
        let mut bits = 0_u32;
        for (index, digit) in digits.iter().enumerate() {
            let Some(value) = value_of(*digit) else {
                return Err(Base64Error { at: quantum * 4 + index, decoded });
            };
            bits |= value << (18 - 6 * index);
        }
        if digits.len() == 1 {
            return Err(Base64Error { at: quantum * 4, decoded });
        }
        decoded.extend_from_slice(&bits.to_be_bytes()[1..digits.len()]);
    }
    Ok(decoded)
}

fn value_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let check = |encoded: &str, expect: &[u8]| {
            assert_eq!(decode(encoded.as_bytes()).as_deref(), Ok(expect), "{encoded}");
        };
        check("", b"");
        check("=", b"");
        check("===", b"");
        check("Zg", b"f");
        check("Zm8=", b"fo");
        check("Zm9v", b"foo");
        check("Zm9v====", b"foo");
        check("L3Zhci90bXA", b"/var/tmp");
        check("_-8", b"\xff\xef");
    }

    #[test]
    fn errors() {
        let check = |encoded: &str, at: usize, decoded: &[u8]| {
            assert_eq!(
                decode(encoded.as_bytes()),
                Err(Base64Error { at, decoded: decoded.to_vec() }),
                "{encoded}"
            );
        };
        check("foo.bar", 3, b"");
        check("a", 0, b"");
        check("Zm9v!", 4, b"foo");
        check("Zm9vZ", 4, b"foo");
        check("Zm9v=Yg", 4, b"foo");
        check("+A", 0, b"");
    }
}
