//! Targets that are pulled: the file that says which, where they are found, and the loop that scrapes them.

mod discovery;
mod jobs;
mod shown;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use edge::ScrapedSamples;
use ingest::Receiver;
use model::Clock;
use scrape::Scraper;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wire::{Family, Metric, MetricValue};

pub(in crate::serve) use jobs::JobsFile;
pub(in crate::serve) use shown::Shown;

use discovery::Discovery;

/// Without anything to do it looks again after this, since others may have found targets.
const PAUSE: Duration = Duration::from_secs(1);
/// A scrape that is under way at the end may take as long.
const DRAIN: Duration = Duration::from_secs(10);

/// Whoever scrapes.
pub(in crate::serve) struct Scraping {
    scraper: Arc<Scraper>,
    file: JobsFile,
    clock: Arc<dyn Clock>,
}

impl Scraping {
    /// Scrapes what a file says, and stores it through a receiver.
    pub(in crate::serve) fn new(file: JobsFile, receiver: Arc<Receiver>, clock: Arc<dyn Clock>) -> Self {
        let sink = Arc::new(ScrapedSamples::new(receiver));
        Self { scraper: Arc::new(Scraper::new(sink, Arc::clone(&clock))), file, clock }
    }

    pub(in crate::serve) fn scraper(&self) -> &Arc<Scraper> {
        &self.scraper
    }

    /// Scrapes until told to stop. The file is read again every `interval`, and on SIGHUP; what is wrong with it is told, and what was
    /// in force stays.
    pub(in crate::serve) fn keep_scraping(
        mut self,
        interval: Duration,
        mut stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<impl Future<Output = ()> + Send> {
        let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        Ok(async move {
            let mut discovery = self.discover();
            let mut under_way = JoinSet::new();
            let mut read_ms = self.clock.now_ms();
            let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
            loop {
                let now_ms = self.clock.now_ms();
                for due in self.scraper.due(now_ms) {
                    let scraper = Arc::clone(&self.scraper);
                    under_way.spawn(async move { scraper.run(due).await });
                }
                while under_way.try_join_next().is_some() {}
                if now_ms - read_ms >= interval_ms {
                    (read_ms, discovery) = (now_ms, self.read(discovery));
                }
                let next = self.scraper.next_ms().unwrap_or(i64::MAX).saturating_sub(self.clock.now_ms());
                let pause = Duration::from_millis(u64::try_from(next).unwrap_or(0)).min(PAUSE);
                let told = async {
                    tokio::select! {
                        _ = stopped.wait_for(|stopped| *stopped) => Some(Told::Stop),
                        _ = hangup.recv() => Some(Told::Read),
                        () = discovery.found() => None,
                    }
                };
                match tokio::time::timeout(pause, told).await {
                    Ok(Some(Told::Stop)) => break,
                    Ok(Some(Told::Read)) => {
                        (read_ms, discovery) = (self.clock.now_ms(), self.read(discovery));
                    }
                    Ok(None) | Err(_) => {}
                }
            }
            let ended = async { while under_way.join_next().await.is_some() {} };
            if tokio::time::timeout(DRAIN, ended).await.is_err() {
                tracing::warn!(after = ?DRAIN, "scrapes under way were cut off");
            }
        })
    }

    /// Puts the jobs of the file in force, and looks for their targets.
    fn discover(&self) -> Discovery {
        let jobs = self.file.jobs();
        self.scraper.replace(jobs.iter().map(|job| (job.config.clone(), Arc::clone(&job.fetch))).collect());
        Discovery::start(jobs, &self.scraper)
    }

    fn read(&mut self, before: Discovery) -> Discovery {
        match self.file.read_again() {
            Ok(false) => before,
            Ok(true) => {
                tracing::info!("other jobs are scraped");
                self.discover()
            }
            Err(error) => {
                tracing::error!(%error, "the jobs to scrape are refused: the last good ones stay in force");
                before
            }
        }
    }
}

enum Told {
    Stop,
    Read,
}

/// What scraping tells of itself, under Prometheus' names where it has them.
pub(in crate::serve) fn families(scraper: &Scraper) -> Vec<Family> {
    let stats = scraper.stats();
    let counter = |name: &str, help: &str, value: u64| Family {
        name: name.into(),
        help: help.into(),
        r#type: model::MetricType::Counter,
        metrics: vec![Metric::new(Vec::new(), MetricValue::Counter(value as f64))],
        ..Family::default()
    };
    let of_pools = scraper.pools(|pools| {
        let metric = |pool: &scrape::Pool| {
            let labels = vec![("scrape_job".into(), pool.name().into())];
            Metric::new(labels, MetricValue::Gauge(pool.targets().count() as f64))
        };
        pools.iter().map(metric).collect()
    });
    let targets = Family {
        name: "prometheus_target_scrape_pool_targets".into(),
        help: "How many targets a job has.".into(),
        r#type: model::MetricType::Gauge,
        metrics: of_pools,
        ..Family::default()
    };
    let load = |counted: &std::sync::atomic::AtomicU64| counted.load(Ordering::Relaxed);
    vec![
        targets,
        counter("mayfly_scrapes_total", "Scrapes.", load(&stats.scrapes)),
        counter("mayfly_scrapes_failed_total", "Scrapes of which nothing came.", load(&stats.failures)),
        counter(
            "mayfly_scrapes_unstored_total",
            "Scrapes of which nothing, or not all, could be stored.",
            load(&stats.unstored),
        ),
        counter(
            "prometheus_target_scrapes_sample_duplicate_timestamp_total",
            "Samples that were left out since their series was on the page already.",
            load(&stats.duplicates),
        ),
    ]
}
