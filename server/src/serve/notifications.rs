//! Notifications without an Alertmanager: where they are configured, and the loop that brings them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use courier::{BookFiles, BookSource, Courier, CourierError, Delivered};
use edge::Storage;
use model::{Clock, MetricType};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use wire::{Family, Metric};

use crate::cli::Serve;
use crate::serve::own_metrics::{family_of, metric};

const FLAG: &str = "--alertmanager.config-file";

/// The configuration, and who goes by it.
pub(super) struct Notifications {
    pub(super) courier: Arc<Courier>,
    source: BookSource,
    seen: Mutex<Seen>,
}

/// What was found last.
struct Seen {
    in_force: BookFiles,
    /// Why what was found then is not in force.
    refused: Option<String>,
}

impl Notifications {
    /// Reads the configuration; `None` if there is none.
    pub(super) async fn open(
        flags: &Serve,
        storage: &Storage,
        external_url: &str,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(place) = &flags.notifications else { return Ok(None) };
        let endpoint = flags.s3_endpoint.as_deref();
        // the loop ticks at every time that is due
        let source = BookSource::at(place, endpoint, external_url.to_owned(), 0).await.context(FLAG)?;
        let in_force = source.read().await.context(FLAG)?;
        let book = source.load(&in_force).context(FLAG)?;
        let courier = Courier::new(storage.notifications(), edge::identity(), Arc::clone(clock), book);
        let seen = Mutex::new(Seen { in_force, refused: None });
        Ok(Some(Arc::new(Self { courier: Arc::new(courier), source, seen })))
    }

    /// Puts the files in force as they are now. If anything is wrong with them, what is in force stays.
    pub(super) async fn read(&self) -> Result<(), String> {
        let mut seen = self.seen.lock().await;
        let files = match self.source.read().await {
            Ok(files) => files,
            Err(error) => return Err(refuse(&mut seen, error.to_string())),
        };
        if files != seen.in_force {
            match self.source.load(&files) {
                Ok(book) => self.courier.replace(book),
                Err(error) => return Err(refuse(&mut seen, error.to_string())),
            }
            seen.in_force = files;
        }
        if seen.refused.take().is_some() {
            tracing::info!("the configuration of notifications is well again");
        }
        Ok(())
    }
}

/// Told once, however often it is found.
fn refuse(seen: &mut Seen, reason: String) -> String {
    if seen.refused.as_ref() != Some(&reason) {
        tracing::error!(reason, "configuration of notifications refused: the last good one stays in force");
    }
    seen.refused = Some(reason.clone());
    reason
}

/// How long a tick waits for another: what other servers on the same storage have taken is seen within that time.
const IDLE_MS: i64 = 15_000;
/// Ticks are no closer together: each lists the inbox.
const APART: Duration = Duration::from_millis(250);
/// What did not work is tried again after this long.
const RETRY_MS: i64 = 5_000;
/// How long notifications under way may take after the signal to stop. What is not taken by then is sent by whoever is next.
const DRAIN: Duration = Duration::from_secs(10);

/// Brings what is due until told to stop. A receiver that takes long delays no tick.
pub(super) async fn keep_notifying(
    courier: Arc<Courier>,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut rounds = JoinSet::new();
    let mut failing = false;
    loop {
        let started_ms = clock.now_ms();
        let next_ms = match courier.tick(started_ms).await {
            Ok(round) => {
                if failing {
                    tracing::info!("notifying works again");
                }
                failing = false;
                let next_ms = round.next_due_ms();
                if !round.is_empty() {
                    rounds.spawn(round.deliver(Duration::MAX));
                }
                next_ms.unwrap_or(i64::MAX)
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "notifying fails");
                }
                failing = true;
                started_ms + RETRY_MS
            }
        };
        while let Some(round) = rounds.try_join_next() {
            told(round);
        }
        let is_over = tokio::time::timeout(APART, stopped.wait_for(|stopped| *stopped)).await.is_ok();
        let left_ms = next_ms.min(started_ms + IDLE_MS) - clock.now_ms();
        let pause = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        let asked = async {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => true,
                () = courier.woken() => false,
            }
        };
        if is_over || tokio::time::timeout(pause, asked).await.unwrap_or(false) {
            break;
        }
    }
    let rest = async {
        while let Some(round) = rounds.join_next().await {
            told(round);
        }
    };
    if tokio::time::timeout(DRAIN, rest).await.is_err() {
        tracing::warn!(after = ?DRAIN, "notifications under way were cut off");
    }
}

fn told(round: Result<Result<Delivered, CourierError>, tokio::task::JoinError>) {
    match round {
        Ok(Ok(delivered)) => tracing::debug!(?delivered, "notified"),
        Ok(Err(error)) => {
            tracing::error!(%error, "what was notified is not written down, and may be sent again");
        }
        Err(error) => tracing::error!(%error, "a round of notifications ended badly"),
    }
}

/// What was sent, under the names that Alertmanager gives it.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn families(courier: &Courier) -> Vec<Family> {
    type Read = fn(&courier::KindCounts) -> u64;
    let counters: [(&str, &str, Read); 4] = [
        ("alertmanager_notifications_total", "Notifications that a receiver took or refused.", |c| {
            c.notifications
        }),
        ("alertmanager_notifications_failed_total", "Notifications that a receiver refused.", |c| c.refused),
        ("alertmanager_notification_requests_total", "Attempts to send a notification.", |c| c.requests),
        (
            "alertmanager_notification_requests_failed_total",
            "Attempts to send a notification that failed.",
            |c| c.requests_failed,
        ),
    ];
    let counts = courier.counts();
    let families = counters.map(|(name, help, read)| {
        let of_kind = |(kind, counts): (&String, &courier::KindCounts)| -> Metric {
            let labels = vec![("integration".into(), kind.as_str().into())];
            metric(labels, MetricType::Counter, read(counts) as f64)
        };
        family_of(name, help, MetricType::Counter, counts.iter().map(of_kind).collect())
    });
    families.into_iter().filter(|family| !family.metrics.is_empty()).collect()
}
