//! One series of several groups: at each time the value that was pushed last shows.

use std::collections::BTreeMap;

use model::Stamp;

use super::epochs::{Growth, Interval};

/// At each time the interval that began last. When it ends, what another group still holds shows again.
pub(super) fn overlay(groups: &[Vec<Interval>]) -> Vec<Interval> {
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
    let part = |index: usize, from: Stamp, until: Option<Stamp>| {
        let interval: &Interval = all[index];
        let growth = if from == interval.from { interval.growth } else { Growth::Unknown };
        Interval { from, until, growth, ..interval.clone() }
    };
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
            shown.push(part(index, from, Some(at)));
        }
        showing = top.map(|index| (index, at));
    }
    if let Some((index, from)) = showing {
        shown.push(part(index, from, None));
    }
    shown
}
