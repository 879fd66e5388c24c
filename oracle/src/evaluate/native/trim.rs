//! `</` and `>/`: observations above or below a value are taken away.

use super::{Bucket, Native};

/// Which observations go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Above,
    Below,
}

impl Native {
    pub(crate) fn trimmed(&self, cut: Cut, at: f64) -> Self {
        let mut trimmed = Self { hint: self.hint, ..self.clone() };
        trimmed.positive.clear();
        trimmed.negative.clear();
        (trimmed.zero, trimmed.count, trimmed.sum) = (0.0, 0.0, 0.0);
        let (mut all_stay, mut sum) = (true, 0.0);
        let mut keep = |bucket: Bucket, custom: bool| {
            let from_nowhere = custom && bucket.lower == f64::NEG_INFINITY;
            let without_ends = bucket.lower == f64::NEG_INFINITY && bucket.upper == f64::INFINITY;
            let begins_at_zero = from_nowhere && bucket.upper > 0.0 && bucket.upper < f64::INFINITY;
            let bucket = if begins_at_zero { Bucket { lower: 0.0, ..bucket } } else { bucket };
            let (kept, lower, upper) = match cut {
                _ if without_ends && at.is_finite() => (0.0, bucket.lower, bucket.upper),
                // of what is below the lowest bound nothing is known
                Cut::Below if from_nowhere && at < 0.0 && at.is_finite() => (0.0, bucket.lower, bucket.upper),
                Cut::Above => (share_below(&bucket, at, custom), bucket.lower, bucket.upper.min(at)),
                Cut::Below => (1.0 - share_below(&bucket, at, custom), bucket.lower.max(at), bucket.upper),
            };
            all_stay &= kept >= 1.0;
            let count = bucket.count * kept;
            if count != 0.0 {
                sum += count * middle(lower, upper, custom || bucket.is_zero);
            }
            count
        };
        let custom = self.is_custom();
        for (index, count) in &self.negative {
            let count = keep(self.negative_bucket((index, count)), custom);
            trimmed.negative.insert(*index, count);
        }
        if self.zero != 0.0 {
            trimmed.zero = keep(self.zero_bucket(), custom);
        }
        for (index, count) in &self.positive {
            let count = keep(self.positive_bucket((index, count)), custom);
            trimmed.positive.insert(*index, count);
        }
        if all_stay {
            return self.clone();
        }
        trimmed.forget_empty();
        let sides = trimmed.positive.values().chain(trimmed.negative.values());
        trimmed.count = trimmed.zero + sides.sum::<f64>();
        trimmed.sum = sum;
        trimmed
    }
}

/// The share of a bucket that lies below a value. What is in a bucket without an end is there, at infinity.
fn share_below(bucket: &Bucket, at: f64, custom: bool) -> f64 {
    if bucket.upper <= at {
        return 1.0;
    }
    if bucket.lower >= at && !(bucket.lower == f64::NEG_INFINITY && at == f64::NEG_INFINITY) {
        return 0.0;
    }
    if at == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return 0.0;
    }
    if bucket.lower == f64::NEG_INFINITY {
        return 1.0;
    }
    if custom || bucket.is_zero {
        return (at - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let [lower, upper, at] = [bucket.lower, bucket.upper, at].map(|bound| bound.abs().log2());
    (at - lower) / (upper - lower)
}

/// Where observations between two values are taken to be.
fn middle(lower: f64, upper: f64, linear: bool) -> f64 {
    if lower == f64::NEG_INFINITY {
        upper
    } else if upper == f64::INFINITY {
        lower
    } else if linear {
        (lower + upper) / 2.0
    } else {
        (lower * upper).sqrt().copysign(lower)
    }
}
