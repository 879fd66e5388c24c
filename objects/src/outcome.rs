//! What is known about a write that answered with an error.

use object_store::Error;

use crate::folder::FolderError;
use crate::s3::S3Error;

/// What is known about a write that failed. Nothing that failed may be acknowledged; this tells whether it may simply be
/// done again, or whether it may already be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The write did not happen, and never will by itself.
    NotDone,
    /// The write may have happened, or may still happen: look before doing something else under the same name.
    Unknown,
}

/// An error of a store in this crate that knows the outcome of its write.
pub(crate) trait KnowsOutcome {
    fn outcome(&self) -> Outcome;
}

/// What is known about the write that answered with `error`. Errors of foreign stores that say nothing are
/// [`Outcome::Unknown`].
pub fn outcome(error: &Error) -> Outcome {
    match error {
        Error::AlreadyExists { .. }
        | Error::Precondition { .. }
        | Error::NotFound { .. }
        | Error::NotModified { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::InvalidPath { .. }
        | Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::UnknownConfigurationKey { .. } => Outcome::NotDone,
        Error::Generic { source, .. } => {
            let folder = source.downcast_ref::<FolderError>().map(KnowsOutcome::outcome);
            let s3 = source.downcast_ref::<S3Error>().map(KnowsOutcome::outcome);
            folder.or(s3).unwrap_or(Outcome::Unknown)
        }
        _ => Outcome::Unknown,
    }
}
