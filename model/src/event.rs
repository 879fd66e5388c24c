//! What a gateway appends: one atomic change of one group of pushed series.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::{Histogram, Labels, MetricType, Teller, Value};

/// Names a group of pushed series: a 128-bit hash (XXH3) of its labels. Labels with an empty value do not count, so
/// `{job="a", x=""}` and `{job="a"}` are the same group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey(pub u128);

impl GroupKey {
    /// The key of the group with these grouping labels.
    pub fn of(labels: &Labels) -> Self {
        Self(xxh3_128(&labels.canonical_bytes()))
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({:032x})", self.0)
    }
}

/// What makes a retry recognisable: a push whose key was counted already, within [`RETRY_WINDOW_US`] before it, does not
/// count again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RetryKey {
    /// A hash of the key that the client gave and of the group, so that one request may change several groups.
    pub key: u128,
    /// A hash of what was asked for. The same key with another body is a mistake of the client.
    pub body: u64,
}

/// How long a retry key is remembered: a day, in microseconds.
pub const RETRY_WINDOW_US: i64 = 24 * 3_600 * 1_000_000;

/// One request of a pusher. It is applied whole, at one stamp, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// The group that it changes.
    pub group: GroupKey,
    /// What of the group ends before the families are set.
    pub change: Change,
    /// What is set and added.
    pub families: Vec<PushedFamily>,
    /// How long it holds, in microseconds, if nothing ends it before; `None`: for ever.
    pub ttl_us: Option<u64>,
    /// The key by which a retry of it is recognised.
    pub retry_key: Option<RetryKey>,
    /// Whose word on its families it is; `None`: everybody's.
    pub told_by: Option<Teller>,
}

impl Push {
    /// A push that never expires and that has no retry key.
    pub fn new(group: GroupKey, change: Change, families: Vec<PushedFamily>) -> Self {
        Self { group, change, families, ttl_us: None, retry_key: None, told_by: None }
    }
}

/// What a push does to what was held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// PUT: every family of the group ends, except `push_failure_time_seconds`.
    ReplaceGroup,
    /// POST: the families that the push names end.
    ReplaceFamilies,
    /// An aggregating push: nothing ends but the families that say so ([`PushedFamily::replaces`]).
    Merge,
    /// DELETE: every family of the group ends, and nothing is set.
    Delete,
    /// Every family of every group ends, and nothing is set. The push's own group does not matter.
    Wipe,
}

/// One metric family of a push.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushedFamily {
    /// The family's name, which for `h_bucket`, `h_sum` and `h_count` is `h`.
    pub name: Arc<str>,
    /// Its type.
    pub r#type: MetricType,
    /// Its help text; empty if none was given.
    pub help: Arc<str>,
    /// Its unit; empty if none was given.
    pub unit: Arc<str>,
    /// Whether all that the group holds of the family ends, although the push is a [`Change::Merge`]. Other changes decide
    /// for all families at once.
    pub replaces: bool,
    /// Its series, flat: a classic histogram is a series per bucket, a sum and a count.
    pub series: Vec<PushedSeries>,
}

/// How a pushed value meets what the series held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Merge {
    /// The series has this value from the push on.
    #[default]
    Set,
    /// The series grows by this much.
    Add,
    /// The series becomes this value, if that is less. Floats only.
    Min,
    /// The series becomes this value, if that is more. Floats only.
    Max,
}

/// One series of a push.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedSeries {
    /// All labels, `__name__` and the grouping labels included; no empty values.
    pub labels: Labels,
    /// The value.
    pub value: Value,
    /// What becomes of it.
    pub merge: Merge,
    /// When the client began to count, in microseconds since the Unix epoch, if it said so.
    pub start_us: Option<i64>,
}

impl PushedSeries {
    /// A series that has a value from the push on.
    pub fn new(labels: Labels, value: Value) -> Self {
        Self { labels, value, merge: Merge::Set, start_us: None }
    }

    /// A series that is set to a float.
    pub fn float(labels: Labels, value: f64) -> Self {
        Self::new(labels, Value::Float(value))
    }

    /// A series that is set to a native histogram.
    pub fn histogram(labels: Labels, histogram: Arc<Histogram>) -> Self {
        Self::new(labels, Value::Histogram(histogram))
    }

    /// The same with another way to meet what the series held.
    #[must_use]
    pub fn merging(self, merge: Merge) -> Self {
        Self { merge, ..self }
    }
}
