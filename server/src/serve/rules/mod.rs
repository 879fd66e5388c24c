//! Alert rules: where they are read, when they are read anew, and the loop that evaluates them.

mod metrics;
mod reload;
mod ticking;

use std::sync::Arc;

use alert::{Components, Evaluator, Notifier, RuleFileError, Rules, Settings};
use anyhow::{Context, bail};
use axum::Router;
use edge::{Alertmanager, HttpClient, RuleFileText, RuleFiles, RuleQueries, RuleSamples, Storage};
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
        let rules = match parse(&texts, &query) {
            Ok(rules) => rules,
            Err(mistakes) => bail!("--rules: {}", mistakes.join("; ")),
        };
        let components = Components {
            query: Arc::clone(&query) as _,
            notifiers: notifiers(&flags.alertmanagers)?,
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

/// The rules in these files, or every mistake in them, each in one line.
fn parse(files: &[RuleFileText], check: &RuleQueries) -> Result<Rules, Vec<String>> {
    // Prometheus' text may have several lines; whoever started us gets one
    let one_line = |error: &RuleFileError| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    let rules =
        Rules::load(files, check).map_err(|errors| errors.iter().map(one_line).collect::<Vec<_>>())?;
    for warning in rules.warnings() {
        tracing::warn!(warning, "rule file");
    }
    if rules.rule_count() > 0 {
        tracing::info!(groups = rules.group_count(), rules = rules.rule_count(), "rules loaded");
    }
    Ok(rules)
}

fn notifiers(urls: &[String]) -> anyhow::Result<Vec<Arc<dyn Notifier>>> {
    if urls.is_empty() {
        return Ok(Vec::new());
    }
    let client = HttpClient::new().context("--alertmanager.url")?;
    urls.iter()
        .map(|url| {
            let alertmanager = Alertmanager::new(url, client.clone()).context("--alertmanager.url")?;
            Ok(Arc::new(alertmanager) as Arc<dyn Notifier>)
        })
        .collect()
}
