//! What a decoder may be asked to hold.

/// The limits of one decoded body. Each is enforced while decoding, so that a small body cannot ask for much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body, after it was inflated.
    pub bytes_max: usize,
    /// Samples of the body. A bucket and a quantile count as one each, those of native histograms included.
    pub samples_max: usize,
    /// Labels of one sample.
    pub labels_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, samples_max: 1_000_000, labels_max: 128 }
    }
}
