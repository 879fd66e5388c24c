//! Who is asked: a server, or the query API over a storage, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, header};
use bytes::Bytes;
use clap::Args;
use config::HttpClientConfig;
use edge::{Caller, Endpoint, SystemClock};
use model::Clock;
use serde::de::DeserializeOwned;
use store::Tenant;
use tower::ServiceExt;

use super::answer::{self, Answer, QueryFailure};
use crate::escape::escaped;
use crate::query_flags::QueryFlags;
use crate::storage_flags::{self, StorageFlags};

/// A larger answer is refused.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// As promtool waits for a server.
const TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Args, Debug, Default)]
pub(crate) struct TargetFlags {
    /// Ask what is stored there, without a server: a folder, or s3://BUCKET/PREFIX. Nothing of it is changed
    #[arg(long, value_name = "URL")]
    storage: Option<String>,

    /// With --storage: address of an S3 server other than AWS; credentials are found the AWS way
    #[arg(long = "s3.endpoint", value_name = "URL", requires = "storage")]
    s3_endpoint: Option<String>,

    /// With --storage: whose data [default: default]
    #[arg(long, value_name = "NAME", value_parser = storage_flags::tenant, requires = "storage")]
    tenant: Option<Tenant>,

    #[command(flatten)]
    client: ClientFlags,
}

/// How a server is asked.
#[derive(Args, Debug, Default)]
pub(crate) struct ClientFlags {
    /// Who asks the server, and whom is trusted: basic_auth, authorization, bearer_token and tls_config, as in Prometheus
    #[arg(long = "http.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// A header for the server; may be given several times
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = header_of)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn header_of(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    // promtool takes a colon too
    let parts = text.split_once(['=', ':']).ok_or_else(|| format!("expected KEY=VALUE got '{text}'"))?;
    let name = HeaderName::from_bytes(parts.0.trim().as_bytes()).map_err(|error| error.to_string())?;
    let value = HeaderValue::from_str(parts.1.trim()).map_err(|error| error.to_string())?;
    Ok((name, value))
}

impl ClientFlags {
    /// Who calls, under these flags.
    pub(crate) fn caller(&self) -> anyhow::Result<Caller> {
        let Some(path) = &self.config_file else {
            return Ok(Caller::new(&HttpClientConfig::default(), Path::new(""))?);
        };
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| file.clone())?;
        let config = HttpClientConfig::read(&file, &text)?;
        Caller::new(&config, path.parent().unwrap_or(Path::new(""))).with_context(|| file)
    }

    /// Headers for each request; of those with the same name the last.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.headers.clone()
    }
}

impl TargetFlags {
    /// The server and the word behind it; with --storage there is no server.
    pub(super) fn place<'w>(
        &self,
        words: &'w [String],
        has_word: bool,
    ) -> anyhow::Result<(Option<&'w str>, &'w str)> {
        match (&self.storage, words, has_word) {
            (Some(_), [word], true) => Ok((None, word)),
            (Some(_), [], false) => Ok((None, "")),
            (Some(_), ..) => bail!("there is either a SERVER or --storage, not both"),
            (None, [server, word], true) => Ok((Some(server), word)),
            (None, [server], false) => Ok((Some(server), "")),
            (None, [_], true) => {
                bail!("expected a SERVER, like http://127.0.0.1:9090, and what to ask; or --storage")
            }
            (None, ..) => bail!("expected a SERVER, like http://127.0.0.1:9090, or --storage"),
        }
    }
}

/// What is asked of `/api/v1/…`.
#[derive(Clone, Debug)]
pub(super) struct Question {
    method: Method,
    path: String,
    parameters: Vec<(&'static str, String)>,
}

impl Question {
    pub(super) fn post(path: &str) -> Self {
        Self { method: Method::POST, path: format!("/api/v1/{path}"), parameters: Vec::new() }
    }

    pub(super) fn get(path: &str) -> Self {
        Self { method: Method::GET, ..Self::post(path) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    pub(super) fn with_all(self, name: &'static str, values: &[String]) -> Self {
        values.iter().fold(self, |question, value| question.with(name, value))
    }

    /// As Go writes a form: in order of names.
    pub(super) fn form(&self) -> String {
        let mut parameters: Vec<_> = self.parameters.iter().collect();
        parameters.sort_by_key(|(name, _)| *name);
        let escaped = |text: &str| escaped(text, b"-_.~ ").replace(' ', "+");
        let pairs = parameters.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// What stands in the URL, and what in the body.
    fn parts(&self) -> (String, Bytes) {
        match self.method == Method::GET {
            true => (format!("{}?{}", self.path, self.form()), Bytes::new()),
            false => (self.path.clone(), self.form().into()),
        }
    }
}

/// Who answers.
pub(super) enum Target {
    Server { caller: Box<Caller>, url: String, headers: Vec<(HeaderName, HeaderValue)> },
    Storage(Router),
}

impl Target {
    /// The server, or else the storage of the flags.
    pub(super) async fn of(
        server: Option<&str>,
        flags: &TargetFlags,
        queries: &QueryFlags,
    ) -> anyhow::Result<Self> {
        let (Some(url), None) = (&flags.storage, server) else {
            let url = server.unwrap_or_default().to_owned();
            // a mistake in it is told before anything else
            Endpoint::below(&url, "/")?;
            return Ok(Self::Server {
                caller: Box::new(flags.client.caller()?),
                url,
                headers: flags.client.headers(),
            });
        };
        queries.without_cache()?;
        let place = StorageFlags::of(url, flags.s3_endpoint.as_deref());
        let storage = place.open_for(flags.tenant.as_ref()).await?;
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let reader = Arc::new(storage.reader(None, None));
        let (api, _) = edge::queries(reader, queries.settings(threads), clock);
        Ok(Self::Storage(query::api::router(Arc::new(api))))
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        question: &Question,
    ) -> Result<Answer<T>, QueryFailure> {
        let (path, body) = question.parts();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        match self {
            Self::Storage(router) => {
                let request = Request::builder()
                    .method(&question.method)
                    .uri(path)
                    .header(header::CONTENT_TYPE, form)
                    .body(Body::from(body))
                    .map_err(anyhow::Error::from)?;
                let answer = match router.clone().oneshot(request).await {
                    Ok(answer) => answer,
                    Err(never) => match never {},
                };
                let status = answer.status();
                let body = to_bytes(answer.into_body(), ANSWER_BYTES_MAX);
                let body = body.await.map_err(|error| anyhow!("the answer cannot be read: {error}"))?;
                answer::read(status, &body, true)
            }
            Self::Server { caller, url, headers } => {
                let (base, query) = url.split_once('?').unwrap_or((url, ""));
                let path = match (query, path.contains('?')) {
                    ("", _) => path,
                    (query, true) => format!("{path}&{query}"),
                    (query, false) => format!("{path}?{query}"),
                };
                let endpoint = Endpoint::below(base, &path).map_err(anyhow::Error::from)?;
                let mut all = headers.clone();
                if question.method == Method::POST {
                    all.push((header::CONTENT_TYPE, form));
                }
                let method = question.method.clone();
                match caller.call(&endpoint, method, &all, body, ANSWER_BYTES_MAX, TIMEOUT).await {
                    Ok((status, body)) => answer::read(status, &body, false),
                    Err(error) => {
                        let method = if question.method == Method::GET { "Get" } else { "Post" };
                        Err(QueryFailure::Told(format!(
                            "query error: {}",
                            error.told(method, &endpoint.to_string())
                        )))
                    }
                }
            }
        }
    }
}
