//! The query function: Prometheus' HTTP API behind a Function URL, API Gateway or a load balancer.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_S3_ENDPOINT` | an S3 server other than AWS |
//! | `MAYFLY_QUERY_…` | what `--query.…` is to a server: `TIMEOUT`, `MAX_SAMPLES`, `MAX_SERIES`, `MAX_BYTES`, `LOOKBACK_DELTA`, `AS_SCRAPED` |
//! | `MAYFLY_ENABLE_FEATURE` | what `--enable-feature` is: a list with commas |
//! | `MAYFLY_TOKEN_SHA256`, `MAYFLY_RESPONSE_STREAMING` | see [`Web::of`] |
//!
//! It writes nothing. Browsers are shown the plain page, so that there is less to load. What it reads stays in memory for the next event, within a quarter of the function's memory.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use edge::{Origins, Page, QueryPort, RemoteReadSettings, RemoteReads, SystemClock};
use mayfly_functions::{Environment, Memory, Web, disk_cache, query_settings};
use model::Clock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    mayfly_functions::log();
    let web = &mayfly_functions::started(start(Environment::of_process()).await);
    mayfly_functions::run(|event, invocation| async move { web.answer(event.http()?, &invocation).await })
        .await
}

async fn start(mut environment: Environment) -> anyhow::Result<Web> {
    let storage = mayfly_functions::storage_variables(&mut environment);
    let memory = Memory::of(&mut environment);
    let settings = query_settings(&mut environment, memory);
    let web = Web::of(&mut environment);
    let disk = disk_cache(&mut environment);
    environment.finish()?;

    let storage = mayfly_functions::storage(&storage).await?.with_readers(memory.readers(disk)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (api, queries) = edge::queries(Arc::new(storage.reader(None, None)), settings, Arc::clone(&clock));
    let rules = edge::no_rules(queries, &storage, clock);
    let health = Router::new()
        .route("/-/healthy", get(async || "Mayfly is healthy.\n"))
        .route("/-/ready", get(async || "Mayfly is ready.\n"));
    // a function answers one request at a time, and what it may hold is its memory
    let remote_reads = RemoteReads::new(RemoteReadSettings::default());
    let port = QueryPort { remote_reads, origins: Origins::default(), page: Page::PLAIN };
    Ok(web.serving(edge::query_routes(Arc::new(api), rules, &port, health)))
}
