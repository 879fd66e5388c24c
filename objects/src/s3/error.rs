//! What goes wrong with S3, always with the object's URL and the server's words.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use object_store::Error;
use object_store::path::Path as Location;

use crate::outcome::{KnowsOutcome, Outcome};

pub(super) const NOT_MODIFIED: u16 = 304;
pub(super) const UNAUTHORIZED: u16 = 401;
pub(super) const FORBIDDEN: u16 = 403;
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const CONFLICT: u16 = 409;
pub(super) const PRECONDITION_FAILED: u16 = 412;

/// The bucket itself is missing: not the same as a missing object.
const NO_SUCH_BUCKET: &str = "NoSuchBucket";
/// Codes that say who is asking is not believed.
const UNAUTHENTICATED: &[&str] = &[
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// Codes that say that the bucket is elsewhere.
const WRONG_REGION: &[&str] =
    &["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"];

/// What is wrong with how a store is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mendable {
    /// Who asks is not believed.
    Credentials,
    /// Who asks is believed, and may not do this.
    Permission,
    /// There is no such bucket.
    Bucket,
    /// The bucket is elsewhere.
    Region,
    /// Something answers that does not speak S3.
    NoS3,
    /// Nothing answers.
    Endpoint,
}

/// Why S3 did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The server answered with an error.
    #[error("cannot {action} {url}: {status} {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// What was tried, as a verb.
        action: &'static str,
        /// The object or bucket.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The server's code for the error; empty when it gave none.
        code: String,
        /// The server's words.
        message: String,
    },
    /// There was no answer, or none that could be read.
    #[error("cannot {action} {url}: {}", chain(&**source))]
    NoAnswer {
        /// What was tried, as a verb.
        action: &'static str,
        /// The object or bucket.
        url: String,
        /// Whether the request may have reached the server.
        outcome: Outcome,
        /// Whether something came that could not be read as an answer.
        received: bool,
        /// What the client says.
        #[source]
        source: BoxError,
    },
    /// A conditional put had no answer at first, and then was refused; what is there now is not from this put.
    #[error("cannot tell whether {url} was written: an answer was lost, and another write is there now")]
    Unsettled {
        /// The object.
        url: String,
    },
    /// The answer lacks something that every S3 server sends.
    #[error("cannot {action} {url}: the answer has no valid {what}")]
    BadAnswer {
        /// What was tried, as a verb.
        action: &'static str,
        /// The object or bucket.
        url: String,
        /// What is missing or unreadable.
        what: &'static str,
    },
    /// The requested range is empty or reversed.
    #[error("cannot get {url}: invalid range {range}")]
    Range {
        /// The object.
        url: String,
        /// The range as it was asked for.
        range: String,
    },
    /// A conditional update without the etag that it is conditional on.
    #[error("a conditional update of {url} needs an etag")]
    EtagMissing {
        /// The object.
        url: String,
    },
    /// A part or an end after the end.
    #[error("the upload of {url} is over")]
    UploadOver {
        /// The object.
        url: String,
    },
    /// More parts than an upload can have.
    #[error("the upload of {url} has more than {parts_max} parts")]
    TooManyParts {
        /// The object.
        url: String,
        /// How many an upload can have.
        parts_max: usize,
    },
    /// An attribute that S3 does not keep.
    #[error("S3 keeps no attribute {attribute} with {url}")]
    Attribute {
        /// The object.
        url: String,
        /// The attribute.
        attribute: String,
    },
}

impl S3Error {
    pub(super) fn new<E>(action: &'static str, url: String, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        if let Some(response) = error.raw_response()
            && !response.status().is_success()
        {
            let status = response.status().as_u16();
            let code = error.code().unwrap_or_default().to_string();
            let message = error.message().unwrap_or_default().to_string();
            return Self::Refused { action, url, status, code, message };
        }
        let outcome = match &error {
            SdkError::ConstructionFailure(_) => Outcome::NotDone,
            _ => Outcome::Unknown,
        };
        let received = error.raw_response().is_some();
        Self::NoAnswer { action, url, outcome, received, source: error.into() }
    }

    /// The same error, when some try of the request may have been carried out.
    pub(super) fn into_unknown(self) -> Self {
        let outcome = Outcome::Unknown;
        match self {
            Self::NoAnswer { action, url, received, source, .. } => {
                Self::NoAnswer { action, url, outcome, received, source }
            }
            Self::Refused { action, url, status, code, .. } => {
                let source = format!("{status} {code} after a try without a clear answer").into();
                Self::NoAnswer { action, url, outcome, received: true, source }
            }
            other => other,
        }
    }

    /// The same error, when the object cannot have been written whatever became of this request.
    pub(super) fn into_not_done(self) -> Self {
        let outcome = Outcome::NotDone;
        match self {
            Self::NoAnswer { action, url, received, source, .. } => {
                Self::NoAnswer { action, url, outcome, received, source }
            }
            Self::Refused { action, ref url, status: 500.., .. } => {
                let (url, source) = (url.clone(), self.to_string().into());
                Self::NoAnswer { action, url, outcome, received: true, source }
            }
            other => other,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(super) fn is_no_such_bucket(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == NO_SUCH_BUCKET)
    }

    /// What whoever set the store up can mend, where the error shows it.
    pub(crate) fn mendable(&self) -> Option<Mendable> {
        Some(match self {
            _ if self.is_unauthenticated() => Mendable::Credentials,
            _ if self.is_no_such_bucket() => Mendable::Bucket,
            Self::Refused { code, .. } if WRONG_REGION.contains(&code.as_str()) => Mendable::Region,
            Self::Refused { status: FORBIDDEN, code, .. } if !code.is_empty() => Mendable::Permission,
            // S3 gives every error a code; where there is no body to say it in, nobody asks what to mend
            Self::Refused { status: ..500, code, .. } if code.is_empty() => Mendable::NoS3,
            Self::NoAnswer { received: true, .. } | Self::BadAnswer { .. } => Mendable::NoS3,
            Self::NoAnswer { received: false, .. } => Mendable::Endpoint,
            _ => return None,
        })
    }

    fn is_unauthenticated(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                *status == UNAUTHORIZED || UNAUTHENTICATED.contains(&code.as_str())
            }
            Self::NoAnswer { source, .. } => causes(&**source).any(<dyn StdError>::is::<CredentialsError>),
            _ => false,
        }
    }

    /// The same error in the words of the trait.
    pub(super) fn into_store(self, location: &Location) -> Error {
        let path = location.to_string();
        if self.is_unauthenticated() {
            return Error::Unauthenticated { path, source: self.into() };
        }
        match self.status() {
            Some(NOT_FOUND) if !self.is_no_such_bucket() => Error::NotFound { path, source: self.into() },
            Some(FORBIDDEN) => Error::PermissionDenied { path, source: self.into() },
            Some(NOT_MODIFIED) => Error::NotModified { path, source: self.into() },
            Some(PRECONDITION_FAILED) => Error::Precondition { path, source: self.into() },
            _ if matches!(self, Self::Attribute { .. }) => Error::NotSupported { source: self.into() },
            _ => Error::Generic { store: super::STORE, source: self.into() },
        }
    }
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// An error with all its causes, which the SDK's errors leave out of their texts.
fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl KnowsOutcome for S3Error {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Refused { status, .. } if *status >= 500 => Outcome::Unknown,
            Self::NoAnswer { outcome, .. } => *outcome,
            Self::Unsettled { .. } | Self::BadAnswer { .. } => Outcome::Unknown,
            _ => Outcome::NotDone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome;

    fn check(error: S3Error, expected: fn(&Error) -> bool, expected_outcome: Outcome) {
        let error = error.into_store(&Location::from("a"));
        assert!(expected(&error), "{error:?}");
        assert_eq!(outcome(&error), expected_outcome, "{error}");
    }

    fn refused(status: u16, code: &str) -> S3Error {
        let (url, code) = ("s3://b/a".into(), code.into());
        S3Error::Refused { action: "put", url, status, code, message: String::new() }
    }

    #[test]
    fn errors_of_the_trait() {
        let not_done = Outcome::NotDone;
        check(refused(404, "NoSuchKey"), |error| matches!(error, Error::NotFound { .. }), not_done);
        check(refused(404, "NoSuchBucket"), |error| matches!(error, Error::Generic { .. }), not_done);
        check(
            refused(403, "AccessDenied"),
            |error| matches!(error, Error::PermissionDenied { .. }),
            not_done,
        );
        check(refused(400, "ExpiredToken"), |error| matches!(error, Error::Unauthenticated { .. }), not_done);
        check(refused(304, ""), |error| matches!(error, Error::NotModified { .. }), not_done);
        check(refused(412, ""), |error| matches!(error, Error::Precondition { .. }), not_done);
        check(refused(400, "EntityTooLarge"), |error| matches!(error, Error::Generic { .. }), not_done);
        check(refused(503, "SlowDown"), |error| matches!(error, Error::Generic { .. }), Outcome::Unknown);
        check(
            refused(403, "AccessDenied").into_unknown(),
            |error| matches!(error, Error::Generic { .. }),
            Outcome::Unknown,
        );
    }

    #[test]
    fn missing_credentials_are_unauthenticated() {
        let source = CredentialsError::not_loaded("no providers in the chain").into();
        let url = "s3://b/a".into();
        let error =
            S3Error::NoAnswer { action: "put", url, outcome: Outcome::Unknown, received: false, source };
        check(error, |error| matches!(error, Error::Unauthenticated { .. }), Outcome::NotDone);
    }
}
