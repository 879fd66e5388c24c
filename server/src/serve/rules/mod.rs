//! Alert rules: where they are read, when they are read anew, and the loop that evaluates them.

mod metrics;
mod reload;
mod ticking;

use std::sync::Arc;

use alert::{Components, Evaluator, Settings};
use anyhow::{Context, ensure};
use axum::Router;
use edge::{AlertingSource, Heartbeat, RuleQueries, RuleSamples, Storage};
use ingest::SharedTranslation;
use model::Clock;
use query::api::LastReload;
use store::{SampleBatch, Writer};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::Serve;
use crate::serve::admission::Access;
use crate::serve::notifications::Notifications;
use crate::serve::otlp::translation;
pub(super) use metrics::families;
#[cfg(test)]
pub(super) use reload::RELOAD_PATH;
use reload::RuleBook;
use ticking::Pulse;

/// Rules as a server has them.
pub(super) struct ServedRules {
    pub(super) evaluator: Arc<Evaluator>,
    book: Arc<RuleBook>,
    heartbeat: Option<Heartbeat>,
    lifecycle: bool,
}

/// What rules are evaluated with.
pub(super) struct Around<'a> {
    pub(super) storage: &'a Storage,
    pub(super) queries: RuleQueries,
    pub(super) samples: Arc<Writer<SampleBatch>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) external_url: String,
    pub(super) last_reload: Arc<LastReload>,
    /// What the configuration says of it stands in the same file.
    pub(super) otlp: SharedTranslation,
    /// Gets alerts, beside Alertmanagers, and is read anew together with rules.
    pub(super) notifications: Option<Arc<Notifications>>,
}

impl ServedRules {
    /// Reads the configuration and all rule files; every mistake in them is told at once.
    pub(super) async fn open(flags: &Serve, around: Around<'_>) -> anyhow::Result<Self> {
        ensure!(
            flags.heartbeat_url.is_none() || !flags.rules.is_empty() || flags.configuration.is_some(),
            "--rules.heartbeat-url needs rules, whose ticks it tells of: --rules or --config.file"
        );
        let heartbeat = flags.heartbeat_url.as_deref().map(Heartbeat::at).transpose();
        let heartbeat = heartbeat.context("--rules.heartbeat-url")?;
        let Around { storage, queries, samples, clock, external_url, last_reload, otlp, notifications } =
            around;
        let query = Arc::new(queries);
        let source = AlertingSource::at(
            flags.configuration.as_deref(),
            flags.rules.clone(),
            flags.alertmanagers.clone(),
            flags.s3_endpoint.as_deref(),
            Settings {
                evaluation_interval_ms: i64::try_from(flags.evaluation_interval.as_millis())
                    .unwrap_or(i64::MAX),
                external_url,
                ..Settings::default()
            },
        )
        .await
        .context("--rules, --config.file")?;
        let source = match &notifications {
            Some(notifications) => source.with_notifier(Arc::clone(&notifications.courier) as _),
            None => source,
        };
        let files = source.read().await.context("--rules, --config.file")?;
        let alerting = source.load(&files, &*query).context("--rules, --config.file, --alertmanager.url")?;
        otlp.set(translation(&alerting.otlp));
        let components = Components {
            query: Arc::clone(&query) as _,
            notifiers: alerting.notifiers,
            state: Arc::new(storage.rule_state()),
            sink: Some(Arc::new(RuleSamples::new(samples))),
            clock: Arc::clone(&clock),
        };
        let evaluator = Arc::new(Evaluator::new(alerting.rules, components, alerting.settings));
        let book = RuleBook::new(source, files, query, Arc::clone(&evaluator), last_reload, clock);
        let book = book.read_with(notifications).translating(otlp);
        let lifecycle = flags.pushgateway.lifecycle;
        Ok(Self { evaluator, book: Arc::new(book), heartbeat, lifecycle })
    }

    /// `/-/reload`.
    pub(super) fn lifecycle(&self, access: &Arc<Access>) -> Router {
        reload::router(Arc::clone(&self.book), Arc::clone(access), self.lifecycle)
    }

    /// Evaluates and reads anew until told to stop.
    pub(super) fn start(
        &mut self,
        flags: &Serve,
        clock: Arc<dyn Clock>,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<[JoinHandle<()>; 2]> {
        let reloading = reload::keep_reading(Arc::clone(&self.book), flags.rules_interval, stopped.clone())?;
        let evaluation = ticking::evaluate(
            Arc::clone(&self.evaluator),
            Arc::clone(&self.book),
            Pulse::of(self.heartbeat.take()),
            clock,
            stopped.clone(),
        );
        Ok([tokio::spawn(reloading), tokio::spawn(evaluation)])
    }
}
