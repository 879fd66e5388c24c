//! What is wrong with a text that does not parse.

use super::position::{ByteRange, Position};

/// The first mistake in a query, with the words that Prometheus uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: parse error: {message}")]
pub struct ParseError {
    /// Where the mistake starts, as line and column.
    pub position: Position,
    /// Which bytes are wrong.
    pub range: ByteRange,
    /// What is wrong.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(text: &str, range: ByteRange, message: impl Into<String>) -> Self {
        Self { position: Position::of(text, range.start), range, message: message.into() }
    }
}
