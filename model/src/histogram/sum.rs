//! Sums of native histograms.

use std::collections::BTreeMap;

use super::bounds;
use super::buckets::{self, CUSTOM, Side, coarser, listed};
use super::{CounterReset, Histogram, Span};
use crate::Compensated;

/// Exponential buckets cannot be added to buckets with bounds of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("histograms with exponential and with custom buckets cannot be combined")]
pub struct IncompatibleBuckets;

/// What deserves a remark when histograms are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SumRemarks {
    /// One is known to start anew, the other to continue.
    pub resets_conflict: bool,
    /// Their custom bounds differ; only the common ones are left.
    pub bounds_reconciled: bool,
}

impl SumRemarks {
    /// The remarks of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            resets_conflict: self.resets_conflict || other.resets_conflict,
            bounds_reconciled: self.bounds_reconciled || other.bounds_reconciled,
        }
    }
}

/// A sum of histograms, compensated like a sum of floats. The lower resolution wins.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSum {
    schema: i8,
    zero_threshold: f64,
    zero_count: Compensated,
    count: Compensated,
    sum: Compensated,
    positive: Side,
    negative: Side,
    custom_bounds: Vec<f64>,
    counter_reset: CounterReset,
    /// Whether a term is known to start anew, and whether one is known to continue.
    seen: (bool, bool),
}

impl HistogramSum {
    /// A sum that begins with a histogram.
    pub fn of(first: &Histogram) -> Self {
        Self::signed(first, 1.0)
    }

    fn signed(histogram: &Histogram, sign: f64) -> Self {
        let side = |spans, counts| {
            listed(spans, counts).map(|(index, count)| (index, Compensated::of(sign * count))).collect()
        };
        Self {
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero_count: Compensated::of(sign * histogram.zero_count),
            count: Compensated::of(sign * histogram.count),
            sum: Compensated::of(sign * histogram.sum),
            positive: side(&histogram.positive_spans, &histogram.positive_counts),
            negative: side(&histogram.negative_spans, &histogram.negative_counts),
            custom_bounds: histogram.custom_bounds.clone(),
            counter_reset: histogram.counter_reset,
            seen: (
                histogram.counter_reset == CounterReset::Reset,
                histogram.counter_reset == CounterReset::NotReset,
            ),
        }
    }

    /// The sums, and what they have lost. Besides, the one after [`HistogramSum::from_parts`] does not know whether terms are
    /// known to start anew.
    pub fn parts(&self) -> (Histogram, Histogram) {
        let of = |part: fn(&Compensated) -> f64| {
            let side = |side: &Side| {
                let parts: Vec<_> = side.iter().map(|(index, sum)| (*index, part(sum))).collect();
                buckets::spans(parts.into_iter())
            };
            let (positive_spans, positive_counts) = side(&self.positive);
            let (negative_spans, negative_counts) = side(&self.negative);
            Histogram {
                schema: self.schema,
                zero_threshold: self.zero_threshold,
                zero_count: part(&self.zero_count),
                count: part(&self.count),
                sum: part(&self.sum),
                positive_spans,
                negative_spans,
                positive_counts,
                negative_counts,
                custom_bounds: self.custom_bounds.clone(),
                counter_reset: self.counter_reset,
            }
        };
        (of(|sum| sum.parts().0), of(|sum| sum.parts().1))
    }

    /// What [`HistogramSum::parts`] took apart.
    pub fn from_parts(sums: &Histogram, lost: &Histogram) -> Self {
        let join = |sum, lost| Compensated::from_parts(sum, lost);
        let side = |sums: (&[Span], &[f64]), lost: (&[Span], &[f64])| {
            let mut side: BTreeMap<i32, Compensated> =
                listed(sums.0, sums.1).map(|(index, sum)| (index, join(sum, 0.0))).collect();
            for (index, lost) in listed(lost.0, lost.1) {
                let sum = side.get(&index).map_or(0.0, |sum| sum.parts().0);
                side.insert(index, join(sum, lost));
            }
            side.into_iter().collect()
        };
        Self {
            zero_count: join(sums.zero_count, lost.zero_count),
            count: join(sums.count, lost.count),
            sum: join(sums.sum, lost.sum),
            positive: side(
                (&sums.positive_spans, &sums.positive_counts),
                (&lost.positive_spans, &lost.positive_counts),
            ),
            negative: side(
                (&sums.negative_spans, &sums.negative_counts),
                (&lost.negative_spans, &lost.negative_counts),
            ),
            ..Self::of(sums)
        }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// If the buckets cannot be brought together; then the sum stays as it is.
    pub fn add(&mut self, term: &Histogram) -> Result<SumRemarks, IncompatibleBuckets> {
        self.combine(Self::signed(term, 1.0))
    }

    /// Subtracts a histogram.
    ///
    /// # Errors
    /// If the buckets cannot be brought together; then the sum stays as it is.
    pub fn subtract(&mut self, term: &Histogram) -> Result<SumRemarks, IncompatibleBuckets> {
        self.combine(Self::signed(term, -1.0))
    }

    fn combine(&mut self, mut term: Self) -> Result<SumRemarks, IncompatibleBuckets> {
        if (self.schema == CUSTOM) != (term.schema == CUSTOM) {
            return Err(IncompatibleBuckets);
        }
        let mut remarks =
            SumRemarks { resets_conflict: self.join_reset(term.counter_reset), ..SumRemarks::default() };
        if self.schema == CUSTOM {
            remarks.bounds_reconciled = self.join_custom_bounds(&mut term);
        } else {
            self.join_zero_buckets(&mut term);
            let schema = self.schema.min(term.schema);
            self.reduce_to(schema);
            term.reduce_to(schema);
        }
        self.zero_count.add_sum(term.zero_count);
        self.count.add_sum(term.count);
        self.sum.add_sum(term.sum);
        add_side(&mut self.positive, &term.positive);
        add_side(&mut self.negative, &term.negative);
        Ok(remarks)
    }

    /// Every term times `by`.
    pub fn scale(&mut self, by: f64) {
        self.each(|part| *part = part.scaled(by));
        if by < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
    }

    /// Every term divided by `by`; dividing by zero leaves no buckets.
    pub fn divide(&mut self, by: f64) {
        self.each(|part| *part = part.divided(by));
        if by == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        if by < 0.0 {
            self.counter_reset = CounterReset::Gauge;
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Compensated)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive.iter_mut().chain(&mut self.negative).for_each(|(_, part)| change(part));
    }

    /// Whether a part has left the range of floats.
    pub(super) fn overflows(&self) -> bool {
        let parts = [&self.zero_count, &self.count, &self.sum].into_iter();
        let sides = self.positive.iter().chain(&self.negative).map(|(_, part)| part);
        parts.chain(sides).any(Compensated::is_infinite)
    }

    /// From now on this is a gauge.
    pub fn set_gauge(&mut self) {
        self.counter_reset = CounterReset::Gauge;
    }

    /// What the terms come to, without empty buckets.
    pub fn value(&self) -> Histogram {
        let values = |side: &Side| {
            buckets::spans(
                side.iter().map(|(index, part)| (*index, part.value())).collect::<Vec<_>>().into_iter(),
            )
        };
        let (positive_spans, positive_counts) = values(&self.positive);
        let (negative_spans, negative_counts) = values(&self.negative);
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: self.zero_count.value(),
            count: self.count.value(),
            sum: self.sum.value(),
            positive_spans,
            negative_spans,
            positive_counts,
            negative_counts,
            custom_bounds: self.custom_bounds.clone(),
            counter_reset: self.counter_reset,
        }
    }

    /// A gauge makes a gauge, the unknown stays unknown; true if one term starts anew and another continues.
    fn join_reset(&mut self, other: CounterReset) -> bool {
        use CounterReset::{Gauge, Unknown};
        self.counter_reset = match (self.counter_reset, other) {
            (a, b) if a == b => a,
            (Gauge, _) | (_, Gauge) => Gauge,
            _ => Unknown,
        };
        self.seen.0 |= other == CounterReset::Reset;
        self.seen.1 |= other == CounterReset::NotReset;
        self.seen.0 && self.seen.1
    }

    /// Brings both to the bounds that they share; true if that changes one.
    #[expect(clippy::float_cmp, reason = "bounds are the same or they are not")]
    pub(super) fn join_custom_bounds(&mut self, other: &mut Self) -> bool {
        if self.custom_bounds == other.custom_bounds {
            return false;
        }
        let in_other = |bound: &&f64| other.custom_bounds.iter().any(|known| known == *bound);
        let shared: Vec<f64> = self.custom_bounds.iter().filter(in_other).copied().collect();
        for histogram in [self, other] {
            histogram.positive = merged(histogram.positive.iter().map(|&(index, part)| {
                let bound = usize::try_from(index).ok().and_then(|index| histogram.custom_bounds.get(index));
                let place = bound.map_or(shared.len(), |bound| shared.partition_point(|known| known < bound));
                (i32::try_from(place).unwrap_or(i32::MAX), part)
            }));
            histogram.custom_bounds.clone_from(&shared);
        }
        true
    }

    /// Widens the smaller zero bucket, and what it then reaches into, until both are the same.
    #[expect(clippy::float_cmp, reason = "thresholds are the same or they are not")]
    pub(super) fn join_zero_buckets(&mut self, other: &mut Self) {
        while self.zero_threshold != other.zero_threshold {
            if self.zero_threshold < other.zero_threshold {
                self.widen_zero_bucket(other.zero_threshold);
            } else {
                other.widen_zero_bucket(self.zero_threshold);
            }
        }
    }

    /// Lets the zero bucket swallow everything up to a threshold, and to the end of a bucket that the threshold cuts.
    pub(super) fn widen_zero_bucket(&mut self, threshold: f64) {
        let schema = self.schema;
        let lower = |index: i32| bounds::exponential_bound(index - 1, schema);
        let mut threshold = threshold;
        let sides = [&self.positive, &self.negative];
        // the buckets of both sides have the same bounds, so one that is cut decides for both
        for &(index, part) in sides.into_iter().flatten() {
            let upper = bounds::exponential_bound(index, schema);
            if part.value() != 0.0 && lower(index) < threshold && upper > threshold {
                threshold = upper;
            }
        }
        for side in [&mut self.positive, &mut self.negative] {
            side.retain(|&(index, part)| {
                let swallowed = lower(index) < threshold;
                if swallowed {
                    self.zero_count.add_sum(part);
                }
                !swallowed
            });
        }
        self.zero_threshold = threshold;
    }

    /// Lowers the resolution to that of a schema, unless it is as low already.
    pub fn coarsen_to(&mut self, schema: i8) {
        if self.schema != CUSTOM && schema != CUSTOM {
            self.reduce_to(schema);
        }
    }

    pub(super) fn reduce_to(&mut self, schema: i8) {
        if schema >= self.schema {
            return;
        }
        for side in [&mut self.positive, &mut self.negative] {
            *side = merged(side.iter().map(|&(index, part)| (coarser(index, self.schema, schema), part)));
        }
        self.schema = schema;
    }

    pub(super) fn schema(&self) -> i8 {
        self.schema
    }

    pub(super) fn zero_threshold(&self) -> f64 {
        self.zero_threshold
    }

    pub(super) fn zero_count(&self) -> f64 {
        self.zero_count.value()
    }

    pub(super) fn sides(&self) -> [&Side; 2] {
        [&self.positive, &self.negative]
    }
}

/// Buckets in ascending order, those with the same index as one.
fn merged(buckets: impl Iterator<Item = (i32, Compensated)>) -> Side {
    let mut side = Side::new();
    for (index, part) in buckets {
        match side.last_mut() {
            Some((last, sum)) if *last == index => sum.add_sum(part),
            _ => side.push((index, part)),
        }
    }
    side
}

fn add_side(side: &mut Side, terms: &Side) {
    let mut place = 0;
    for &(index, part) in terms {
        place += side[place..].partition_point(|(known, _)| *known < index);
        match side.get_mut(place) {
            Some((known, sum)) if *known == index => sum.add_sum(part),
            _ => side.insert(place, (index, part)),
        }
    }
}
