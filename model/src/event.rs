//! What a gateway appends: one atomic change of one group of pushed series.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use crate::{Histogram, Labels, MetricType, Value};

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

/// One request of a pusher. It is applied whole, at one stamp, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// The group that it changes.
    pub group: GroupKey,
    /// What of the group ends before the families are set.
    pub change: Change,
    /// What is set.
    pub families: Vec<PushedFamily>,
}

/// What a push does to what its group held before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// PUT: every family of the group ends, except `push_failure_time_seconds`.
    ReplaceGroup,
    /// POST: the families that the push names end.
    ReplaceFamilies,
    /// DELETE: every family of the group ends, and nothing is set.
    Delete,
}

/// One metric family of a push.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedFamily {
    /// The family's name, which for `h_bucket`, `h_sum` and `h_count` is `h`.
    pub name: Arc<str>,
    /// Its type.
    pub r#type: MetricType,
    /// Its help text; empty if none was given.
    pub help: Arc<str>,
    /// Its series, flat: a classic histogram is a series per bucket, a sum and a count.
    pub series: Vec<PushedSeries>,
}

/// One series of a push and the value that holds from the push on.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedSeries {
    /// All labels, `__name__` and the grouping labels included; no empty values.
    pub labels: Labels,
    /// The value.
    pub value: Value,
}

impl PushedSeries {
    /// A series with a float value.
    pub fn float(labels: Labels, value: f64) -> Self {
        Self { labels, value: Value::Float(value) }
    }

    /// A series with a native histogram.
    pub fn histogram(labels: Labels, histogram: Arc<Histogram>) -> Self {
        Self { labels, value: Value::Histogram(histogram) }
    }
}
