//! What happens to one series: the one shape in which events reach the fold, wherever they were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{GroupKey, Merge, MetricType, Stamp, Value};

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
}

/// What one group says about one series, in any order. The same event may stand there several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupEvents {
    /// The kinds of the events; seldom more than one.
    pub(super) kinds: Vec<Kind>,
    pub(super) events: Vec<Event>,
}

impl GroupEvents {
    /// The index of a kind, to be given with its events.
    pub(crate) fn kind(&mut self, kind: &Kind) -> usize {
        self.kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        })
    }

    /// Adds what a push said about the series.
    pub(crate) fn push(&mut self, stamp: Stamp, kind: usize, value: Value) {
        self.events.push(Event { stamp, kind, value, is_implied: false });
    }

    /// When the events were, in any order.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = Stamp> {
        self.events.iter().map(|event| event.stamp)
    }

    /// The last of the events, and its kind.
    pub(crate) fn last(&self) -> Option<(Stamp, &Kind)> {
        let last = self.events.iter().max_by_key(|event| event.stamp)?;
        Some((last.stamp, &self.kinds[last.kind]))
    }
}

/// All that is known about one series, by the group that holds it.
pub(crate) type SeriesEvents = BTreeMap<GroupKey, GroupEvents>;
