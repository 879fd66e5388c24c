//! What happens to one series: the one shape in which events reach the fold, wherever they were read.

use std::sync::Arc;

use model::{GroupKey, Merge, MetricType, Stamp, Value};

use super::epochs::{Carried, end};
use crate::segment::{Held, Lost, Segment, SeriesRows, Told};

/// As what a series is pushed. Values of different kinds are not added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The family by whose name it ends.
    pub(crate) family: Arc<str>,
    /// The family's type.
    pub(crate) r#type: MetricType,
    /// How the value meets what is held.
    pub(crate) merge: Merge,
}

/// A push's value for one series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) stamp: Stamp,
    /// An index into [`GroupEvents::kinds`].
    pub(super) kind: usize,
    pub(super) value: Value,
    /// The push did not name the series, but says something about it all the same: the bound of a histogram that this
    /// push lacks. It counts, but it does not make the series appear.
    pub(super) is_implied: bool,
    /// What a run says: that something ended the value then, before the next event of the series.
    pub(super) until_us: Option<i64>,
    /// What the value lacks of a compensated sum.
    pub(super) lost: f64,
}

impl Event {
    /// When a run says that the value ended: after its own stamp, and before whatever came after that.
    pub(super) fn until(&self) -> Option<Stamp> {
        self.until_us.map(|at_us| match at_us == self.stamp.at_us {
            true => Stamp { at_us, writer: self.stamp.writer.saturating_add(1) },
            false => end(at_us),
        })
    }
}

/// What one group says about one series, in any order. The same event may stand there several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupEvents {
    /// The kinds of the events; seldom more than one.
    pub(super) kinds: Vec<Kind>,
    pub(super) events: Vec<Event>,
    /// What a frame says that the group held before them.
    pub(super) carried: Option<Box<Carried>>,
}

impl GroupEvents {
    /// The index of a kind, to be given with its events.
    pub(crate) fn kind(&mut self, kind: &Kind) -> usize {
        self.kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
            self.kinds.reserve_exact(1);
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        })
    }

    /// Adds what a push said about the series.
    #[cfg(test)]
    pub(crate) fn push(&mut self, stamp: Stamp, kind: usize, value: Value) {
        self.push_told(stamp, kind, value, Told::default());
    }

    /// Adds what a push said about the series, and what a run says of it besides.
    pub(crate) fn push_told(&mut self, stamp: Stamp, kind: usize, value: Value, told: Told<'_>) {
        let lost = match told.lost {
            Lost::Float(lost) => lost,
            // runs have none of these
            Lost::Histogram(_) => 0.0,
        };
        self.events.push(Event { stamp, kind, value, is_implied: false, until_us: told.until_us, lost });
    }

    /// Makes room for so many events.
    pub(crate) fn reserve(&mut self, events: usize) {
        match self.events.is_empty() {
            // most series are pushed once in the time that is read
            true => self.events.reserve_exact(events),
            false => self.events.reserve(events),
        }
    }

    /// What a frame says that is held. Of several frames the newest must come last.
    pub(crate) fn carry(&mut self, carried: Carried) {
        // what is held no more ends where it begins
        self.carried = carried.is_told().then(|| Box::new(carried));
    }

    /// What is to be known of events that were folded already, to go on with those that come after them.
    pub(crate) fn after(carried: Option<Carried>) -> Self {
        Self { carried: carried.map(Box::new), ..Self::default() }
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// Adds the rows of a frame or a run.
    pub(crate) fn add(&mut self, segment: &Segment, series: &SeriesRows, held: &Held) {
        let kind = self.kind(&held.kind);
        self.reserve(series.range.len());
        for row in series.range.clone() {
            let stamp = segment.stamp(row);
            let (value, told) = (segment.rows.value(row), segment.rows.told(row));
            match told.since_us {
                Some(_) => self.carry(Carried::new(held.kind.clone(), stamp, &value, told)),
                None => self.push_told(stamp, kind, value, told),
            }
        }
    }

    /// What a frame said that is held.
    pub(crate) fn carried(&self) -> Option<&Carried> {
        self.carried.as_deref()
    }

    /// When the events were, in any order, and whether they say something: where one is deleted it but ends what was before it.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = (Stamp, bool)> {
        let of_event = |event: &Event| (event.stamp, event.until_us != Some(event.stamp.at_us));
        self.carried.iter().map(|carried| (carried.last(), true)).chain(self.events.iter().map(of_event))
    }

    /// The last of the events, and its kind.
    pub(crate) fn last(&self) -> Option<(Stamp, &Kind)> {
        let of_events = self.events.iter().map(|event| (event.stamp, &self.kinds[event.kind]));
        let of_frame = self.carried.iter().map(|carried| (carried.last(), carried.kind()));
        of_frame.chain(of_events).max_by_key(|(stamp, _)| *stamp)
    }
}

/// All that is known about one series, by the group that holds it, in order of groups. Seldom more than one does: a map would
/// make room for many.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SeriesEvents(Vec<(GroupKey, GroupEvents)>);

impl SeriesEvents {
    /// What one group says, which is all.
    pub(crate) fn of(group: GroupKey, events: GroupEvents) -> Self {
        Self(vec![(group, events)])
    }

    /// What a group says, to add to it.
    pub(crate) fn group(&mut self, group: GroupKey) -> &mut GroupEvents {
        let place = self.0.binary_search_by_key(&group, |(group, _)| *group).unwrap_or_else(|place| {
            if self.0.is_empty() {
                self.0.reserve_exact(1);
            }
            self.0.insert(place, (group, GroupEvents::default()));
            place
        });
        &mut self.0[place].1
    }

    /// What a group says, if it says something.
    pub(super) fn get(&self, group: GroupKey) -> Option<&GroupEvents> {
        let place = self.0.binary_search_by_key(&group, |(group, _)| *group).ok()?;
        Some(&self.0[place].1)
    }

    /// The same, to add to it.
    pub(super) fn get_mut(&mut self, group: GroupKey) -> Option<&mut GroupEvents> {
        let place = self.0.binary_search_by_key(&group, |(group, _)| *group).ok()?;
        Some(&mut self.0[place].1)
    }

    /// What each group says.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(GroupKey, GroupEvents)> {
        self.0.iter()
    }
}

impl IntoIterator for SeriesEvents {
    type Item = (GroupKey, GroupEvents);
    type IntoIter = std::vec::IntoIter<(GroupKey, GroupEvents)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
