//! Prometheus remote write 1.0 and 2.0: a body to series with samples of their own time.
//!
//! In the order in which a body is read: [`Version`] says which message it is, [`encoding::snappy_block`](crate::encoding::snappy_block)
//! inflates it, [`decode()`] makes a [`WriteRequest`] of it. What is wrong with one series or one sample is a fault of that one; what is
//! wrong with the body as such is an error.

mod content_type;
mod decode;
mod faults;
mod histogram;
mod known;
mod labels;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

pub use content_type::{Version, VersionError};
pub use decode::{DecodeError, Point, WriteRequest, WriteSeries, decode};
pub use faults::Faults;
pub use histogram::HistogramFault;
pub use known::KnownLabels;
pub use labels::show as show_labels;
