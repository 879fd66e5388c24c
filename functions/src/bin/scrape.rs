//! The scrape function: scrapes the targets that are due, and stores what they tell; whatever the event says. Meant for EventBridge
//! Scheduler, once a minute.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_SCRAPE_CONFIG` | what `--scrape-config` is to a server, or an object `s3://BUCKET/KEY`; a path is relative to the function's code; required |
//! | `MAYFLY_SCRAPE_FOR` | how long an invocation goes on to scrape, like `50s`; by default each target that is due is scraped once |
//! | `MAYFLY_S3_ENDPOINT` | as for `query` |
//!
//! Which series each target had is kept in the storage, so that what is gone ends whichever process sees it first. Of a tick all is
//! stored at its end, and then remembered. A target that is down is no failure of the function: it is `up 0`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alert::{LoadError, Loaded, StateStore, SwapError, Version};
use anyhow::{Context, bail};
use async_trait::async_trait;
use edge::{Ack, Discovery, RuleFileText, RuleFiles, RuleState, ScrapeJob, SystemClock};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use ingest::Receiver;
use mayfly_functions::{Answer, Environment, Event, Invocation};
use model::{Clock, Labels};
use scrape::{Saved, Scraper, Sink};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use wire::remote_write::WriteRequest;

/// What says where the jobs are.
const PLACE: &str = "MAYFLY_SCRAPE_CONFIG";

/// The schedule's steps: what is due before half of it has passed is due now.
const TICK_MS: i64 = 60_000;

/// So many targets are asked at once.
const AT_ONCE: usize = 500;

/// To store what was scraped and to remember it, before time is over.
const RESERVE: Duration = Duration::from_secs(3);

/// Of an invocation's time, this part is for looking for targets.
const LOOKING_PART: u32 = 4;

/// So many samples wait at most until they are stored.
const WAITING_SAMPLES_MAX: usize = 100_000;

/// What is remembered is tried to be written so often while others write.
const SWAPS_MAX: usize = 5;

/// What a tick needs.
struct Scrapes {
    source: RuleFiles,
    place: String,
    state: RuleState,
    sink: Arc<Gathered>,
    clock: Arc<dyn Clock>,
    goes_on: Duration,
    known: tokio::sync::Mutex<Known>,
}

/// What lasts as long as the function is warm.
#[derive(Default)]
struct Known {
    /// The configuration that is in force.
    text: Option<RuleFileText>,
    jobs: Vec<Looked>,
    scraper: Option<Arc<Scraper>>,
    /// Of what is remembered of the targets in the storage, if it is what `scraper` knows.
    version: Option<Version>,
}

/// A job, and where its targets were looked for.
struct Looked {
    job: ScrapeJob,
    ways: Vec<LookedAt>,
}

struct LookedAt {
    discovery: Discovery,
    /// `None`: nothing can be said.
    found: Option<Vec<Labels>>,
    again_ms: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    mayfly_functions::log();
    let scrapes = &mayfly_functions::started(start(Environment::of_process()).await);
    mayfly_functions::run(|event, invocation| async move { scrapes.answer(&event, invocation).await }).await
}

async fn start(mut environment: Environment) -> anyhow::Result<Scrapes> {
    let storage_at = mayfly_functions::storage_variables(&mut environment);
    let place = environment.required(PLACE, "a file with scrape_configs, like s3://BUCKET/prometheus.yml");
    let folder = environment.text("LAMBDA_TASK_ROOT").unwrap_or_default();
    let goes_on_ms = environment.duration_ms("MAYFLY_SCRAPE_FOR").unwrap_or(0);
    environment.finish()?;

    let storage = mayfly_functions::storage(&storage_at).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let samples = Arc::new(storage.sample_writer(Arc::clone(&clock), Ack::Stored).await?);
    let pushes = Arc::new(storage.push_writer(Arc::clone(&clock), Ack::Stored).await?);
    let exemplars = Arc::new(storage.stored_exemplar_writer(Arc::clone(&clock)));
    let receiver = Receiver::new(samples, pushes, Arc::clone(&clock), ingest::Settings::default());
    let receiver = receiver.with_exemplars(exemplars);
    let place = mayfly_functions::absolute(&folder, &place);
    let source = RuleFiles::at(std::slice::from_ref(&place), storage_at.1.as_deref()).await.context(PLACE)?;
    Ok(Scrapes {
        source,
        place,
        state: storage.scrape_state(),
        sink: Arc::new(Gathered { receiver, waiting: Mutex::default() }),
        clock,
        goes_on: Duration::from_millis(goes_on_ms.unsigned_abs()),
        known: tokio::sync::Mutex::default(),
    })
}

impl Scrapes {
    async fn answer(&self, event: &Event, invocation: Invocation) -> anyhow::Result<Answer> {
        event.tick()?;
        let mut known = self.known.lock().await;
        let told = self.tick(&mut known, invocation).await;
        if told.is_err() {
            // what is known here may not be what is stored
            self.sink.forget();
            known.scraper = None;
            known.version = None;
        }
        let (told, wrong) = told?;
        tracing::info!(%told, "tick");
        match wrong {
            Some(wrong) => Err(wrong.context(PLACE)),
            None => mayfly_functions::json(&told),
        }
    }

    /// What was done, and what is wrong all the same.
    async fn tick(
        &self,
        known: &mut Known,
        invocation: Invocation,
    ) -> anyhow::Result<(Value, Option<anyhow::Error>)> {
        // the last good configuration stays in force
        let mut wrong = self.read(known).await.err();
        if known.text.is_none() {
            return Err(wrong
                .unwrap_or_else(|| anyhow::anyhow!("there is nothing to scrape"))
                .context(PLACE));
        }
        let scraper = self.restored(known).await?;
        let time = invocation.left(RESERVE) / LOOKING_PART;
        look(&mut known.jobs, &scraper, self.clock.now_ms(), time).await;
        let (scrapes, failures) = counts(&scraper);
        let cut_off = self.scrape(&scraper, invocation).await;
        self.sink.store().await?;
        self.remember(known, &scraper).await?;
        let (all_scrapes, all_failures) = counts(&scraper);
        let targets: usize = scraper.pools(|pools| pools.iter().map(|pool| pool.targets().count()).sum());
        if cut_off > 0 {
            wrong =
                Some(anyhow::anyhow!("the function's time ran out before {cut_off} targets were scraped"));
        }
        let told = json!({
            "targets": targets,
            "scrapes": all_scrapes - scrapes,
            "scrapesFailed": all_failures - failures,
            "scrapesCutOff": cut_off,
        });
        Ok((told, wrong))
    }

    /// Puts the configuration in force as it is now.
    async fn read(&self, known: &mut Known) -> anyhow::Result<()> {
        let mut texts = self.source.read().await?;
        let (Some(text), 0) = (texts.pop(), texts.len()) else {
            bail!("{} must be one file", self.place);
        };
        if known.text.as_ref() == Some(&text) {
            return Ok(());
        }
        let jobs = ScrapeJob::read(Path::new(&text.0), &text.1)?;
        let looked = |job: ScrapeJob| {
            let ways = job.ways().into_iter();
            let ways =
                ways.map(|discovery| LookedAt { discovery, found: None, again_ms: i64::MIN }).collect();
            Looked { job, ways }
        };
        known.jobs = jobs.into_iter().map(looked).collect();
        if let Some(scraper) = &known.scraper {
            scraper.replace(fetching(&known.jobs));
        }
        known.text = Some(text);
        Ok(())
    }

    /// Whoever knows what the last tick knew, wherever that was.
    async fn restored(&self, known: &mut Known) -> anyhow::Result<Arc<Scraper>> {
        let loaded = self.state.load(known.version.as_ref()).await;
        let loaded =
            loaded.map_err(|LoadError(cause)| anyhow::anyhow!(cause)).context("read what is known")?;
        let saved = match (loaded, &known.scraper) {
            (Loaded::Same, Some(scraper)) => return Ok(Arc::clone(scraper)),
            (Loaded::Same, None) => bail!("the store knows a state that we do not"),
            (Loaded::State(bytes, version), _) => {
                known.version = Some(version);
                Saved::decode(&bytes)?
            }
            (Loaded::Nothing, _) => {
                known.version = None;
                Saved::default()
            }
        };
        let scraper = Arc::new(Scraper::new(Arc::clone(&self.sink) as _, Arc::clone(&self.clock)));
        scraper.replace(fetching(&known.jobs));
        scraper.restore(saved);
        known.scraper = Some(Arc::clone(&scraper));
        Ok(scraper)
    }

    /// Scrapes what is due, and as long as it goes on what becomes so. Gives how many scrapes time ran out for.
    async fn scrape(&self, scraper: &Scraper, invocation: Invocation) -> usize {
        let began_ms = self.clock.now_ms();
        let until_ms = began_ms.saturating_add(i64::try_from(self.goes_on.as_millis()).unwrap_or(i64::MAX));
        let turns = Semaphore::new(AT_ONCE);
        let run = async |due| {
            let _turn = turns.acquire().await;
            scraper.run(due).await;
        };
        let mut under_way = FuturesUnordered::new();
        under_way.extend(scraper.due_since_last(began_ms, TICK_MS / 2).into_iter().map(run));
        loop {
            let next_ms = scraper.next_ms().filter(|next_ms| *next_ms < until_ms);
            let left = invocation.left(RESERVE);
            if left.is_zero() || (under_way.is_empty() && next_ms.is_none()) {
                return under_way.len();
            }
            let now_ms = self.clock.now_ms();
            let pause_ms = next_ms.map_or(i64::MAX, |next_ms| next_ms - now_ms);
            let pause = left.min(Duration::from_millis(u64::try_from(pause_ms).unwrap_or(0)));
            let one = async {
                match under_way.is_empty() {
                    true => std::future::pending().await,
                    false => _ = under_way.next().await,
                }
            };
            let is_time = tokio::time::timeout(pause, one).await.is_err();
            if is_time && next_ms.is_some() {
                under_way.extend(scraper.due(self.clock.now_ms()).into_iter().map(run));
            }
        }
    }

    /// Writes down what is known of the targets, beside what another tick may have written meanwhile.
    async fn remember(&self, known: &mut Known, scraper: &Scraper) -> anyhow::Result<()> {
        const WHAT: &str = "write what is known of targets";
        let mut saved = scraper.saved().await;
        let mut expected = known.version.take();
        let mut is_ours = true;
        for _ in 0..SWAPS_MAX {
            match self.state.swap(saved.encode()?, expected.as_ref()).await {
                Ok(version) => {
                    known.version = Some(version).filter(|_| is_ours);
                    return Ok(());
                }
                Err(SwapError::Unknown(cause)) => return Err(anyhow::anyhow!(cause)).context(WHAT),
                Err(SwapError::Conflict) => {}
            }
            is_ours = false;
            expected = match self.state.load(None).await {
                Ok(Loaded::State(bytes, version)) => {
                    saved.merge(Saved::decode(&bytes)?);
                    Some(version)
                }
                Ok(_) => None,
                Err(LoadError(cause)) => return Err(anyhow::anyhow!(cause)).context(WHAT),
            };
        }
        bail!("{WHAT}: others write all the time")
    }
}

/// Jobs, and how their targets are asked.
fn fetching(jobs: &[Looked]) -> Vec<(config::ScrapeConfig, Arc<dyn scrape::Fetch>)> {
    jobs.iter().map(|Looked { job, .. }| (job.config.clone(), Arc::clone(&job.fetch))).collect()
}

/// Looks for targets wherever it is time to, and tells the scraper of those jobs of which all is known. Targets of others stay.
async fn look(jobs: &mut [Looked], scraper: &Scraper, now_ms: i64, time: Duration) {
    let ways = jobs.iter_mut().flat_map(|looked| &mut looked.ways);
    let looking: FuturesUnordered<_> = ways
        .filter(|way| way.again_ms <= now_ms)
        .map(async |way| {
            if let Some(found) = way.discovery.look().await {
                way.found = Some(found);
                let refresh_ms =
                    way.discovery.refresh().and_then(|time| i64::try_from(time.as_millis()).ok());
                way.again_ms = now_ms.saturating_add(refresh_ms.unwrap_or(i64::MAX));
            }
        })
        .collect();
    if tokio::time::timeout(time, looking.collect::<()>()).await.is_err() {
        tracing::warn!(?time, "not all that is asked for targets has answered: those that were known stay");
    }
    for Looked { job, ways } in jobs {
        let found: Option<Vec<_>> = ways.iter().map(|way| way.found.clone()).collect();
        if let Some(found) = found {
            scraper.discovered(&job.config.name, found.concat());
        }
    }
}

fn counts(scraper: &Scraper) -> (u64, u64) {
    let load = |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
    (load(&scraper.stats().scrapes), load(&scraper.stats().failures))
}

/// What was scraped and waits to be stored: of a tick all at once.
#[derive(Debug)]
struct Gathered {
    receiver: Receiver,
    waiting: Mutex<WriteRequest>,
}

impl Gathered {
    fn take(&self) -> WriteRequest {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Of a tick that has failed nothing is stored later.
    fn forget(&self) {
        drop(self.take());
    }

    /// Stores what waits.
    async fn store(&self) -> anyhow::Result<()> {
        let waiting = self.take();
        if waiting.series.is_empty() {
            return Ok(());
        }
        if let Some(faults) = self.receiver.scraped(waiting).await.context("store what was scraped")? {
            tracing::warn!(faults, "not all that was scraped can be stored");
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for Gathered {
    async fn write(&self, samples: WriteRequest) -> Result<(), String> {
        let is_much = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.series.extend(samples.series);
            waiting.families.extend(samples.families);
            waiting.series.len() > WAITING_SAMPLES_MAX
        };
        match is_much {
            true => self.store().await.map_err(|error| format!("{error:#}")),
            false => Ok(()),
        }
    }
}
