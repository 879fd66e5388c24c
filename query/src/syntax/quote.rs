//! String literals: Go's escapes, both ways.
//!
//! A literal may hold bytes that are no UTF-8 (`"\xc5"`), a text may not: such a byte stands in it as a character of
//! Unicode's last private plane, which is written as the byte again.

/// The characters that stand for bytes which are no UTF-8.
const BYTES: std::ops::RangeInclusive<u32> = 0x10_ff80..=0x10_ffff;

/// Whether a text stands for something that is no UTF-8.
pub(crate) fn has_raw_bytes(text: &str) -> bool {
    text.chars().any(|character| BYTES.contains(&u32::from(character)))
}

/// What a literal with its quotes stands for; `None` if an escape is wrong.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    if quote == '`' {
        return Some(inner.to_owned());
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(next) = rest.next() {
        if next != '\\' {
            push_char(&mut out, next);
            continue;
        }
        let escaped = rest.next()?;
        let simple = match escaped {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            '\'' | '"' if escaped == quote => escaped as u8,
            'x' => u8::try_from(digits(&mut rest, "", 2, 16)?).ok()?,
            'u' => {
                push_char(&mut out, char::from_u32(digits(&mut rest, "", 4, 16)?)?);
                continue;
            }
            'U' => {
                push_char(&mut out, char::from_u32(digits(&mut rest, "", 8, 16)?)?);
                continue;
            }
            '0'..='7' => u8::try_from(digits(&mut rest, escaped.encode_utf8(&mut [0; 4]), 2, 8)?).ok()?,
            _ => return None,
        };
        out.push(simple);
    }
    Some(String::from_utf8(out).unwrap_or_else(|error| with_raw_bytes(error.as_bytes())))
}

fn with_raw_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let raw = chunk.invalid().iter().filter_map(|&byte| char::from_u32(0x10_ff00 + u32::from(byte)));
        text.extend(raw);
    }
    text
}

fn push_char(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digits(rest: &mut std::str::Chars<'_>, first: &str, more: usize, radix: u32) -> Option<u32> {
    let mut text = first.to_owned();
    text.extend(rest.by_ref().take(more));
    let complete =
        text.len() == first.len() + more && text.bytes().all(|byte| char::from(byte).is_digit(radix));
    complete.then(|| u32::from_str_radix(&text, radix).ok())?
}

/// A text in double quotes, as Go's `%q` prints it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            control if u32::from(control) < 0x20 || control == '\u{7f}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(control)));
            }
            hidden if hidden.is_control() || matches!(hidden, '\u{feff}' | '\u{a0}' | '\u{ad}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(hidden)));
            }
            raw if BYTES.contains(&u32::from(raw)) => {
                out.push_str(&format!("\\x{:02x}", u32::from(raw) & 0xff));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquotes_like_go() {
        let check = |literal: &str, expect: Option<&str>| {
            assert_eq!(unquote(literal).as_deref(), expect, "{literal}");
        };
        check(r#""a\"b'c""#, Some("a\"b'c"));
        check(r"'a\'b'", Some("a'b"));
        check(r"`a\d\`", Some(r"a\d\"));
        check(r#""\n\t\\\x41\101\u00e9\U0001F600""#, Some("\n\t\\AA\u{e9}\u{1F600}"));
        check(r#""\xc3\xa9""#, Some("é"));
        check(r#""a\xc5z""#, Some("a\u{10ffc5}z"));
        check(r#""\d""#, None);
        check(r#""\'""#, None);
        check(r#""\x4""#, None);
        check(r#""\400""#, None);
    }

    #[test]
    fn quotes_like_go() {
        assert_eq!(quoted("a\"\\\n\u{1}é"), r#""a\"\\\n\x01é""#);
        assert_eq!(quoted(&unquote(r#""a\xc5z""#).expect("a literal")), r#""a\xc5z""#);
    }
}
