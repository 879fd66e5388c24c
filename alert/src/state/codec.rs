//! The bytes of the state: JSON with a version in front.

use serde::{Deserialize, Serialize};

use super::State;

/// The version that is written. Older ones are read; a newer one is refused, because it may hold what we would lose.
pub const STATE_VERSION: u32 = 1;

/// How large the state may be, written and read.
pub const STATE_BYTES_MAX: usize = 256 << 20;

/// Why bytes are no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Written by a newer Mayfly.
    #[error("the rule state has version {found}; this program reads versions up to {STATE_VERSION}")]
    Newer {
        /// The version that it has.
        found: u32,
    },
    /// Not what we write.
    #[error("the rule state is damaged: {0}")]
    Damaged(#[source] serde_json::Error),
    /// More alerts than one object should hold.
    #[error("the rule state has {bytes} bytes; the limit is {STATE_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
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

/// The bytes of a state.
pub(crate) fn encode(state: &State) -> Result<Vec<u8>, StateError> {
    let document = Document { version: STATE_VERSION, state };
    let bytes = serde_json::to_vec(&document).map_err(StateError::Damaged)?;
    within_limit(&bytes)?;
    Ok(bytes)
}

/// The state of some bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<State, StateError> {
    within_limit(bytes)?;
    // The version first: what follows may be of another shape.
    let head: Head = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
    if head.version > STATE_VERSION {
        return Err(StateError::Newer { found: head.version });
    }
    let document: Document<State> = serde_json::from_slice(bytes).map_err(StateError::Damaged)?;
    Ok(document.state)
}

fn within_limit(bytes: &[u8]) -> Result<(), StateError> {
    if bytes.len() > STATE_BYTES_MAX { Err(StateError::TooLarge { bytes: bytes.len() }) } else { Ok(()) }
}

/// Floats as texts, because JSON has no NaN and no infinities.
pub(super) mod float {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
