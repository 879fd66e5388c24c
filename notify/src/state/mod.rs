//! What is remembered from one tick to the next.

mod codec;
pub(crate) mod labels;
mod silences;

pub use codec::{STATE_BYTES_MAX, STATE_VERSION, StateError};
pub use silences::{SilenceError, SilenceState};

use std::collections::{BTreeMap, BTreeSet};

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::matchers::{Matcher, MatcherError, Matchers};

/// How long a silence is kept after its end, and a log entry at most.
pub(crate) const RETENTION_MS: i64 = 120 * 3_600_000;

/// Everything that notifying remembers. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The routes that the groups belong to; with others, groups are made anew.
    pub(crate) routes: u64,
    /// By fingerprint.
    pub(crate) alerts: BTreeMap<u64, StoredAlert>,
    /// By route and group labels.
    pub(crate) groups: BTreeMap<String, Group>,
    /// Of what was told to whom: by group key, receiver, kind and index.
    pub(crate) log: BTreeMap<String, LogEntry>,
    /// By id.
    pub(crate) silences: BTreeMap<String, Silence>,
    /// What is to be sent and has not been taken yet.
    pub(crate) outbox: Vec<Intent>,
    pub(crate) next_intent: u64,
}

/// An alert as it was heard of last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAlert {
    /// What it is known by.
    #[serde(with = "labels")]
    pub labels: Labels,
    /// What else is said of it.
    #[serde(with = "labels")]
    pub annotations: Labels,
    /// Since when it fires.
    pub starts_at_ms: i64,
    /// When it is over, or will be if nothing else is heard.
    pub ends_at_ms: i64,
    /// When it was heard of last.
    pub updated_at_ms: i64,
    /// Whether nobody said when it ends.
    pub is_timeout: bool,
    /// A page that shows where it comes from.
    pub generator_url: String,
}

/// Alerts that are notified of together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The route's id.
    pub(crate) route: String,
    #[serde(with = "labels")]
    pub(crate) labels: Labels,
    pub(crate) members: BTreeSet<u64>,
    pub(crate) next_flush_ms: i64,
    pub(crate) has_flushed: bool,
    pub(crate) pending: Option<Pending>,
}

/// A flush whose notifications have not all been taken yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) intents: BTreeSet<u64>,
    /// Whether one of them was given up.
    pub(crate) failed: bool,
    /// Members that were over, and when they had been heard of.
    pub(crate) resolved: Vec<(u64, i64)>,
}

/// What a receiver was told last of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogEntry {
    pub(crate) at_ms: i64,
    /// Fingerprints, in order.
    pub(crate) firing: Vec<u64>,
    pub(crate) resolved: Vec<u64>,
    pub(crate) expires_at_ms: i64,
}

/// A notification that is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// What it is settled by.
    pub id: u64,
    /// The receiver's name.
    pub receiver: String,
    /// The kind of integration, as in the log: `webhook`.
    pub kind: String,
    /// Its place among those of its kind in the receiver.
    pub index: usize,
    /// What the group is known by to receivers.
    pub group_key: String,
    /// The labels that all its alerts share by grouping.
    #[serde(with = "labels")]
    pub group_labels: Labels,
    /// Those that are told of, in Alertmanager's order.
    pub alerts: Vec<StoredAlert>,
    /// Why.
    pub reason: Reason,
    /// When the group was flushed: alerts that end at it or before are over.
    pub flushed_at_ms: i64,
    /// Until when it may be tried.
    pub deadline_ms: i64,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it is to be tried next.
    pub next_attempt_ms: i64,
    /// Until when somebody is sending it.
    pub claimed_until_ms: i64,
    /// The key of the group in the state.
    pub(crate) group: String,
    pub(crate) firing: Vec<u64>,
    pub(crate) resolved: Vec<u64>,
    pub(crate) repeat_interval_ms: i64,
}

/// Why a notification is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody was told of the group yet.
    FirstNotification,
    /// An alert fires that was not told of.
    NewAlertsAdded,
    /// Nothing fires any more.
    AllAlertsResolved,
    /// Something is over that was not told of as such.
    SomeAlertsResolved,
    /// It is told of again.
    RepeatIntervalElapsed,
}

impl Reason {
    /// As Alertmanager puts it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstNotification => "first notification",
            Self::NewAlertsAdded => "new alerts added",
            Self::AllAlertsResolved => "all alerts resolved",
            Self::SomeAlertsResolved => "some alerts resolved",
            Self::RepeatIntervalElapsed => "repeat interval elapsed",
        }
    }
}

/// Alerts that nobody wants to hear of for some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Which alerts: those that satisfy all of these.
    pub matchers: Vec<SilenceMatcher>,
    /// From when.
    pub starts_at_ms: i64,
    /// Until when.
    pub ends_at_ms: i64,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was made or changed last.
    #[serde(default)]
    pub updated_at_ms: i64,
}

/// One condition of a silence, in the form of Alertmanager's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMatcher {
    /// The label's name.
    pub name: String,
    /// What its value is compared with.
    pub value: String,
    /// Whether that is a regular expression.
    pub is_regex: bool,
    /// Whether it must match, or must not; if nothing is said it must.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl StoredAlert {
    /// Whether it is over.
    pub fn is_resolved_at(&self, now_ms: i64) -> bool {
        self.ends_at_ms <= now_ms
    }
}

impl Silence {
    /// The conditions, ready to be asked.
    ///
    /// # Errors
    /// If an expression is none.
    pub fn matchers(&self) -> Result<Matchers, MatcherError> {
        let matchers = self.matchers.iter().map(SilenceMatcher::condition);
        matchers.collect::<Result<Vec<_>, _>>().map(Matchers::new)
    }
}

impl SilenceMatcher {
    fn condition(&self) -> Result<Matcher, MatcherError> {
        Matcher::new(&self.name, self.op(), &self.value)
    }
}

impl State {
    /// Adds a silence, or replaces one with the same id.
    pub fn put_silence(&mut self, id: &str, silence: Silence) {
        self.silences.insert(id.to_owned(), silence);
    }

    /// All silences that are remembered, by id.
    pub fn silences(&self) -> &BTreeMap<String, Silence> {
        &self.silences
    }

    /// The alerts that are remembered.
    pub fn alerts(&self) -> impl Iterator<Item = &StoredAlert> {
        self.alerts.values()
    }

    /// What is to be sent and has not been taken yet.
    pub fn outbox(&self) -> &[Intent] {
        &self.outbox
    }
}
