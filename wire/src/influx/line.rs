//! One line.

use std::sync::Arc;

use super::{Point, Precision, names, value};

/// Why a line cannot be read, in the words of InfluxDB where it has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("not UTF-8")]
    Utf8,
    #[error("missing measurement")]
    Measurement,
    #[error("missing tag key")]
    TagKey,
    #[error("missing tag value")]
    TagValue,
    #[error("duplicate tags")]
    DuplicateTags,
    #[error("a tag's name would begin with __, which is reserved")]
    ReservedTag,
    #[error("more than {0} tags, which is labels_per_series_max")]
    TooManyTags(usize),
    #[error("missing fields")]
    Fields,
    #[error("missing field key")]
    FieldKey,
    #[error("missing field value")]
    FieldValue,
    #[error("invalid field value")]
    Number,
    #[error("unbalanced quotes")]
    Quotes,
    #[error("bad timestamp")]
    Timestamp,
}

impl Fault {
    /// The setting whose value is exceeded.
    pub(super) fn limit(self) -> Option<&'static str> {
        matches!(self, Self::TooManyTags(_)).then_some("labels_per_series_max")
    }
}

/// The first line that is neither empty nor a comment, and what comes behind it. A line feed between quotes of a field's value does
/// not end a line.
pub(super) fn next(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = body;
    loop {
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0)).count();
        rest = &rest[blank..];
        let is_comment = *rest.first()? == b'#';
        let end = if is_comment { plain_end(rest) } else { end(rest) };
        let (line, after) = rest.split_at(end);
        rest = after;
        if !is_comment {
            return Some((line.trim_ascii_end(), after));
        }
    }
}

fn plain_end(body: &[u8]) -> usize {
    body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len())
}

/// Where a line ends. Quotes are such only where a value of a field begins; where they do not end, the first line feed counts.
fn end(body: &[u8]) -> usize {
    let (mut at, mut is_fields, mut is_value) = (0, false, false);
    while let Some(byte) = body.get(at) {
        match byte {
            b'\n' => return at,
            b'\\' if body.get(at + 1) != Some(&b'\n') => at += 1,
            b' ' => is_fields = true,
            b'"' if is_fields && is_value => match closing_quote(&body[at + 1..]) {
                Some(length) => at += 1 + length,
                None => return at + plain_end(&body[at..]),
            },
            _ => {}
        }
        is_value = *byte == b'=';
        at += 1;
    }
    body.len()
}

/// The place of the quote that is not behind a backslash.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// As much of a line as a message shows.
pub(super) fn shown(line: &[u8]) -> String {
    const BYTES_MAX: usize = 200;
    let cut = &line[..line.len().min(BYTES_MAX)];
    let end = if cut.len() < line.len() { "…" } else { "" };
    format!("{}{end}", String::from_utf8_lossy(cut))
}

/// Reads a line.
pub(super) fn parse(line: &[u8], precision: Precision, tags_max: usize) -> Result<Point, Fault> {
    let mut rest = Rest(std::str::from_utf8(line).map_err(|_| Fault::Utf8)?);
    let measurement = rest.word(&[',', ' ']);
    if measurement.is_empty() {
        return Err(Fault::Measurement);
    }
    let mut tags: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    while rest.skip(',') {
        let tag = rest.word(&[',', '=', ' ']);
        if tag.is_empty() {
            return Err(Fault::TagKey);
        }
        if !rest.skip('=') {
            return Err(Fault::TagValue);
        }
        let value = rest.word(&[',', ' ']);
        if value.is_empty() {
            return Err(Fault::TagValue);
        }
        let name = names::label(&tag);
        if name.starts_with("__") {
            return Err(Fault::ReservedTag);
        }
        if tags.len() == tags_max {
            return Err(Fault::TooManyTags(tags_max));
        }
        tags.push((name.into(), value.into()));
    }
    tags.sort_by(|(a, _), (b, _)| a.cmp(b));
    if tags.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Fault::DuplicateTags);
    }
    rest.blank();
    if rest.0.is_empty() {
        return Err(Fault::Fields);
    }
    let fields = fields(&mut rest, &measurement)?;
    rest.blank();
    let at_ms = match rest.0.trim_end() {
        "" => None,
        time => {
            let time: i64 = time.parse().map_err(|_| Fault::Timestamp)?;
            Some(precision.ms(time).ok_or(Fault::Timestamp)?)
        }
    };
    Ok(Point { tags, fields, at_ms })
}

fn fields(rest: &mut Rest<'_>, measurement: &str) -> Result<Vec<(Arc<str>, f64)>, Fault> {
    let mut fields = Vec::new();
    loop {
        let field = rest.word(&[',', '=', ' ']);
        if field.is_empty() {
            return Err(Fault::FieldKey);
        }
        if !rest.skip('=') {
            return Err(Fault::FieldValue);
        }
        if rest.skip('"') {
            let end = closing_quote(rest.0.as_bytes()).ok_or(Fault::Quotes)?;
            rest.0 = &rest.0[end + 1..];
            if !(rest.0.is_empty() || rest.0.starts_with([',', ' '])) {
                return Err(Fault::Number);
            }
        } else {
            let end = rest.0.find([',', ' ']).unwrap_or(rest.0.len());
            let (text, after) = rest.0.split_at(end);
            rest.0 = after;
            if text.is_empty() {
                return Err(Fault::FieldValue);
            }
            let number = value::number(text).ok_or(Fault::Number)?;
            fields.push((names::metric(measurement, &field).into(), number));
        }
        if !rest.skip(',') {
            return Ok(fields);
        }
    }
}

/// What of a line has not been read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// What comes before the first of these that is not behind a backslash, or all. Backslashes go where they are before one of them
    /// or before a comma, an equals sign or a space.
    fn word(&mut self, ends: &[char]) -> String {
        let mut word = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, char)) = chars.next() {
            if ends.contains(&char) {
                self.0 = &self.0[at..];
                return word;
            }
            if char == '\\' {
                let after = chars.as_str();
                if let Some(escaped) = after.chars().next().filter(|char| matches!(char, ',' | '=' | ' ')) {
                    word.push(escaped);
                    chars.next();
                    continue;
                }
            }
            word.push(char);
        }
        self.0 = "";
        word
    }

    fn skip(&mut self, char: char) -> bool {
        let rest = self.0.strip_prefix(char);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn blank(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}
