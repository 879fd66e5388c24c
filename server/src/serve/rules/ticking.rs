//! The loop that evaluates rules.

use std::sync::Arc;
use std::time::Duration;

use alert::{Evaluator, Progress, TickError};
use edge::Heartbeat;
use model::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reload::RuleBook;

/// Tells somebody outside after each tick, beside the ticks: a service that is slow delays none.
pub(super) struct Pulse {
    heartbeat: Option<Arc<Heartbeat>>,
    under_way: Option<JoinHandle<()>>,
}

impl Pulse {
    /// Nobody is told where there is no heartbeat.
    pub(super) fn of(heartbeat: Option<Heartbeat>) -> Self {
        Self { heartbeat: heartbeat.map(Arc::new), under_way: None }
    }

    /// Asks for the URL, unless it is still being asked for.
    fn beat(&mut self) {
        let Some(heartbeat) = &self.heartbeat else { return };
        if self.under_way.as_ref().is_none_or(JoinHandle::is_finished) {
            let heartbeat = Arc::clone(heartbeat);
            self.under_way = Some(tokio::spawn(async move { heartbeat.beat().await }));
        }
    }
}

/// Ticks at every slot until told to stop; a tick under way is finished.
pub(super) async fn evaluate(
    evaluator: Arc<Evaluator>,
    book: Arc<RuleBook>,
    mut pulse: Pulse,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) {
    /// What did not work is tried again after this long.
    const RETRY_MS: i64 = 5_000;
    /// While there is no group, series of those that are gone still have to end.
    const IDLE_MS: i64 = 60_000;
    // a start without rule files is no order to forget what is known about them
    if book.is_empty() {
        return;
    }
    let mut failing = false;
    loop {
        let ticked = evaluator.tick(clock.now_ms()).await;
        let again = match &ticked {
            Ok(progress) => progress.superseded || progress.alerts_waiting > 0,
            Err(_) => true,
        };
        if ticked.as_ref().is_ok_and(Progress::is_whole) {
            pulse.beat();
        }
        failing = told(ticked, failing);
        let now_ms = clock.now_ms();
        let slot_ms = evaluator.next_slot_ms(now_ms).unwrap_or(now_ms + IDLE_MS);
        let next_ms = if again { slot_ms.min(now_ms + RETRY_MS) } else { slot_ms };
        let pause = Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0));
        let asked = async {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => true,
                () = book.replaced() => false,
            }
        };
        if tokio::time::timeout(pause, asked).await.unwrap_or(false) {
            return;
        }
    }
}

/// Logs what is worth it; a failure that lasts is told once.
fn told(ticked: Result<Progress, TickError>, was_failing: bool) -> bool {
    match ticked {
        Ok(progress) => {
            if was_failing {
                tracing::info!("rule evaluation works again");
            }
            if progress.slots_skipped > 0 {
                tracing::warn!(slots = progress.slots_skipped, "evaluations skipped: too many were due");
            }
            if progress.alerts_waiting > 0 {
                tracing::warn!(alerts = progress.alerts_waiting, "alerts wait: a receiver does not answer");
            }
            if progress.alerts_dropped > 0 {
                tracing::error!(alerts = progress.alerts_dropped, "alerts dropped");
            }
            tracing::debug!(?progress, "tick");
            false
        }
        Err(error) => {
            if !was_failing {
                tracing::error!(%error, "rule evaluation fails");
            }
            true
        }
    }
}
