//! What a histogram tells about the observations in it: quantiles, fractions, deviation.

use super::{Bucket, Histogram};
use crate::Compensated;

/// What observations that are no numbers do to an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Skew {
    /// There are none.
    #[default]
    None,
    /// They count as larger than everything.
    Higher,
    /// The result is one of them.
    Nan,
}

impl Histogram {
    /// Whether there are observations of NaN: they are counted, but in no bucket.
    pub fn has_nan_observations(&self) -> bool {
        self.sum.is_nan() && self.buckets().iter().map(|bucket| bucket.count).sum::<f64>() < self.count
    }

    /// A zero bucket is one-sided if all other buckets lie on one side; the first custom bucket begins at zero if its
    /// end is positive.
    pub(super) fn narrowed(&self, mut bucket: Bucket) -> Bucket {
        if self.has_custom_bounds() {
            if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            match (self.negative_counts.is_empty(), self.positive_counts.is_empty()) {
                (true, false) => bucket.lower = 0.0,
                (false, true) => bucket.upper = 0.0,
                _ => {}
            }
        }
        bucket
    }

    /// Whether values are taken as evenly spread inside of a bucket.
    pub(super) fn is_linear(&self, bucket: &Bucket) -> bool {
        self.has_custom_bounds() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The share of a bucket that lies below a value inside of it.
    pub(super) fn share_below(&self, bucket: &Bucket, value: f64) -> f64 {
        if self.is_linear(bucket) {
            return (value - bucket.lower) / (bucket.upper - bucket.lower);
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        (value.abs().log2() - lower) / (upper - lower)
    }

    /// An estimate of the φ-quantile.
    pub fn quantile(&self, phi: f64) -> (f64, Skew) {
        if phi < 0.0 {
            return (f64::NEG_INFINITY, Skew::None);
        }
        if phi > 1.0 {
            return (f64::INFINITY, Skew::None);
        }
        if self.count == 0.0 || phi.is_nan() {
            return (f64::NAN, Skew::None);
        }
        // from the top, counts that are large lose less of a small remainder; NaN would stand there
        let upwards = self.sum.is_nan() || phi < 0.5;
        let mut rank = if upwards { phi * self.count } else { (1.0 - phi) * self.count };
        let mut buckets = self.buckets();
        if !upwards {
            buckets.reverse();
        }
        // without any bucket, as after a division by zero, this one stands for all
        let mut found =
            Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };
        let mut count = 0.0;
        for bucket in buckets {
            found = bucket;
            count += bucket.count;
            if bucket.count != 0.0 && count >= rank {
                break;
            }
        }
        let bucket = self.narrowed(found);
        // before the rank is looked at: where counts are negative it may lie beyond all buckets
        if self.has_custom_bounds() {
            if bucket.lower == f64::NEG_INFINITY {
                return (bucket.upper, Skew::None);
            }
            if bucket.upper == f64::INFINITY {
                return (bucket.lower, Skew::None);
            }
        }
        count = count.min(self.count);
        if count < rank {
            return if self.sum.is_nan() { (f64::NAN, Skew::Nan) } else { (bucket.upper, Skew::None) };
        }
        let skew = if self.has_nan_observations() { Skew::Higher } else { Skew::None };
        rank = if upwards { rank - (count - bucket.count) } else { count - rank };
        let share = rank / bucket.count;
        (self.value_at(&bucket, share), skew)
    }

    fn value_at(&self, bucket: &Bucket, share: f64) -> f64 {
        if self.is_linear(bucket) {
            return bucket.lower + (bucket.upper - bucket.lower) * share;
        }
        let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
        let magnitude = (lower + (upper - lower) * share).exp2();
        if bucket.lower > 0.0 { magnitude } else { -magnitude }
    }

    /// An estimate of the share of observations between two values.
    pub fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        let (mut rank, mut lower_rank, mut upper_rank) = (0.0, None, None);
        for bucket in self.buckets() {
            let bucket = self.narrowed(bucket);
            for (value, found) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if found.is_some() {
                    continue;
                }
                if bucket.lower >= value {
                    *found = Some(rank);
                } else if bucket.upper > value {
                    *found = Some(if bucket.lower == f64::NEG_INFINITY {
                        bucket.count
                    } else if bucket.upper == f64::INFINITY {
                        rank
                    } else {
                        rank + bucket.count * self.share_below(&bucket, value)
                    });
                }
            }
            rank += bucket.count;
        }
        let all = if self.has_nan_observations() { rank } else { self.count };
        let settle = |found: Option<f64>| found.filter(|found| *found <= self.count).unwrap_or(all);
        (settle(upper_rank) - settle(lower_rank)) / self.count
    }

    /// An estimate of the mean square of the distances from the mean.
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut squares = Compensated::default();
        for bucket in self.buckets() {
            let value = if self.has_custom_bounds() {
                f64::midpoint(bucket.upper, bucket.lower)
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                middle_of_exponential(&bucket)
            };
            let distance = value - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.value() / self.count
    }
}

/// The geometric mean of the bounds.
pub(super) fn middle_of_exponential(bucket: &Bucket) -> f64 {
    let magnitude = (bucket.upper * bucket.lower).sqrt();
    if bucket.upper < 0.0 { -magnitude } else { magnitude }
}
