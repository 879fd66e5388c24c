//! Classic histograms: a series per bucket, its bound in the label `le`.

use std::fmt;

use model::float::shortest;
use model::{Histogram, Span};

use crate::calendar;
use crate::exec::order;

/// Counts that differ by less than this share are taken as equal.
const SAME_SHARE: f64 = 1e-12;

/// A bucket: everything up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

/// Counts were raised to that of a lower bucket, which only buckets of different times can need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Repair {
    bounds: (f64, f64),
    difference_most: f64,
    samples: u64,
    times_ms: (i64, i64),
}

impl Repair {
    pub(super) fn at(mut self, at_ms: i64) -> Self {
        self.times_ms = (at_ms, at_ms);
        self.samples = 0;
        self
    }

    /// Both repairs; the newer one counts as one more sample.
    pub(super) fn and(self, newer: Self) -> Self {
        Self {
            bounds: (self.bounds.0.min(newer.bounds.0), self.bounds.1.max(newer.bounds.1)),
            difference_most: self.difference_most.max(newer.difference_most),
            samples: self.samples + 1,
            times_ms: (self.times_ms.0.min(newer.times_ms.0), self.times_ms.1.max(newer.times_ms.1)),
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (shortest(self.bounds.0), shortest(self.bounds.1));
        let (first, last) = (calendar::rfc3339(self.times_ms.0), calendar::rfc3339(self.times_ms.1));
        let difference = shortest(two_digits(self.difference_most));
        write!(
            f,
            ", from buckets {low} to {high}, with a max diff of {difference}, over {} samples from {first} to {last}",
            self.samples
        )
    }
}

fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

/// The share of observations between two values, of buckets, which are put in order.
pub(super) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    buckets.sort_by(|a, b| order::nan_last(a.bound, b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    join_equal_bounds(buckets);
    let mut before = 0.0;
    let counts: Vec<f64> =
        buckets.iter().map(|b| b.count - std::mem::replace(&mut before, b.count)).collect();
    let histogram = Histogram {
        schema: -53,
        count: before,
        positive_spans: vec![Span { offset: 0, length: u32::try_from(counts.len()).unwrap_or(u32::MAX) }],
        positive_counts: counts,
        custom_bounds: buckets[..buckets.len() - 1].iter().map(|bucket| bucket.bound).collect(),
        ..Histogram::default()
    };
    histogram.fraction(lower, upper)
}

/// The φ-quantile of buckets, which are put in order: linear inside of a bucket.
pub(super) fn quantile(phi: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Repair>) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if phi > 1.0 {
        return (f64::INFINITY, None);
    }
    buckets.sort_by(|a, b| order::nan_last(a.bound, b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return (f64::NAN, None);
    }
    join_equal_bounds(buckets);
    let repair = make_monotonic(buckets);
    (inside(phi, buckets), repair)
}

fn inside(phi: f64, buckets: &[Bucket]) -> f64 {
    let [.., below_last, last] = buckets else { return f64::NAN };
    let observations = last.count;
    if observations == 0.0 || observations.is_nan() {
        return f64::NAN;
    }
    let mut rank = phi * observations;
    let finite = &buckets[..buckets.len() - 1];
    let index = finite.partition_point(|bucket| bucket.count < rank);
    if index == finite.len() {
        return below_last.bound;
    }
    let Bucket { bound: end, mut count } = buckets[index];
    if index == 0 && end <= 0.0 {
        return end;
    }
    let mut start = 0.0;
    if index > 0 {
        start = buckets[index - 1].bound;
        count -= buckets[index - 1].count;
        rank -= buckets[index - 1].count;
    }
    start + (end - start) * (rank / count)
}

#[expect(
    clippy::float_cmp,
    reason = "equal bounds are written the same way or in two ways of the same number"
)]
fn join_equal_bounds(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|later, earlier| {
        let same = later.bound == earlier.bound;
        if same {
            earlier.count += later.count;
        }
        same
    });
}

/// Counts may only grow with the bound; small deviations come from floats, large ones from buckets of different times.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Repair> {
    let mut most = buckets.first()?.count;
    let mut repair: Option<Repair> = None;
    for bucket in &mut buckets[1..] {
        let nearly_equal = (most - bucket.count).abs() <= SAME_SHARE * (most.abs() + bucket.count.abs());
        if !nearly_equal && bucket.count < most {
            let bounds = (bucket.bound, bucket.bound);
            let one = Repair { bounds, difference_most: most - bucket.count, samples: 1, times_ms: (0, 0) };
            repair = Some(repair.map_or(one, |known| known.and(one)));
        }
        if nearly_equal || bucket.count < most {
            bucket.count = most;
        } else {
            most = bucket.count;
        }
    }
    repair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_inside_of_a_bucket() {
        let check = |phi: f64, buckets: &[(f64, f64)], expect: f64| {
            let mut list = buckets.iter().map(|&(bound, count)| Bucket { bound, count }).collect();
            let found = quantile(phi, &mut list).0;
            assert!(found == expect || found.is_nan() && expect.is_nan(), "{phi} of {buckets:?}: {found}");
        };
        let infinity = f64::INFINITY;
        check(0.5, &[(infinity, 4.0), (1.0, 2.0), (2.0, 4.0)], 1.0);
        check(0.75, &[(1.0, 2.0), (2.0, 4.0), (infinity, 4.0)], 1.5);
        check(1.0, &[(1.0, 2.0), (2.0, 3.0), (infinity, 4.0)], 2.0);
        check(0.1, &[(-1.0, 2.0), (2.0, 3.0), (infinity, 4.0)], -1.0);
        check(0.5, &[(1.0, 1.0), (1.0, 1.0), (infinity, 2.0)], 0.5);
        check(0.5, &[(1.0, 2.0), (2.0, 1.0), (infinity, 4.0)], 1.0);
        check(0.5, &[(1.0, 2.0), (2.0, 4.0)], f64::NAN);
        check(0.5, &[(infinity, 4.0)], f64::NAN);
        check(0.5, &[(1.0, 0.0), (infinity, 0.0)], f64::NAN);
        check(-1.0, &[(1.0, 1.0), (infinity, 1.0)], f64::NEG_INFINITY);
    }
}
