//! Quantiles, shares and spreads.

use super::{Bucket, Native};

impl Bucket {
    /// The share of its observations that lie below a value inside of it.
    fn share_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, value] = [self.lower, self.upper, value].map(|bound| bound.abs().log2());
        (value - lower) / (upper - lower)
    }

    /// The value below which a share of its observations lies.
    fn value_at(&self, share: f64, linear: bool) -> f64 {
        if linear {
            return self.lower + (self.upper - self.lower) * share;
        }
        let [lower, upper] = [self.lower, self.upper].map(|bound| bound.abs().log2());
        (lower + (upper - lower) * share).exp2().copysign(self.lower + self.upper)
    }
}

impl Native {
    fn is_linear(&self, bucket: &Bucket) -> bool {
        self.is_custom() || bucket.is_zero
    }

    pub(crate) fn quantile(&self, phi: f64) -> f64 {
        if phi < 0.0 {
            return f64::NEG_INFINITY;
        }
        if phi > 1.0 {
            return f64::INFINITY;
        }
        let buckets = self.buckets();
        if phi.is_nan() || self.count == 0.0 {
            return f64::NAN;
        }
        // from the middle on it is counted from the top
        let from_top = phi >= 0.5 && !self.sum.is_nan();
        let rank = if from_top { (1.0 - phi) * self.count } else { phi * self.count };
        let order: Vec<&Bucket> =
            if from_top { buckets.iter().rev().collect() } else { buckets.iter().collect() };
        let nowhere = Bucket { lower: 0.0, upper: 0.0, count: 0.0, is_zero: false };
        let (mut bucket, mut upto) = (&nowhere, 0.0);
        for next in order {
            bucket = next;
            upto += bucket.count;
            if upto >= rank {
                break;
            }
        }
        if self.is_custom() && bucket.lower == f64::NEG_INFINITY {
            return bucket.upper;
        }
        if self.is_custom() && bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
        let upto = upto.min(self.count);
        if upto < rank {
            return if self.sum.is_nan() { f64::NAN } else { bucket.upper };
        }
        let share = if from_top { upto - rank } else { rank - (upto - bucket.count) } / bucket.count;
        bucket.value_at(share, self.is_linear(bucket))
    }

    pub(crate) fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        (self.below(upper).min(self.count) - self.below(lower).min(self.count)) / self.count
    }

    /// How many observations lie below a value.
    fn below(&self, value: f64) -> f64 {
        let mut below = 0.0;
        for bucket in self.buckets() {
            if bucket.lower >= value {
                return below;
            }
            if bucket.upper == f64::INFINITY && value < f64::INFINITY {
                return below;
            }
            if bucket.upper > value {
                return below + bucket.count * bucket.share_below(value, self.is_linear(&bucket));
            }
            below += bucket.count;
        }
        self.count
    }

    /// The mean square of the distances from the mean, as if all observations were in the middle of their buckets.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut middles: Vec<(f64, f64)> = Vec::new();
        for bucket in self.negative.iter().map(|bucket| self.negative_bucket(bucket)) {
            middles.push((-(bucket.lower * bucket.upper).sqrt(), bucket.count));
        }
        if self.zero > 0.0 {
            middles.push((0.0, self.zero));
        }
        for bucket in self.positive.iter().map(|bucket| self.positive_bucket(bucket)) {
            let middle = match self.is_custom() {
                true => (bucket.lower + bucket.upper) / 2.0,
                false => (bucket.lower * bucket.upper).sqrt(),
            };
            middles.push((middle, bucket.count));
        }
        let squares = middles.iter().map(|(middle, count)| count * (middle - mean) * (middle - mean));
        squares.sum::<f64>() / self.count
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum / self.count
    }
}
