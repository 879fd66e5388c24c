//! OTLP metrics: an `ExportMetricsServiceRequest`, in protobuf or JSON, to families under the names that Prometheus gives them.
//!
//! In the order in which a body is read: `protobuf` or `json` make a `message` of it, [`families()`] maps that, by the rules
//! of `names` and `attributes` and by what a `translation` says. What is wrong with one data point is a fault of that one.

mod attributes;
mod exemplars;
mod exponential;
mod json;
mod mapping;
mod message;
mod names;
mod protobuf;
mod translation;

#[cfg(test)]
mod tests;

pub use json::JsonError;
pub use mapping::{Export, Resource, families};
pub use message::Message;
pub use translation::{Promoted, Strategy, Translation};

use crate::Limits;
use crate::fields::FieldError;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// A body of which nothing can be taken.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// It is not this message.
    #[error(transparent)]
    Protobuf(#[from] FieldError),
    /// It is not this message.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is larger than allowed.
    #[error("inflated body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It has more data points, buckets and attributes than allowed.
    #[error("more than {samples_max} metrics, data points, buckets and attributes")]
    TooMany {
        /// The limit.
        samples_max: usize,
    },
}

/// Reads an inflated body. What JSON becomes takes much more than it, so callers have a smaller limit for that.
///
/// # Errors
/// If it is no such message, or if it asks for more than the limits allow.
pub fn decode(format: Format, body: &[u8], limits: &Limits) -> Result<Message, OtlpError> {
    if body.len() > limits.bytes_max {
        return Err(OtlpError::TooLarge { bytes_max: limits.bytes_max });
    }
    match format {
        Format::Protobuf => protobuf::decode(body, limits),
        Format::Json => {
            let message = json::decode(body)?;
            match message.parts() > limits.samples_max {
                true => Err(OtlpError::TooMany { samples_max: limits.samples_max }),
                false => Ok(message),
            }
        }
    }
}
