//! What one group holds of one series. An epoch is a stretch over which values are added up.

use model::{Compensated, GroupKey, HistogramSum, Merge, Stamp, Value};

use super::ends::{Ends, FamilyEnds};
use super::event::{Event, GroupEvents, Kind};

/// A value that holds from one stamp to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) from: Stamp,
    pub(super) until: Option<Stamp>,
    pub(super) value: Value,
    pub(super) growth: Growth,
}

/// How a value came to be, seen from the one that the series had before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Growth {
    /// Nothing is known: it was set, or it is shown again.
    Unknown,
    /// All of it was added at once: an epoch begins.
    FromZero,
    /// It is the value before and something added.
    Continued,
    /// The series appears when its epoch has counted already: it would have had this value.
    From {
        /// The value before.
        value: f64,
        /// When the epoch began.
        since: Stamp,
    },
}

/// What the values of an epoch come to.
#[derive(Clone, Debug)]
enum Total {
    Last(Value),
    Float(Compensated),
    Histogram(Box<HistogramSum>),
}

impl Total {
    fn of(merge: Merge, value: &Value) -> Self {
        match (merge, value) {
            (Merge::Add, Value::Float(value)) => Self::Float(Compensated::of(*value)),
            (Merge::Add, Value::Histogram(value)) => Self::Histogram(Box::new(HistogramSum::of(value))),
            _ => Self::Last(value.clone()),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Last(value) => value.clone(),
            Self::Float(sum) => Value::Float(sum.value()),
            Self::Histogram(sum) => Value::Histogram(sum.value().into()),
        }
    }

    /// Takes a value in; false if it does not fit what is there, which then stays as it is.
    fn take(&mut self, merge: Merge, value: &Value) -> bool {
        match (merge, self, value) {
            (Merge::Add, Self::Float(sum), Value::Float(value)) => sum.add(*value),
            (Merge::Add, Self::Histogram(sum), Value::Histogram(value)) => return sum.add(value).is_ok(),
            (Merge::Min, Self::Last(Value::Float(least)), Value::Float(value)) => *least = least.min(*value),
            (Merge::Max, Self::Last(Value::Float(most)), Value::Float(value)) => *most = most.max(*value),
            _ => return false,
        }
        true
    }
}

/// What one group holds of one series when all its events up to some time are folded. A fold that goes on from here over
/// the events after it gives what one fold over all of them would have given.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    kind: Kind,
    epoch: Epoch,
    /// The last event.
    last: Stamp,
}

/// What is held at the moment.
#[derive(Clone, Debug)]
struct Epoch {
    since: Stamp,
    until: Option<Stamp>,
    total: Total,
    /// Whether a push has named the series.
    is_shown: bool,
}

impl Epoch {
    fn begin(stamp: Stamp, merge: Merge, value: &Value, ends: FamilyEnds<'_>) -> Self {
        let (until, total) = (ends.after(stamp), Total::of(merge, value));
        Self { since: stamp, until, total, is_shown: false }
    }

    /// Takes a value in, and tells how the epoch grew; `None` if it does not fit.
    fn take(&mut self, merge: Merge, value: &Value) -> Option<Growth> {
        let before = (!self.is_shown).then(|| self.total.value());
        self.total.take(merge, value).then_some(match before {
            Some(Value::Float(value)) if value != 0.0 => Growth::From { value, since: self.since },
            Some(_) => Growth::FromZero,
            None => Growth::Continued,
        })
    }
}

/// What one group held of one series, in order; and what it holds in the end. `carried` is what it held before the first
/// of the events: without it, nothing.
pub(super) fn intervals(
    carried: Option<Carried>,
    mut of_group: GroupEvents,
    group: GroupKey,
    ends: &Ends,
) -> (Vec<Interval>, Option<Carried>) {
    let carried = carried.map(|Carried { kind, epoch, last }| (of_group.kind(&kind), epoch, last));
    let GroupEvents { kinds, mut events } = of_group;
    events.sort_by_key(|event| event.stamp);
    // a segment that was read twice says the same twice
    events.dedup_by_key(|event| event.stamp);
    let ends: Vec<_> = kinds.iter().map(|kind| ends.of(group, &kind.family)).collect();
    let mut held: Vec<Interval> = Vec::with_capacity(events.len() + 1);
    let mut now: Option<(usize, Epoch, Stamp)> = None;
    if let Some((kind, mut epoch, last)) = carried {
        epoch.until = ends[kind].after(last);
        held.extend(epoch.is_shown.then(|| Interval {
            from: last,
            until: epoch.until,
            value: epoch.total.value(),
            growth: Growth::Unknown,
        }));
        now = Some((kind, epoch, last));
    }
    for Event { stamp, kind, value, is_implied } in events {
        let merge = kinds[kind].merge;
        let goes_on = |(known, epoch, _): &(usize, Epoch, Stamp)| {
            *known == kind && merge != Merge::Set && epoch.until.is_none_or(|until| until > stamp)
        };
        let continued = now.take().filter(goes_on).and_then(|(_, mut epoch, _)| {
            let growth = epoch.take(merge, &value)?;
            Some((epoch, growth))
        });
        let begun = || (Epoch::begin(stamp, merge, &value, ends[kind]), Growth::FromZero);
        let (mut epoch, growth) = continued.unwrap_or_else(begun);
        if let Some(last) = held.last_mut() {
            last.until = last.until.map_or(Some(stamp), |until| Some(until.min(stamp)));
        }
        epoch.is_shown |= !is_implied;
        if epoch.is_shown {
            let growth = if merge == Merge::Add { growth } else { Growth::Unknown };
            held.push(Interval { from: stamp, until: epoch.until, value: epoch.total.value(), growth });
        }
        now = Some((kind, epoch, stamp));
    }
    let carried = now.map(|(kind, epoch, last)| Carried { kind: kinds[kind].clone(), epoch, last });
    (held, carried)
}
