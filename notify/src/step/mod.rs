//! The step: from what is remembered and what is heard to what is to be sent, at one time.
//!
//! Alertmanager has a timer for every group. Here whoever calls [`Dispatcher::tick`] is the clock: each call flushes the groups
//! that are due by then. What is to be sent is in the state's outbox before anybody sends it, so the state can be stored in
//! between, and [`Dispatcher::settle`] takes it out.

mod alerts;
mod dedup;
mod view;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use model::Labels;

use crate::config::{Config, InhibitRule};
use crate::inhibition::Inhibition;
use crate::intervals::TimeInterval;
use crate::matchers::Matchers;
use crate::routing::{RouteNode, RoutingTree};
use crate::state::{Group, Intent, LogEntry, Pending, RETENTION_MS, State, StoredAlert};

pub use alerts::{Received, fingerprint};
pub use view::{ShownAlert, ShownGroup};

/// How long an alert that is over is remembered.
const RESOLVED_KEPT_MS: i64 = 15 * 60_000;
/// How long a notification is tried at least.
const TRY_MS_MIN: i64 = 10_000;
/// How long whoever ticks has to send what it was given, before another tick is given it again.
pub const CLAIM_MS: i64 = 60_000;
const BACKOFF_MS: f64 = 500.0;
const BACKOFF_MS_MAX: f64 = 60_000.0;

/// What an `alertmanager.yml` says of grouping and notifying, ready to be asked.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    tree: RoutingTree,
    inhibit_rules: Vec<InhibitRule>,
    time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    receivers: BTreeMap<String, Vec<Integration>>,
    resolve_timeout_ms: i64,
    /// How far apart ticks are.
    tick_ms: i64,
    /// Which routes and receivers there are, so that a state of others is noticed.
    routes: u64,
}

#[derive(Clone, Debug)]
struct Integration {
    kind: &'static str,
    index: usize,
    send_resolved: bool,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has taken it.
    Sent,
    /// It may be taken another time.
    Failed,
    /// The receiver will never take it.
    Refused,
}

impl Dispatcher {
    /// The dispatcher of a configuration.
    pub fn new(config: &Config) -> Self {
        let tree = RoutingTree::of(config);
        let receivers = config.receivers.iter().map(|receiver| {
            let integrations = receiver.integrations.iter().map(|integration| Integration {
                kind: integration.kind.name(),
                index: integration.index,
                send_resolved: integration.send_resolved,
            });
            (receiver.name.clone(), integrations.collect())
        });
        let receivers: BTreeMap<String, Vec<Integration>> = receivers.collect();
        let nodes = tree.nodes().iter().map(|node| {
            (node.id.clone(), format!("{} {:?} {}", node.receiver, node.group_by, node.continues))
        });
        // ids of routes begin with a brace
        let named = receivers.iter().map(|(name, integrations)| {
            let shown: Vec<_> =
                integrations.iter().map(|integration| (integration.kind, integration.index)).collect();
            (format!("receiver {name}"), format!("{shown:?}"))
        });
        let routes = fingerprint(&Labels::from_pairs(nodes.chain(named)));
        Self {
            receivers,
            inhibit_rules: config.inhibit_rules.clone(),
            time_intervals: config.time_intervals.clone(),
            resolve_timeout_ms: config.global.duration_ms("resolve_timeout"),
            tick_ms: 0,
            tree,
            routes,
        }
    }

    /// For whoever ticks this seldom, and not at every time that [`Dispatcher::next_due_ms`] names: groups that would wait for less
    /// than that do not wait, and what is due before half of it has passed is due now.
    #[must_use]
    pub fn ticking_every(self, tick_ms: i64) -> Self {
        Self { tick_ms, ..self }
    }

    /// The routes.
    pub fn tree(&self) -> &RoutingTree {
        &self.tree
    }

    /// When a tick will next find something to do if nothing else is heard.
    pub fn next_due_ms(&self, state: &State) -> Option<i64> {
        let groups = state.groups.values().filter(|group| group.pending.is_none());
        let groups = groups.map(|group| group.next_flush_ms);
        let outbox = state
            .outbox
            .iter()
            .map(|intent| intent.deadline_ms.min(intent.next_attempt_ms.max(intent.claimed_until_ms)));
        groups.chain(outbox).min()
    }

    /// Takes in what is heard, flushes the groups that are due, and returns what is to be sent now. All of that is in the outbox
    /// of the state until it is settled, claimed for [`CLAIM_MS`], and is returned again when it is to be tried again.
    pub fn tick(&self, state: &mut State, received: Vec<Received>, now_ms: i64) -> Vec<Intent> {
        self.tick_some(state, received, now_ms, usize::MAX)
    }

    /// The same with at most so many groups that are flushed, those that have waited longest: what is to be sent of each takes room
    /// in the state until it is settled.
    pub fn tick_some(
        &self,
        state: &mut State,
        received: Vec<Received>,
        now_ms: i64,
        flushes_max: usize,
    ) -> Vec<Intent> {
        if state.routes != self.routes {
            self.reroute(state, now_ms);
        }
        give_up(state, now_ms);
        for alert in received.into_iter().filter(|alert| !alert.labels.is_empty()) {
            let new = alert.stored(self.resolve_timeout_ms);
            let id = fingerprint(&new.labels);
            let alert = match state.alerts.remove(&id) {
                Some(old) => alerts::merge(old, new, now_ms),
                None => new,
            };
            self.dispatch(state, id, &alert, now_ms);
            state.alerts.insert(id, alert);
        }
        self.flush_due(state, now_ms, flushes_max);
        forget(state, now_ms);
        let due = |intent: &&mut Intent| intent.next_attempt_ms.max(intent.claimed_until_ms) <= now_ms;
        let claimed = state.outbox.iter_mut().filter(due).map(|intent| {
            intent.claimed_until_ms = now_ms + CLAIM_MS;
            intent.clone()
        });
        claimed.collect()
    }

    /// Says what became of an intent. When all of a flush were taken, members that were over leave their group.
    pub fn settle(&self, state: &mut State, id: u64, outcome: Outcome, now_ms: i64) {
        let Some(at) = state.outbox.iter().position(|intent| intent.id == id) else { return };
        if outcome == Outcome::Failed {
            let intent = &mut state.outbox[at];
            let attempts = i32::try_from(intent.attempts).unwrap_or(i32::MAX);
            let wait_ms = (BACKOFF_MS * 1.5_f64.powi(attempts)).min(BACKOFF_MS_MAX);
            intent.attempts += 1;
            intent.claimed_until_ms = 0;
            intent.next_attempt_ms = now_ms + wait_ms as i64;
            if intent.next_attempt_ms < intent.deadline_ms {
                return;
            }
        }
        let intent = state.outbox.remove(at);
        if outcome == Outcome::Sent {
            log(state, &intent);
        }
        leave_pending(state, &intent, outcome != Outcome::Sent);
    }

    /// Makes all groups anew, as Alertmanager does when it reads its configuration again. What waits in the outbox is given up:
    /// the log does not know of it, so the new groups decide again. What somebody is sending stays, and a new group that is the
    /// same waits until it is known what became of it.
    fn reroute(&self, state: &mut State, now_ms: i64) {
        state.routes = self.routes;
        state.groups.clear();
        state.outbox.retain(|intent| intent.claimed_until_ms > now_ms);
        let alerts = std::mem::take(&mut state.alerts);
        for (id, alert) in &alerts {
            self.dispatch(state, *id, alert, now_ms);
        }
        state.alerts = alerts;
        for intent in &state.outbox {
            let Some(group) = state.groups.get_mut(&intent.group) else { continue };
            group.pending.get_or_insert_default().intents.insert(intent.id);
        }
    }

    /// Puts an alert into the group that it has in each of its routes.
    fn dispatch(&self, state: &mut State, id: u64, alert: &StoredAlert, now_ms: i64) {
        for route in self.tree.matching(&alert.labels) {
            let labels = route.group_labels(&alert.labels);
            let key = format!("{}|{}", route.id, route.group_key(&labels));
            let wait_ms = if route.group_wait_ms < self.tick_ms { 0 } else { route.group_wait_ms };
            let group = state.groups.entry(key).or_insert_with(|| Group {
                route: route.id.clone(),
                labels,
                members: BTreeSet::new(),
                next_flush_ms: now_ms + wait_ms,
                has_flushed: false,
                pending: None,
            });
            group.members.insert(id);
            // one that has fired for longer than groups wait has waited enough
            if !group.has_flushed && alert.starts_at_ms + route.group_wait_ms < now_ms {
                group.next_flush_ms = now_ms;
            }
        }
    }

    fn flush_due(&self, state: &mut State, now_ms: i64, flushes_max: usize) {
        let until_ms = now_ms + self.tick_ms / 2;
        let mut due: Vec<(i64, String)> = state
            .groups
            .iter()
            .filter(|(_, group)| group.next_flush_ms <= until_ms && group.pending.is_none())
            .map(|(key, group)| (group.next_flush_ms, key.clone()))
            .collect();
        due.sort();
        due.truncate(flushes_max);
        if due.is_empty() {
            return;
        }
        let alerts = std::mem::take(&mut state.alerts);
        let firing = alerts.iter().filter(|(_, alert)| !alert.is_resolved_at(now_ms));
        let firing = firing.map(|(id, alert)| (*id, &alert.labels));
        let muting = Muting {
            inhibition: Inhibition::new(&self.inhibit_rules, firing),
            silences: active_silences(state, now_ms),
        };
        let nodes: BTreeMap<&str, &RouteNode> =
            self.tree.nodes().iter().map(|node| (node.id.as_str(), node)).collect();
        for (_, key) in due {
            let Some(mut group) = state.groups.remove(&key) else { continue };
            let Some(route) = nodes.get(group.route.as_str()) else { continue };
            group.next_flush_ms = now_ms + route.group_interval_ms;
            group.has_flushed = true;
            self.flush(state, &alerts, &muting, route, &key, &mut group, now_ms);
            if !group.members.is_empty() {
                state.groups.insert(key, group);
            }
        }
        state.alerts = alerts;
    }

    #[expect(clippy::too_many_arguments, reason = "all of what a flush looks at")]
    fn flush(
        &self,
        state: &mut State,
        alerts: &BTreeMap<u64, StoredAlert>,
        muting: &Muting<'_>,
        route: &RouteNode,
        key: &str,
        group: &mut Group,
        now_ms: i64,
    ) {
        let known = |id: &u64| alerts.get(id).map(|alert| (*id, alert));
        let resolved: Vec<(u64, i64)> = group
            .members
            .iter()
            .filter_map(known)
            .filter(|(_, alert)| alert.is_resolved_at(now_ms))
            .map(|(id, alert)| (id, alert.updated_at_ms))
            .collect();
        let mut told: Vec<(u64, &StoredAlert)> = Vec::new();
        if !self.is_mute(route, now_ms) {
            told.extend(
                group.members.iter().filter_map(known).filter(|(_, alert)| !muting.mutes(&alert.labels)),
            );
        }
        let intents = self.notify(state, &mut told, route, key, &group.labels, now_ms);
        group.pending = Some(Pending { intents, failed: false, resolved });
        complete(group, alerts);
    }

    /// Adds to the outbox what has to be told, and returns the ids.
    fn notify(
        &self,
        state: &mut State,
        told: &mut [(u64, &StoredAlert)],
        route: &RouteNode,
        key: &str,
        group_labels: &Labels,
        now_ms: i64,
    ) -> BTreeSet<u64> {
        let mut ids = BTreeSet::new();
        if told.is_empty() {
            return ids;
        }
        told.sort_by(|(_, a), (_, b)| order(&a.labels, &b.labels));
        let of = |resolved: bool| {
            let some = told.iter().filter(|(_, alert)| alert.is_resolved_at(now_ms) == resolved);
            let mut ids: Vec<u64> = some.map(|(id, _)| *id).collect();
            ids.sort_unstable();
            ids
        };
        let (firing, resolved) = (of(false), of(true));
        let group_key = route.group_key(group_labels);
        let repeat_ms = route.repeat_interval_ms - self.tick_ms / 2;
        for integration in self.receivers.get(&route.receiver).into_iter().flatten() {
            let log_key = log_key(&group_key, &route.receiver, integration.kind, integration.index);
            let entry = state.log.get(&log_key).filter(|entry| entry.expires_at_ms > now_ms);
            let now = dedup::Now { firing: &firing, resolved: &resolved, at_ms: now_ms };
            let send_resolved = integration.send_resolved;
            let Some(reason) = dedup::reason(entry, &now, send_resolved, repeat_ms) else {
                continue;
            };
            let sent = told.iter().filter(|(_, alert)| send_resolved || !alert.is_resolved_at(now_ms));
            let intent = Intent {
                id: state.next_intent,
                receiver: route.receiver.clone(),
                kind: integration.kind.to_owned(),
                index: integration.index,
                group_key: group_key.clone(),
                group_labels: group_labels.clone(),
                alerts: sent.map(|(_, alert)| (*alert).clone()).collect(),
                reason,
                flushed_at_ms: now_ms,
                deadline_ms: now_ms + route.group_interval_ms.max(TRY_MS_MIN),
                attempts: 0,
                next_attempt_ms: now_ms,
                claimed_until_ms: 0,
                group: key.to_owned(),
                firing: firing.clone(),
                resolved: resolved.clone(),
                repeat_interval_ms: route.repeat_interval_ms,
            };
            if intent.alerts.is_empty() {
                // who hears nothing of what is over counts as told
                log(state, &intent);
                continue;
            }
            state.next_intent += 1;
            ids.insert(intent.id);
            state.outbox.push(intent);
        }
        ids
    }

    fn is_mute(&self, route: &RouteNode, now_ms: i64) -> bool {
        !self.muted_by(route, now_ms).is_empty()
    }

    /// The time intervals for which a route is not told: those in which it is mute, or if it is in none of those in which it is
    /// told, all of these.
    fn muted_by<'a>(&self, route: &'a RouteNode, now_ms: i64) -> Vec<&'a str> {
        let is_in = |name: &&String| {
            let intervals = self.time_intervals.get(*name).into_iter().flatten();
            intervals.into_iter().any(|interval| interval.contains(now_ms))
        };
        let mute: Vec<&str> = route.mute_time_intervals.iter().filter(is_in).map(String::as_str).collect();
        let active = &route.active_time_intervals;
        if mute.is_empty() && !active.is_empty() && !active.iter().any(|name| is_in(&name)) {
            return active.iter().map(String::as_str).collect();
        }
        mute
    }
}

/// What keeps alerts from being told of.
struct Muting<'a> {
    inhibition: Inhibition<'a>,
    silences: Vec<Matchers>,
}

impl<'a> Muting<'a> {
    fn mutes(&self, labels: &'a Labels) -> bool {
        self.inhibition.mutes(labels) || self.silences.iter().any(|silence| silence.matches(labels))
    }
}

/// The conditions of the silences of a time. One whose expressions are none silences nothing.
fn active_silences(state: &State, now_ms: i64) -> Vec<Matchers> {
    let active = state
        .silences
        .values()
        .filter(|silence| (silence.starts_at_ms..silence.ends_at_ms).contains(&now_ms));
    active.filter_map(|silence| silence.matchers().ok()).collect()
}

/// Alertmanager's order of alerts: by job and instance, those without last; then those with fewer labels first; and of as many,
/// by the first label that is not the same, where whoever lacks it comes first.
fn order(a: &Labels, b: &Labels) -> Ordering {
    let key = |labels: &Labels, name| (labels.get(name).is_none(), labels.get(name).unwrap_or("").to_owned());
    let by = |name| key(a, name).cmp(&key(b, name));
    let by_labels = || {
        let count = a.iter().count().cmp(&b.iter().count());
        let pairs = a.iter().zip(b.iter());
        let differences = pairs.map(|(a, b)| b.name.cmp(&a.name).then_with(|| a.value.cmp(&b.value)));
        count.then_with(|| differences.fold(Ordering::Equal, Ordering::then))
    };
    by("job").then_with(|| by("instance")).then_with(by_labels)
}

fn log_key(group_key: &str, receiver: &str, kind: &str, index: usize) -> String {
    format!("{group_key}|{receiver}|{kind}|{index}")
}

fn log(state: &mut State, intent: &Intent) {
    let key = log_key(&intent.group_key, &intent.receiver, &intent.kind, intent.index);
    let kept_ms = intent.repeat_interval_ms.saturating_mul(2).min(RETENTION_MS);
    let entry = LogEntry {
        at_ms: intent.flushed_at_ms,
        firing: intent.firing.clone(),
        resolved: intent.resolved.clone(),
        expires_at_ms: intent.flushed_at_ms + kept_ms,
    };
    state.log.insert(key, entry);
}

/// Takes an intent from the flush that it belongs to.
fn leave_pending(state: &mut State, intent: &Intent, failed: bool) {
    let Some(group) = state.groups.get_mut(&intent.group) else { return };
    if let Some(pending) = &mut group.pending {
        pending.intents.remove(&intent.id);
        pending.failed |= failed;
    }
    complete(group, &state.alerts);
    if group.members.is_empty() {
        state.groups.remove(&intent.group);
    }
}

/// Ends a flush of which nothing is left to send: if all was taken, members that were over, and of which nothing was heard
/// since, leave the group.
fn complete(group: &mut Group, alerts: &BTreeMap<u64, StoredAlert>) {
    let Some(pending) = group.pending.take_if(|pending| pending.intents.is_empty()) else { return };
    if pending.failed {
        return;
    }
    for (id, updated_at_ms) in pending.resolved {
        if alerts.get(&id).is_none_or(|alert| alert.updated_at_ms == updated_at_ms) {
            group.members.remove(&id);
        }
    }
}

/// Drops what can no longer be tried; the next flush decides again.
fn give_up(state: &mut State, now_ms: i64) {
    let (over, kept) = std::mem::take(&mut state.outbox)
        .into_iter()
        .partition(|intent: &Intent| intent.deadline_ms <= now_ms);
    state.outbox = kept;
    let over: Vec<Intent> = over;
    for intent in &over {
        leave_pending(state, intent, true);
    }
}

/// Drops what nobody asks for any more.
fn forget(state: &mut State, now_ms: i64) {
    let in_groups: BTreeSet<u64> =
        state.groups.values().flat_map(|group| group.members.iter().copied()).collect();
    state.alerts.retain(|id, alert| {
        alert.ends_at_ms.saturating_add(RESOLVED_KEPT_MS) > now_ms || in_groups.contains(id)
    });
    state.log.retain(|_, entry| entry.expires_at_ms > now_ms);
    state.silences.retain(|_, silence| silence.ends_at_ms.saturating_add(RETENTION_MS) > now_ms);
}
