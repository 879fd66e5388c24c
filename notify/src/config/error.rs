//! What is wrong with a configuration.

use yaml::{MergeError, Mistakes, YamlError};

/// The largest `alertmanager.yml` that is read.
pub const CONFIG_BYTES_MAX: usize = 16 << 20;

/// What is wrong with an `alertmanager.yml`, in Alertmanager's words. Like Alertmanager it tells the first mistake, and all
/// fields that are unknown or of a wrong type together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigMistake {
    /// It is larger than a configuration may be.
    #[error("the file has {bytes} bytes; the limit is {CONFIG_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It is no YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Fields that are unknown, or hold something else than they should.
    #[error(transparent)]
    Fields(#[from] Mistakes),
    /// A merge key whose value is no mapping.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Something that must not be; the text is Alertmanager's.
    #[error("{0}")]
    Refused(String),
}

pub(super) fn refused<T>(text: impl Into<String>) -> Result<T, String> {
    Err(text.into())
}
