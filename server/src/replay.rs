//! `mayfly rules replay FILE...`

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alert::{Rehearsal, ReplayedAlert, RuleFailure, RuleSample, Rules, SampleSink, Settings, SinkError};
use anyhow::{Context, bail};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use edge::{RuleFiles, RuleQueries, StoredSeries, SystemClock};
use model::{Clock, Labels, Selection, Series};
use promqltest::Memory;
use query::{Engine, SeriesSource, SourceError, SourceNotes};
use serde_json::json;

use crate::cli::{duration, instant};
use crate::query_flags::QueryFlags;
use crate::storage_flags::StorageFlags;

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// Rule files, or files of jobs: files, folders, patterns, or s3:// URLs
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,

    #[command(flatten)]
    storage: StorageFlags,

    /// Where the range begins: like 2026-01-31T08:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = instant)]
    start: i64,

    /// Where it ends [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    end: Option<i64>,

    /// How often rule groups without an interval of their own are evaluated
    #[arg(long = "evaluation-interval", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    evaluation_interval: Duration,

    /// For people, or one JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    #[command(flatten)]
    queries: QueryFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Tells what would have fired. Ends with 0, or with 1 if a rule could not be evaluated.
pub(crate) fn run(flags: &Replay) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(replay(flags))
}

async fn replay(flags: &Replay) -> anyhow::Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let files = RuleFiles::at(&flags.files, flags.storage.s3_endpoint()).await?.read().await?;
    let storage = flags.storage.open().await?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let engine = Engine::new(flags.queries.settings(threads), Arc::clone(&clock));
    let stored = StoredSeries::new(Arc::new(storage.reader(None, None)));
    let past = Arc::new(Past { stored, replayed: Mutex::default() });
    let queries = Arc::new(RuleQueries::new(engine, Arc::clone(&past) as _));
    let rules = match Rules::load(&files, &*queries) {
        Ok(rules) => rules,
        Err(mistakes) => {
            bail!("{}", mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
    };
    past.replayed.lock().unwrap_or_else(PoisonError::into_inner).names = rules.written_names();
    let settings = Settings {
        evaluation_interval_ms: i64::try_from(flags.evaluation_interval.as_millis()).unwrap_or(i64::MAX),
        ..Settings::default()
    };
    let mut rehearsal = Rehearsal::new(rules, &[], queries, past, Arc::clone(&clock), settings, flags.start);
    let mut told = Told { format: flags.format, failures: BTreeSet::new(), broken: None };
    let end_ms = flags.end.unwrap_or_else(|| clock.now_ms());
    let summary = rehearsal.replay(flags.start, end_ms, &mut |news| told.tell(news)).await?;
    if let Some(error) = told.broken {
        return Err(error).context("standard output");
    }
    let mut out = std::io::stdout().lock();
    match flags.format {
        Format::Text => writeln!(
            out,
            "{} alerts fired, {} still fire at the end; {} evaluations of rules, {} failed",
            summary.fired, summary.firing, summary.evaluations, summary.failures
        )?,
        Format::Json => {
            let line = json!({
                "fired": summary.fired,
                "firing": summary.firing,
                "evaluations": summary.evaluations,
                "failures": summary.failures,
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(if summary.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes news as it comes.
struct Told {
    format: Format,
    /// Rule and reason: a rule that fails at each slot is told once.
    failures: BTreeSet<(String, String)>,
    broken: Option<std::io::Error>,
}

impl Told {
    fn tell(&mut self, news: Result<ReplayedAlert, RuleFailure>) {
        let written = match news {
            Ok(news) => self.alert(&news),
            Err(failure) => {
                if !self.failures.insert((failure.rule.clone(), failure.reason.clone())) {
                    return;
                }
                writeln!(std::io::stderr(), "mayfly: rule {} failed: {}", failure.rule, failure.reason)
            }
        };
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }

    fn alert(&self, ReplayedAlert { at_ms, alert }: &ReplayedAlert) -> std::io::Result<()> {
        let state = if alert.resolved { "resolved" } else { "firing" };
        let time = shown(*at_ms);
        let mut out = std::io::stdout().lock();
        if self.format == Format::Json {
            let map = |labels: &Labels| -> serde_json::Map<String, serde_json::Value> {
                labels.iter().map(|label| (label.name.to_string(), json!(&*label.value))).collect()
            };
            let line = json!({
                "time": time,
                "state": state,
                "labels": map(&alert.labels),
                "annotations": map(&alert.annotations),
                "startsAt": shown(alert.starts_at_ms),
            });
            return writeln!(out, "{line}");
        }
        let name = alert.labels.get("alertname").unwrap_or_default();
        let mut rest = alert.labels.to_builder();
        rest.remove("alertname");
        writeln!(out, "{time} {state:8} {name}{}", rest.build())?;
        if !alert.resolved {
            for annotation in &alert.annotations {
                writeln!(out, "    {}: {}", annotation.name, annotation.value)?;
            }
        }
        Ok(())
    }
}

fn shown(ms: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What was stored, but of series that the replayed rules write, what they write now.
struct Past {
    stored: StoredSeries,
    replayed: Mutex<Replayed>,
}

#[derive(Default)]
struct Replayed {
    names: BTreeSet<String>,
    series: Memory,
}

#[async_trait]
impl SeriesSource for Past {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let mut found = self.stored.select(selection, notes).await?;
        let replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|series| {
            let name = series.labels.get(Labels::NAME).unwrap_or_default();
            !replayed.names.contains(name)
        });
        found.extend(replayed.series.selected(selection));
        Ok(found)
    }
}

#[async_trait]
impl SampleSink for Past {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        let mut replayed = self.replayed.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in samples {
            replayed.series.insert(sample.labels.clone(), sample.timestamp_ms, sample.value.clone());
        }
        Ok(())
    }
}
