//! Quoting for URLs: `url.QueryEscape` and `url.QueryUnescape`.

use std::fmt::Write;

/// Go's `url.QueryEscape`: a space is `+`, and everything but letters, digits and `-_.~` is `%XX`.
pub(crate) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

/// Go's `url.QueryUnescape`. Bytes that are no text become U+FFFD.
///
/// # Errors
/// Go's text, if a `%` is not followed by two hexadecimal digits.
pub(crate) fn query_unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let Some(byte) = byte else {
                    let wrong = String::from_utf8_lossy(&after[..after.len().min(2)]);
                    return Err(format!("invalid URL escape {}", super::quote(&format!("%{wrong}"))));
                };
                rest = &after[2..];
                byte
            }
            byte => *byte,
        });
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescapes_queries() {
        assert_eq!(query_unescape("a+b%26c%3d%C3%A9"), Ok("a b&c=é".to_owned()));
        assert_eq!(query_unescape("x%zzy"), Err("invalid URL escape \"%zz\"".to_owned()));
        assert_eq!(query_unescape("x%4"), Err("invalid URL escape \"%4\"".to_owned()));
    }

    #[test]
    fn escapes_queries() {
        assert_eq!(query_escape("a b&c=\"é\"~"), "a+b%26c%3D%22%C3%A9%22~");
    }
}
