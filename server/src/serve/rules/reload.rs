//! Reads the configuration and rule files anew: when they have changed, on SIGHUP, and when asked to.

use std::sync::Arc;
use std::time::Duration;

use alert::Evaluator;
use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use edge::{AlertingFiles, AlertingSource, RuleQueries};
use ingest::SharedTranslation;
use model::Clock;
use query::api::LastReload;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, watch};

use crate::serve::admission::Access;
use crate::serve::notifications::Notifications;
use crate::serve::otlp::translation;

/// The configuration, the rule files, and what is in force of them.
pub(super) struct RuleBook {
    source: AlertingSource,
    query: Arc<RuleQueries>,
    evaluator: Arc<Evaluator>,
    last: Arc<LastReload>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    replaced: Notify,
    /// Read together with rules.
    notifications: Option<Arc<Notifications>>,
    /// Stands in the same file.
    otlp: SharedTranslation,
}

/// What was found last.
struct Seen {
    in_force: AlertingFiles,
    /// What was found and is not in force.
    bad: Option<AlertingFiles>,
    /// Why.
    reason: Option<String>,
}

impl RuleBook {
    /// A book whose rules in force come from `files`.
    pub(super) fn new(
        source: AlertingSource,
        files: AlertingFiles,
        query: Arc<RuleQueries>,
        evaluator: Arc<Evaluator>,
        last: Arc<LastReload>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let seen = Mutex::new(Seen { in_force: files, bad: None, reason: None });
        let (replaced, notifications, otlp) = (Notify::new(), None, SharedTranslation::default());
        Self { source, query, evaluator, last, clock, seen, replaced, notifications, otlp }
    }

    /// Reads the configuration of notifications together with rules.
    pub(super) fn read_with(self, notifications: Option<Arc<Notifications>>) -> Self {
        Self { notifications, ..self }
    }

    /// Sets what the configuration says of OTLP.
    pub(super) fn translating(self, otlp: SharedTranslation) -> Self {
        Self { otlp, ..self }
    }

    /// Whether there is any place where rules come from.
    pub(super) fn is_empty(&self) -> bool {
        self.source.is_empty()
    }

    /// Waits until other rules are in force.
    pub(super) async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// Puts the files in force as they are now, those of rules and those of notifications. If anything is wrong with one of them,
    /// what is in force stays.
    async fn read(&self) -> Result<(), String> {
        let of_rules = self.read_rules().await;
        let Some(notifications) = &self.notifications else { return of_rules };
        let of_notifications = notifications.read().await;
        if of_notifications.is_err() {
            self.last.failed();
        }
        of_rules.and(of_notifications)
    }

    async fn read_rules(&self) -> Result<(), String> {
        let mut seen = self.seen.lock().await;
        let files = match self.source.read().await {
            Ok(files) => files,
            Err(error) => return Err(self.refuse(&mut seen, error.to_string())),
        };
        if files == seen.in_force {
            self.accept(&mut seen);
            return Ok(());
        }
        if let (Some(bad), Some(reason)) = (&seen.bad, &seen.reason)
            && *bad == files
        {
            return Err(reason.clone());
        }
        match self.source.load(&files, &*self.query) {
            Ok(alerting) => {
                self.otlp.set(translation(&alerting.otlp));
                self.evaluator.replace(alerting.rules, alerting.settings, alerting.notifiers);
                seen.in_force = files;
                self.accept(&mut seen);
                self.replaced.notify_one();
                Ok(())
            }
            Err(error) => {
                let reason = self.refuse(&mut seen, error.to_string());
                seen.bad = Some(files);
                Err(reason)
            }
        }
    }

    fn accept(&self, seen: &mut Seen) {
        seen.bad = None;
        if seen.reason.take().is_some() {
            tracing::info!("rule files are well again");
        }
        self.last.succeeded(self.clock.now_ms());
    }

    /// Told once, however often it is found.
    fn refuse(&self, seen: &mut Seen, reason: String) -> String {
        seen.bad = None;
        if seen.reason.as_ref() != Some(&reason) {
            tracing::error!(reason, "rule files refused: the last good ones stay in force");
        }
        seen.reason = Some(reason.clone());
        self.last.failed();
        reason
    }
}

/// Reads every `interval`, and on SIGHUP, until told to stop.
pub(super) fn keep_reading(
    book: Arc<RuleBook>,
    interval: Duration,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    Ok(async move {
        loop {
            // without places there is nothing to find, but SIGHUP must not end the process
            let is_empty = book.is_empty() && book.notifications.is_none();
            let pause = if is_empty { Duration::MAX } else { interval };
            let asked = async {
                tokio::select! {
                    _ = stopped.wait_for(|stopped| *stopped) => true,
                    _ = hangup.recv() => false,
                }
            };
            if tokio::time::timeout(pause, asked).await.unwrap_or(false) {
                return;
            }
            // whatever is wrong was told
            let _ = book.read().await;
        }
    })
}

/// Where it is.
pub(in crate::serve) const RELOAD_PATH: &str = "/-/reload";

/// `/-/reload`, where it is allowed: of rules, and of who may ask.
pub(super) fn router(book: Arc<RuleBook>, access: Arc<Access>, lifecycle: bool) -> Router {
    let reload = if lifecycle { post(reload).put(reload) } else { post(forbidden).put(forbidden) };
    Router::new().route(RELOAD_PATH, reload).with_state((book, access))
}

async fn forbidden() -> (StatusCode, &'static str) {
    (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.")
}

async fn reload(
    State((book, access)): State<(Arc<RuleBook>, Arc<Access>)>,
) -> Result<(), (StatusCode, String)> {
    let of_access = tokio::task::spawn_blocking(move || access.read()).await;
    let of_access = of_access.map_err(|error| error.to_string()).and_then(|read| read);
    let told = |reason| (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {reason}\n"));
    book.read().await.and(of_access).map_err(told)
}
