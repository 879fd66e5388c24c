//! Alert rules: where they are read, when they are read anew, and the loop that evaluates them.

mod metrics;
mod reload;
mod ticking;

use std::sync::Arc;

use alert::{Components, Evaluator, Settings};
use anyhow::Context;
use axum::Router;
use edge::{RuleFiles, RuleQueries, RuleSamples, Storage};
use model::Clock;
use query::api::LastReload;
use store::{SampleBatch, Writer};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::Serve;
pub(super) use metrics::families;
use reload::RuleBook;

/// Rules as a server has them.
pub(super) struct ServedRules {
    pub(super) evaluator: Arc<Evaluator>,
    book: Arc<RuleBook>,
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
}

impl ServedRules {
    /// Reads all rule files; every mistake in them is told at once.
    pub(super) async fn open(flags: &Serve, around: Around<'_>) -> anyhow::Result<Self> {
        let Around { storage, queries, samples, clock, external_url, last_reload } = around;
        let query = Arc::new(queries);
        let files = RuleFiles::at(&flags.rules, flags.s3_endpoint.as_deref()).await.context("--rules")?;
        let texts = files.read().await.context("--rules")?;
        let rules = edge::rules(&texts, &*query).context("--rules")?;
        let components = Components {
            query: Arc::clone(&query) as _,
            notifiers: edge::alertmanagers(&flags.alertmanagers).context("--alertmanager.url")?,
            state: Arc::new(storage.rule_state()),
            sink: Some(Arc::new(RuleSamples::new(samples))),
            clock: Arc::clone(&clock),
        };
        let settings = Settings {
            evaluation_interval_ms: i64::try_from(flags.evaluation_interval.as_millis()).unwrap_or(i64::MAX),
            external_url,
            ..Settings::default()
        };
        let evaluator = Arc::new(Evaluator::new(rules, components, settings));
        let book = RuleBook::new(files, texts, query, Arc::clone(&evaluator), last_reload, clock);
        Ok(Self { evaluator, book: Arc::new(book), lifecycle: flags.pushgateway.lifecycle })
    }

    /// `/-/reload`.
    pub(super) fn lifecycle(&self) -> Router {
        reload::router(Arc::clone(&self.book), self.lifecycle)
    }

    /// Evaluates and reads anew until told to stop.
    pub(super) fn start(
        &self,
        flags: &Serve,
        clock: Arc<dyn Clock>,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<[JoinHandle<()>; 2]> {
        let reloading = reload::keep_reading(Arc::clone(&self.book), flags.rules_interval, stopped.clone())?;
        let evaluation =
            ticking::evaluate(Arc::clone(&self.evaluator), Arc::clone(&self.book), clock, stopped.clone());
        Ok([tokio::spawn(reloading), tokio::spawn(evaluation)])
    }
}
