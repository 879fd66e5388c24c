//! Percent-encoding of paths.

/// The bytes that a path stands for; `None` if a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(raw: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            // two hexadecimal digits fit a byte
            decoded.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
            rest = after;
        } else {
            decoded.push(byte);
            rest = after;
        }
    }
    Some(decoded)
}

/// The path as it may stand in a `Location`.
pub(super) fn encode(path: &[u8]) -> String {
    let mut encoded = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let check = |raw: &str, decoded: &[u8], again: &str| {
            assert_eq!(decode(raw).as_deref(), Some(decoded));
            assert_eq!(encode(decoded), again);
        };
        check("/a+b%20c", b"/a+b c", "/a+b%20c");
        check("/a%2Fb%2f", b"/a/b/", "/a/b/");
        check("/é%ff", b"/\xc3\xa9\xff", "/%C3%A9%FF");
        for broken in ["%", "%2", "%zz", "a%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
