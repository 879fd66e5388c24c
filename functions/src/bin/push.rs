//! The push function: the gateway's routes behind API Gateway, a Function URL or a load balancer.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_S3_ENDPOINT` | an S3 server other than AWS |
//! | `MAYFLY_PUSH_TTL` | how long a group lives if nobody pushes to it again, like `1h30m`; not set: for ever |
//!
//! A push is answered when its segment is in the store, so nothing is in flight between invocations.

use std::sync::Arc;

use anyhow::Context;
use edge::{Ack, Storage, SystemClock};
use gateway::Gateway;
use mayfly_functions::environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    mayfly_functions::log();
    let gateway = start().await.inspect_err(|error| tracing::error!("{error:#}"))?;
    lambda_http::run(gateway::router(Arc::new(gateway))).await
}

async fn start() -> anyhow::Result<Gateway> {
    let url =
        environment("MAYFLY_STORAGE")?.context("MAYFLY_STORAGE is not set: expected s3://BUCKET/PREFIX")?;
    let storage = Storage::open(&url, environment("MAYFLY_S3_ENDPOINT")?.as_deref()).await?;
    let clock = Arc::new(SystemClock);
    let writer = Arc::new(storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await?);
    let reader = Arc::new(storage.reader(Some(&writer), None));
    let ttl = environment("MAYFLY_PUSH_TTL")?;
    let push_ttl_ms = ttl.map(|ttl| push_ttl_ms(&ttl)).transpose()?;
    let settings = gateway::Settings { push_ttl_ms, ..gateway::Settings::default() };
    Ok(Gateway::new(writer, reader, clock, settings))
}

fn push_ttl_ms(text: &str) -> anyhow::Result<u64> {
    let ms = model::duration::parse(text)
        .map_err(|error| anyhow::anyhow!("MAYFLY_PUSH_TTL is {text:?}: {error}; expected one like 1h30m"))?;
    Ok(u64::try_from(ms)?)
}
