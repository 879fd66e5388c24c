//! The bytes of the state: JSON with a version in front.

use serde::{Deserialize, Serialize};

use super::State;

/// The version that is written. A newer one is refused, because it may hold what we would lose.
pub const STATE_VERSION: u32 = 1;

/// How large the state may be, written and read.
pub const STATE_BYTES_MAX: usize = 256 << 20;

/// Why bytes are no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by a newer Mayfly.
    #[error("the notification state has version {found}; this program reads versions up to {STATE_VERSION}")]
    Newer {
        /// The version that it has.
        found: u32,
    },
    /// Not what we write.
    #[error("the notification state is damaged: {0}")]
    Damaged(#[source] serde_json::Error),
    /// More than one object should hold.
    #[error("the notification state has {bytes} bytes; the limit is {bytes_max}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Document<S> {
    version: u32,
    state: S,
}

impl State {
    /// The bytes of the state.
    ///
    /// # Errors
    /// If it is larger than it may be.
    pub fn encode(&self) -> Result<Vec<u8>, StateError> {
        self.encode_within(STATE_BYTES_MAX)
    }

    /// The bytes of the state, of which there may be so many.
    ///
    /// # Errors
    /// If there are more.
    pub fn encode_within(&self, bytes_max: usize) -> Result<Vec<u8>, StateError> {
        let document = Document { version: STATE_VERSION, state: self };
        let bytes = serde_json::to_vec(&document).map_err(StateError::Damaged)?;
        within_limit(&bytes, bytes_max)?;
        Ok(bytes)
    }

    /// The state of some bytes.
    ///
    /// # Errors
    /// If they are no state that this program knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        within_limit(bytes, STATE_BYTES_MAX)?;
        // the version first: what follows may be of another shape
        let head: Head = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
        if head.version > STATE_VERSION {
            return Err(StateError::Newer { found: head.version });
        }
        let document: Document<Self> = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
        Ok(document.state)
    }
}

fn within_limit(bytes: &[u8], bytes_max: usize) -> Result<(), StateError> {
    if bytes.len() > bytes_max {
        return Err(StateError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_refused() {
        let error = State::decode(br#"{"version":2,"state":{"something":"else"}}"#).expect_err("newer");
        let expect = "the notification state has version 2; this program reads versions up to 1";
        assert_eq!(error.to_string(), expect);
        assert!(matches!(State::decode(b"{}"), Err(StateError::Damaged(_))));
    }

    #[test]
    fn a_state_has_a_limit() {
        let error = State::decode(&vec![0; STATE_BYTES_MAX + 1]).expect_err("is too large");
        let expect = "the notification state has 268435457 bytes; the limit is 268435456";
        assert_eq!(error.to_string(), expect);
    }
}
