//! Rules and their state in the shapes of Prometheus' API.

use std::borrow::Cow;

use access::Grant;
use model::Labels;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::filter::{Filter, FilterError};
use crate::go::{rfc3339_nano, scientific};
use crate::rules::{Group, Rule, RuleKind, Rules};
use crate::state::{ActiveAlert, AlertState, GroupState, Health, RuleState, State};

/// How Go prints a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RulesView {
    groups: Vec<GroupView>,
    #[serde(skip_serializing_if = "String::is_empty")]
    group_next_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupView {
    name: String,
    file: String,
    rules: Vec<RuleView>,
    interval: Seconds,
    limit: usize,
    evaluation_time: Seconds,
    last_evaluation: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RuleView {
    Alerting(Box<AlertingView>),
    Recording(Box<RecordingView>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertingView {
    state: &'static str,
    name: String,
    query: String,
    duration: Seconds,
    keep_firing_for: Seconds,
    #[serde(with = "crate::state::labels_map")]
    labels: Labels,
    #[serde(with = "crate::state::labels_map")]
    annotations: Labels,
    /// `null` if they are left out.
    alerts: Option<Vec<AlertView>>,
    health: Health,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
    evaluation_time: Seconds,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordingView {
    name: String,
    query: String,
    #[serde(with = "crate::state::labels_map", skip_serializing_if = "Labels::is_empty")]
    labels: Labels,
    health: Health,
    #[serde(skip_serializing_if = "String::is_empty")]
    last_error: String,
    evaluation_time: Seconds,
    last_evaluation: String,
    r#type: &'static str,
}

#[derive(Serialize)]
pub(super) struct AlertsView {
    alerts: Vec<AlertView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertView {
    #[serde(with = "crate::state::labels_map")]
    labels: Labels,
    #[serde(with = "crate::state::labels_map")]
    annotations: Labels,
    state: &'static str,
    active_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_firing_since: Option<String>,
    value: String,
}

/// Milliseconds that are shown as seconds.
#[derive(Clone, Copy)]
struct Seconds(i64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 {
            serializer.serialize_i64(self.0 / 1_000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1_000.0)
        }
    }
}

/// The groups that are asked for, by file and name, without those of which no rule is; of so many groups as are told at once,
/// those from the one that the token names.
pub(super) fn rules(
    rules: &Rules,
    state: &State,
    default_interval_ms: i64,
    filter: &Filter,
) -> Result<RulesView, FilterError> {
    let mut groups: Vec<&Group> = rules.groups.iter().collect();
    groups.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    // a group of which nothing may be seen is as good as none, also for who guesses its token
    let grant = &filter.grant;
    groups.retain(|group| !grant.is_bounded() || group.rules.iter().any(|rule| grant.admits(&rule.labels)));
    let token = &filter.group_next_token;
    if !token.is_empty() {
        let first = groups.iter().position(|group| next_token(&group.file, &group.name) == *token);
        let first = first.ok_or_else(|| FilterError::Token { token: token.clone() })?;
        groups.drain(..first);
    }
    let mut groups = groups
        .into_iter()
        .filter(|group| filter.takes_group(&group.file, &group.name))
        .map(|group| {
            group_view(
                group,
                state.groups.get(&group.key()).map(|state| &**state),
                default_interval_ms,
                filter,
            )
        })
        .filter(|group| !group.rules.is_empty());
    let taken = groups.by_ref().take(filter.group_limit.unwrap_or(usize::MAX)).collect();
    let group_next_token = groups.next().map(|next| next_token(&next.file, &next.name)).unwrap_or_default();
    Ok(RulesView { groups: taken, group_next_token })
}

/// Names a group where the next page begins.
fn next_token(file: &str, group: &str) -> String {
    let sum = Sha256::digest(format!("{file};{group}"));
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertmanagersView {
    active_alertmanagers: Vec<AlertmanagerView>,
    dropped_alertmanagers: Vec<AlertmanagerView>,
}

#[derive(Serialize)]
struct AlertmanagerView {
    url: String,
}

/// Who gets alerts, and who was left out.
pub(super) fn alertmanagers(active: Vec<String>, dropped: &[String]) -> AlertmanagersView {
    let view = |url: String| AlertmanagerView { url };
    AlertmanagersView {
        active_alertmanagers: active.into_iter().map(view).collect(),
        dropped_alertmanagers: dropped.iter().cloned().map(view).collect(),
    }
}

fn group_view(
    group: &Group,
    state: Option<&GroupState>,
    default_interval_ms: i64,
    filter: &Filter,
) -> GroupView {
    let states = rule_states(group, state);
    let rules = group.rules.iter().zip(&states);
    let last_evaluation_ms = states.iter().filter_map(|state| state.last_evaluation_ms).min();
    GroupView {
        name: group.name.to_string(),
        file: group.file.to_string(),
        rules: rules
            .filter(|(rule, _)| filter.takes_rule(&rule.name, &rule.labels, rule.is_alerting()))
            .map(|(rule, state)| rule_view(rule, &seen(state, &filter.grant), filter.exclude_alerts))
            .collect(),
        interval: Seconds(group.interval_ms.unwrap_or(default_interval_ms)),
        limit: group.limit,
        evaluation_time: Seconds(state.map_or(0, |state| state.evaluation_ms)),
        last_evaluation: time(last_evaluation_ms),
    }
}

/// The state of each rule of a group; the state may be of other rules than we have, if they have just been replaced.
fn rule_states(group: &Group, state: Option<&GroupState>) -> Vec<RuleState> {
    let mut state = state.cloned().unwrap_or_default();
    state.adopt(group);
    state.rules
}

/// Of the state of a rule, what may be seen. An error may name any series, so of those that are not all there for whoever asks it
/// only says that there is one.
fn seen<'s>(state: &'s RuleState, grant: &Grant) -> Cow<'s, RuleState> {
    if !grant.is_bounded() {
        return Cow::Borrowed(state);
    }
    let mut seen = state.clone();
    seen.alerts.retain(|alert| grant.admits(&alert.labels));
    if !seen.last_error.is_empty() {
        "the token does not let see why".clone_into(&mut seen.last_error);
    }
    Cow::Owned(seen)
}

fn rule_view(rule: &Rule, state: &RuleState, exclude_alerts: bool) -> RuleView {
    let (name, query) = (rule.name.to_string(), rule.expr.to_string());
    let (labels, last_error) = (rule.labels.clone(), state.last_error.clone());
    let (evaluation_time, last_evaluation) = (Seconds(state.evaluation_ms), time(state.last_evaluation_ms));
    match &rule.kind {
        RuleKind::Recording { .. } => RuleView::Recording(Box::new(RecordingView {
            name,
            query,
            labels,
            health: state.health,
            last_error,
            evaluation_time,
            last_evaluation,
            r#type: "recording",
        })),
        RuleKind::Alerting { for_ms, keep_firing_for_ms, annotations, .. } => {
            let annotations =
                annotations.iter().map(|(name, template)| (name.clone(), template.text().to_owned()));
            RuleView::Alerting(Box::new(AlertingView {
                state: rule_state(state),
                name,
                query,
                duration: Seconds(*for_ms),
                keep_firing_for: Seconds(*keep_firing_for_ms),
                labels,
                annotations: Labels::from_pairs(annotations),
                alerts: (!exclude_alerts).then(|| active(&state.alerts).map(alert_view).collect()),
                health: state.health,
                last_error,
                evaluation_time,
                last_evaluation,
                r#type: "alerting",
            }))
        }
    }
}

/// The most serious state of a rule's alerts.
fn rule_state(state: &RuleState) -> &'static str {
    if state.last_evaluation_ms.is_none() {
        return "unknown";
    }
    state.alerts.iter().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive).as_str()
}

/// All alerts that are pending or firing, as far as they may be seen.
pub(super) fn alerts(rules: &Rules, state: &State, grant: &Grant) -> AlertsView {
    let alerts = rules
        .groups
        .iter()
        .flat_map(|group| rule_states(group, state.groups.get(&group.key()).map(|state| &**state)));
    let shown = |rule: RuleState| {
        let admitted = active(&rule.alerts).filter(|alert| grant.admits(&alert.labels));
        admitted.map(alert_view).collect::<Vec<_>>()
    };
    AlertsView { alerts: alerts.flat_map(shown).collect() }
}

fn active(alerts: &[ActiveAlert]) -> impl Iterator<Item = &ActiveAlert> {
    alerts.iter().filter(|alert| alert.state != AlertState::Inactive)
}

fn alert_view(alert: &ActiveAlert) -> AlertView {
    AlertView {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state: alert.state.as_str(),
        active_at: rfc3339_nano(alert.active_at_ms),
        keep_firing_since: alert.keep_firing_since_ms.map(rfc3339_nano),
        value: scientific(alert.value, None),
    }
}

fn time(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(|| NEVER.to_owned(), rfc3339_nano)
}
