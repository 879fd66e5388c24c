//! What is remembered, as Alertmanager's API shows it.

use std::collections::BTreeMap;

use model::Labels;

use super::{Dispatcher, order};
use crate::inhibition::Inhibition;
use crate::matchers::Matchers;
use crate::state::{State, StoredAlert};

/// An alert that fires, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownAlert<'a> {
    /// What it is known by.
    pub fingerprint: u64,
    /// The alert.
    pub alert: &'a StoredAlert,
    /// Whom it is told to, in the order of the routes.
    pub receivers: Vec<&'a str>,
    /// The silences that keep it from being told.
    pub silenced_by: Vec<&'a str>,
    /// The alert that keeps it from being told.
    pub inhibited_by: Option<u64>,
    /// The time intervals in which its group is not told of; of groups only.
    pub muted_by: Vec<&'a str>,
}

/// Alerts that are told of together.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownGroup<'a> {
    /// What they have in common by grouping.
    pub labels: &'a Labels,
    /// Whom they are told to.
    pub receiver: &'a str,
    /// Those that fire, in Alertmanager's order.
    pub alerts: Vec<ShownAlert<'a>>,
}

impl Dispatcher {
    /// The alerts that fire at a time, in the order of their fingerprints.
    pub fn alerts<'a>(&'a self, state: &'a State, now_ms: i64) -> Vec<ShownAlert<'a>> {
        let firing = state.alerts.iter().filter(|(_, alert)| !alert.is_resolved_at(now_ms));
        let firing: Vec<(u64, &StoredAlert)> = firing.map(|(id, alert)| (*id, alert)).collect();
        let labels = firing.iter().map(|(id, alert)| (*id, &alert.labels));
        let inhibition = Inhibition::new(&self.inhibit_rules, labels);
        let silences: Vec<(&str, Matchers)> = state
            .silences
            .iter()
            .filter(|(_, silence)| (silence.starts_at_ms..silence.ends_at_ms).contains(&now_ms))
            .filter_map(|(id, silence)| Some((id.as_str(), silence.matchers().ok()?)))
            .collect();
        let shown = firing.into_iter().map(|(fingerprint, alert)| {
            let silenced = silences.iter().filter(|(_, matchers)| matchers.matches(&alert.labels));
            ShownAlert {
                fingerprint,
                alert,
                receivers: self
                    .tree
                    .matching(&alert.labels)
                    .iter()
                    .map(|node| node.receiver.as_str())
                    .collect(),
                silenced_by: silenced.map(|(id, _)| *id).collect(),
                inhibited_by: inhibition.inhibitor(&alert.labels),
                muted_by: Vec::new(),
            }
        });
        shown.collect()
    }

    /// The groups of a time in which something fires, in the order of their labels and receivers.
    pub fn groups<'a>(&'a self, state: &'a State, now_ms: i64) -> Vec<ShownGroup<'a>> {
        let alerts: BTreeMap<u64, ShownAlert<'a>> =
            self.alerts(state, now_ms).into_iter().map(|alert| (alert.fingerprint, alert)).collect();
        let nodes: BTreeMap<&str, _> =
            self.tree.nodes().iter().map(|node| (node.id.as_str(), node)).collect();
        let mut groups: Vec<ShownGroup<'a>> = Vec::new();
        for group in state.groups.values() {
            let Some(route) = nodes.get(group.route.as_str()) else { continue };
            let muted_by = self.muted_by(route, now_ms);
            let members = group.members.iter().filter_map(|id| alerts.get(id));
            let mut members: Vec<ShownAlert<'a>> =
                members.map(|alert| ShownAlert { muted_by: muted_by.clone(), ..alert.clone() }).collect();
            members.sort_by(|a, b| order(&a.alert.labels, &b.alert.labels));
            if !members.is_empty() {
                groups.push(ShownGroup { labels: &group.labels, receiver: &route.receiver, alerts: members });
            }
        }
        groups.sort_by(|a, b| order(a.labels, b.labels).then_with(|| a.receiver.cmp(b.receiver)));
        groups
    }
}
