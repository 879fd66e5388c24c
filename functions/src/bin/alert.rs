//! The alert function: one tick of all rules per event, whatever the event says; meant for EventBridge Scheduler.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_RULES` | rule files with commas between them: objects at `s3://BUCKET/KEY`, folders and patterns of them, or paths below the function's folder; required unless there is `MAYFLY_CONFIG_FILE` |
//! | `MAYFLY_CONFIG_FILE` | Prometheus' configuration, an object or a path as above: global, rule_files and alerting |
//! | `MAYFLY_ALERTMANAGER_URL` | Alertmanagers with commas between them; each gets every alert |
//! | `MAYFLY_ALERTMANAGER_CONFIG_FILE` | Alertmanager's configuration, an object or a path as above: receivers are notified by it, without an Alertmanager |
//! | `MAYFLY_EVALUATION_INTERVAL`, `MAYFLY_EXTERNAL_URL` | what `--evaluation-interval` and `--web.external-url` are to a server |
//! | `MAYFLY_HEARTBEAT_URL` | a URL to GET after each tick that left nothing undone; what goes wrong with it is logged |
//! | `MAYFLY_S3_ENDPOINT`, `MAYFLY_QUERY_…`, `MAYFLY_ENABLE_FEATURE` | as for `query` |
//!
//! The configuration and rule files are read anew at every tick, so another object at `s3://BUCKET/KEY` takes effect with the
//! next. As long as what is read is mistaken, the rules that are known go on, receivers are told, and the invocation fails.
//!
//! The answer says what the tick did. It fails if the state could not be read or written, or if alerts or notifications wait for
//! a receiver, so that Lambda tries again: a tick that is repeated does what is left to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alert::{Components, Evaluator, Progress, Rules};
use anyhow::{Context, bail, ensure};
use courier::{BookFiles, BookSource, Courier, Delivered};
use edge::{
    Ack, AlertingFiles, AlertingSource, HEARTBEAT_TIMEOUT, Heartbeat, RuleQueries, RuleSamples, Storage,
    SystemClock,
};
use mayfly_functions::{Answer, Environment, Event, Invocation, Memory, RESERVE, disk_cache, query_settings};
use model::Clock;
use serde_json::json;

/// Another tick may be under way; so often it is tried again.
const TICKS_MAX: usize = 5;

/// What a tick needs.
struct Ticks {
    evaluator: Evaluator,
    /// Parses the expressions of rules.
    query: Arc<RuleQueries>,
    source: AlertingSource,
    heartbeat: Option<Heartbeat>,
    notifications: Option<Notifications>,
    /// What is in force, so that connections and keys last as long as the files do.
    in_force: Mutex<Option<AlertingFiles>>,
}

/// Who is notified, without an Alertmanager.
struct Notifications {
    courier: Arc<Courier>,
    source: BookSource,
    in_force: Mutex<BookFiles>,
}

/// Notifications wait and flush in steps of this: the schedule's.
const TICK_MS: i64 = 60_000;

/// This part of the function's time rules leave to notifications, however long they take.
const NOTIFYING_PART: u32 = 4;

/// So often notifications are tried in one invocation.
const ROUNDS_MAX: usize = 3;

/// What is tried again in the same invocation waits no longer than this; the rest waits for the next one.
const PAUSE_MS_MAX: i64 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    mayfly_functions::log();
    let ticks = &mayfly_functions::started(start(Environment::of_process()).await);
    mayfly_functions::run(|event, invocation| async move { ticks.answer(&event, invocation).await }).await
}

async fn start(mut environment: Environment) -> anyhow::Result<Ticks> {
    let storage_at = mayfly_functions::storage_variables(&mut environment);
    let configuration = environment.text("MAYFLY_CONFIG_FILE");
    if configuration.is_none() {
        environment.required("MAYFLY_RULES", "rule files, like s3://BUCKET/rules.yml,rules/jobs.yml");
    }
    let folder = environment.text("LAMBDA_TASK_ROOT").unwrap_or_default();
    let rules = environment.list("MAYFLY_RULES");
    let configuration = configuration.map(|place| mayfly_functions::absolute(&folder, &place));
    let places: Vec<_> = rules.iter().map(|place| mayfly_functions::absolute(&folder, place)).collect();
    let alertmanagers = environment.list("MAYFLY_ALERTMANAGER_URL");
    let interval_ms = environment.duration_ms("MAYFLY_EVALUATION_INTERVAL");
    let notifications = environment.text("MAYFLY_ALERTMANAGER_CONFIG_FILE");
    let notifications = notifications.map(|place| mayfly_functions::absolute(&folder, &place));
    let external_url = environment.text("MAYFLY_EXTERNAL_URL").unwrap_or_default();
    let heartbeat = environment.parsed("MAYFLY_HEARTBEAT_URL", Heartbeat::at);
    let memory = Memory::of(&mut environment);
    let query_settings = query_settings(&mut environment, memory);
    let disk = disk_cache(&mut environment);
    environment.finish()?;

    let storage = mayfly_functions::storage(&storage_at).await?.with_readers(memory.readers(disk)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let samples = Arc::new(storage.sample_writer(Arc::clone(&clock), Ack::Stored).await?);
    let reader = Arc::new(storage.reader(None, Some(&samples)));
    let (_, queries) = edge::queries(reader, query_settings, Arc::clone(&clock));
    let query = Arc::new(queries);
    let components = Components {
        query: Arc::clone(&query) as _,
        // they come with the first tick, like the rules
        notifiers: Vec::new(),
        state: Arc::new(storage.rule_state()),
        sink: Some(Arc::new(RuleSamples::new(samples))),
        clock: Arc::clone(&clock),
    };
    let endpoint = storage_at.1.as_deref();
    let notifications = match notifications {
        Some(place) => Some(Notifications::open(&place, endpoint, &external_url, &storage, clock).await?),
        None => None,
    };
    let default = alert::Settings::default();
    let settings = alert::Settings {
        evaluation_interval_ms: interval_ms.unwrap_or(default.evaluation_interval_ms),
        external_url,
        ..default
    };
    let evaluator = Evaluator::new(Rules::default(), components, settings.clone());
    let source = AlertingSource::at(configuration.as_deref(), places, alertmanagers, endpoint, settings)
        .await
        .context(SOURCES)?;
    let source = match &notifications {
        Some(notifications) => source.with_notifier(Arc::clone(&notifications.courier) as _),
        None => source,
    };
    Ok(Ticks { evaluator, query, source, heartbeat, notifications, in_force: Mutex::default() })
}

impl Notifications {
    async fn open(
        place: &str,
        endpoint: Option<&str>,
        external_url: &str,
        storage: &Storage,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let source =
            BookSource::at(place, endpoint, external_url.to_owned(), TICK_MS).await.context(PLACE)?;
        let files = source.read().await.context(PLACE)?;
        let book = source.load(&files).context(PLACE)?;
        let courier = Courier::new(storage.notifications(), edge::identity(), clock, book);
        Ok(Self { courier: Arc::new(courier), source, in_force: Mutex::new(files) })
    }

    /// Notifies of what the rules have found, by the configuration as it is now.
    async fn tick(&self, invocation: Invocation) -> anyhow::Result<Delivered> {
        let read = self.read().await.context(PLACE);
        let mut all = Delivered::default();
        for number in 1..=ROUNDS_MAX {
            let round = self.courier.tick(SystemClock.now_ms()).await?;
            let delivered = round.deliver(invocation.left(RESERVE)).await?;
            all = Delivered {
                sent: all.sent + delivered.sent,
                refused: all.refused + delivered.refused,
                waiting: delivered.waiting,
            };
            let next_ms = self.courier.next_attempt_ms().await?.map(|at_ms| at_ms - SystemClock.now_ms());
            let Some(pause_ms) = next_ms.filter(|ms| number < ROUNDS_MAX && *ms <= PAUSE_MS_MAX) else {
                break;
            };
            let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(0));
            let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
        }
        read.map(|()| all)
    }

    async fn read(&self) -> anyhow::Result<()> {
        let files = self.source.read().await?;
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        if *in_force != files {
            self.courier.replace(self.source.load(&files)?);
            *in_force = files;
        }
        Ok(())
    }
}

impl Ticks {
    async fn answer(&self, event: &Event, invocation: Invocation) -> anyhow::Result<Answer> {
        event.tick()?;
        let evaluated = self.evaluate(invocation).await;
        // receivers are told of what is known, even while rules are mistaken or an Alertmanager is down
        let notified = self.notify(invocation).await;
        if let (Err(_), Err(error)) = (&evaluated, &notified) {
            tracing::error!(error = format!("{error:#}"), "notifications failed too");
        }
        let (progress, notified) = (evaluated?, notified?);
        if let Some(heartbeat) = &self.heartbeat {
            let time = invocation.left(RESERVE).min(HEARTBEAT_TIMEOUT);
            if tokio::time::timeout(time, heartbeat.beat()).await.is_err() {
                tracing::warn!("the function's time ran out before the heartbeat was heard");
            }
        }
        mayfly_functions::json(&json!({
            "slots": progress.slots,
            "slotsSkipped": progress.slots_skipped,
            "rulesFailed": progress.rules_failed,
            "alertsSent": progress.alerts_sent,
            "alertsDropped": progress.alerts_dropped,
            "notificationsSent": notified.sent,
            "notificationsRefused": notified.refused,
        }))
    }

    async fn evaluate(&self, invocation: Invocation) -> anyhow::Result<Progress> {
        let left = invocation.left(RESERVE);
        let left = if self.notifications.is_some() { left - left / NOTIFYING_PART } else { left };
        let ticked = tokio::time::timeout(left, self.tick()).await;
        let progress = ticked.context("the function's time ran out before the tick was done")??;
        tracing::info!(?progress, "tick");
        ensure!(
            progress.alerts_waiting == 0,
            "{} alerts wait, since a receiver does not answer: {progress:?}",
            progress.alerts_waiting
        );
        Ok(progress)
    }

    async fn notify(&self, invocation: Invocation) -> anyhow::Result<Delivered> {
        let Some(notifications) = &self.notifications else { return Ok(Delivered::default()) };
        let left = invocation.left(RESERVE);
        let told = tokio::time::timeout(left, notifications.tick(invocation)).await;
        let notified = told.context("the function's time ran out before notifications were brought")??;
        ensure!(notified.waiting == 0, "notifications wait for a receiver: {notified:?}");
        Ok(notified)
    }

    async fn tick(&self) -> anyhow::Result<Progress> {
        let read = self.read_rules().await.context(SOURCES);
        // a tick without rules would forget what is known about alerts
        let read = match read {
            Err(error) if self.evaluator.rules().rule_count() == 0 => return Err(error),
            read => read,
        };
        for _ in 0..TICKS_MAX {
            let progress = self.evaluator.tick(SystemClock.now_ms()).await?;
            if !progress.superseded {
                return read.map(|()| progress);
            }
        }
        bail!("other ticks came first, {TICKS_MAX} times in a row")
    }

    async fn read_rules(&self) -> anyhow::Result<()> {
        let files = self.source.read().await?;
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        if in_force.as_ref() != Some(&files) {
            let alerting = self.source.load(&files, &*self.query)?;
            self.evaluator.replace(alerting.rules, alerting.settings, alerting.notifiers);
            *in_force = Some(files);
        }
        Ok(())
    }
}

/// What says where the configuration of notifications is.
const PLACE: &str = "MAYFLY_ALERTMANAGER_CONFIG_FILE";

/// What says where rules come from.
const SOURCES: &str = "MAYFLY_RULES, MAYFLY_CONFIG_FILE";
