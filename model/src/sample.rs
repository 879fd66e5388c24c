//! What one sample holds.

use std::sync::Arc;

use crate::Histogram;

/// The bits of the NaN with which Prometheus marks that a series has ended.
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// The stale marker as a value.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN)
}

/// Whether `value` is the stale marker, and not some other NaN.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}

/// The value of one sample: a float, or a native histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A plain number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}
