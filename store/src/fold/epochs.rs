//! What one group holds of one series. An epoch is a stretch over which values are added up.

use model::{Compensated, HistogramSum, Merge, Stamp, Value};

use super::ends::Ends;
use super::event::{Event, GroupEvents};
use model::GroupKey;

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

/// What is held at the moment.
struct Epoch {
    /// An index into the kinds of the events.
    kind: usize,
    since: Stamp,
    until: Option<Stamp>,
    total: Total,
    /// Whether a push has named the series.
    is_shown: bool,
}

/// What one group held of one series.
pub(super) fn intervals(mut of_group: GroupEvents, group: GroupKey, ends: &Ends) -> Vec<Interval> {
    let GroupEvents { kinds, events } = &mut of_group;
    events.sort_by_key(|event| event.stamp);
    // a segment that was read twice says the same twice
    events.dedup_by_key(|event| event.stamp);
    let ends: Vec<_> = kinds.iter().map(|kind| ends.of(group, &kind.family)).collect();
    let mut held: Vec<Interval> = Vec::with_capacity(events.len());
    let mut epoch: Option<Epoch> = None;
    for Event { stamp, kind, value, is_implied } in std::mem::take(events) {
        let merge = kinds[kind].merge;
        let continued = epoch.take().filter(|epoch| epoch.until.is_none_or(|until| until > stamp));
        let continued = continued.filter(|epoch| epoch.kind == kind && merge != Merge::Set);
        let (next, growth) = match continued {
            Some(mut epoch) => {
                let before = (!epoch.is_shown).then(|| epoch.total.value());
                if epoch.total.take(merge, &value) {
                    let growth = match before {
                        Some(Value::Float(value)) if value != 0.0 => {
                            Growth::From { value, since: epoch.since }
                        }
                        Some(_) => Growth::FromZero,
                        None if merge == Merge::Add => Growth::Continued,
                        None => Growth::Unknown,
                    };
                    (Some(epoch), growth)
                } else {
                    (None, Growth::FromZero)
                }
            }
            None => (None, Growth::FromZero),
        };
        let growth = if merge == Merge::Add { growth } else { Growth::Unknown };
        let mut next = next.unwrap_or_else(|| Epoch {
            kind,
            since: stamp,
            until: ends[kind].after(stamp),
            total: Total::of(merge, &value),
            is_shown: false,
        });
        if let Some(last) = held.last_mut() {
            last.until = last.until.map_or(Some(stamp), |until| Some(until.min(stamp)));
        }
        next.is_shown |= !is_implied;
        if next.is_shown {
            held.push(Interval { from: stamp, until: next.until, value: next.total.value(), growth });
        }
        epoch = Some(next);
    }
    held
}
