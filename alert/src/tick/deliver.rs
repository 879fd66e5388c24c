//! Sends what a tick has claimed.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::join_all;

use super::outbox::{Outcome, Receipt};
use super::progress::Progress;
use crate::ports::{Notifier, NotifyError};
use crate::state::Delivery;

/// Sends deliveries: to all receivers at once, to each of them in order.
pub(super) async fn deliver(
    notifiers: &[Arc<dyn Notifier>],
    deliveries: &[Delivery],
    progress: &mut Progress,
) -> Vec<Receipt> {
    let mut sends = Vec::new();
    for notifier in notifiers {
        sends.push(to_receiver(&**notifier, deliveries).boxed());
    }
    let mut receipts = Vec::new();
    for (its_receipts, its_progress) in join_all(sends).await {
        receipts.extend(its_receipts);
        progress.alerts_sent += its_progress.alerts_sent;
        progress.alerts_dropped += its_progress.alerts_dropped;
        progress.alerts_waiting += its_progress.alerts_waiting;
    }
    receipts
}

async fn to_receiver(notifier: &dyn Notifier, deliveries: &[Delivery]) -> (Vec<Receipt>, Progress) {
    let mut receipts = Vec::new();
    let mut progress = Progress::default();
    let mut answers = true;
    let mine =
        deliveries.iter().filter(|delivery| delivery.receivers.iter().any(|name| name == notifier.name()));
    for delivery in mine {
        let count = delivery.alerts.len();
        // A receiver that does not answer would hold up every delivery for its timeout.
        let result = if answers { Some(notifier.send(&delivery.alerts).await) } else { None };
        let outcome = match &result {
            Some(Ok(())) => {
                progress.alerts_sent += count;
                Outcome::Taken
            }
            Some(Err(error @ NotifyError::Refused { .. })) => {
                tracing::error!(receiver = notifier.name(), alerts = count, %error, "alerts refused");
                progress.alerts_dropped += count;
                Outcome::Refused
            }
            Some(Err(error @ NotifyError::Unreachable(_))) => {
                tracing::warn!(receiver = notifier.name(), alerts = count, %error, "alerts not delivered");
                progress.alerts_waiting += count;
                answers = false;
                Outcome::Unanswered
            }
            None => {
                progress.alerts_waiting += count;
                Outcome::NotTried
            }
        };
        let receiver = notifier.name().to_owned();
        receipts.push(Receipt { delivery: delivery.id, receiver, alerts: count, outcome });
    }
    (receipts, progress)
}
