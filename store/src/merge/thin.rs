//! What is added within a short stretch of time becomes one row.

use std::collections::{HashMap, HashSet};

use model::{Compensated, GroupKey, Labels, Merge, Value};

use super::Span;
use super::contested::Contested;
use super::pushes::Kept;
use crate::fold::{Kind, histogram_of};
use crate::segment::{Held, Segment};

/// The bounds of one histogram of one group, and how many of them stand at each stamp.
type Bounds<'a> = (HashSet<&'a Labels>, HashMap<i64, usize>);

/// Stretches of time in which rows may be joined.
#[derive(Debug)]
pub(crate) struct Cells {
    by_us: i64,
    /// Histograms whose pushes have different bounds there: what one says about the bounds of another would be lost. `None`: of
    /// no histogram it is known, so none is joined.
    uneven: Option<HashSet<(GroupKey, Labels, i64)>>,
}

impl Cells {
    /// Cells of inputs of which not all rows are there at once.
    pub(crate) fn without_histograms(by_us: i64) -> Self {
        Self { by_us, uneven: None }
    }

    /// Cells of inputs that have all rows.
    pub(crate) fn of(inputs: &[Segment], span: Span, by_us: i64) -> Self {
        let series = inputs.iter().flat_map(|input| input.series.iter().map(move |series| (input, series)));
        let mut uneven = HashSet::new();
        // of each histogram and stamp, how many of its bounds a push has
        let mut bounds: HashMap<(GroupKey, Labels), Bounds<'_>> = HashMap::new();
        for (input, series) in series {
            let Some(Held { group, kind }) = &series.held else { continue };
            let Some(histogram) = histogram_of(kind, &series.labels) else { continue };
            let (all, by_stamp) = bounds.entry((*group, histogram)).or_default();
            all.insert(&series.labels);
            for &at_us in &input.rows.at_us[series.range.clone()] {
                if span.contains(at_us) {
                    *by_stamp.entry(at_us).or_default() += 1;
                }
            }
        }
        for ((group, histogram), (all, by_stamp)) in bounds {
            for (at_us, count) in by_stamp {
                // what was read twice counts twice and is not joined either
                if count != all.len() {
                    uneven.insert((group, histogram.clone(), at_us.div_euclid(by_us)));
                }
            }
        }
        Self { by_us, uneven: Some(uneven) }
    }

    /// In which one a time lies.
    pub(super) fn cell(&self, at_us: i64) -> i64 {
        at_us.div_euclid(self.by_us)
    }

    /// Joins rows of one series of one group that stand in one cell and belong to one epoch. Returns how many are gone.
    pub(super) fn join(
        &self,
        labels: &Labels,
        group: GroupKey,
        events: &mut Vec<Kept<'_>>,
        contested: &Contested,
    ) -> u64 {
        let before = events.len();
        let mut joined: Vec<Kept<'_>> = Vec::with_capacity(before);
        for event in events.drain(..) {
            let cell = self.cell(event.stamp.at_us);
            let is_joined = joined.last_mut().is_some_and(|last| {
                self.cell(last.stamp.at_us) == cell
                    && last.until_us.is_none()
                    && last.kind == event.kind
                    && self.may_join(labels, group, event.kind, cell)
                    && !contested.contains(last.stamp.at_us)
                    && !contested.contains(event.stamp.at_us)
                    && sum(last, &event)
            });
            if !is_joined {
                joined.push(event);
            }
        }
        *events = joined;
        (before - events.len()) as u64
    }

    fn may_join(&self, labels: &Labels, group: GroupKey, kind: &Kind, cell: i64) -> bool {
        let histogram = histogram_of(kind, labels);
        let is_even = |histogram| {
            self.uneven.as_ref().is_some_and(|uneven| !uneven.contains(&(group, histogram, cell)))
        };
        histogram.is_none_or(is_even)
    }
}

/// Adds an event to the one before it; false if they do not add up.
fn sum(last: &mut Kept<'_>, event: &Kept<'_>) -> bool {
    let (Value::Float(a), Value::Float(b)) = (&last.value, &event.value) else { return false };
    let (value, lost) = match event.kind.merge {
        Merge::Set => return false,
        Merge::Add => {
            let mut sum = Compensated::from_parts(*a, last.lost);
            sum.add_sum(Compensated::from_parts(*b, event.lost));
            sum.parts()
        }
        Merge::Min => (a.min(*b), 0.0),
        Merge::Max => (a.max(*b), 0.0),
    };
    last.value = Value::Float(value);
    last.lost = lost;
    (last.stamp, last.until_us) = (event.stamp, event.until_us);
    last.start_us = last.start_us.or(event.start_us);
    true
}
