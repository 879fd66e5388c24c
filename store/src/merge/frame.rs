//! What is held at one time.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use model::{GroupKey, Labels, NeededLabels, Selection, Stamp, Teller};

use super::head::expire_row;
use super::rounds::Round;
use super::{FileLimits, Filling};
use crate::fold::{Carried, Condensed, Ends, Expired, GroupEvents, PUSH_TIME_FAMILY, carried};
use crate::reader::{Gathered, Pushes};
use crate::segment::{Description, Held, Lost, Placing, PushRow, Segment, SeriesRows, Told};

/// Of a group: its last sign of life, where that leaves an expiry open, and the expiry that it has not been pushed to since.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Life {
    open: Option<(Stamp, i64)>,
    expired_us: Option<i64>,
}

/// The last of each family by each who told of it.
type Descriptions = BTreeMap<(Arc<str>, Option<Teller>), Description>;

/// What heads say, by group and by family.
#[derive(Debug, Default)]
struct State {
    lives: BTreeMap<GroupKey, Life>,
    descriptions: Descriptions,
}

/// What the heads say of the frame that a frame goes on from, of those which that one builds on, and of the runs since.
#[derive(Debug)]
pub(crate) struct FrameHeads {
    at_us: i64,
    pub(super) ends: Arc<Ends>,
    condensed: Condensed,
    descriptions: Descriptions,
    before: State,
    /// How many inputs are frames; the others are runs.
    pub(super) frames: usize,
    /// Whether some of it was pushed to be added up.
    pub(super) aggregates: bool,
}

impl FrameHeads {
    /// Of the frame at `at_us`, before which everything is known: `base` are the frames, oldest first. Rows are not looked at.
    pub(crate) fn of(base: &[Arc<Segment>], runs: &[Arc<Segment>], at_us: i64) -> Self {
        let gathered = gather(base, runs, at_us);
        Self {
            at_us,
            condensed: gathered.heads.condensed(&gathered.ends, at_us),
            descriptions: descriptions(&gathered),
            ends: gathered.ends,
            before: known(base, at_us),
            frames: base.len(),
            aggregates: base.iter().chain(runs).any(|segment| segment.aggregates),
        }
    }

    /// Whether rows have to be looked at before the first can be written.
    pub(crate) fn needs_survey(&self) -> bool {
        self.aggregates || !self.condensed.expired.is_empty()
    }

    /// The groups that have expired.
    pub(super) fn expired(&self) -> HashSet<GroupKey> {
        self.condensed.expired.iter().map(|(group, _)| *group).collect()
    }
}

/// What must be known of rows before the first is written.
#[derive(Debug, Default)]
pub(crate) struct Surveyed {
    /// When groups that have expired were last pushed to.
    pub(super) last_pushes: HashMap<GroupKey, Stamp>,
    /// What buckets hold of histograms whose pushes have different bounds.
    pub(super) uneven: HashMap<(Labels, GroupKey), Option<Carried>>,
}

/// Makes a frame.
#[derive(Debug)]
pub(crate) struct FrameMerge {
    heads: FrameHeads,
    surveyed: Surveyed,
    lives: BTreeMap<GroupKey, Life>,
    is_full: bool,
    files: Filling,
    /// A series of which more may come.
    open: Option<Open>,
    held_rows_max: usize,
}

/// What has come of one series of one group.
#[derive(Debug)]
struct Open {
    series: SeriesRows,
    /// What the frames say.
    before: Option<Carried>,
    events: GroupEvents,
}

/// Of a series so many events are held; then they are folded.
const HELD_EVENTS_MAX: usize = 1 << 16;

impl FrameMerge {
    /// If it is not full, it says only what differs from its base. That a group has expired is forgotten if that was before
    /// `expired_from_us`.
    pub(crate) fn new(
        heads: FrameHeads,
        surveyed: Surveyed,
        is_full: bool,
        expired_from_us: i64,
        limits: FileLimits,
    ) -> Self {
        let lives = lives(&heads, &surveyed, expired_from_us);
        let mut frame = Segment { aggregates: heads.aggregates, ..Segment::default() };
        let nothing = State::default();
        let before = if is_full { &nothing } else { &heads.before };
        write_head(&mut frame, before, (&lives, &heads.descriptions), heads.at_us);
        let files = Filling::new(frame, limits);
        Self { heads, surveyed, lives, is_full, files, open: None, held_rows_max: HELD_EVENTS_MAX }
    }

    /// The same, holding back no more events of a series than so many.
    #[cfg(test)]
    pub(crate) fn holding(self, held_rows_max: usize) -> Self {
        Self { held_rows_max, ..self }
    }

    /// Takes rows of frames, oldest first, and of runs, and gives the files that are full.
    pub(crate) fn take(&mut self, round: &Round) -> Vec<Segment> {
        // what was open and does not come again has ended
        let first = round.series().into_iter().next().map(|(_, _, series)| series.clone());
        let is_same = |open: &Open| first.as_ref().is_some_and(|first| first.order() == open.series.order());
        if let Some(open) = self.open.take_if(|open| !is_same(open) && !round.goes_on(&open.series)) {
            self.write(open);
        }
        for of_series in round.series().chunk_by(|(_, _, a), (_, _, b)| a.order() == b.order()) {
            let (_, _, series) = of_series[0];
            let Some(Held { .. }) = &series.held else { continue };
            let mut open = self.open.take().unwrap_or_else(|| Open {
                series: SeriesRows { range: 0..0, ..series.clone() },
                before: None,
                events: GroupEvents::default(),
            });
            open.add(of_series, self.heads.frames);
            if round.goes_on(series) {
                self.open = Some(self.folded(open));
            } else {
                self.write(open);
            }
        }
        self.files.take_full()
    }

    /// The same with few events.
    fn folded(&self, mut open: Open) -> Open {
        if open.events.len() > self.held_rows_max
            && let Some(group) = open.series.held.as_ref().map(|held| held.group)
        {
            let carried = carried(std::mem::take(&mut open.events), group, &self.heads.ends);
            open.events = GroupEvents::after(carried);
        }
        open
    }

    fn write(&mut self, Open { series, before, events }: Open) {
        let Some(group) = series.held.as_ref().map(|held| held.group) else { return };
        let at_us = self.heads.at_us;
        let key = || (series.labels.clone(), group);
        let known = if self.surveyed.uneven.is_empty() { None } else { self.surveyed.uneven.remove(&key()) };
        let now = known.unwrap_or_else(|| carried(events, group, &self.heads.ends));
        let expired_us = || self.lives.get(&group).and_then(|life| life.expired_us);
        let now = now.and_then(|carried| {
            if carried.is_held(at_us) {
                return Some(carried.until(None));
            }
            // by it the labels of the group are known
            (*carried.kind().family == *PUSH_TIME_FAMILY && expired_us().is_some()).then_some(carried)
        });
        let before = before.filter(|_| !self.is_full);
        match (before, now) {
            (before, Some(now)) if before.as_ref() != Some(&now) => {
                self.row(&series, group, &now, now.until_us());
            }
            // what is held no more ends where it began
            (Some(before), None) => self.row(&series, group, &before, Some(before.last().at_us)),
            _ => {}
        }
    }

    fn row(&mut self, series: &SeriesRows, group: GroupKey, carried: &Carried, until_us: Option<i64>) {
        let (value, lost, lost_histogram) = carried.parts();
        let lost = lost_histogram.as_ref().map_or(Lost::Float(lost), Lost::Histogram);
        let (last, since_us) = (carried.last(), Some(carried.since_us()));
        let told = Told { until_us, writer: Some(last.writer), since_us, lost };
        self.files.add(
            (&series.labels, series.fingerprint, false),
            || Some(Held { group, kind: carried.kind().clone() }),
            Placing { at_us: last.at_us, value: &value, start_us: None, told },
        );
    }

    /// The last files.
    pub(crate) fn finish(mut self) -> Vec<Segment> {
        if let Some(open) = self.open.take() {
            self.write(open);
        }
        self.files.finish()
    }
}

impl Open {
    /// Adds rows, by the number of the input; the first of these are frames.
    fn add(&mut self, of_series: &[(usize, &Segment, &SeriesRows)], frames: usize) {
        for (input, segment, series) in of_series {
            let Some(held) = &series.held else { continue };
            self.events.add(segment, series, held);
            if *input < frames {
                self.before = self.events.carried().filter(|carried| carried.is_shown()).cloned();
            }
        }
    }
}

fn gather(frames: &[Arc<Segment>], runs: &[Arc<Segment>], at_us: i64) -> Gathered {
    let end_ms = at_us.saturating_sub(1).div_euclid(1_000);
    let everything = Selection { matchers: Vec::new(), start_ms: end_ms, end_ms };
    let pushes = Pushes { frames: frames.to_vec(), segments: runs.to_vec(), counted: Vec::new() };
    Gathered::of(&pushes, &everything, &NeededLabels::All)
}

/// What is known of groups at the time of the frame.
fn lives(heads: &FrameHeads, surveyed: &Surveyed, expired_from_us: i64) -> BTreeMap<GroupKey, Life> {
    let mut lives: BTreeMap<GroupKey, Life> = BTreeMap::new();
    for pushed in &heads.condensed.pushes {
        if let Some(until_us) = pushed.until_us {
            lives.entry(pushed.group).or_default().open = Some((pushed.stamp, until_us));
        }
    }
    for (group, Expired { at, until }) in &heads.condensed.expired {
        let has_push = surveyed.last_pushes.get(group).is_some_and(|last| last < at);
        if until.is_none() && has_push && at.at_us >= expired_from_us {
            lives.entry(*group).or_default().expired_us = Some(at.at_us);
        }
    }
    lives
}

/// What the heads of frames say.
fn known(frames: &[Arc<Segment>], at_us: i64) -> State {
    let mut state = State { descriptions: descriptions(&gather(frames, &[], at_us)), ..State::default() };
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
    state
}

fn descriptions(gathered: &Gathered) -> Descriptions {
    gathered.descriptions.iter().map(|description| (description.key(), description.clone())).collect()
}

fn write_head(
    frame: &mut Segment,
    before: &State,
    (lives, descriptions): (&BTreeMap<GroupKey, Life>, &Descriptions),
    at_us: i64,
) {
    let groups: BTreeSet<_> = before.lives.keys().chain(lives.keys()).collect();
    for &group in groups {
        let life = lives.get(&group).copied().unwrap_or_default();
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
    let changed = descriptions
        .values()
        .filter(|now| before.descriptions.get(&now.key()).is_none_or(|before| before.stamp < now.stamp));
    frame.descriptions = changed.cloned().collect();
}
