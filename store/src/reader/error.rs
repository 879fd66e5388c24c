//! Why a selection could not be answered.

use object_store::path::Path;

use crate::compute::ComputeError;
use crate::manifest::LoadError;

/// A selection that could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The object store failed.
    #[error("could not read {object}: {source}")]
    Store {
        /// What was to be read.
        object: Path,
        /// The store's error.
        source: object_store::Error,
    },
    /// More segments than a query may read.
    #[error(
        "the query would read {found} segments, and no more than {max} are allowed, which is segments_max: compaction \
         is behind"
    )]
    TooManySegments {
        /// How many there are.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// More than may be held in memory for one answer.
    #[error(
        "the selection matches more than the {max} bytes of series that may be held at once, which is answer_bytes_max: \
         ask for fewer series or a shorter time"
    )]
    TooMuch {
        /// The limit.
        max: usize,
    },
    /// More exemplars than an answer may have.
    #[error(
        "the query finds more than {max} exemplars, which is exemplars_max: ask for fewer series or a shorter time"
    )]
    TooManyExemplars {
        /// The limit.
        max: usize,
    },
    /// What was pushed while series were being read is of a kind that the rest cannot be read like the beginning.
    #[error("what is read has changed in the middle: ask again")]
    Changed,
    /// The manifest cannot be understood, so nothing is known of what was merged.
    #[error("{reason}")]
    Manifest {
        /// Which object, and what is wrong with it.
        reason: String,
    },
    /// A list of the segments that are in a run is damaged.
    #[error("could not read {object}: it is no list of ids")]
    Ids {
        /// Which.
        object: Path,
    },
    /// A list of the retry keys of a run is damaged.
    #[error("could not read {object}: it is no list of retry keys")]
    Keys {
        /// Which.
        object: Path,
    },
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
    /// What was read could not be computed with.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// What the caller should do about a [`ReadError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// Try again later.
    Unavailable,
    /// The query asks for too much.
    Limit,
}

impl ReadError {
    /// What the caller should do.
    pub fn kind(&self) -> ReadErrorKind {
        match self {
            Self::Store { .. }
            | Self::Manifest { .. }
            | Self::Ids { .. }
            | Self::Keys { .. }
            | Self::Changed
            | Self::Interrupted
            | Self::Compute(_) => ReadErrorKind::Unavailable,
            Self::TooManySegments { .. } | Self::TooMuch { .. } | Self::TooManyExemplars { .. } => {
                ReadErrorKind::Limit
            }
        }
    }

    /// Whether an object was listed and then was not there.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Store { source: object_store::Error::NotFound { .. }, .. })
    }
}

impl From<LoadError> for ReadError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store { object, source } => Self::Store { object, source },
            other => Self::Manifest { reason: other.to_string() },
        }
    }
}
