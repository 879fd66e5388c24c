//! Where something stands in the text of a query.

use std::fmt;

/// A piece of a query's text, in bytes; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl ByteRange {
    /// From one byte to before another.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this range to the end of another.
    pub fn to(self, last: Self) -> Self {
        Self { start: self.start, end: last.end }
    }
}

/// A line and a column, both counted from 1. Columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The byte within the line.
    pub column: usize,
}

impl Position {
    /// Where the byte at `offset` stands in `text`; an offset behind the text is that of its end.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        Self { line, column: before.len() - line_start + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let check = |text: &str, offset: usize, expect: &str| {
            assert_eq!(Position::of(text, offset).to_string(), expect, "{text:?} at {offset}");
        };
        check("up", 0, "1:1");
        check("up", 2, "1:3");
        check("up", 9, "1:3");
        check("a\nbc", 1, "1:2");
        check("a\nbc", 2, "2:1");
        check("a\nbc", 3, "2:2");
        check("é+", 2, "1:3");
    }
}
