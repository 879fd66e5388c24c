//! Why a request was not done.

use access::{NoRoom, QuotaError, Refused};
use store::WriteError;
use wire::encoding::EncodingError;
use wire::influx::InfluxError;
use wire::otlp::OtlpError;
use wire::remote_write::{DecodeError, VersionError};

/// A request of which nothing was stored, unless it is an [`IngestError::Write`].
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The body is of another kind.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The body is compressed in another way.
    #[error("{0} encoding (compression) is not accepted by this server; only snappy is acceptable")]
    Compression(String),
    /// No kind of body that OTLP has.
    #[error("unsupported content type: {0}, supported: [application/json, application/x-protobuf]")]
    OtlpType(String),
    /// No compression that is taken from senders of OTLP.
    #[error("unsupported compression: {0}. Only \"gzip\" or no compression supported")]
    OtlpCompression(String),
    /// The body is no such message.
    #[error(transparent)]
    Otlp(OtlpError),
    /// It asks for more than is allowed.
    #[error("{0}, which is samples_per_request_max")]
    OtlpTooMany(OtlpError),
    /// No unit of time that Influx line protocol has.
    #[error("invalid precision {0:?} (use n, u, ms, s, m or h)")]
    Precision(String),
    /// No compression that is taken from senders of lines.
    #[error("unsupported compression: {0}. Only \"gzip\" or no compression supported")]
    InfluxCompression(String),
    /// It asks for more than is allowed.
    #[error("{0}, which is samples_per_request_max")]
    InfluxTooMany(InfluxError),
    /// Queries are asked elsewhere, and in another language.
    #[error("queries are asked in PromQL: of InfluxQL only CREATE DATABASE and SHOW DATABASES are answered")]
    InfluxQuery,
    /// Too much at once.
    #[error("{max} writes are being worked on, which is writes_in_flight_max: try again later")]
    Busy {
        /// The limit.
        max: usize,
    },
    /// Too much at once, in bytes.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The body could not be received.
    #[error("body could not be read: {0}")]
    Receive(#[source] axum::Error),
    /// The body did not come in time.
    #[error("the body did not come within {max_ms} ms, which is body_timeout_ms")]
    SlowBody {
        /// The limit.
        max_ms: u64,
    },
    /// The body is larger than allowed.
    #[error("body is larger than {max} bytes, which is body_bytes_max")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// The body cannot be inflated.
    #[error(transparent)]
    Inflate(EncodingError),
    /// The body becomes larger than allowed.
    #[error("{0}, which is inflated_body_bytes_max")]
    InflatesTooFar(String),
    /// The body is JSON that is larger than allowed.
    #[error(
        "inflated body of JSON is larger than {max} bytes, which is otlp_json_bytes_max: protobuf may be larger"
    )]
    OtlpJsonTooLarge {
        /// The limit.
        max: usize,
    },
    /// The body is no such message.
    #[error(transparent)]
    Decode(DecodeError),
    /// It asks for more than is allowed.
    #[error("{0}, which is samples_per_request_max")]
    TooMany(DecodeError),
    /// The store did not acknowledge it.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Whoever sends may not write that.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The tenant has used what it may.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The process is going down.
    #[error("interrupted: the process is shutting down")]
    Interrupted,
}

impl IngestError {
    /// The setting whose value a request exceeds; `None`: it was not done for another reason.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge { .. } => Some("body_bytes_max"),
            Self::InflatesTooFar(_) => Some("inflated_body_bytes_max"),
            Self::OtlpJsonTooLarge { .. } => Some("otlp_json_bytes_max"),
            Self::TooMany(_) | Self::OtlpTooMany(_) | Self::InfluxTooMany(_) => {
                Some("samples_per_request_max")
            }
            Self::Quota(error) => Some(error.limit()),
            Self::SlowBody { .. } => Some("body_timeout_ms"),
            Self::Busy { .. } => Some("writes_in_flight_max"),
            Self::NoRoom(_) => Some(NoRoom::LIMIT),
            _ => None,
        }
    }
}

impl From<EncodingError> for IngestError {
    fn from(error: EncodingError) -> Self {
        match error {
            EncodingError::TooLarge { .. } => Self::InflatesTooFar(error.to_string()),
            _ => Self::Inflate(error),
        }
    }
}

impl From<DecodeError> for IngestError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLarge { .. } | DecodeError::LabelsTooLarge { .. } => {
                Self::InflatesTooFar(error.to_string())
            }
            DecodeError::TooMany { .. } => Self::TooMany(error),
            DecodeError::Message(_) => Self::Decode(error),
        }
    }
}

impl From<OtlpError> for IngestError {
    fn from(error: OtlpError) -> Self {
        match error {
            OtlpError::TooLarge { .. } => Self::InflatesTooFar(error.to_string()),
            OtlpError::TooMany { .. } => Self::OtlpTooMany(error),
            OtlpError::Protobuf(_) | OtlpError::Json(_) => Self::Otlp(error),
        }
    }
}

impl From<InfluxError> for IngestError {
    fn from(error: InfluxError) -> Self {
        match error {
            InfluxError::TooLarge { .. } => Self::InflatesTooFar(error.to_string()),
            InfluxError::TooMany { .. } => Self::InfluxTooMany(error),
        }
    }
}
