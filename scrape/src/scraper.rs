//! Who is due, and one scrape from its request to what is stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::ScrapeConfig;
use model::{Clock, Labels};
use tokio::sync::OwnedMutexGuard;
use wire::remote_write::WriteRequest;

use crate::memory::Memory;
use crate::page::Format;
use crate::pass::{self, Passed};
use crate::pool::Pool;
use crate::ports::{Answered, Asked, Fetch, Sink};
use crate::report;
use crate::saved::{Pairs, Saved, SavedJob};
use crate::target::{Health, Target, TargetStatus};

/// A scrape that begins this much later than planned is of the planned time, so that times are as regular as those of Prometheus.
const LATE_MS_MAX: i64 = 2;
/// A larger page is read where others do not wait for it.
const READ_IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// All jobs and their targets.
#[derive(Debug)]
pub struct Scraper {
    state: Mutex<State>,
    sink: Arc<dyn Sink>,
    clock: Arc<dyn Clock>,
    stats: ScrapeStats,
}

#[derive(Debug, Default)]
struct State {
    pools: Vec<Pool>,
    /// Targets that are gone, and whose series have not ended yet.
    gone: Vec<Arc<Target>>,
}

/// What it has counted.
#[derive(Debug, Default)]
pub struct ScrapeStats {
    /// Scrapes.
    pub scrapes: AtomicU64,
    /// Those of them that failed.
    pub failures: AtomicU64,
    /// Samples that were not stored since their series was on the page already.
    pub duplicates: AtomicU64,
    /// Scrapes of which nothing, or not all, could be stored.
    pub unstored: AtomicU64,
}

/// Something that is to be done now.
#[derive(Debug)]
pub struct Due {
    target: Arc<Target>,
    what: What,
}

#[derive(Debug)]
enum What {
    Scrape {
        job: Arc<ScrapeConfig>,
        fetch: Arc<dyn Fetch>,
        asked: Asked,
        failure: Option<String>,
        planned_ms: i64,
    },
    /// The target is gone.
    End,
}

impl Scraper {
    /// A scraper without jobs.
    pub fn new(sink: Arc<dyn Sink>, clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::default(), sink, clock, stats: ScrapeStats::default() }
    }

    /// What it has counted.
    pub fn stats(&self) -> &ScrapeStats {
        &self.stats
    }

    /// From now on these are the jobs. Targets of jobs of the same name go on; until [`Self::discovered`] says otherwise, they are those
    /// that were known.
    pub fn replace(&self, jobs: Vec<(ScrapeConfig, Arc<dyn Fetch>)>) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let mut before: HashMap<_, _> =
            std::mem::take(&mut state.pools).into_iter().map(|pool| (pool.name().to_owned(), pool)).collect();
        for (job, fetch) in jobs {
            let mut pool = Pool::new(job, fetch);
            if let Some(before) = before.remove(pool.name()) {
                state.gone.extend(pool.take_over(before, now_ms));
            }
            state.pools.push(pool);
        }
        let of_ended = before.into_values().flat_map(|pool| pool.targets);
        state.gone.extend(of_ended.map(|(target, _)| target));
    }

    /// From now on these are the targets of a job.
    pub fn discovered(&self, job: &str, targets: Vec<Labels>) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let State { pools, gone } = &mut *state;
        if let Some(pool) = pools.iter_mut().find(|pool| pool.name() == job) {
            gone.extend(pool.sync(targets, now_ms));
        }
    }

    /// What another process knew of the targets of these jobs. Those that are not known here are gone, until [`Self::discovered`] says
    /// otherwise.
    pub fn restore(&self, saved: Saved) {
        let now_ms = self.clock.now_ms();
        let mut state = self.lock();
        let State { pools, gone } = &mut *state;
        for (name, SavedJob { discovered, targets }) in saved.jobs {
            let targets = targets.into_iter().map(|target| Arc::new(Target::of_saved(target))).collect();
            match pools.iter_mut().find(|pool| pool.name() == name) {
                Some(pool) => {
                    let discovered = discovered.iter().map(Pairs::labels).collect();
                    gone.extend(pool.restore(targets, discovered, now_ms));
                }
                None => gone.extend(targets),
            }
        }
    }

    /// What another process should know. Scrapes that are under way are waited for.
    pub async fn saved(&self) -> Saved {
        let known: Vec<(String, Vec<Pairs>, Vec<Arc<Target>>)> = self.pools(|pools| {
            let of_pool = |pool: &Pool| {
                let discovered = pool.discovered().iter().map(Pairs::from).collect();
                (pool.name().to_owned(), discovered, pool.targets().cloned().collect())
            };
            pools.iter().map(of_pool).collect()
        });
        let mut saved = Saved::default();
        for (name, discovered, targets) in known {
            let mut job = SavedJob { discovered, targets: Vec::with_capacity(targets.len()) };
            for target in targets {
                job.targets.push(target.saved().await);
            }
            saved.jobs.insert(name, job);
        }
        saved
    }

    /// What is to be done now. Targets that have been due more than once are so once.
    pub fn due(&self, now_ms: i64) -> Vec<Due> {
        self.due_by(now_ms, |_, next_ms| next_ms <= now_ms)
    }

    /// What is to be done by whoever looks only now and then: of targets those that have been due since they were scraped last, or
    /// will be within `soon_ms`, and those that were never scraped.
    pub fn due_since_last(&self, now_ms: i64, soon_ms: i64) -> Vec<Due> {
        self.due_by(now_ms, |target, _| {
            let last_ms = target.status().last_scrape_ms;
            last_ms.is_none_or(|last_ms| target.next_ms(last_ms + 1) <= now_ms + soon_ms)
        })
    }

    fn due_by(&self, now_ms: i64, is_due: impl Fn(&Target, i64) -> bool) -> Vec<Due> {
        let mut state = self.lock();
        let mut due: Vec<_> = state.gone.drain(..).map(|target| Due { target, what: What::End }).collect();
        for pool in &mut state.pools {
            let mut planned = Vec::new();
            for (target, next_ms) in &mut pool.targets {
                if is_due(target, *next_ms) {
                    planned.push((Arc::clone(target), *next_ms));
                    *next_ms = target.next_ms(now_ms + 1);
                }
            }
            due.extend(planned.into_iter().map(|(target, planned_ms)| {
                let (job, fetch) = (Arc::clone(&pool.job), Arc::clone(&pool.fetch));
                let (asked, failure) = (pool.asked(&target), pool.failure.clone());
                Due { target, what: What::Scrape { job, fetch, asked, failure, planned_ms } }
            }));
        }
        due
    }

    /// When there is something to be done next.
    pub fn next_ms(&self) -> Option<i64> {
        let state = self.lock();
        let targets = state.pools.iter().flat_map(|pool| &pool.targets);
        let next = targets.map(|(_, next_ms)| *next_ms).min();
        if state.gone.is_empty() { next } else { Some(self.clock.now_ms()) }
    }

    /// Looks at the jobs, in the order of the configuration.
    pub fn pools<T>(&self, look: impl FnOnce(&[Pool]) -> T) -> T {
        look(&self.lock().pools)
    }

    /// Does what is to be done. Done when what came of it is durable.
    pub async fn run(&self, due: Due) {
        let Due { target, what } = due;
        match what {
            What::End => {
                // a scrape that is under way is waited for
                let mut memory = Arc::clone(&target.memory).lock_owned().await;
                let at_ms = self.clock.now_ms();
                let mut series = pass::no_page(&mut memory, at_ms).series;
                if target.status().last_scrape_ms.is_some() {
                    series.extend(report::ends(&target.labels, at_ms));
                }
                self.store(&target, WriteRequest { series, ..WriteRequest::default() }).await;
            }
            What::Scrape { job, fetch, asked, failure, planned_ms } => {
                let Ok(memory) = Arc::clone(&target.memory).try_lock_owned() else {
                    tracing::warn!(
                        job = job.name,
                        url = target.url,
                        "the last scrape is not stored yet: this one is left out"
                    );
                    return;
                };
                let began_us = self.clock.now_us();
                let began_ms = began_us.div_euclid(1_000);
                let is_in_time = (0..=LATE_MS_MAX).contains(&(began_ms - planned_ms));
                let at_ms = if is_in_time { planned_ms } else { began_ms };
                let answered = match failure {
                    Some(failure) => Err(failure),
                    None => fetch.fetch(&asked).await,
                };
                // the memory is held until all is stored
                let (_memory, mut passed, ended) = read(memory, &job, &target, answered, at_ms).await;
                let duration_us = self.clock.now_us() - began_us;
                let report = passed.report(ended.is_ok(), duration_us);
                self.count(&passed, ended.is_ok());
                passed.series.extend(report.series(&target.labels, at_ms));
                let families =
                    if ended.is_ok() { Arc::new(passed.told.clone()) } else { target.status().families };
                let request =
                    WriteRequest { series: passed.series, families: passed.told, ..WriteRequest::default() };
                let unstored = self.store(&target, request).await;
                let health = if ended.is_ok() { Health::Up } else { Health::Down };
                let last_error = ended.err().or(unstored).unwrap_or_default();
                let last_scrape_ms = Some(at_ms);
                target.set_status(TargetStatus {
                    health,
                    last_error,
                    last_scrape_ms,
                    last_duration_us: duration_us,
                    families,
                });
            }
        }
    }

    fn count(&self, passed: &Passed, is_well: bool) {
        let Self { stats, .. } = self;
        stats.scrapes.fetch_add(1, Ordering::Relaxed);
        stats.failures.fetch_add(u64::from(!is_well), Ordering::Relaxed);
        stats.duplicates.fetch_add(passed.duplicates, Ordering::Relaxed);
    }

    async fn store(&self, target: &Target, request: WriteRequest) -> Option<String> {
        if request.series.is_empty() {
            return None;
        }
        let error = self.sink.write(request).await.err()?;
        self.stats.unstored.fetch_add(1, Ordering::Relaxed);
        tracing::error!(url = target.url, error, "what was scraped is not stored");
        Some(format!("not stored: {error}"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // nothing in here panics between two changes that belong together
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an answer says. The memory comes back, unless it is lost with the thread that had it.
async fn read(
    mut memory: OwnedMutexGuard<Memory>,
    job: &Arc<ScrapeConfig>,
    target: &Arc<Target>,
    answered: Result<Answered, String>,
    at_ms: i64,
) -> (Option<OwnedMutexGuard<Memory>>, Passed, Result<(), String>) {
    let page = answered.and_then(|Answered { content_type, body }| {
        Format::of(content_type.as_deref(), job.fallback).map(|format| (body, format))
    });
    let page = match page {
        Err(error) => {
            let passed = pass::no_page(&mut memory, at_ms);
            return (Some(memory), passed, Err(error));
        }
        Ok(page) => page,
    };
    let (job, target, is_small) =
        (Arc::clone(job), Arc::clone(target), page.0.len() <= READ_IN_PLACE_BYTES_MAX);
    let read = move || {
        let (passed, ended) = pass::pass(&mut memory, &job, &target.labels, page, at_ms);
        (Some(memory), passed, ended)
    };
    if is_small {
        return read();
    }
    let unread = |error| (None, Passed::default(), Err(format!("the page was not read to its end: {error}")));
    tokio::task::spawn_blocking(read).await.unwrap_or_else(unread)
}
