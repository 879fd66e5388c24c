//! From events to step functions: what a pushed series held, and when.
//!
//! A pure function of the events. Events are ordered by stamp; at one stamp, what ends comes before what is set. A series
//! that several groups hold shows the value with the highest stamp, and when that group lets go of it, the other's value
//! shows again. Stamps become milliseconds only at the end: of several changes within one millisecond the last is seen.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{GroupKey, OPEN_END_MS, Stamp, Steps, Value};

/// The family whose values a PUT leaves alone.
pub(crate) const PUSH_FAILURE_FAMILY: &str = "push_failure_time_seconds";

/// What an event ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole group: DELETE.
    Group,
    /// The whole group but [`PUSH_FAILURE_FAMILY`]: PUT.
    GroupButFailure,
    /// One family of the group: POST.
    Family(Arc<str>),
}

impl Scope {
    fn holds(&self, family: &str) -> bool {
        match self {
            Self::Group => true,
            Self::GroupButFailure => family != PUSH_FAILURE_FAMILY,
            Self::Family(name) => **name == *family,
        }
    }
}

/// All that ends, by group.
#[derive(Debug, Default)]
pub(crate) struct Clears {
    by_group: HashMap<GroupKey, Vec<(Stamp, Scope)>>,
}

impl Clears {
    pub(crate) fn add(&mut self, group: GroupKey, stamp: Stamp, scope: Scope) {
        self.by_group.entry(group).or_default().push((stamp, scope));
    }

    /// To be called once, after the last `add`.
    pub(crate) fn sort(&mut self) {
        for clears in self.by_group.values_mut() {
            clears.sort_by_key(|(stamp, _)| *stamp);
        }
    }

    /// The stamps, ascending, at which what the group holds of the family ends.
    fn stamps<'a>(&'a self, group: GroupKey, family: &'a str) -> impl Iterator<Item = Stamp> + 'a {
        let clears = self.by_group.get(&group).map_or(&[][..], Vec::as_slice);
        clears.iter().filter(move |(_, scope)| scope.holds(family)).map(|(stamp, _)| *stamp)
    }
}

/// What one group set one series to.
#[derive(Debug, Default)]
pub(crate) struct GroupSets {
    pub(crate) family: Arc<str>,
    pub(crate) sets: Vec<(Stamp, Value)>,
}

/// All that is known about one series, by the group that holds it.
pub(crate) type SeriesSets = BTreeMap<GroupKey, GroupSets>;

/// A value that holds from one stamp to another.
#[derive(Clone, Debug, PartialEq)]
struct Interval {
    from: Stamp,
    until: Option<Stamp>,
    value: Value,
}

/// The steps of one series that touch [`start_ms`, `end_ms`].
pub(crate) fn fold(series: SeriesSets, clears: &Clears, start_ms: i64, end_ms: i64) -> Steps {
    let mut groups: Vec<Vec<Interval>> =
        series.into_iter().map(|(group, sets)| intervals(sets, group, clears)).collect();
    let shown = if groups.len() == 1 { groups.swap_remove(0) } else { overlay(&groups) };
    let mut steps = Steps::default();
    for interval in &shown {
        let from_ms = to_ms(interval.from);
        let until_ms = interval.until.map_or(OPEN_END_MS, to_ms);
        if from_ms < until_ms && from_ms <= end_ms && until_ms > start_ms {
            steps.push_value(from_ms, until_ms, &interval.value);
        }
    }
    steps
}

fn to_ms(stamp: Stamp) -> i64 {
    stamp.at_us.div_euclid(1_000)
}

/// What one group held of one series.
fn intervals(mut group: GroupSets, key: GroupKey, clears: &Clears) -> Vec<Interval> {
    group.sets.sort_by_key(|(stamp, _)| *stamp);
    // a segment that was read twice says the same twice
    group.sets.dedup_by_key(|(stamp, _)| *stamp);
    let mut ends = clears.stamps(key, &group.family).peekable();
    let starts: Vec<Stamp> = group.sets.iter().map(|(stamp, _)| *stamp).collect();
    let mut held = Vec::with_capacity(starts.len());
    for (index, (from, value)) in group.sets.into_iter().enumerate() {
        while ends.next_if(|end| *end <= from).is_some() {}
        let until = match (starts.get(index + 1), ends.peek()) {
            (Some(next), Some(end)) => Some(*next.min(end)),
            (next, end) => next.or(end).copied(),
        };
        held.push(Interval { from, until, value });
    }
    held
}

/// At each time the interval that began last.
fn overlay(groups: &[Vec<Interval>]) -> Vec<Interval> {
    let all: Vec<&Interval> = groups.iter().flatten().collect();
    let mut changes: BTreeMap<Stamp, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, interval) in all.iter().enumerate() {
        changes.entry(interval.from).or_default().1.push(index);
        if let Some(until) = interval.until {
            changes.entry(until).or_default().0.push(index);
        }
    }
    let mut holding: BTreeMap<Stamp, usize> = BTreeMap::new();
    let mut shown: Vec<Interval> = Vec::new();
    let mut showing: Option<(usize, Stamp)> = None;
    for (at, (ended, begun)) in changes {
        for index in ended {
            holding.remove(&all[index].from);
        }
        for index in begun {
            holding.insert(all[index].from, index);
        }
        let top = holding.last_key_value().map(|(_, index)| *index);
        if showing.map(|(index, _)| index) == top {
            continue;
        }
        if let Some((index, from)) = showing {
            shown.push(Interval { from, until: Some(at), value: all[index].value.clone() });
        }
        showing = top.map(|index| (index, at));
    }
    if let Some((index, from)) = showing {
        shown.push(Interval { from, until: None, value: all[index].value.clone() });
    }
    shown
}

#[cfg(test)]
mod tests;
