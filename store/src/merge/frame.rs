//! What is held at one time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{GroupKey, Labels, NeededLabels, Selection, Stamp};

use super::head::expire_row;
use crate::fold::{Carried, Expired, PUSH_TIME_FAMILY, carried};
use crate::reader::{Gathered, Identity, Pushes};
use crate::segment::{Description, Held, Lost, Placing, PushRow, Segment, Told};

/// Where a value stands in a segment: metric name, fingerprint, all labels, group.
type Key = (Arc<str>, i64, Labels, GroupKey);

/// Of a group: its last sign of life, where that leaves an expiry open, and the expiry that it has not been pushed to since.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Life {
    open: Option<(Stamp, i64)>,
    expired_us: Option<i64>,
}

/// What is held.
#[derive(Debug, Default)]
struct State {
    values: BTreeMap<Key, Carried>,
    lives: BTreeMap<GroupKey, Life>,
    descriptions: BTreeMap<Arc<str>, Description>,
}

/// The frame at `at_us`, before which everything is known: `base` are the frame that it goes on from and those which that one
/// builds on, oldest first; `runs` is what was pushed since. If it is not full, it says only what differs from `base`. That a
/// group has expired is forgotten if that was before `expired_from_us`.
pub(crate) fn frame(
    base: &[Arc<Segment>],
    runs: &[Arc<Segment>],
    at_us: i64,
    is_full: bool,
    expired_from_us: i64,
) -> Segment {
    let aggregates = base.iter().chain(runs).any(|segment| segment.aggregates);
    let now = state(base, runs, at_us, expired_from_us);
    let before = if is_full { State::default() } else { known(base, at_us) };
    let mut frame = Segment { aggregates, ..Segment::default() };
    write_head(&mut frame, &before, &now, at_us);
    let gone = before.values.iter().filter(|(key, _)| !now.values.contains_key(*key));
    // what is held no more ends where it began
    let gone = gone.map(|(key, carried)| (key, carried, Some(carried.last().at_us)));
    let changed = now.values.iter().filter(|(key, carried)| before.values.get(*key) != Some(*carried));
    let mut rows: Vec<_> =
        changed.map(|(key, carried)| (key, carried, carried.until_us())).chain(gone).collect();
    rows.sort_unstable_by_key(|(key, ..)| *key);
    for ((_, fingerprint, labels, group), carried, until_us) in rows {
        let (value, lost, lost_histogram) = carried.parts();
        let lost = lost_histogram.as_ref().map_or(Lost::Float(lost), Lost::Histogram);
        let (last, since_us) = (carried.last(), Some(carried.since_us()));
        let told = Told { until_us, writer: Some(last.writer), since_us, lost };
        let held = Held { group: *group, kind: carried.kind().clone() };
        frame.add(
            labels,
            *fingerprint,
            Some(held),
            Placing { at_us: last.at_us, value: &value, start_us: None, told },
        );
    }
    frame
}

fn gather(frames: &[Arc<Segment>], runs: &[Arc<Segment>], at_us: i64) -> Gathered {
    let end_ms = at_us.saturating_sub(1).div_euclid(1_000);
    let everything = Selection { matchers: Vec::new(), start_ms: end_ms, end_ms };
    let pushes = Pushes { frames: frames.to_vec(), segments: runs.to_vec(), counted: Vec::new() };
    Gathered::of(&pushes, &everything, &NeededLabels::All)
}

fn key(identity: &Identity, group: GroupKey) -> Key {
    (identity.labels.metric_name().into(), identity.fingerprint, identity.labels.clone(), group)
}

/// What is held at a time.
fn state(base: &[Arc<Segment>], runs: &[Arc<Segment>], at_us: i64, expired_from_us: i64) -> State {
    let mut gathered = gather(base, runs, at_us);
    let mut state = State { descriptions: descriptions(&gathered), ..State::default() };
    let condensed = gathered.heads.condensed(&gathered.ends, at_us);
    for pushed in condensed.pushes {
        if let Some(until_us) = pushed.until_us {
            state.lives.entry(pushed.group).or_default().open = Some((pushed.stamp, until_us));
        }
    }
    let mut last_pushes: HashMap<GroupKey, Stamp> = HashMap::new();
    for (group, events) in gathered.series.values().flatten() {
        if let Some((stamp, _)) = events.last().filter(|(_, kind)| *kind.family == *PUSH_TIME_FAMILY) {
            let last = last_pushes.entry(*group).or_insert(stamp);
            *last = stamp.max(*last);
        }
    }
    for (group, Expired { at, until }) in condensed.expired {
        let has_push = last_pushes.get(&group).is_some_and(|last| *last < at);
        if until.is_none() && has_push && at.at_us >= expired_from_us {
            state.lives.entry(group).or_default().expired_us = Some(at.at_us);
        }
    }
    for (identity, groups) in std::mem::take(&mut gathered.series) {
        for (group, events) in groups {
            let Some(carried) = carried(events, group, &gathered.ends) else { continue };
            let expired_us = state.lives.get(&group).and_then(|life| life.expired_us);
            if carried.is_held(at_us) {
                state.values.insert(key(&identity, group), carried.until(None));
            } else if *carried.kind().family == *PUSH_TIME_FAMILY && expired_us.is_some() {
                // by it the labels of the group are known
                state.values.insert(key(&identity, group), carried);
            }
        }
    }
    state
}

/// What frames say.
fn known(frames: &[Arc<Segment>], at_us: i64) -> State {
    let gathered = gather(frames, &[], at_us);
    let mut state = State { descriptions: descriptions(&gathered), ..State::default() };
    let mut told: HashSet<GroupKey> = HashSet::new();
    for frame in frames.iter().rev() {
        let mut lives: BTreeMap<GroupKey, Life> = BTreeMap::new();
        for push in &frame.pushes {
            lives.entry(push.group).or_default().open = push.until_us.map(|until_us| (push.stamp, until_us));
        }
        for expiry in &frame.expiries {
            lives.entry(expiry.group).or_default().expired_us = Some(expiry.at_us);
        }
        for (group, life) in lives {
            if told.insert(group) && life != Life::default() {
                state.lives.insert(group, life);
            }
        }
    }
    for (identity, groups) in gathered.series {
        for (group, events) in groups {
            if let Some(carried) = events.carried().filter(|carried| carried.is_shown()) {
                state.values.insert(key(&identity, group), carried.clone());
            }
        }
    }
    state
}

fn descriptions(gathered: &Gathered) -> BTreeMap<Arc<str>, Description> {
    let described = gathered.descriptions.iter().map(|(family, (stamp, metadata))| {
        let (family, metadata) = (Arc::clone(family), metadata.clone());
        (Arc::clone(&family), Description { stamp: *stamp, family, metadata })
    });
    described.collect()
}

fn write_head(frame: &mut Segment, before: &State, now: &State, at_us: i64) {
    let groups: std::collections::BTreeSet<_> = before.lives.keys().chain(now.lives.keys()).collect();
    for &group in groups {
        let life = now.lives.get(&group).copied().unwrap_or_default();
        if before.lives.get(&group).copied().unwrap_or_default() == life {
            continue;
        }
        let push = |stamp, until_us| PushRow { stamp, group, until_us, retry_key: None };
        match life.open {
            Some((stamp, until_us)) => frame.pushes.push(push(stamp, Some(until_us))),
            // nothing is open any more
            None if life.expired_us.is_none() => {
                frame.pushes.push(push(Stamp { at_us: at_us.saturating_sub(1), writer: 0 }, None));
            }
            None => {}
        }
        if let Some(expired_us) = life.expired_us {
            let at = Stamp { at_us: expired_us, writer: 0 };
            frame.expiries.push(expire_row(group, Expired { at, until: None }));
        }
    }
    frame.pushes.sort_unstable_by_key(|push| (push.stamp, push.group));
    frame.expiries.sort_unstable();
    let changed = now
        .descriptions
        .values()
        .filter(|now| before.descriptions.get(&now.family).is_none_or(|before| before.stamp < now.stamp));
    frame.descriptions = changed.cloned().collect();
}
