//! Texts in mails, encoded as Go's libraries do it.

use std::fmt::Write as _;

/// What a line may have, its end not counted.
const LINE_BYTES_MAX: usize = 76;

/// What an encoded word may have between its marks.
const WORD_BYTES_MAX: usize = 75 - "=?utf-8?q?".len() - "?=".len();

/// A header's value: as it stands if it is printable ASCII, or else in words of `Q` encoding.
pub(super) fn header(value: &str) -> String {
    if value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
        return value.to_owned();
    }
    let mut out = "=?utf-8?q?".to_owned();
    let mut used = 0;
    for c in value.chars() {
        let is_plain = (' '..='~').contains(&c) && !matches!(c, '=' | '?' | '_');
        let needs = if is_plain { 1 } else { 3 * c.len_utf8() };
        if used + needs > WORD_BYTES_MAX {
            out.push_str("?= =?utf-8?q?");
            used = 0;
        }
        used += needs;
        match c {
            ' ' => out.push('_'),
            c if is_plain => out.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // writing to a string cannot fail
                    let _ = write!(out, "={byte:02X}");
                }
            }
        }
    }
    out.push_str("?=");
    out
}

/// A text as quoted-printable, with lines that end in CR and LF.
pub(super) fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    let mut line = String::with_capacity(LINE_BYTES_MAX);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                end_line(&mut out, &mut line);
                out.push_str("\r\n");
            }
            b'\t' | b' '..=b'~' if byte != b'=' => {
                if line.len() == LINE_BYTES_MAX - 1 {
                    break_line(&mut out, &mut line);
                }
                line.push(char::from(byte));
            }
            byte => encode(&mut out, &mut line, byte),
        }
    }
    end_line(&mut out, &mut line);
    out
}

fn encode(out: &mut String, line: &mut String, byte: u8) {
    if LINE_BYTES_MAX - 1 - line.len() < 3 {
        break_line(out, line);
    }
    // writing to a string cannot fail
    let _ = write!(line, "={byte:02X}");
}

fn break_line(out: &mut String, line: &mut String) {
    out.push_str(line);
    out.push_str("=\r\n");
    line.clear();
}

/// White space at the end of a line would get lost.
fn end_line(out: &mut String, line: &mut String) {
    if let Some(last) = line.pop() {
        match last {
            ' ' | '\t' => encode(out, line, last as u8),
            last => line.push(last),
        }
    }
    out.push_str(line);
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_encoded_as_go_does() {
        assert_eq!(header("[FIRING:1] a = b"), "[FIRING:1] a = b");
        let long = format!("a é\nb é {}", "x".repeat(120));
        let expect = "=?utf-8?q?a_=C3=A9=0Ab_=C3=A9_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx?= \
                      =?utf-8?q?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx?= \
                      =?utf-8?q?xxxxxxxxxxxxxx?=";
        assert_eq!(header(&long), expect);
    }

    #[test]
    fn texts_are_quoted_as_go_does() {
        assert_eq!(quoted_printable("a é\nb\n.\n é=  \n"), "a =C3=A9\r\nb\r\n.\r\n =C3=A9=3D =20\r\n");
        assert_eq!(quoted_printable(&"x".repeat(80)), format!("{}=\r\n{}", "x".repeat(75), "x".repeat(5)));
        assert_eq!(
            quoted_printable(&format!("{}é", "x".repeat(73))),
            format!("{}=\r\n=C3=A9", "x".repeat(73))
        );
        assert_eq!(quoted_printable("a\r\nb\rc "), "a\r\nb\r\nc=20");
    }
}
