//! `histogram_quantile` over classic histograms: a series per bucket, its bound in the label `le`.

use std::collections::HashMap;

use model::Labels;

use crate::exec::points::{Line, Points};
use crate::exec::{ExecError, Executor, Result, Sink, order};
use crate::plan::Node;

/// The label that holds the upper bound of a bucket.
const BOUND: &str = "le";

/// Counts that differ by less than this share are taken as equal.
const SAME_SHARE: f64 = 1e-12;

/// A bucket: everything up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) bound: f64,
    pub(super) count: f64,
}

struct Histogram {
    labels: Labels,
    drop_name: bool,
    /// The bound, and the place among the held series.
    buckets: Vec<(f64, usize)>,
}

impl Executor<'_> {
    pub(super) fn histogram_quantile(
        &self,
        phi: &Node,
        operand: &Node,
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let phi_range = phi.range;
        let phi = self.scalar(phi)?;
        if let Some(outside) =
            (0..node.grid.count).map(|index| phi.at(index)).find(|phi| !(0.0..=1.0).contains(phi))
        {
            let text =
                format!("quantile value should be between 0 and 1, got {}", model::float::shortest(outside));
            self.notes.borrow_mut().warn(phi_range, text);
        }
        let held = self.collect(operand)?;
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        for (index, line) in held.lines.iter().enumerate() {
            if line.points.has_histograms() {
                return Err(ExecError::not_supported("histogram_quantile of native histograms"));
            }
            let Some(bound) = line.labels.get(BOUND).and_then(parse_bound) else {
                self.remark_on_bound(line, operand);
                continue;
            };
            let mut named = line.clone_without_points();
            named.labels = named.labels.to_builder().remove(BOUND).build();
            self.drop_name(&mut named);
            let next = histograms.len();
            let place = *places.entry(named.labels.clone()).or_insert(next);
            if place == next {
                histograms.push(Histogram {
                    labels: named.labels,
                    drop_name: named.drop_name,
                    buckets: Vec::new(),
                });
            }
            histograms[place].buckets.push((bound, index));
        }
        let mut buckets = Vec::new();
        for histogram in histograms {
            let points = Points::of_floats(node.grid.count, |index| {
                buckets.clear();
                buckets.extend(histogram.buckets.iter().filter_map(|&(bound, place)| {
                    held.lines[place].points.float(index).map(|count| Bucket { bound, count })
                }));
                (!buckets.is_empty()).then(|| quantile(phi.at(index), &mut buckets))
            });
            sink(Line { labels: histogram.labels, drop_name: histogram.drop_name, points })?;
        }
        Ok(())
    }

    fn remark_on_bound(&self, line: &Line, operand: &Node) {
        let bound = crate::syntax::quoted(line.labels.get(BOUND).unwrap_or(""));
        let mut text = format!("bucket label \"le\" is missing or has a malformed value of {bound}");
        let name = line.labels.metric_name();
        if !name.is_empty() && self.settings.delayed_name_removal {
            text.push_str(&format!(" for metric name {}", crate::syntax::quoted(name)));
        }
        self.notes.borrow_mut().warn(operand.range, text);
    }
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// The φ-quantile of buckets, which are put in order: linear inside of a bucket.
pub(super) fn quantile(phi: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    buckets.sort_by(|a, b| order::nan_last(a.bound, b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return f64::NAN;
    }
    join_equal_bounds(buckets);
    make_monotonic(buckets);
    let [.., below_last, last] = buckets.as_slice() else { return f64::NAN };
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
fn make_monotonic(buckets: &mut [Bucket]) {
    let Some(first) = buckets.first() else { return };
    let mut most = first.count;
    for bucket in &mut buckets[1..] {
        let nearly_equal = (most - bucket.count).abs() <= SAME_SHARE * (most.abs() + bucket.count.abs());
        if nearly_equal || bucket.count < most {
            bucket.count = most;
        } else {
            most = bucket.count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_inside_of_a_bucket() {
        let check = |phi: f64, buckets: &[(f64, f64)], expect: f64| {
            let mut list = buckets.iter().map(|&(bound, count)| Bucket { bound, count }).collect();
            let found = quantile(phi, &mut list);
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
