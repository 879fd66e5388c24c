//! What is remembered from one tick to the next, and how it is written.

mod codec;
mod labels;

pub(crate) use labels::map as labels_map;

pub(crate) use codec::{Encoded, decode};
pub use codec::{STATE_BYTES_MAX, STATE_VERSION, StateError};

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::rules::{Group, Rule};
use crate::send::Alert;

/// The state of all rules. Cheap to clone: what a tick leaves as it is, is shared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct State {
    /// By [`Group::key`].
    #[serde(deserialize_with = "codec::groups")]
    pub(crate) groups: BTreeMap<String, Arc<GroupState>>,
    /// Alerts that are to be sent and for which no receiver has answered yet.
    pub(crate) outbox: Vec<Delivery>,
    /// The id of the next delivery.
    pub(crate) next_delivery: u64,
    /// Series of rules that are gone, which must end unless another rule writes them.
    pub(crate) orphans: Vec<Orphan>,
}

/// The state of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GroupState {
    /// The slot of the last evaluation.
    pub(crate) last_slot_ms: Option<i64>,
    /// How long the last evaluation took.
    pub(crate) evaluation_ms: i64,
    /// For removed groups: how long to wait before their series end.
    pub(crate) interval_ms: i64,
    /// In the order of the file.
    #[serde(with = "codec::rules")]
    pub(crate) rules: Vec<RuleState>,
}

/// The state of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState {
    pub(crate) identity: Identity,
    pub(crate) health: Health,
    pub(crate) last_error: String,
    pub(crate) last_evaluation_ms: Option<i64>,
    pub(crate) evaluation_ms: i64,
    /// In the order of their labels.
    pub(crate) alerts: Vec<ActiveAlert>,
    /// What the last successful evaluation wrote; only kept if samples are written anywhere.
    #[serde(with = "labels::list")]
    pub(crate) series: Vec<Labels>,
}

/// What makes a rule the same rule after a reload. Two rules may share it; then they are matched in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) alerting: bool,
    pub(crate) name: String,
    #[serde(with = "labels::map")]
    pub(crate) labels: Labels,
}

/// Whether the last evaluation of a rule succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// There was none.
    #[default]
    Unknown,
    Ok,
    Err,
}

/// One alert of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActiveAlert {
    #[serde(with = "labels::map")]
    pub(crate) labels: Labels,
    #[serde(with = "labels::map")]
    pub(crate) annotations: Labels,
    #[serde(with = "codec::float")]
    pub(crate) value: f64,
    pub(crate) state: AlertState,
    pub(crate) active_at_ms: i64,
    pub(crate) fired_at_ms: Option<i64>,
    pub(crate) resolved_at_ms: Option<i64>,
    pub(crate) last_sent_ms: Option<i64>,
    pub(crate) keep_firing_since_ms: Option<i64>,
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AlertState {
    /// It was firing, and is over.
    Inactive,
    /// Its condition holds, but not for long enough.
    Pending,
    Firing,
}

impl AlertState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// Alerts on their way to receivers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    /// The names of the receivers that have not answered yet.
    pub(crate) receivers: Vec<String>,
    pub(crate) alerts: Vec<Alert>,
    /// Until then another tick may be sending it; by the wall clock.
    pub(crate) claimed_until_ms: i64,
}

/// A series of a rule that is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Orphan {
    #[serde(with = "labels::map")]
    pub(crate) labels: Labels,
    /// When it ends, unless a rule writes it before.
    pub(crate) ends_at_ms: i64,
}

impl State {
    /// Whether nothing has changed. What is shared is not compared.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self { groups, outbox, next_delivery, orphans } = self;
        (outbox, next_delivery, orphans) == (&other.outbox, &other.next_delivery, &other.orphans)
            && groups.len() == other.groups.len()
            && groups
                .iter()
                .zip(&other.groups)
                .all(|((a_key, a), (b_key, b))| a_key == b_key && (Arc::ptr_eq(a, b) || a == b))
    }
}

impl RuleState {
    /// Whether there is nothing to tell but that it was evaluated.
    fn is_quiet(&self) -> bool {
        self.health == Health::Ok
            && self.last_error.is_empty()
            && self.alerts.is_empty()
            && self.series.is_empty()
    }
}

impl Identity {
    pub(crate) fn of(rule: &Rule) -> Self {
        Self { alerting: rule.is_alerting(), name: rule.name.to_string(), labels: rule.labels.clone() }
    }

    fn is_of(&self, rule: &Rule) -> bool {
        self.alerting == rule.is_alerting() && *self.name == *rule.name && self.labels == rule.labels
    }
}

impl GroupState {
    /// Whether the rules are those of `group`, in its order.
    pub(crate) fn fits(&self, group: &Group) -> bool {
        self.rules.len() == group.rules.len()
            && self.rules.iter().zip(&group.rules).all(|(state, rule)| state.identity.is_of(rule))
    }

    /// Gives each rule of `group` the state that it had before, and returns the series of rules that are gone.
    pub(crate) fn adopt(&mut self, group: &Group) -> Vec<Labels> {
        if self.fits(group) {
            return Vec::new();
        }
        let mut known: BTreeMap<Identity, std::collections::VecDeque<RuleState>> = BTreeMap::new();
        for rule in std::mem::take(&mut self.rules) {
            known.entry(rule.identity.clone()).or_default().push_back(rule);
        }
        for rule in &group.rules {
            let identity = Identity::of(rule);
            let before = known.get_mut(&identity).and_then(std::collections::VecDeque::pop_front);
            self.rules.push(before.unwrap_or_else(|| RuleState { identity, ..RuleState::default() }));
        }
        known.into_values().flatten().flat_map(|rule| rule.series).collect()
    }
}

#[cfg(test)]
mod tests;
