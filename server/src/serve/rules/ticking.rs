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
    /// While there is no group, series of those that are gone still have to end.
    const IDLE_MS: i64 = 60_000;
    // a start without rule files is no order to forget what is known about them
    if book.is_empty() {
        return;
    }
    let mut failing = false;
    loop {
        let started_ms = clock.now_ms();
        let ticked = evaluator.tick(started_ms).await;
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
        let next_ms = next_tick_ms(slot_ms, started_ms, now_ms, again);
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

/// Groups whose slots lie closer together are evaluated by one tick: it lists the store once and writes the state once, and a
/// slot is the same a moment later.
const APART_MS: i64 = 1_000;

/// What did not work is tried again after this long.
const RETRY_MS: i64 = 5_000;

/// When to tick next: at the next slot, or `again` before that, but not too soon after the last tick began.
fn next_tick_ms(slot_ms: i64, started_ms: i64, now_ms: i64, again: bool) -> i64 {
    let wanted_ms = if again { slot_ms.min(now_ms + RETRY_MS) } else { slot_ms };
    wanted_ms.max(started_ms + APART_MS)
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

#[cfg(test)]
mod tests {
    use super::next_tick_ms;

    #[test]
    fn ticks_come_at_slots_and_not_too_close_together() {
        assert_eq!(next_tick_ms(30_000, 0, 5, false), 30_000);
        assert_eq!(next_tick_ms(300, 0, 5, false), 1_000, "with all slots until then");
        assert_eq!(next_tick_ms(30_000, 0, 5, true), 5_005);
        assert_eq!(next_tick_ms(4_000, 0, 5, true), 4_000);
        assert_eq!(next_tick_ms(9_001, 0, 9_000, false), 9_001, "after a tick that took long");
    }
}
