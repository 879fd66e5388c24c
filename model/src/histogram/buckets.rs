//! Where buckets lie, and lists of them instead of spans.

use super::bounds::exponential_bound;
use super::{Histogram, Span};
use crate::Compensated;

/// The schema of histograms with bounds of their own.
pub(super) const CUSTOM: i8 = -53;

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// Whether an observation equal to the lower bound is in it.
    pub lower_inclusive: bool,
    /// Whether an observation equal to the upper bound is in it.
    pub upper_inclusive: bool,
    /// How many observations.
    pub count: f64,
}

/// The buckets of one sign: index and count, by index.
pub(super) type Side = Vec<(i32, Compensated)>;

/// Lists the buckets that spans describe, without empty ones.
pub(super) fn listed<'h>(spans: &'h [Span], counts: &'h [f64]) -> impl Iterator<Item = (i32, f64)> + 'h {
    let mut next = 0_i32;
    let indices = spans.iter().flat_map(move |span| {
        let first = next.saturating_add(span.offset);
        next = first.saturating_add(i32::try_from(span.length).unwrap_or(i32::MAX));
        first..next
    });
    indices.zip(counts.iter().copied()).filter(|(_, count)| *count != 0.0)
}

/// Spans for listed buckets; empty ones are left out.
pub(super) fn spans(buckets: impl Iterator<Item = (i32, f64)>) -> (Vec<Span>, Vec<f64>) {
    let (mut spans, mut counts): (Vec<Span>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut next = 0;
    for (index, count) in buckets.filter(|(_, count)| *count != 0.0) {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: index - next, length: 1 }),
        }
        next = index + 1;
        counts.push(count);
    }
    (spans, counts)
}

/// The index of the bucket of a lower resolution that holds a bucket.
pub(super) fn coarser(index: i32, from: i8, to: i8) -> i32 {
    let shift = u32::try_from(i32::from(from) - i32::from(to)).unwrap_or(0).min(31);
    ((index - 1) >> shift) + 1
}

impl Histogram {
    /// Whether the bounds of the buckets are listed in `custom_bounds`.
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == CUSTOM
    }

    /// All buckets that are not empty, in ascending order; the zero bucket among them.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut all: Vec<Bucket> =
            listed(&self.negative_spans, &self.negative_counts).map(|(i, n)| self.negative(i, n)).collect();
        all.reverse();
        // less than none, as in a difference, is not shown, as upstream does not show it
        if self.zero_count > 0.0 && !self.has_custom_bounds() {
            all.push(Bucket {
                lower: -self.zero_threshold,
                upper: self.zero_threshold,
                lower_inclusive: true,
                upper_inclusive: true,
                count: self.zero_count,
            });
        }
        all.extend(
            listed(&self.positive_spans, &self.positive_counts)
                .map(|(index, count)| self.positive(index, count)),
        );
        all
    }

    /// The same histogram without empty buckets.
    #[must_use]
    pub fn compacted(&self) -> Self {
        let (positive_spans, positive_counts) = spans(listed(&self.positive_spans, &self.positive_counts));
        let (negative_spans, negative_counts) = spans(listed(&self.negative_spans, &self.negative_counts));
        Self { positive_spans, positive_counts, negative_spans, negative_counts, ..self.clone() }
    }

    pub(super) fn positive(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = self.bounds(index);
        // nothing lies below the first of the custom buckets, minus infinity neither
        let lower_inclusive = self.has_custom_bounds() && index == 0;
        Bucket { lower, upper, lower_inclusive, upper_inclusive: true, count }
    }

    pub(super) fn negative(&self, index: i32, count: f64) -> Bucket {
        let (lower, upper) = self.bounds(index);
        Bucket { lower: -upper, upper: -lower, lower_inclusive: true, upper_inclusive: false, count }
    }

    fn bounds(&self, index: i32) -> (f64, f64) {
        if !self.has_custom_bounds() {
            return (exponential_bound(index - 1, self.schema), exponential_bound(index, self.schema));
        }
        let bound = |index: i32| match usize::try_from(index) {
            Err(_) => f64::NEG_INFINITY,
            Ok(index) => self.custom_bounds.get(index).copied().unwrap_or(f64::INFINITY),
        };
        (bound(index - 1), bound(index))
    }

    /// Whether both have the same buckets with the same counts, and the same sums.
    pub fn same_data(&self, other: &Self) -> bool {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let numbers = |h: &Self| bits(&[h.zero_threshold, h.zero_count, h.count, h.sum]);
        let (a, b) = (self.compacted(), other.compacted());
        a.schema == b.schema
            && numbers(&a) == numbers(&b)
            && bits(&a.custom_bounds) == bits(&b.custom_bounds)
            && a.positive_spans == b.positive_spans
            && a.negative_spans == b.negative_spans
            && bits(&a.positive_counts) == bits(&b.positive_counts)
            && bits(&a.negative_counts) == bits(&b.negative_counts)
    }
}
