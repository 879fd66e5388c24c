//! A manifest as JSON.

use serde::Deserialize;

use super::{FORMAT, Manifest};

/// Bytes that are no manifest that this version reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// They are of a later version.
    #[error("its format is {found}, and this version reads {FORMAT} at most: a newer Mayfly has written it")]
    Newer {
        /// The format that they name.
        found: u32,
    },
    /// They are no manifest at all.
    #[error("it is no manifest: {0}")]
    Damaged(#[from] serde_json::Error),
}

/// What every version begins with.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl Manifest {
    /// Reads what [`Manifest::to_bytes`] has written.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        let Versioned { format: found } = serde_json::from_slice(bytes)?;
        if found > FORMAT {
            return Err(ManifestError::Newer { found });
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The same manifest has always the same bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// Numbers of 64 bits as 16 hex digits: JSON's numbers are floats to many readers.
pub(super) mod hex {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{number:016x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u64::from_str_radix(&text, 16) {
            Ok(number) if text.len() == 16 => Ok(number),
            _ => Err(D::Error::custom(format!("{text:?} is not a number of 16 hex digits"))),
        }
    }
}
