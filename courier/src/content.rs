//! What is said in a notification, as templates and webhooks know it.

use alert::{Notification, NotifiedAlert};
use model::Labels;
use notify::{Intent, StoredAlert, fingerprint};

/// Go's zero time: of an alert that fires, the end.
pub(crate) const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

const NS_PER_MS: i64 = 1_000_000;

/// What an intent says, of the first `alerts_max` of its alerts.
pub(crate) fn notification(intent: &Intent, alerts_max: usize, external_url: &str) -> Notification {
    let told = &intent.alerts[..intent.alerts.len().min(alerts_max)];
    let is_over = |alert: &StoredAlert| alert.is_resolved_at(intent.flushed_at_ms);
    let alerts: Vec<NotifiedAlert> = told
        .iter()
        .map(|alert| NotifiedAlert {
            status: status(is_over(alert)).to_owned(),
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at_ns: Some(alert.starts_at_ms.saturating_mul(NS_PER_MS)),
            ends_at_ns: is_over(alert).then(|| alert.ends_at_ms.saturating_mul(NS_PER_MS)),
            generator_url: alert.generator_url.clone(),
            fingerprint: format!("{:016x}", fingerprint(&alert.labels)),
        })
        .collect();
    Notification {
        receiver: quoted_for_expressions(&intent.receiver),
        status: status(told.iter().all(is_over)).to_owned(),
        reason: intent.reason.as_str().to_owned(),
        group_labels: intent.group_labels.clone(),
        common_labels: common(told.iter().map(|alert| &alert.labels)),
        common_annotations: common(told.iter().map(|alert| &alert.annotations)),
        external_url: external_url.to_owned(),
        alerts,
    }
}

fn status(is_over: bool) -> &'static str {
    if is_over { "resolved" } else { "firing" }
}

/// Alertmanager names a receiver so that it can stand in a regular expression: with a backslash before what means something there.
fn quoted_for_expressions(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for c in name.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// What all have.
fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let Some(first) = all.next() else { return Labels::empty() };
    let mut pairs: Vec<(&str, &str)> = first.iter().map(|label| (&*label.name, &*label.value)).collect();
    for labels in all {
        pairs.retain(|(name, value)| labels.get(name) == Some(value));
        if pairs.is_empty() {
            break;
        }
    }
    Labels::from_pairs(pairs)
}
