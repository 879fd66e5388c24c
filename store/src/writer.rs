//! Takes pushes and acknowledges them when they are durable.

use model::{Push, Stamp};

/// Takes pushes.
#[derive(Debug)]
pub struct Writer {}

/// A push is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Its place in the order of all pushes.
    pub stamp: Stamp,
}

/// A push that was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    message: String,
    kind: WriteErrorKind,
}

/// What the caller should do about a [`WriteError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteErrorKind {
    /// Too much is waiting to be written. Nothing was stored; try again later (503 with Retry-After).
    Busy,
    /// The object store failed. Whether the push was stored is not known; pushing again is safe (503).
    Unavailable,
    /// The writer has been shut down. Nothing was stored (503).
    Closed,
}

impl WriteError {
    /// What the caller should do.
    pub fn kind(&self) -> WriteErrorKind {
        self.kind
    }
}

impl Writer {
    /// Stamps the push and answers when it is durable.
    ///
    /// # Errors
    /// See [`WriteErrorKind`].
    pub async fn push(&self, _push: Push) -> Result<Ack, WriteError> {
        Err(WriteError { message: "not there yet".to_owned(), kind: WriteErrorKind::Closed })
    }
}
