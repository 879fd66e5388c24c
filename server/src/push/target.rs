//! Where pushes go: a gateway, or straight into a storage.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use clap::Args;
use edge::{Ack, Caller, Endpoint, SystemClock};
use gateway::Gateway;
use store::Tenant;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::group::Group;
use crate::query::ClientFlags;
use crate::storage_flags::{self, StorageFlags};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TTL: HeaderName = HeaderName::from_static("x-mayfly-ttl");
/// A longer answer is none of a gateway.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long to wait before the second attempt, and at the most.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// One attempt may take as long.
const ATTEMPT: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub(super) struct TargetFlags {
    /// The gateway that is pushed to [default: http://127.0.0.1:9091]
    #[arg(long, value_name = "URL", conflicts_with = "storage")]
    gateway: Option<String>,

    /// Write into this storage, without a gateway: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    storage: Option<String>,

    /// With --storage: address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL", requires = "storage")]
    s3_endpoint: Option<String>,

    /// With --storage: whose data it becomes [default: default]
    #[arg(long, value_name = "NAME", value_parser = storage_flags::tenant, requires = "storage")]
    tenant: Option<Tenant>,

    #[command(flatten)]
    client: ClientFlags,
}

/// A group, and where it is.
pub(super) struct Target {
    place: Place,
    path: String,
    terms: Terms,
}

/// What all pushes of a command have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Counters are added to what is there.
    pub(super) is_added: bool,
    /// How long the group lives if nobody pushes to it again.
    pub(super) ttl: Option<Duration>,
    /// How long to try to deliver one.
    pub(super) within: Duration,
}

/// What becomes of what the group holds besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Stay,
    End,
}

enum Place {
    Gateway { caller: Box<Caller>, url: String, headers: Vec<(HeaderName, HeaderValue)> },
    Storage { flags: StorageFlags, tenant: Option<Tenant>, opened: tokio::sync::OnceCell<Router> },
}

/// The push is refused: to send it again would not help.
#[derive(Debug, thiserror::Error)]
#[error("the push is refused with status {}: {text}", status.as_u16())]
struct Refused {
    status: StatusCode,
    text: String,
}

/// Whether what was pushed is at fault.
pub(super) fn is_refused(error: &anyhow::Error) -> bool {
    error.is::<Refused>()
}

/// Why an attempt came to nothing.
enum Failure {
    /// To try again may help.
    Now(anyhow::Error),
    ForEver(anyhow::Error),
}

impl Target {
    /// # Errors
    /// If the URL or a file of the flags is none.
    pub(super) fn of(flags: &TargetFlags, group: &Group, terms: Terms) -> anyhow::Result<Self> {
        let prefix = if terms.is_added { "/aggregate" } else { "" };
        let path = format!("{prefix}/metrics{}", group.path());
        let place = match &flags.storage {
            Some(url) => Place::Storage {
                flags: StorageFlags::of(url, flags.s3_endpoint.as_deref()),
                tenant: flags.tenant.clone(),
                opened: tokio::sync::OnceCell::new(),
            },
            None => {
                let url = flags.gateway.as_deref().unwrap_or("http://127.0.0.1:9091");
                Endpoint::below(url, &path).context("--gateway")?;
                let (caller, headers) = (Box::new(flags.client.caller()?), flags.client.headers());
                Place::Gateway { caller, url: url.to_owned(), headers }
            }
        };
        Ok(Self { place, path, terms })
    }

    /// Delivers a push, however often it takes; it counts once.
    ///
    /// # Errors
    /// If it is refused, or nobody has taken it in time.
    #[expect(clippy::disallowed_methods, reason = "an edge: a gateway that is away comes back in real time")]
    pub(super) async fn deliver(&self, body: Bytes, others: Others) -> anyhow::Result<()> {
        let until = Instant::now() + self.terms.within;
        let method = if others == Others::End { Method::PUT } else { Method::POST };
        let mut headers = Vec::new();
        if let Some(ttl) = self.terms.ttl {
            headers.push((TTL, HeaderValue::from_str(&format!("{}ms", ttl.as_millis()))?));
        }
        if self.terms.is_added {
            headers.push((IDEMPOTENCY_KEY, HeaderValue::from_str(&random_key()?)?));
        }
        let mut pause = PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(ATTEMPT);
            let error = match Box::pin(self.attempt(&method, &headers, body.clone(), left)).await {
                Ok(()) => return Ok(()),
                Err(Failure::ForEver(error)) => return Err(error),
                Err(Failure::Now(error)) => error,
            };
            if Instant::now() + pause >= until {
                return Err(error.context(format!("not delivered within {:?}", self.terms.within)));
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(PAUSE_MAX);
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        within: Duration,
    ) -> Result<(), Failure> {
        let (status, answer) = match &self.place {
            Place::Gateway { caller, url, headers: given } => {
                let endpoint =
                    Endpoint::below(url, &self.path).map_err(|error| Failure::ForEver(error.into()))?;
                let all = [given, headers].concat();
                let called = caller.call(&endpoint, method.clone(), &all, body, ANSWER_BYTES_MAX, within);
                called.await.with_context(|| endpoint.to_string()).map_err(Failure::Now)?
            }
            Place::Storage { flags, tenant, opened } => {
                let written = async {
                    let router = opened.get_or_try_init(|| open(flags, tenant.as_ref())).await?;
                    let mut request = Request::builder().method(method).uri(&self.path);
                    for (name, value) in headers {
                        request = request.header(name, value);
                    }
                    let Ok(answer) = router.clone().oneshot(request.body(Body::from(body))?).await;
                    let status = answer.status();
                    Ok::<_, anyhow::Error>((status, to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await?))
                };
                match tokio::time::timeout(within, written).await {
                    Ok(written) => written.map_err(Failure::Now)?,
                    Err(_) => {
                        return Err(Failure::Now(anyhow::anyhow!("{}: no answer in time", flags.told())));
                    }
                }
            }
        };
        if status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer).trim().to_owned();
        let refused = Refused { status, text };
        let may_change = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if may_change {
            Failure::Now(anyhow::anyhow!("{refused}"))
        } else {
            Failure::ForEver(refused.into())
        })
    }
}

/// The gateway's routes over a storage: a push is answered when it is stored.
async fn open(flags: &StorageFlags, tenant: Option<&Tenant>) -> anyhow::Result<Router> {
    let mut storage = flags.open().await?;
    if let Some(tenant) = tenant {
        storage = storage.of_tenant(tenant.clone());
    }
    let clock = Arc::new(SystemClock);
    let writer = Arc::new(storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await?);
    let exemplars = Arc::new(storage.stored_exemplar_writer(Arc::clone(&clock) as _));
    let reader = storage.reader(Some(&writer), None).with_exemplars(storage.exemplar_source(&exemplars));
    let gateway = Gateway::new(writer, Arc::new(reader), clock, gateway::Settings::default());
    Ok(gateway::router(Arc::new(gateway.with_exemplars(exemplars))))
}

/// So that a push that is sent again counts once.
fn random_key() -> anyhow::Result<String> {
    let mut random = [0_u8; 16];
    let got = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    if got < random.len() {
        bail!("the system gave {got} random bytes of {}", random.len());
    }
    Ok(format!("mayfly-push-{:032x}", u128::from_ne_bytes(random)))
}
