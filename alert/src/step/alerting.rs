//! Alerting rules: pending, firing, over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Labels, Value};

use super::{At, StepError};
use crate::ports::RuleSample;
use crate::rules::{Rule, RuleKind};
use crate::state::{ActiveAlert, AlertState};
use crate::template::{Environment, Expansion, RuleTemplate};

/// How long an alert that is over is kept, so that receivers that missed it hear of it again.
const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

const ALERT_NAME: &str = "alertname";

/// An element of the answer, with its labels and annotations expanded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
    pub(super) value: f64,
}

type Needed = BTreeSet<String>;

/// Expands the templates of a rule for every element; all queries that they need are collected at once.
pub(super) fn candidates(
    rule: &Rule,
    vector: Vec<(Labels, Value)>,
    environment: &Arc<Environment>,
) -> Result<Result<Vec<Candidate>, Needed>, StepError> {
    let RuleKind::Alerting { label_templates, annotations, .. } = &rule.kind else {
        return Ok(Ok(Vec::new()));
    };
    let mut needed = Needed::new();
    let mut found = Vec::with_capacity(vector.len());
    let mut seen = BTreeSet::new();
    for (labels, value) in vector {
        let mut expand = |template: &RuleTemplate| match template.expand(&labels, &value, environment) {
            Expansion::Text(text) => text,
            Expansion::Failed(reason) => {
                tracing::warn!(alert = &*rule.name, reason, "alert template failed");
                format!("<error expanding template: {reason}>")
            }
            Expansion::Needs(query) => {
                needed.insert(query);
                String::new()
            }
        };
        let mut builder = labels.without_metric_name().to_builder();
        for (name, template) in label_templates {
            builder.set(name.clone(), expand(template));
        }
        builder.set(ALERT_NAME, rule.name.clone());
        let annotations = annotations.iter().map(|(name, template)| (name.clone(), expand(template)));
        let annotations = Labels::from_pairs(annotations);
        let value = match value {
            Value::Float(value) => value,
            Value::Histogram(_) => 0.0,
        };
        let candidate = Candidate { labels: builder.build(), annotations, value };
        // While queries are missing, label sets are not final, so only the last round decides.
        if needed.is_empty() && !seen.insert(candidate.labels.clone()) {
            return Err(StepError::DuplicateAlert);
        }
        found.push(candidate);
    }
    Ok(if needed.is_empty() { Ok(found) } else { Err(needed) })
}

/// The alerts of a rule after an evaluation.
pub(super) fn advance(
    rule: &Rule,
    before: &[ActiveAlert],
    candidates: Vec<Candidate>,
    slot_ms: i64,
) -> Vec<ActiveAlert> {
    let RuleKind::Alerting { for_ms, keep_firing_for_ms, .. } = rule.kind else { return Vec::new() };
    let mut present: BTreeMap<Labels, Candidate> =
        candidates.into_iter().map(|candidate| (candidate.labels.clone(), candidate)).collect();
    let mut after = Vec::with_capacity(before.len() + present.len());
    for alert in before {
        match present.remove(&alert.labels) {
            Some(candidate) if alert.state == AlertState::Inactive => after.push(begun(candidate, slot_ms)),
            Some(candidate) => after.push(ActiveAlert {
                value: candidate.value,
                annotations: candidate.annotations,
                keep_firing_since_ms: None,
                ..alert.clone()
            }),
            None => after.extend(absent(alert, keep_firing_for_ms, slot_ms)),
        }
    }
    after.extend(present.into_values().map(|candidate| begun(candidate, slot_ms)));
    for alert in &mut after {
        hold(alert, for_ms, slot_ms);
    }
    after.sort_by(|a, b| a.labels.cmp(&b.labels));
    after
}

fn begun(candidate: Candidate, slot_ms: i64) -> ActiveAlert {
    ActiveAlert {
        labels: candidate.labels,
        annotations: candidate.annotations,
        value: candidate.value,
        state: AlertState::Pending,
        active_at_ms: slot_ms,
        fired_at_ms: None,
        resolved_at_ms: None,
        last_sent_ms: None,
        keep_firing_since_ms: None,
    }
}

/// What becomes of an alert whose condition does not hold; `None` if it is forgotten.
fn absent(alert: &ActiveAlert, keep_firing_for_ms: i64, slot_ms: i64) -> Option<ActiveAlert> {
    let mut alert = alert.clone();
    match alert.state {
        AlertState::Pending => return None,
        AlertState::Inactive => {
            let resolved_at_ms = alert.resolved_at_ms.unwrap_or(slot_ms);
            return (slot_ms - resolved_at_ms <= RESOLVED_RETENTION_MS).then_some(alert);
        }
        AlertState::Firing => {}
    }
    if keep_firing_for_ms > 0 {
        let since_ms = *alert.keep_firing_since_ms.get_or_insert(slot_ms);
        if slot_ms - since_ms < keep_firing_for_ms {
            return Some(alert);
        }
    }
    alert.state = AlertState::Inactive;
    alert.resolved_at_ms = Some(slot_ms);
    Some(alert)
}

/// Fires what has been pending for long enough; makes pending again what fires too early since `for` was raised.
fn hold(alert: &mut ActiveAlert, for_ms: i64, slot_ms: i64) {
    let held = slot_ms - alert.active_at_ms >= for_ms;
    match alert.state {
        AlertState::Pending if held => {
            alert.state = AlertState::Firing;
            alert.fired_at_ms = Some(slot_ms);
        }
        AlertState::Firing if !held && alert.keep_firing_since_ms.is_none() => {
            alert.state = AlertState::Pending;
            alert.fired_at_ms = None;
            alert.last_sent_ms = None;
        }
        _ => {}
    }
}

/// How many alerts are pending or firing.
pub(super) fn active_count(alerts: &[ActiveAlert]) -> usize {
    alerts.iter().filter(|alert| alert.state != AlertState::Inactive).count()
}

/// `ALERTS` and `ALERTS_FOR_STATE` of all alerts that are pending or firing.
pub(super) fn samples(rule: &Rule, alerts: &[ActiveAlert], at: At) -> Vec<RuleSample> {
    let active = alerts.iter().filter(|alert| alert.state != AlertState::Inactive);
    let sample = |builder: &model::LabelsBuilder, value: f64| RuleSample {
        labels: builder.build(),
        timestamp_ms: at.sample_ms(),
        value: Value::Float(value),
    };
    active
        .flat_map(|alert| {
            let mut builder = rule.labels.to_builder();
            for label in &alert.labels {
                builder.set(label.name.clone(), label.value.clone());
            }
            builder.set(ALERT_NAME, rule.name.clone());
            builder.set(Labels::NAME, "ALERTS_FOR_STATE");
            let for_state = sample(&builder, alert.active_at_ms.div_euclid(1_000) as f64);
            builder.set(Labels::NAME, "ALERTS").set("alertstate", alert.state.as_str());
            [sample(&builder, 1.0), for_state]
        })
        .collect()
}

/// Lets time that nobody evaluated not count: neither towards `for` nor towards `keep_firing_for`.
pub(crate) fn skip_downtime(alerts: &mut [ActiveAlert], downtime_ms: i64) {
    for alert in alerts {
        if alert.state == AlertState::Pending {
            alert.active_at_ms += downtime_ms;
        }
        if let Some(since_ms) = &mut alert.keep_firing_since_ms {
            *since_ms += downtime_ms;
        }
    }
}
