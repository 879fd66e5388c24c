//! Sums and differences of histograms.

use std::collections::BTreeMap;

use super::Native;

/// One has exponential buckets, the other has bounds of its own.
#[derive(Debug)]
pub(crate) struct Incompatible;

impl Native {
    pub(crate) fn plus(&self, other: &Self) -> Result<Self, Incompatible> {
        if self.is_custom() != other.is_custom() {
            return Err(Incompatible);
        }
        let (mut a, mut b) = (self.clone(), other.clone());
        if a.is_custom() {
            let common: Vec<f64> =
                a.bounds.iter().copied().filter(|bound| b.bounds.contains(bound)).collect();
            a.rebound(&common);
            b.rebound(&common);
        } else {
            same_zero_bucket(&mut a, &mut b);
            let schema = a.schema.min(b.schema);
            a.coarsen(schema);
            b.coarsen(schema);
        }
        a.zero += b.zero;
        a.count += b.count;
        a.sum += b.sum;
        for (side, more) in [(&mut a.positive, b.positive), (&mut a.negative, b.negative)] {
            for (index, count) in more {
                *side.entry(index).or_default() += count;
            }
        }
        a.forget_empty();
        Ok(a)
    }

    pub(crate) fn minus(&self, other: &Self) -> Result<Self, Incompatible> {
        self.plus(&other.clone().times(-1.0))
    }

    /// The same observations in exponential buckets as coarse as those of another.
    pub(crate) fn like(&self, other: &Self) -> Self {
        let mut like = self.clone();
        if !like.is_custom() {
            like.coarsen(other.schema);
        }
        like
    }

    /// Buckets of a lower resolution.
    pub(super) fn coarsen(&mut self, schema: i32) {
        // a bucket of the next lower schema is two of this: those with the upper bounds 2n - 1 and 2n
        while self.schema > schema {
            for side in [&mut self.positive, &mut self.negative] {
                let mut halved: BTreeMap<i32, f64> = BTreeMap::new();
                for (index, count) in std::mem::take(side) {
                    *halved.entry((index + 1).div_euclid(2)).or_default() += count;
                }
                *side = halved;
            }
            self.schema -= 1;
        }
    }

    /// Fewer bounds: a bucket goes to the one that reaches as far.
    pub(super) fn rebound(&mut self, bounds: &[f64]) {
        let mut fewer: BTreeMap<i32, f64> = BTreeMap::new();
        for (index, count) in std::mem::take(&mut self.positive) {
            let upper = self.bound(index);
            let place = bounds.iter().position(|bound| *bound >= upper).unwrap_or(bounds.len());
            *fewer.entry(i32::try_from(place).unwrap_or(i32::MAX)).or_default() += count;
        }
        self.positive = fewer;
        self.bounds = bounds.to_vec();
    }

    /// A wider zero bucket, which swallows whole buckets only: it may become wider than asked for.
    pub(super) fn widen_zero_bucket(&mut self, threshold: f64) {
        let mut threshold = threshold;
        loop {
            // the furthest bound of a bucket that begins below the threshold
            let reaches = |side: &BTreeMap<i32, f64>| {
                let inside = side.keys().filter(|index| self.bound(**index - 1) < threshold);
                inside.map(|index| self.bound(*index)).fold(threshold, f64::max)
            };
            let wider = reaches(&self.positive).max(reaches(&self.negative));
            if wider <= threshold {
                break;
            }
            threshold = wider;
        }
        let is_inside = |index: i32| self.bound(index - 1) < threshold;
        let (mut swallowed, mut kept) = (0.0, [BTreeMap::new(), BTreeMap::new()]);
        for (side, kept) in [&self.positive, &self.negative].into_iter().zip(&mut kept) {
            for (index, count) in side {
                if is_inside(*index) {
                    swallowed += count;
                } else {
                    kept.insert(*index, *count);
                }
            }
        }
        [self.positive, self.negative] = kept;
        self.zero += swallowed;
        self.zero_threshold = threshold;
    }
}

#[expect(clippy::float_cmp, reason = "both come from the same bounds")]
fn same_zero_bucket(a: &mut Native, b: &mut Native) {
    while a.zero_threshold != b.zero_threshold {
        if a.zero_threshold > b.zero_threshold {
            b.widen_zero_bucket(a.zero_threshold);
        } else {
            a.widen_zero_bucket(b.zero_threshold);
        }
    }
}

/// The sum of some histograms.
pub(crate) fn sum_of<'a>(mut all: impl Iterator<Item = &'a Native>) -> Result<Option<Native>, Incompatible> {
    let Some(first) = all.next().cloned() else { return Ok(None) };
    all.try_fold(first, |sum, next| sum.plus(next)).map(Some)
}

/// The mean of some histograms.
pub(crate) fn mean_of<'a>(
    all: impl Iterator<Item = &'a Native> + Clone,
) -> Result<Option<Native>, Incompatible> {
    let number = super::super::count(all.clone().count());
    Ok(sum_of(all)?.map(|sum| sum.divided(number)))
}
