//! The delimited protobuf exposition: `io.prometheus.client.MetricFamily` messages.

mod decode;
mod encode;
mod error;
mod messages;
pub(crate) mod native;

#[cfg(test)]
mod tests;

pub use decode::{METRIC_BYTES_MAX, parse};
pub use encode::write;
pub use error::{NativeFault, ProtobufError};
