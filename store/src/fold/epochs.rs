//! What one group holds of one series. An epoch is a stretch over which values are added up.

use std::sync::Arc;

use model::{Compensated, GroupKey, Histogram, HistogramSum, Merge, Stamp, Value};

use super::ends::{Ends, FamilyEnds};
use super::event::{Event, GroupEvents, Kind};
use crate::segment::{Lost, Told};

/// A value that holds from one stamp to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) from: Stamp,
    pub(super) until: Option<Stamp>,
    pub(super) value: Value,
    pub(super) growth: Growth,
    /// When the epoch of an added value began.
    pub(super) since: Option<Stamp>,
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
#[derive(Clone, Debug, PartialEq)]
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

    /// What [`Total::parts`] took apart.
    fn from_parts(merge: Merge, value: &Value, lost: Lost<'_>) -> Self {
        match (merge, value, lost) {
            (Merge::Add, Value::Float(sum), Lost::Float(lost)) => {
                Self::Float(Compensated::from_parts(*sum, lost))
            }
            (Merge::Add, Value::Histogram(sum), Lost::Histogram(lost)) => {
                Self::Histogram(Box::new(HistogramSum::from_parts(sum, lost)))
            }
            _ => Self::of(merge, value),
        }
    }

    /// The sum, and what it has lost: of a float in the first, of a histogram in the second place.
    fn parts(&self) -> (Value, f64, Option<Arc<Histogram>>) {
        match self {
            Self::Last(value) => (value.clone(), 0.0, None),
            Self::Float(total) => {
                let (sum, lost) = total.parts();
                (Value::Float(sum), lost, None)
            }
            Self::Histogram(total) => {
                let (sum, lost) = total.parts();
                (Value::Histogram(sum.into()), 0.0, Some(lost.into()))
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Last(value) => value.clone(),
            Self::Float(sum) => Value::Float(sum.value()),
            Self::Histogram(sum) => Value::Histogram(sum.value().into()),
        }
    }

    /// Takes a value in, and what it has lost itself; false if it does not fit what is there, which then stays as it is.
    fn take(&mut self, merge: Merge, value: &Value, lost: f64) -> bool {
        match (merge, self, value) {
            (Merge::Add, Self::Float(sum), Value::Float(value)) => {
                sum.add_sum(Compensated::from_parts(*value, lost));
            }
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
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Carried {
    kind: Kind,
    epoch: Epoch,
    /// The last event.
    last: Stamp,
}

/// What is held at the moment.
#[derive(Clone, Debug, PartialEq)]
struct Epoch {
    since: Stamp,
    until: Option<Stamp>,
    total: Total,
    /// Whether a push has named the series.
    is_shown: bool,
}

impl Epoch {
    fn begin(merge: Merge, event: &Event, ends: FamilyEnds<'_>) -> Self {
        let until = earlier(ends.after(event.stamp), event.until());
        let total = Total::from_parts(merge, &event.value, Lost::Float(event.lost));
        Self { since: event.stamp, until, total, is_shown: false }
    }

    /// When it began, if what it holds is counted from there.
    fn since_of(&self, merge: Merge) -> Option<Stamp> {
        (merge == Merge::Add).then_some(self.since)
    }

    /// Takes a value in, and tells how the epoch grew; `None` if it does not fit.
    fn take(&mut self, merge: Merge, event: &Event) -> Option<Growth> {
        let before = (!self.is_shown).then(|| self.total.value());
        let fits = self.total.take(merge, &event.value, event.lost);
        if fits {
            // a run does not name each end, but says of the last event before one that it ended
            self.until = earlier(self.until, event.until());
        }
        fits.then_some(match before {
            Some(Value::Float(value)) if value != 0.0 => Growth::From { value, since: self.since },
            Some(_) => Growth::FromZero,
            None => Growth::Continued,
        })
    }
}

/// The earlier of two ends.
fn earlier(a: Option<Stamp>, b: Option<Stamp>) -> Option<Stamp> {
    a.into_iter().chain(b).min()
}

/// An end of which only the time is known: before all that was stamped then.
pub(super) fn end(at_us: i64) -> Stamp {
    Stamp { at_us, writer: 0 }
}

impl Carried {
    /// What a row of a frame says; `until_us` where it holds no longer.
    pub(crate) fn new(kind: Kind, last: Stamp, value: &Value, told: Told<'_>) -> Self {
        let total = Total::from_parts(kind.merge, value, told.lost);
        let since = end(told.since_us.unwrap_or(last.at_us));
        let epoch = Epoch { since, until: told.until_us.map(end), total, is_shown: true };
        Self { kind, epoch, last }
    }

    /// The same for a bound that no push has named: as much as at the next lower bound, or nothing.
    pub(super) fn implied(&self, lower: Option<&Self>) -> Self {
        let total =
            lower.map_or(Total::of(self.kind.merge, &Value::Float(0.0)), |lower| lower.epoch.total.clone());
        let epoch = Epoch { total, is_shown: false, ..self.epoch.clone() };
        Self { epoch, ..self.clone() }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn last(&self) -> Stamp {
        self.last
    }

    /// Whether somebody has named the series, and nothing has ended it before `at_us`.
    pub(crate) fn is_held(&self, at_us: i64) -> bool {
        self.epoch.is_shown && self.epoch.until.is_none_or(|until| until.at_us >= at_us)
    }

    /// Whether a frame says that it was held: rows of what is held no more end where they begin.
    pub(crate) fn is_told(&self) -> bool {
        self.epoch.until.is_none_or(|until| until.at_us > self.last.at_us)
    }

    /// Whether a push has named the series.
    pub(crate) fn is_shown(&self) -> bool {
        self.epoch.is_shown
    }

    /// The same with another end.
    #[must_use]
    pub(crate) fn until(mut self, until: Option<Stamp>) -> Self {
        self.epoch.until = until;
        // frames keep but the time
        self.epoch.since = end(self.epoch.since.at_us);
        self
    }

    /// When it ended.
    pub(crate) fn until_us(&self) -> Option<i64> {
        self.epoch.until.map(|until| until.at_us)
    }

    /// When the epoch began.
    pub(crate) fn since_us(&self) -> i64 {
        self.epoch.since.at_us
    }

    /// The value without what its sum has lost, and that: of a float, or of a histogram.
    pub(crate) fn parts(&self) -> (Value, f64, Option<Arc<Histogram>>) {
        self.epoch.total.parts()
    }
}

/// What one group held of one series, in order; and what it holds in the end. What a frame has carried is what it held before
/// the first of the events: without it, nothing.
pub(super) fn intervals(
    mut of_group: GroupEvents,
    group: GroupKey,
    ends: &Ends,
) -> (Vec<Interval>, Option<Carried>) {
    let carried = of_group.carried.take();
    let carried = carried.map(|carried| {
        let Carried { kind, epoch, last } = *carried;
        (of_group.kind(&kind), epoch, last)
    });
    let GroupEvents { kinds, mut events, .. } = of_group;
    events.sort_by_key(|event| event.stamp);
    // a segment that was read twice says the same twice
    events.dedup_by_key(|event| event.stamp);
    let ends: Vec<_> = kinds.iter().map(|kind| ends.of(group, &kind.family)).collect();
    let mut held: Vec<Interval> = Vec::with_capacity(events.len() + 1);
    let mut now: Option<(usize, Epoch, Stamp)> = None;
    if let Some((kind, mut epoch, last)) = carried {
        epoch.until = earlier(epoch.until, ends[kind].after(last));
        held.extend(epoch.is_shown.then(|| Interval {
            from: last,
            until: epoch.until,
            value: epoch.total.value(),
            growth: Growth::Unknown,
            since: epoch.since_of(kinds[kind].merge),
        }));
        now = Some((kind, epoch, last));
    }
    for event in events {
        let Event { stamp, kind, is_implied, .. } = event;
        let merge = kinds[kind].merge;
        let goes_on = |(known, epoch, _): &(usize, Epoch, Stamp)| {
            *known == kind && merge != Merge::Set && epoch.until.is_none_or(|until| until > stamp)
        };
        let continued = now.take().filter(goes_on).and_then(|(_, mut epoch, _)| {
            let growth = epoch.take(merge, &event)?;
            Some((epoch, growth))
        });
        let begun = || (Epoch::begin(merge, &event, ends[kind]), Growth::FromZero);
        let (mut epoch, growth) = continued.unwrap_or_else(begun);
        if let Some(last) = held.last_mut() {
            last.until = last.until.map_or(Some(stamp), |until| Some(until.min(stamp)));
        }
        epoch.is_shown |= !is_implied;
        if epoch.is_shown {
            let growth = if merge == Merge::Add { growth } else { Growth::Unknown };
            let since = epoch.since_of(merge);
            held.push(Interval {
                from: stamp,
                until: epoch.until,
                value: epoch.total.value(),
                growth,
                since,
            });
        }
        now = Some((kind, epoch, stamp));
    }
    let carried = now.map(|(kind, epoch, last)| Carried { kind: kinds[kind].clone(), epoch, last });
    (held, carried)
}
