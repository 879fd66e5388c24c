//! Alerts that are on their way: decisions only.

use std::collections::BTreeSet;

use model::Labels;

use crate::send::Alert;
use crate::state::{Delivery, State};

/// How many alerts one delivery holds; the batch size of Prometheus.
pub const DELIVERY_ALERTS_MAX: usize = 256;

/// How many deliveries wait at most; beyond that the oldest are dropped.
pub const DELIVERIES_MAX: usize = 1_000;

/// How long a tick has to send what it claimed, before another tick may send it again.
pub const CLAIM_MS: i64 = 60_000;

/// How long an alert that is over is worth sending.
const RESOLVED_WORTH_MS: i64 = 15 * 60_000;

/// Puts new alerts into the outbox, claims what nobody else is sending, and returns the ids of that and how many
/// alerts are given up.
pub(super) fn fill(
    state: &mut State,
    notices: Vec<Alert>,
    receivers: &[String],
    now_ms: i64,
) -> (Vec<u64>, usize) {
    let notices = newest_of_each(notices);
    let mut dropped = tidy(state, &notices, receivers, now_ms);
    if !receivers.is_empty() {
        for alerts in notices.chunks(DELIVERY_ALERTS_MAX) {
            let id = state.next_delivery;
            state.next_delivery += 1;
            let (receivers, alerts) = (receivers.to_vec(), alerts.to_vec());
            state.outbox.push(Delivery { id, receivers, alerts, claimed_until_ms: 0 });
        }
    }
    let excess = state.outbox.len().saturating_sub(DELIVERIES_MAX);
    dropped += state.outbox.drain(..excess).map(|delivery| delivery.alerts.len()).sum::<usize>();
    let mut claimed = Vec::new();
    for delivery in state.outbox.iter_mut().filter(|delivery| delivery.claimed_until_ms <= now_ms) {
        delivery.claimed_until_ms = now_ms + CLAIM_MS;
        claimed.push(delivery.id);
    }
    (claimed, dropped)
}

/// When several slots were evaluated, only the last word about an alert is sent.
fn newest_of_each(notices: Vec<Alert>) -> Vec<Alert> {
    let mut seen: BTreeSet<Labels> = BTreeSet::new();
    let mut newest: Vec<Alert> =
        notices.into_iter().rev().filter(|alert| seen.insert(alert.labels.clone())).collect();
    newest.reverse();
    newest
}

/// Removes from waiting deliveries what is no longer worth sending; an old word must not arrive after a newer one.
fn tidy(state: &mut State, notices: &[Alert], receivers: &[String], now_ms: i64) -> usize {
    let superseded: BTreeSet<&Labels> = notices.iter().map(|alert| &alert.labels).collect();
    let mut dropped = 0;
    for delivery in &mut state.outbox {
        // also where it is claimed: whoever claimed it may be dead, and the claim may run out behind the newer word
        delivery.alerts.retain(|alert| !superseded.contains(&alert.labels));
    }
    for delivery in state.outbox.iter_mut().filter(|delivery| delivery.claimed_until_ms <= now_ms) {
        delivery.receivers.retain(|receiver| receivers.contains(receiver));
        let before = delivery.alerts.len();
        delivery.alerts.retain(|alert| {
            if alert.resolved {
                alert.ends_at_ms + RESOLVED_WORTH_MS >= now_ms
            } else {
                alert.ends_at_ms > now_ms
            }
        });
        dropped += before - delivery.alerts.len();
    }
    state.outbox.retain(|delivery| !delivery.receivers.is_empty() && !delivery.alerts.is_empty());
    dropped
}

/// What came of sending a delivery to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) delivery: u64,
    pub(super) receiver: String,
    /// How many alerts it holds.
    pub(super) alerts: usize,
    pub(super) outcome: Outcome,
}

/// How a receiver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken,
    /// For good.
    Refused,
    Unanswered,
    /// The delivery before it was not answered.
    NotTried,
}

impl Outcome {
    /// Whether the delivery is done with.
    fn is_settled(self) -> bool {
        matches!(self, Self::Taken | Self::Refused)
    }
}

/// Takes out of the outbox what is done with, and gives up the claim on the rest.
pub(super) fn settle(state: &mut State, receipts: &[Receipt]) {
    for receipt in receipts {
        let Some(delivery) = state.outbox.iter_mut().find(|delivery| delivery.id == receipt.delivery) else {
            continue;
        };
        if receipt.outcome.is_settled() {
            delivery.receivers.retain(|receiver| *receiver != receipt.receiver);
        }
        delivery.claimed_until_ms = 0;
    }
    state.outbox.retain(|delivery| !delivery.receivers.is_empty());
}
