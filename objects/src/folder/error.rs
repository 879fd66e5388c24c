//! What goes wrong in a folder, always with the path and the reason.

use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::{KnowsOutcome, Outcome};

/// Why a folder cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Whether the object may have changed nevertheless.
        outcome: Outcome,
        /// The reason.
        source: io::Error,
    },
    /// There is no such object.
    #[error("there is no file {}", path.display())]
    Absent {
        /// The object's file.
        path: PathBuf,
    },
    /// The path of an object leads through a file.
    #[error("cannot store anything below {}: it is not a folder", path.display())]
    NotAFolder {
        /// The file that stands in the way.
        path: PathBuf,
    },
    /// There are objects below the name of this object.
    #[error("cannot store an object at {}: it is a folder", path.display())]
    IsAFolder {
        /// The folder that stands in the way.
        path: PathBuf,
    },
    /// The object's path cannot be a file.
    #[error("object path {location:?} cannot be a file: {reason}")]
    BadName {
        /// The object's path.
        location: String,
        /// The reason.
        reason: &'static str,
    },
    /// A folder cannot keep this with an object.
    #[error("a folder keeps no {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// A conditional update without the etag that it is conditional on.
    #[error("a conditional update of {} needs an etag", path.display())]
    EtagMissing {
        /// The object's file.
        path: PathBuf,
    },
    /// The requested range does not fit the object.
    #[error("{}: {requested} is outside of its {size} bytes", path.display())]
    Range {
        /// The object's file.
        path: PathBuf,
        /// The range as an HTTP header would say it.
        requested: String,
        /// Size of the object.
        size: u64,
    },
    /// Directories appear and vanish faster than a put can use them.
    #[error("gave up storing {}: its folder was gone {attempts} times in a row: {source}", path.display())]
    Restless {
        /// The object's file.
        path: PathBuf,
        /// How often it was tried.
        attempts: usize,
        /// The last refusal.
        source: io::Error,
    },
    /// A part after the end.
    #[error("the upload of {location} is over")]
    UploadOver {
        /// The object's path.
        location: String,
    },
    /// The end before all parts.
    #[error("the upload of {location} was completed before all of its parts")]
    UploadBusy {
        /// The object's path.
        location: String,
    },
    /// A blocking task was cancelled, because the runtime is shutting down, or it panicked.
    #[error("the task of a file operation ended early: {source}")]
    Task {
        /// The reason.
        #[from]
        source: tokio::task::JoinError,
    },
}

impl FolderError {
    /// An error of the operating system before anything could have changed.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), outcome: Outcome::NotDone, source }
    }

    /// An error of the operating system after the object may have changed.
    pub(super) fn io_unknown(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), outcome: Outcome::Unknown, source }
    }

    /// The same error in the words of the trait.
    pub(super) fn into_store(self, location: &object_store::path::Path) -> object_store::Error {
        let path = location.to_string();
        match &self {
            Self::Absent { .. } => object_store::Error::NotFound { path, source: self.into() },
            Self::Io { source, outcome: Outcome::NotDone, .. }
                if matches!(
                    source.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                object_store::Error::PermissionDenied { path, source: self.into() }
            }
            Self::BadName { .. } | Self::Unsupported { .. } => {
                object_store::Error::NotSupported { source: self.into() }
            }
            _ => object_store::Error::Generic { store: super::STORE, source: self.into() },
        }
    }
}

impl KnowsOutcome for FolderError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Io { outcome, .. } => *outcome,
            Self::Task { .. } => Outcome::Unknown,
            _ => Outcome::NotDone,
        }
    }
}

/// Why a folder cannot be used as a store.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the folder {}: cannot {action} {}: {source}", root.display(), path.display())]
pub struct FolderOpenError {
    /// The folder as it was given.
    pub root: PathBuf,
    /// What was tried, as a verb.
    pub action: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub source: io::Error,
}

impl FolderOpenError {
    pub(super) fn new(
        root: &Path,
        action: &'static str,
        path: impl Into<PathBuf>,
        source: io::Error,
    ) -> Self {
        Self { root: root.into(), action, path: path.into(), source }
    }
}
