//! Quoting for URLs: `url.QueryEscape`.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_queries() {
        assert_eq!(query_escape("a b&c=\"é\"~"), "a+b%26c%3D%22%C3%A9%22~");
    }
}
