//! Texts in double quotes, as Go's `%q` writes them.

use std::fmt::Write;

/// Go's `%q`: double quotes, with escapes for what does not print.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{07}' => quoted.push_str("\\a"),
            '\u{08}' => quoted.push_str("\\b"),
            '\u{0c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{0b}' => quoted.push_str("\\v"),
            c if prints(c) => quoted.push(c),
            c => push_escape(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

/// Close to `strconv.IsPrint`: no control characters, no spaces but the ASCII one, nothing unassigned at the edges.
fn prints(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'))
}

fn push_escape(quoted: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match code {
        0..0x80 => write!(quoted, "\\x{code:02x}"),
        0x80..0x1_0000 => write!(quoted, "\\u{code:04x}"),
        _ => write!(quoted, "\\U{code:08x}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        assert_eq!(quoted("a\"b\\\n\u{1}é\u{a0}😀"), "\"a\\\"b\\\\\\n\\x01é\\u00a0😀\"");
        assert_eq!(quoted("\u{7f}"), "\"\\x7f\"");
    }
}
