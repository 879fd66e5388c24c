//! The HTTP API of Prometheus: `/api/v1/…`.

mod admin;
mod answer;
mod cardinality;
mod counts;
mod exemplars;
mod explain;
mod features;
mod json;
mod metadata;
mod parameters;
mod queries;
mod queue;
mod reused;
mod seen;
mod stats;
mod status;
mod targets;
mod time;
mod tree;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::Grant;
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use model::Clock;

use crate::engine::{Engine, Settings};
use crate::results::Results;
use crate::source::SeriesSource;
use counts::Counters;
use queue::{Door, Queue};
use seen::Guarded;

pub use admin::{DeletionCount, SeriesDeleter, SeriesDeletion};
pub use answer::ApiError;
pub use counts::{QueryCounts, SliceCounts, TenantQueries};
pub use metadata::matchers;
pub use parameters::Parameters;
pub use status::{BuildInfo, LastReload, Process};
pub use targets::{ActiveTarget, ScrapeTargets};
pub use time::parse_time_ms;

/// What the routes need.
pub struct Api {
    engine: Engine,
    source: Guarded,
    clock: Arc<dyn Clock>,
    build: BuildInfo,
    process: Process,
    last_reload: Option<Arc<LastReload>>,
    deleter: Option<Arc<dyn SeriesDeleter>>,
    door: Door,
    counters: Arc<Counters>,
    tenant: String,
    log_slower_us: Option<i64>,
    /// Where results of range queries are kept, and which of them are its own; `None`: none are.
    results: Option<(Arc<Results>, u64)>,
    /// `None`: nothing is scraped.
    targets: Option<Arc<dyn ScrapeTargets>>,
}

impl Api {
    /// An API over a source.
    pub fn new(
        settings: Settings,
        source: Arc<dyn SeriesSource>,
        clock: Arc<dyn Clock>,
        build: BuildInfo,
    ) -> Self {
        let door = door(&Queue::new(settings.concurrent_queries_max), &settings);
        let log_slower_us = settings.log_slower_ms.map(|ms| ms.saturating_mul(1_000));
        let engine = Engine::new(settings, clock.clone());
        Self {
            engine,
            source: Guarded::new(source),
            clock,
            build,
            process: Process::default(),
            last_reload: None,
            deleter: None,
            door,
            counters: Arc::default(),
            tenant: DEFAULT_TENANT.to_owned(),
            log_slower_us,
            results: None,
            targets: None,
        }
    }

    /// Shows what is scraped.
    #[must_use]
    pub fn with_targets(self, targets: Arc<dyn ScrapeTargets>) -> Self {
        Self { targets: Some(targets), ..self }
    }

    /// Tells those who ask what process this is.
    #[must_use]
    pub fn with_process(self, process: Process) -> Self {
        Self { process, ..self }
    }

    /// Tells those who ask what came of reading configuration; without it, there is none but the flags.
    #[must_use]
    pub fn with_last_reload(self, last_reload: Arc<LastReload>) -> Self {
        Self { last_reload: Some(last_reload), ..self }
    }

    /// Lets those who may ask delete too; without it, what is below `admin` is off.
    #[must_use]
    pub fn with_deleter(self, deleter: Arc<dyn SeriesDeleter>) -> Self {
        Self { deleter: Some(deleter), ..self }
    }

    /// Keeps results of range queries there, for those of this API alone.
    #[must_use]
    pub fn with_results(self, results: &Arc<Results>) -> Self {
        Self { results: Some((Arc::clone(results), results.scope())), ..self }
    }

    /// Says in the log whose queries they are.
    #[must_use]
    pub fn of_tenant(self, tenant: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), ..self }
    }

    /// Counts queries together with those of another API, so that the limit on how many are evaluated at once holds for both. Each of
    /// the two has its own line of queries that wait, and a place that becomes free goes to them in turn.
    #[must_use]
    pub fn queueing_with(self, other: &Self) -> Self {
        let door = door(other.door.queue(), self.engine.settings());
        Self { door, counters: Arc::clone(&other.counters), ..self }
    }

    /// What the queries of this API, and of those that queue with it, have come to.
    pub fn counts(&self) -> QueryCounts {
        let queue = self.door.queue();
        self.counters.counts(queue.all(), queue.places(), self.log_slower_us.is_some())
    }

    /// How many queries of this API alone there are.
    pub fn own_queries(&self) -> TenantQueries {
        self.door.queries()
    }

    /// What it reads, as far as this grant lets see it.
    pub fn source_for(&self, grant: &Grant) -> Arc<dyn SeriesSource> {
        self.source.seen_by(grant)
    }

    /// The clock by which it knows what "now" is.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The engine behind the API.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Whose queries they are unless somebody says so.
const DEFAULT_TENANT: &str = "default";

fn door(queue: &Arc<Queue>, settings: &Settings) -> Door {
    queue.door(settings.tenant_queries_max, settings.queued_queries_max)
}

/// The routes under `/api/v1`.
pub fn router(api: Arc<Api>) -> Router {
    let routes =
        routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routes.with_state(api)
}

/// The paths of [`router`], as axum writes them.
pub fn paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _)| path).collect()
}

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/api/v1/query", get(queries::instant).post(queries::instant)),
        ("/api/v1/query_range", get(queries::range).post(queries::range)),
        ("/api/v1/format_query", get(queries::format).post(queries::format)),
        ("/api/v1/parse_query", get(queries::tree).post(queries::tree)),
        ("/api/v1/query_exemplars", get(exemplars::exemplars).post(exemplars::exemplars)),
        ("/api/v1/series", get(metadata::series).post(metadata::series)),
        ("/api/v1/labels", get(metadata::label_names).post(metadata::label_names)),
        ("/api/v1/label/{name}/values", get(metadata::label_values)),
        ("/api/v1/metadata", get(metadata::metadata)),
        ("/api/v1/targets", get(targets::targets)),
        ("/api/v1/targets/metadata", get(targets::metadata)),
        ("/api/v1/targets/relabel_steps", get(targets::relabel_steps)),
        ("/api/v1/scrape_pools", get(targets::scrape_pools)),
        ("/api/v1/scrape_pools/config", get(targets::scrape_pool_config)),
        ("/api/v1/status/buildinfo", get(status::build_info)),
        ("/api/v1/status/runtimeinfo", get(status::runtime_info)),
        ("/api/v1/status/config", get(status::config)),
        ("/api/v1/status/flags", get(status::flags)),
        ("/api/v1/status/tsdb", get(cardinality::cardinality)),
        ("/api/v1/status/tsdb/blocks", get(status::blocks)),
        ("/api/v1/status/walreplay", get(status::log_replay)),
        ("/api/v1/notifications", get(status::notifications)),
        ("/api/v1/notifications/live", get(status::live_notifications)),
        ("/version", get(status::version)),
        ("/api/v1/features", get(features::features)),
        ("/api/v1/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series)),
        ("/api/v1/admin/tsdb/clean_tombstones", post(admin::clean_tombstones).put(admin::clean_tombstones)),
        ("/api/v1/admin/tsdb/snapshot", post(admin::snapshot).put(admin::snapshot)),
    ]
}
