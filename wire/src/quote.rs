//! Text in quotes, as Go's `%q` prints it: the error texts that clients know are written with it.

/// Bytes in double quotes; what is not printable is escaped, bytes that are not UTF-8 as `\xff`.
pub fn text(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push(&mut quoted, char, '"'));
        for byte in chunk.invalid() {
            quoted.push_str(&format!("\\x{byte:02x}"));
        }
    }
    quoted.push('"');
    quoted
}

/// One byte in single quotes, taken for a character of Latin-1.
pub fn byte(byte: u8) -> String {
    let mut quoted = String::from('\'');
    push(&mut quoted, char::from(byte), '\'');
    quoted.push('\'');
    quoted
}

fn push(quoted: &mut String, char: char, quote: char) {
    match char {
        '\\' => quoted.push_str("\\\\"),
        _ if char == quote => quoted.extend(['\\', quote]),
        '\x07' => quoted.push_str("\\a"),
        '\x08' => quoted.push_str("\\b"),
        '\x0c' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\x0b' => quoted.push_str("\\v"),
        ' '..='~' => quoted.push(char),
        '\0'..='\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(char))),
        _ if char.escape_debug().len() == 1 => quoted.push(char),
        '\u{80}'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
        _ => quoted.push_str(&format!("\\U{:08x}", u32::from(char))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_go() {
        let check = |bytes: &[u8], expect: &str| assert_eq!(text(bytes), expect);
        check(b"", r#""""#);
        check(b"a\"b'\\", r#""a\"b'\\""#);
        check(b"\r\n\t\x07\x08\x0b\x0c\x01\x7f", r#""\r\n\t\a\b\v\f\x01\x7f""#);
        check("é\u{a0}\u{e000}\u{10ffff}".as_bytes(), "\"é\\u00a0\\ue000\\U0010ffff\"");
        check(b"a\xffb\xc3", r#""a\xffb\xc3""#);
    }

    #[test]
    fn single_bytes() {
        let check = |value: u8, expect: &str| assert_eq!(byte(value), expect);
        check(b'x', "'x'");
        check(b'\'', r"'\''");
        check(b'"', "'\"'");
        check(b'\n', r"'\n'");
        check(0, r"'\x00'");
        check(0xff, "'ÿ'");
    }
}
