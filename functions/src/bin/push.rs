//! The push function: the gateway's routes behind a Function URL, API Gateway or a load balancer, and behind an SQS queue.
//!
//! | variable | meaning |
//! |---|---|
//! | `MAYFLY_STORAGE` | `s3://BUCKET/PREFIX`; required |
//! | `MAYFLY_S3_ENDPOINT` | an S3 server other than AWS |
//! | `MAYFLY_PUSH_TTL` | how long a group lives if nobody pushes to it again, like `1h30m`; not set: for ever |
//! | `MAYFLY_ENABLE_FEATURE` | what `--enable-feature` is; here only `type-and-unit-labels` matters |
//! | `MAYFLY_TOKEN_SHA256`, `MAYFLY_RESPONSE_STREAMING` | see [`Web::of`] |
//!
//! A push is answered when its segment is in the store, so nothing is in flight between invocations.

use std::sync::Arc;

use edge::{Ack, SystemClock};
use gateway::Gateway;
use mayfly_functions::{Environment, Messages, Web};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    mayfly_functions::log();
    let (web, messages) = &mayfly_functions::started(start(Environment::of_process()).await);
    mayfly_functions::run(|event, invocation| async move {
        match event.is_batch() {
            true => messages.answer(event, &invocation).await,
            false => web.answer(event.http()?, &invocation).await,
        }
    })
    .await
}

async fn start(mut environment: Environment) -> anyhow::Result<(Web, Messages)> {
    let storage = mayfly_functions::storage_variables(&mut environment);
    let push_ttl_ms = environment.duration_ms("MAYFLY_PUSH_TTL").and_then(|ms| u64::try_from(ms).ok());
    let type_labels = mayfly_functions::type_labels(&mut environment);
    let web = Web::of(&mut environment);
    environment.finish()?;

    let storage = mayfly_functions::storage(&storage).await?;
    let clock = Arc::new(SystemClock);
    let writer = Arc::new(storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await?);
    let exemplars = Arc::new(storage.stored_exemplar_writer(Arc::clone(&clock) as _));
    let reader = storage.reader(Some(&writer), None).with_exemplars(storage.exemplar_source(&exemplars));
    let settings = gateway::Settings { push_ttl_ms, type_labels, ..gateway::Settings::default() };
    let gateway = Gateway::new(writer, Arc::new(reader), clock, settings).with_exemplars(exemplars);
    let routes = gateway::router(Arc::new(gateway));
    Ok((web.serving(routes.clone()), Messages::to(routes)))
}
