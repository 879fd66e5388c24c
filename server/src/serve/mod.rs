//! `mayfly serve`: opens the storage, starts the roles, and ends them in order.
//!
//! Everything that can be wrong with the flags is found before the first request is taken, and told in one line.

mod listen;
mod own_metrics;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use edge::{Ack, RuleQueries, Storage, StoredSeries, SystemClock};
use gateway::Gateway;
use model::Clock;
use query::api::{Api, BuildInfo};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{AckKind, Serve};
use listen::Listener;

/// How long requests under way may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

pub(crate) async fn run(flags: Serve) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gateway_port = Listener::bind(flags.gateway, "--gateway.listen-address").await?;
    let query_port = Listener::bind(flags.query, "--query.listen-address").await?;
    let storage = Storage::open(&flags.storage, flags.s3_endpoint.as_deref())
        .await
        .with_context(|| format!("--storage {}", flags.storage))?;

    storage.prove().await.with_context(|| format!("--storage {}", flags.storage))?;
    let ack = match flags.ack {
        Some(AckKind::Stored) => Ack::Stored,
        None if !storage.has_folder() => Ack::Stored,
        Some(AckKind::Logged) | None => Ack::Logged { flush_interval: flags.flush_interval },
    };
    let writer = storage.push_writer(Arc::clone(&clock), ack).await.context("--storage.ack")?;
    let writer = Arc::new(writer);
    let samples = storage.sample_writer(Arc::clone(&clock), ack).await.context("--storage.ack")?;
    let samples = Arc::new(samples);
    let reader = Arc::new(storage.reader(Some(&writer), Some(&samples)));
    let gateway = Arc::new(Gateway::new(
        Arc::clone(&writer),
        Arc::clone(&reader),
        Arc::clone(&clock),
        gateway::Settings::default(),
    ));
    let series = Arc::new(StoredSeries::new(Arc::clone(&reader)));
    let external_url = flags.external_url.clone().unwrap_or_else(|| query_port.url());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let as_scraped_ms = flags.as_scraped.and_then(|interval| i64::try_from(interval.as_millis()).ok());
    let api = Arc::new(Api::new(
        query::Settings { as_scraped_ms, threads, ..query::Settings::default() },
        Arc::clone(&series) as _,
        Arc::clone(&clock),
        build_information(),
    ));
    let queries = RuleQueries::new(api.engine().clone(), series);
    let rules = Arc::new(rules::evaluator(
        &flags,
        &storage,
        queries,
        Arc::clone(&samples),
        Arc::clone(&clock),
        external_url,
    )?);
    let query_routes = query::api::router(api).merge(alert::router(Arc::clone(&rules))).merge(
        own_metrics::router(own_metrics::Sources {
            storage: storage.clone(),
            writer: Arc::clone(&writer),
            reader,
            started_us: clock.now_us(),
        }),
    );

    let (stop, stopped) = watch::channel(false);
    let evaluation = tokio::spawn(rules::evaluate(rules, Arc::clone(&clock), stopped.clone()));
    tracing::info!(%storage, version = env!("CARGO_PKG_VERSION"), "storage opened");
    gateway_port.announce("gateway");
    query_port.announce("query");
    let servers = tokio::spawn(async move {
        tokio::join!(
            gateway_port.serve(gateway::router(gateway), stopped.clone()),
            query_port.serve(query_routes, stopped),
        )
    });
    let stop_signal = StopSignal::listen()?;
    listen::say("ready");

    stop_signal.received().await;
    tracing::info!("stopping");
    // whoever listens may have ended already
    let _ = stop.send(true);
    if tokio::time::timeout(DRAIN, servers).await.is_err() {
        tracing::warn!(after = ?DRAIN, "requests under way were cut off");
    }
    evaluation.await.context("rule evaluation ended badly")?;
    writer.close().await;
    samples.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn build_information() -> BuildInfo {
    let of_build = |variable: Option<&'static str>| variable.unwrap_or("unknown").to_owned();
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: of_build(option_env!("MAYFLY_BUILD_REVISION")),
        branch: of_build(option_env!("MAYFLY_BUILD_BRANCH")),
        build_user: of_build(option_env!("MAYFLY_BUILD_USER")),
        build_date: of_build(option_env!("MAYFLY_BUILD_DATE")),
    }
}

/// SIGTERM or SIGINT. From the moment it is listened for, they no longer end the process by themselves.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
