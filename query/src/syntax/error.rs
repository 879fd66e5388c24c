//! What is wrong with a text that does not parse.

use super::position::{ByteRange, Position};

/// The first mistake in a query, with the words that Prometheus uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: parse error: {message}", place(*position))]
pub struct ParseError {
    /// Where the mistake starts, as line and column; `None` if there is no text at all.
    pub position: Option<Position>,
    /// Which bytes are wrong.
    pub range: ByteRange,
    /// What is wrong.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(text: &str, range: ByteRange, message: impl Into<String>) -> Self {
        let position = (!text.is_empty()).then(|| Position::of(text, range.start));
        Self { position, range, message: message.into() }
    }
}

fn place(position: Option<Position>) -> String {
    position.map_or_else(|| "unknown position".to_owned(), |position| position.to_string())
}
