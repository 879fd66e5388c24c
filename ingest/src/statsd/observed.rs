//! Observations to a native histogram. It needs no bounds that somebody would have to choose: a packet says neither the unit of a
//! value nor how large values become.

use std::collections::BTreeMap;

use model::{CounterReset, Histogram, Span};

/// Each bucket is 2^(1/8) times as wide as the one before: no quantile is off by more than 5 %.
const SCHEMA: i8 = 3;
const SCHEMA_MIN: i8 = -4;
/// Buckets, beyond which they are made wider.
const BUCKETS_MAX: usize = 160;
/// What is no further from zero is zero: 2^-128, as in Prometheus' own client.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// What was observed since the last flush.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Observed {
    schema: i8,
    zero_count: f64,
    count: f64,
    sum: f64,
    /// Counts by the index of their bucket.
    positive: BTreeMap<i32, f64>,
    negative: BTreeMap<i32, f64>,
}

impl Default for Observed {
    fn default() -> Self {
        let (positive, negative) = (BTreeMap::new(), BTreeMap::new());
        Self { schema: SCHEMA, zero_count: 0.0, count: 0.0, sum: 0.0, positive, negative }
    }
}

impl Observed {
    /// Adds a value that stands for `weight` of its like.
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        self.count += weight;
        self.sum += value * weight;
        if value.abs() <= ZERO_THRESHOLD {
            self.zero_count += weight;
            return;
        }
        let index = index(value.abs(), self.schema);
        let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
        *side.entry(index).or_default() += weight;
        while self.positive.len() + self.negative.len() > BUCKETS_MAX && self.schema > SCHEMA_MIN {
            self.coarsen();
        }
    }

    /// Two buckets become one.
    fn coarsen(&mut self) {
        self.schema -= 1;
        for side in [&mut self.positive, &mut self.negative] {
            let mut coarser = BTreeMap::new();
            for (index, count) in std::mem::take(side) {
                *coarser.entry((index + 1) >> 1).or_default() += count;
            }
            *side = coarser;
        }
    }

    pub(super) fn histogram(&self) -> Histogram {
        let ((positive_spans, positive_counts), (negative_spans, negative_counts)) =
            (spans(&self.positive), spans(&self.negative));
        Histogram {
            schema: self.schema,
            zero_threshold: ZERO_THRESHOLD,
            zero_count: self.zero_count,
            count: self.count,
            sum: self.sum,
            positive_spans,
            negative_spans,
            positive_counts,
            negative_counts,
            custom_bounds: Vec::new(),
            counter_reset: CounterReset::Unknown,
        }
    }
}

/// The bucket of a value above zero: it ends at 2^(index / 2^schema).
#[expect(clippy::cast_possible_truncation, reason = "a float has an exponent of eleven bits")]
fn index(value: f64, schema: i8) -> i32 {
    (value.log2() * f64::from(schema).exp2()).ceil() as i32
}

fn spans(side: &BTreeMap<i32, f64>) -> (Vec<Span>, Vec<f64>) {
    let (mut spans, mut end): (Vec<Span>, i32) = (Vec::new(), 0);
    for &index in side.keys() {
        match spans.last_mut() {
            Some(span) if index == end => span.length += 1,
            _ => spans.push(Span { offset: index - end, length: 1 }),
        }
        end = index + 1;
    }
    (spans, side.values().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_in_their_buckets() {
        for value in [1e-30, 0.3, 0.999, 1.0, 1.0001, 2.0, 7.5, 1024.0, 1e30, f64::MAX] {
            let mut observed = Observed::default();
            observed.add(value, 2.0);
            let buckets = observed.histogram().buckets();
            let [bucket] = &buckets[..] else { panic!("{buckets:?}") };
            assert!(bucket.lower < value && value <= bucket.upper, "{value}: {bucket:?}");
            assert_eq!(bucket.count, 2.0);
            let mut negative = Observed::default();
            negative.add(-value, 2.0);
            assert_eq!(negative.histogram().negative_spans, observed.histogram().positive_spans);
        }
    }

    #[test]
    fn many_buckets_become_fewer() {
        let mut observed = Observed::default();
        let values: Vec<f64> = (0..2_000).map(|step| 1.01_f64.powi(step) / 1e3).collect();
        values.iter().for_each(|value| observed.add(*value, 1.0));
        observed.add(0.0, 0.5);
        let histogram = observed.histogram();
        assert!(histogram.schema < SCHEMA && histogram.positive_counts.len() <= BUCKETS_MAX);
        assert_eq!((histogram.count, histogram.zero_count), (2_000.5, 0.5));
        for bucket in histogram.buckets().iter().filter(|bucket| bucket.lower > 0.0) {
            let inside = |value: &&f64| bucket.lower < **value && **value <= bucket.upper;
            assert_eq!(values.iter().filter(inside).count() as f64, bucket.count, "{bucket:?}");
        }
    }
}
