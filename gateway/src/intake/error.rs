//! Why a body was refused.

use access::NoRoom;
use wire::encoding::EncodingError;
use wire::openmetrics::OpenMetricsError;
use wire::protobuf::ProtobufError;
use wire::text::TextError;

use super::check::Inconsistency;
use crate::aggregate::ClearModeError;

/// A body that was refused. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It cannot be inflated.
    #[error(transparent)]
    Encoding(EncodingError),
    /// It is no text format.
    #[error(transparent)]
    Text(TextError),
    /// It is no OpenMetrics.
    #[error(transparent)]
    OpenMetrics(OpenMetricsError),
    /// It is no protobuf.
    #[error(transparent)]
    Protobuf(ProtobufError),
    /// It contradicts itself.
    #[error("pushed metrics are invalid or inconsistent with existing metrics: {}", Faults(.0))]
    Inconsistent(Vec<Inconsistency>),
    /// It says of a sample what nobody knows to do with it.
    #[error(transparent)]
    ClearMode(#[from] ClearModeError),
    /// A sample is of a time to come.
    #[error(
        "a sample of metric {family:?} is {ahead_ms} ms ahead, which exceeds samples_ahead_max_ms = {max_ms}"
    )]
    Ahead {
        /// Of which metric.
        family: String,
        /// How far ahead of the clock.
        ahead_ms: i64,
        /// The limit.
        max_ms: i64,
    },
    /// A sample is older than any may be.
    #[error("a sample of metric {family:?} is of before 1970")]
    Before1970 {
        /// Of which metric.
        family: String,
    },
    /// There is no memory for it.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// It is larger than allowed.
    #[error("{what} is larger than {limit} = {max} bytes")]
    TooLarge {
        /// The body, or the inflated body.
        what: &'static str,
        /// The setting.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// Something in it is more than allowed.
    #[error("{what} exceeds {limit} = {max}")]
    Limit {
        /// What is too much, and where.
        what: String,
        /// The setting.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
}

/// One fault as it is, several with their number and one to a line.
struct Faults<'a>(&'a [Inconsistency]);

impl std::fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [fault] = self.0 {
            return write!(f, "{fault}");
        }
        write!(f, "{} error(s) occurred:", self.0.len())?;
        self.0.iter().try_for_each(|fault| write!(f, "\n* {fault}"))
    }
}
