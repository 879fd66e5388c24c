//! Rule files, and the loop that evaluates them.

use std::sync::Arc;
use std::time::Duration;

use alert::{Components, Evaluator, Notifier, Progress, RuleFileError, Rules, Settings, TickError};
use anyhow::{Context, bail};
use edge::{Alertmanager, HttpClient, RuleQueries, RuleSamples, Storage};
use model::Clock;
use store::{SampleBatch, Writer};
use tokio::sync::watch;

use crate::cli::Serve;

/// The evaluator of all rule files; every mistake in them is told at once.
pub(super) fn evaluator(
    flags: &Serve,
    storage: &Storage,
    queries: RuleQueries,
    samples: Arc<Writer<SampleBatch>>,
    clock: Arc<dyn Clock>,
    external_url: String,
) -> anyhow::Result<Evaluator> {
    let query = Arc::new(queries);
    let rules = load(flags, &query)?;
    let components = Components {
        query,
        notifiers: notifiers(&flags.alertmanagers)?,
        state: Arc::new(storage.rule_state()),
        sink: Some(Arc::new(RuleSamples::new(samples))),
        clock,
    };
    let settings = Settings {
        evaluation_interval_ms: i64::try_from(flags.evaluation_interval.as_millis()).unwrap_or(i64::MAX),
        external_url,
        ..Settings::default()
    };
    Ok(Evaluator::new(rules, components, settings))
}

fn load(flags: &Serve, check: &RuleQueries) -> anyhow::Result<Rules> {
    let mut files = Vec::new();
    for path in &flags.rules {
        let text = std::fs::read_to_string(path).with_context(|| format!("--rules {}", path.display()))?;
        files.push((path.display().to_string(), text));
    }
    match Rules::load(&files, check) {
        Ok(rules) => {
            for warning in rules.warnings() {
                tracing::warn!(warning, "rule file");
            }
            if rules.rule_count() > 0 {
                tracing::info!(groups = rules.group_count(), rules = rules.rule_count(), "rules loaded");
            }
            Ok(rules)
        }
        Err(errors) => {
            // Prometheus' text may have several lines; whoever started us gets one
            let one_line =
                |error: &RuleFileError| error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            let errors: Vec<String> = errors.iter().map(one_line).collect();
            bail!("--rules: {}", errors.join("; "))
        }
    }
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

/// Ticks at every slot until told to stop; a tick under way is finished.
pub(super) async fn evaluate(
    evaluator: Arc<Evaluator>,
    clock: Arc<dyn Clock>,
    mut stopped: watch::Receiver<bool>,
) {
    /// What did not work is tried again after this long.
    const RETRY_MS: i64 = 5_000;
    // a start without rules is no order to forget what is known about them
    if evaluator.rules().rule_count() == 0 {
        return;
    }
    let mut failing = false;
    loop {
        let ticked = evaluator.tick(clock.now_ms()).await;
        let again = match &ticked {
            Ok(progress) => progress.superseded || progress.alerts_waiting > 0,
            Err(_) => true,
        };
        failing = told(ticked, failing);
        let now_ms = clock.now_ms();
        let Some(slot_ms) = evaluator.next_slot_ms(now_ms) else {
            return;
        };
        let next_ms = if again { slot_ms.min(now_ms + RETRY_MS) } else { slot_ms };
        let pause = Duration::from_millis(u64::try_from(next_ms - now_ms).unwrap_or(0));
        // an answer means that it is time to stop
        if tokio::time::timeout(pause, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
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
