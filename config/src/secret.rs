//! What must not be shown.

use std::fmt;

/// A text that is not shown, or the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// As it stands in the configuration.
    Inline(String),
    /// A file, read whenever it is needed; relative to the folder of the configuration.
    File(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("<secret>"),
            Self::File(path) => write!(f, "<secret in {path:?}>"),
        }
    }
}
