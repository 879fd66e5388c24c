//! Where batches go: a gateway over HTTP, or a gateway of our own over a storage. Both take the same requests.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use config::HttpClientConfig;
use edge::{Account, Ack, Caller, Endpoint, Storage, SystemClock};
use gateway::Gateway;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::settings::Place;

const PATH: &str = "/api/v1/batch";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A longer answer is none of a gateway.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A place that is opened when something is first sent there, so that the function starts without waiting for it.
pub(crate) enum Target {
    Gateway {
        endpoint: Endpoint,
        client: Box<HttpClientConfig>,
        service: Option<&'static str>,
        caller: Mutex<Option<Arc<Caller>>>,
    },
    Storage {
        url: String,
        endpoint: Option<String>,
        routes: OnceCell<Router>,
    },
}

impl Target {
    /// `None` if it is nowhere.
    ///
    /// # Errors
    /// If the URL is none.
    pub(crate) fn of(place: Place) -> anyhow::Result<Option<Self>> {
        Ok(match place {
            Place::Gateway { url, client, service } => {
                let endpoint = Endpoint::below(&url, PATH).context("MAYFLY_GATEWAY")?;
                Some(Self::Gateway { endpoint, client, service, caller: Mutex::default() })
            }
            Place::Storage { url, endpoint } => {
                Some(Self::Storage { url, endpoint, routes: OnceCell::new() })
            }
            Place::Nowhere => None,
        })
    }

    /// Whether requests go over a connection that is kept, and may have died unseen while the sandbox was frozen. A storage has time
    /// limits and attempts of its own.
    pub(crate) fn keeps_connection(&self) -> bool {
        matches!(self, Self::Gateway { .. })
    }

    /// Sends a batch, over a new connection if `anew`, and gives the answer, whatever its status and however long that takes.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn send(&self, body: Bytes, anew: bool) -> anyhow::Result<(StatusCode, Bytes)> {
        match self {
            Self::Gateway { endpoint, client, service, caller } => {
                let caller = {
                    let mut caller = caller.lock().unwrap_or_else(PoisonError::into_inner);
                    match &*caller {
                        Some(kept) if !anew => Arc::clone(kept),
                        _ => Arc::clone(caller.insert(Arc::new(self::caller(client, *service)?))),
                    }
                };
                let headers = [(CONTENT_TYPE, JSON)];
                let called =
                    caller.call(endpoint, Method::POST, &headers, body, ANSWER_BYTES_MAX, Duration::MAX);
                called.await.with_context(|| endpoint.to_string())
            }
            Self::Storage { url, endpoint, routes } => {
                let routes = routes.get_or_try_init(|| open(url, endpoint.as_deref())).await?;
                let request = Request::post(PATH).header(CONTENT_TYPE, JSON).body(Body::from(body))?;
                let Ok(answer) = routes.clone().oneshot(request).await;
                let status = answer.status();
                Ok((status, to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await?))
            }
        }
    }
}

fn caller(client: &HttpClientConfig, service: Option<&'static str>) -> anyhow::Result<Caller> {
    let caller = Caller::new(client, Path::new("/"))?;
    Ok(match service {
        Some(service) => caller.signing(service),
        None => caller,
    })
}

/// The gateway's routes over a storage: a push is answered when it is stored.
async fn open(url: &str, endpoint: Option<&str>) -> anyhow::Result<Router> {
    let storage = Storage::open_as(url, endpoint, Account::CHAIN).await;
    let storage = storage.with_context(|| format!("MAYFLY_STORAGE {url}"))?;
    let clock = Arc::new(SystemClock);
    let writer = Arc::new(storage.push_writer(Arc::clone(&clock) as _, Ack::Stored).await?);
    let exemplars = Arc::new(storage.stored_exemplar_writer(Arc::clone(&clock) as _));
    let reader = storage.reader(Some(&writer), None);
    let gateway = Gateway::new(writer, Arc::new(reader), clock, gateway::Settings::default());
    Ok(gateway::router(Arc::new(gateway.with_exemplars(exemplars))))
}
