//! Which alerts are sent after an evaluation.

use model::Labels;

use crate::rules::Rule;
use crate::send::{Alert, table_link};
use crate::state::{ActiveAlert, AlertState};

/// How alerts are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending<'a> {
    pub(crate) interval_ms: i64,
    pub(crate) resend_delay_ms: i64,
    pub(crate) external_labels: &'a Labels,
    pub(crate) relabel: &'a [relabel::Rule],
    /// Without a slash at its end.
    pub(crate) external_url: &'a str,
}

/// The alerts of a rule that are due, which are marked as sent at the slot; relabelling may drop some of them.
pub(crate) fn notices(
    rule: &Rule,
    alerts: &mut [ActiveAlert],
    slot_ms: i64,
    sending: &Sending,
) -> Vec<Alert> {
    let mut due = Vec::new();
    for alert in alerts.iter_mut().filter(|alert| is_due(alert, slot_ms, sending.resend_delay_ms)) {
        alert.last_sent_ms = Some(slot_ms);
        let labels = with_external(&alert.labels, sending.external_labels);
        let Some(labels) = relabel::apply(sending.relabel, &labels) else { continue };
        due.push(Alert {
            labels,
            annotations: alert.annotations.clone(),
            starts_at_ms: alert.fired_at_ms.unwrap_or(alert.active_at_ms),
            // Two evaluations, or two sends, may fail before a receiver takes a firing alert for over.
            ends_at_ms: alert
                .resolved_at_ms
                .unwrap_or(slot_ms + 4 * sending.interval_ms.max(sending.resend_delay_ms)),
            resolved: alert.resolved_at_ms.is_some(),
            generator_url: format!("{}{}", sending.external_url, table_link(&rule.expr)),
        });
    }
    due
}

fn is_due(alert: &ActiveAlert, slot_ms: i64, resend_delay_ms: i64) -> bool {
    if alert.state == AlertState::Pending {
        return false;
    }
    let Some(last_sent_ms) = alert.last_sent_ms else { return true };
    let resolved_since = alert.resolved_at_ms.is_some_and(|resolved| resolved > last_sent_ms);
    // Strictly before, as in Prometheus: with an interval of 1m and a delay of 1m this is every second slot.
    resolved_since || last_sent_ms + resend_delay_ms < slot_ms
}

fn with_external(labels: &Labels, external: &Labels) -> Labels {
    let mut builder = labels.to_builder();
    for label in external.iter().filter(|label| labels.get(&label.name).is_none()) {
        builder.set(label.name.clone(), label.value.clone());
    }
    builder.build()
}
