//! Why a request was not done.

use access::{NoRoom, QuotaError, Refused};
use store::{ReadError, WriteError};

use crate::api::{BatchError, SelectorError};
use crate::intake::IntakeError;
use crate::path::GroupingError;
use crate::scrape::ScrapeError;
use crate::terms::TermsError;

/// A request that was not done. Unless it is a [`GatewayError::Write`], [`GatewayError::MayHaveBeenAdded`] or [`GatewayError::Partly`],
/// nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The path names no group.
    #[error(transparent)]
    Grouping(#[from] GroupingError),
    /// Its headers make no sense.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The body could not be received.
    #[error("body could not be read: {0}")]
    Receive(#[source] axum::Error),
    /// The body did not come in time.
    #[error("the body did not come within {max_ms} ms, which is body_timeout_ms")]
    SlowBody {
        /// The limit.
        max_ms: u64,
    },
    /// The body was refused.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// Too much at once.
    #[error("{max} pushes are being worked on, which is pushes_in_flight_max: try again later")]
    Busy {
        /// The limit.
        max: usize,
    },
    /// The store did not acknowledge the push.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store did not acknowledge what was to be added, and it may be there all the same.
    #[error("{0}; it may have been added: a retry without an Idempotency-Key could count twice")]
    MayHaveBeenAdded(#[source] WriteError),
    /// What is held is stored, and the store did not acknowledge what came with it.
    #[error("{0}; what is held is stored, exemplars and what has a time of its own perhaps not")]
    Partly(#[source] WriteError),
    /// Too many scrapes at once.
    #[error("{max} scrapes are being answered, which is scrapes_at_once_max: try again later")]
    TooManyScrapes {
        /// The limit.
        max: usize,
    },
    /// There is nothing to show.
    #[error("An error has occurred while serving metrics:\n\n{0}")]
    Scrape(#[from] ScrapeError),
    /// The groups cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No groups were selected.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// A batch of which nothing was done.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Whoever asks may not do that.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The tenant has used what it may.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
}

impl GatewayError {
    /// The setting whose value a request exceeds; `None`: it was not done for another reason.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Intake(IntakeError::TooLarge { limit, .. } | IntakeError::Limit { limit, .. }) => {
                Some(limit)
            }
            Self::Intake(IntakeError::NoRoom(_)) => Some(NoRoom::LIMIT),
            Self::Intake(IntakeError::Ahead { .. }) => Some("samples_ahead_max_ms"),
            Self::Terms(TermsError::LongKey { .. }) => Some("idempotency_key_bytes_max"),
            Self::Batch(BatchError::TooMany { .. }) => Some("requests_per_batch_max"),
            Self::Quota(error) => Some(error.limit()),
            Self::SlowBody { .. } => Some("body_timeout_ms"),
            Self::Busy { .. } => Some("pushes_in_flight_max"),
            Self::TooManyScrapes { .. } => Some("scrapes_at_once_max"),
            Self::Scrape(ScrapeError::TooManySeries { .. }) => Some("series_per_scrape_max"),
            _ => None,
        }
    }
}
