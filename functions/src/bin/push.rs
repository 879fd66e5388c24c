//! The push function: the gateway's routes behind API Gateway, a Function URL or a load balancer.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_S3_ENDPOINT` | an S3 server other than AWS |
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
    Ok(Gateway::new(writer, reader, clock, gateway::Settings::default()))
}
