//! A deletion as a manifest tells it.

use model::{MatchOp, Matcher, Selection};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::layout::Minute;

/// What is being deleted from a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Counted from 1 by the manifest. What has been written with this number or a later one in mind has nothing of it.
    pub(crate) number: u64,
    /// Segments filed under later minutes came after it and are not meant.
    pub(crate) through: Minute,
    /// All must match.
    pub(crate) matchers: Vec<Condition>,
    /// The first µs of a sample or of the stamp of a push; `None`: all before the end.
    pub(crate) from_us: Option<i64>,
    /// The last one.
    pub(crate) to_us: i64,
}

/// A matcher as three texts: name, operator and value.
#[derive(Clone, Debug)]
pub(crate) struct Condition(pub(crate) Matcher);

impl Condition {
    fn texts(&self) -> (&str, &str, &str) {
        (&self.0.name, self.0.op.as_str(), &self.0.value)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, op, value) = <(String, String, String)>::deserialize(deserializer)?;
        let all = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
        let known = all.into_iter().find(|known| known.as_str() == op);
        let op = known.ok_or_else(|| D::Error::custom(format!("{op:?} is no operator of a matcher")))?;
        Matcher::new(name, op, value).map(Self).map_err(D::Error::custom)
    }
}

impl Recorded {
    /// All series that are meant, whatever their time.
    pub(crate) fn selection(&self) -> Selection {
        let matchers = self.matchers.iter().map(|Condition(matcher)| matcher.clone()).collect();
        Selection { matchers, start_ms: i64::MIN, end_ms: i64::MAX }
    }

    /// Whether something that began at one time and was told last at another lies in it.
    pub(crate) fn touches(&self, since_us: i64, last_us: i64) -> bool {
        since_us <= self.to_us && self.from_us.is_none_or(|from_us| last_us >= from_us)
    }

    /// Whether what is held at a time can be told by leaving out rows of a frame: where sums go on after the deletion, it cannot.
    pub(crate) fn spares_sums(&self, at: Minute) -> bool {
        self.spares_sums_at(at.start_us())
    }

    pub(crate) fn spares_sums_at(&self, at_us: i64) -> bool {
        self.to_us >= at_us.saturating_sub(1) || self.from_us.is_some_and(|from_us| from_us >= at_us)
    }
}
