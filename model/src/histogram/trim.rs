//! Histograms of a part of the observations: those up to a value, or from a value on.

use super::buckets::{listed, spans};
use super::estimate::middle_of_exponential;
use super::{Bucket, Histogram};

/// Which part of the observations stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// Those up to the value.
    Upper,
    /// Those from the value on.
    Lower,
}

/// What stays of a bucket: how much, and its estimated middle.
struct Rest {
    count: f64,
    middle: f64,
}

impl Histogram {
    /// The same buckets with what lies on one side of a value. Inside of a bucket shares are estimated; the sum is
    /// estimated from the middles of the buckets, unless all stays.
    #[must_use]
    pub fn trimmed(&self, trim: Trim, value: f64) -> Self {
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let mut keep = |bucket: Bucket| {
            let rest = self.rest(&bucket, trim, value);
            // histograms that were subtracted may have less than nothing in a bucket
            changed |= rest.count.abs() < bucket.count.abs();
            if rest.count != 0.0 {
                count += rest.count;
                sum += rest.count * rest.middle;
            }
            rest.count
        };
        let negative: Vec<_> = listed(&self.negative_spans, &self.negative_counts)
            .map(|(index, count)| (index, keep(self.negative(index, count))))
            .collect();
        let mut zero_count = self.zero_count;
        if zero_count != 0.0 && !self.has_custom_bounds() {
            zero_count = keep(Bucket {
                lower: -self.zero_threshold,
                upper: self.zero_threshold,
                lower_inclusive: true,
                upper_inclusive: true,
                count: zero_count,
            });
        }
        let positive: Vec<_> = listed(&self.positive_spans, &self.positive_counts)
            .map(|(index, count)| (index, keep(self.positive(index, count))))
            .collect();
        if !changed {
            return self.clone();
        }
        let (positive_spans, positive_counts) = spans(positive.into_iter());
        let (negative_spans, negative_counts) = spans(negative.into_iter());
        Self {
            zero_count,
            count,
            sum,
            positive_spans,
            negative_spans,
            positive_counts,
            negative_counts,
            ..self.clone()
        }
    }

    fn rest(&self, raw: &Bucket, trim: Trim, value: f64) -> Rest {
        let endless = raw.lower == f64::NEG_INFINITY || raw.upper == f64::INFINITY;
        let bucket = self.narrowed(*raw);
        let all = |bucket: &Bucket| Rest { count: bucket.count, middle: self.middle(bucket) };
        let nothing = Rest { count: 0.0, middle: 0.0 };
        match trim {
            Trim::Upper if value >= raw.upper => all(&bucket),
            Trim::Lower if value <= raw.lower => all(&bucket),
            Trim::Upper if value <= raw.lower => nothing,
            Trim::Lower if value >= raw.upper => nothing,
            _ if endless && bucket.lower != 0.0 => self.rest_of_endless(&bucket, trim, value),
            // below the first bucket nothing is known, so it does not stay whole
            Trim::Lower if endless && value < 0.0 => nothing,
            _ if endless && raw.upper == f64::INFINITY => self.rest_of_endless(&bucket, trim, value),
            Trim::Upper if value <= bucket.lower => nothing,
            Trim::Lower if value >= bucket.upper => nothing,
            Trim::Upper if value >= bucket.upper => all(&bucket),
            Trim::Lower if value <= bucket.lower => all(&bucket),
            _ => {
                let below = self.share_below(&bucket, value);
                let (share, kept) = match trim {
                    Trim::Upper => (below, Bucket { upper: value, ..bucket }),
                    Trim::Lower => (1.0 - below, Bucket { lower: value, ..bucket }),
                };
                let linear = self.is_linear(&bucket);
                let middle =
                    if linear { f64::midpoint(kept.lower, kept.upper) } else { middle_of_exponential(&kept) };
                Rest { count: bucket.count * share, middle }
            }
        }
    }

    /// A bucket without an end is not divided: it stays if the value is on its far side, as if all were at the value.
    fn rest_of_endless(&self, bucket: &Bucket, trim: Trim, value: f64) -> Rest {
        let stays = match trim {
            Trim::Upper => bucket.upper != f64::INFINITY,
            Trim::Lower => bucket.lower != f64::NEG_INFINITY && !self.custom_bounds.is_empty(),
        };
        Rest { count: if stays { bucket.count } else { 0.0 }, middle: value }
    }

    fn middle(&self, bucket: &Bucket) -> f64 {
        if bucket.lower == f64::NEG_INFINITY {
            bucket.upper
        } else if bucket.upper == f64::INFINITY {
            bucket.lower
        } else if self.is_linear(bucket) {
            f64::midpoint(bucket.lower, bucket.upper)
        } else {
            middle_of_exponential(bucket)
        }
    }
}
