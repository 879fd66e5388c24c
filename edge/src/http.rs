//! One small HTTP client for what Mayfly sends: a request, a deadline, an answer of bounded size.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::Bytes;
use config::Tls;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::proxy::{Connector, Proxies};
use crate::tls::TlsError;

/// Nobody who is sent something has more than this to say about it.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Sends requests, over TLS where the URL says so, and keeps connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    proxies: Option<Proxies>,
}

/// Where requests go. User and password of the URL become a header.
#[derive(Clone)]
pub struct Endpoint {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// A URL that nothing can be sent to.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is no URL to send to: {reason}; expected http://HOST[:PORT][/PATH] or https://…")]
pub struct BadUrl {
    /// The URL, without a password.
    pub url: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Endpoint {
    /// The endpoint at `path` below a base URL.
    ///
    /// # Errors
    /// If the URL is not an absolute http or https URL.
    pub fn below(base: &str, path: &str) -> Result<Self, BadUrl> {
        let bad = |reason| BadUrl { url: without_user(base), reason };
        let (scheme, user, host, rest) = parts(base).map_err(bad)?;
        let base_path = rest.trim_end_matches('/');
        Self::of(scheme, user, host, &format!("{base_path}{path}")).map_err(bad)
    }

    /// The endpoint at a URL as it stands.
    ///
    /// # Errors
    /// If it is not an absolute http or https URL.
    pub fn exactly(url: &str) -> Result<Self, BadUrl> {
        let bad = |reason| BadUrl { url: without_user(url), reason };
        let (scheme, user, host, rest) = parts(url).map_err(bad)?;
        let rest = rest.split('#').next().unwrap_or("");
        let slash = if rest.starts_with('/') { "" } else { "/" };
        Self::of(scheme, user, host, &format!("{slash}{rest}")).map_err(bad)
    }

    fn of(scheme: &str, user: Option<&str>, host: &str, rest: &str) -> Result<Self, &'static str> {
        let uri = format!("{scheme}://{host}{rest}").parse().map_err(|_| "it is malformed")?;
        let authorization = match user {
            Some(user) => {
                let text = format!("Basic {}", BASE64.encode(percent_decoded(user)));
                let mut value: HeaderValue = text.parse().map_err(|_| "its user is malformed")?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self { uri, authorization })
    }

    /// Scheme, host and port.
    pub(crate) fn host(&self) -> (Option<&str>, Option<&str>) {
        (self.uri.scheme_str(), self.uri.authority().map(http::uri::Authority::as_str))
    }

    /// A request that says who asks, and for whom.
    fn authorized(&self, request: http::request::Builder) -> http::request::Builder {
        let request = request.header(header::USER_AGENT, concat!("mayfly/", env!("CARGO_PKG_VERSION")));
        match &self.authorization {
            Some(authorization) => request.header(header::AUTHORIZATION, authorization),
            None => request,
        }
    }
}

/// Without the password.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.uri)
    }
}

/// Scheme, user, host and what is behind it.
fn parts(url: &str) -> Result<(&str, Option<&str>, &str, &str), &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    if !matches!(scheme, "http" | "https") {
        return Err("its scheme is neither http nor https");
    }
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (user, host) = match rest[..host_end].rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, &rest[..host_end]),
    };
    if host.is_empty() { Err("it has no host") } else { Ok((scheme, user, host, &rest[host_end..])) }
}

/// Scheme and host, and what follows.
pub(crate) fn split(url: &str) -> Option<(&str, &str)> {
    let host_at = url.find("://")? + 3;
    let host_end = url[host_at..].find(['/', '?']).map_or(url.len(), |at| host_at + at);
    Some(url.split_at(host_end))
}

/// A URL as it may be shown: without user and password.
pub fn without_user(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}{}", &url[..scheme + 3], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = || u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok();
        match (bytes[at] == b'%').then(hex).flatten() {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}

/// A request that was not answered with success.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The system's certificates could not be read.
    #[error("could not read the system's certificates: {0}")]
    Certificates(#[source] std::io::Error),
    /// The request cannot be made.
    #[error("bad request: {0}")]
    Request(#[from] http::Error),
    /// No connection, or it broke.
    #[error("no answer: {0}")]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// A redirection that leads nowhere.
    #[error("redirected: {0}")]
    Redirection(String),
    /// The answer broke off or was too large.
    #[error("unreadable answer: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
    /// Another status than 2xx.
    #[error("answered {status}: {text}")]
    Status {
        /// The status.
        status: StatusCode,
        /// The beginning of the answer's text.
        text: String,
    },
}

impl HttpClient {
    /// A client that trusts the system's certificates.
    ///
    /// # Errors
    /// If there are none.
    pub fn new() -> Result<Self, HttpError> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(HttpError::Certificates)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(None));
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), proxies: None })
    }

    /// A client that connects as a configuration says, with files relative to `folder`.
    ///
    /// # Errors
    /// If a certificate or key is none, or cannot be read.
    pub fn with_tls(tls: &Tls, folder: &Path) -> Result<Self, TlsError> {
        Self::through(None, tls, folder)
    }

    /// The same, through proxies.
    ///
    /// # Errors
    /// If a certificate or key is none, or cannot be read.
    pub fn through(proxies: Option<Proxies>, tls: &Tls, folder: &Path) -> Result<Self, TlsError> {
        let connector = crate::tls::connector(tls, folder, Connector::new(proxies.clone()))?;
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), proxies })
    }

    /// POSTs JSON with these headers, which stand in the place of what the URL says; any 2xx is success.
    ///
    /// # Errors
    /// Anything else, or no answer within `timeout`.
    pub async fn post_json(
        &self,
        to: &Endpoint,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(), HttpError> {
        let request =
            Request::post(&to.uri).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut request = to.authorized(request).body(Full::from(body))?;
        request.headers_mut().extend(headers);
        tokio::time::timeout(timeout, self.send(request)).await.map_err(|_| HttpError::Timeout(timeout))?
    }

    /// GETs; any 2xx is success, and what comes with it is read and forgotten.
    ///
    /// # Errors
    /// Anything else, or no answer within `timeout`.
    pub async fn get(&self, from: &Endpoint, timeout: Duration) -> Result<(), HttpError> {
        let request = from.authorized(Request::get(&from.uri)).body(Full::default())?;
        tokio::time::timeout(timeout, self.send(request)).await.map_err(|_| HttpError::Timeout(timeout))?
    }

    /// Sends a request with these headers, which stand in the place of what the URL says, and gives status and text of the
    /// answer, whatever its status.
    ///
    /// # Errors
    /// If there is no answer within `timeout`, or it is larger than anybody needs.
    pub async fn send_to(
        &self,
        to: &Endpoint,
        method: http::Method,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), HttpError> {
        let request = Request::builder().method(method);
        let asked = self.ask(to, request, headers, body.into(), ANSWER_BYTES_MAX);
        let answer =
            tokio::time::timeout(timeout, asked).await.map_err(|_| HttpError::Timeout(timeout))??;
        Ok((answer.status(), answer.into_body()))
    }

    /// Sends a request and gives the answer, whatever its status, of at most `bytes_max`.
    pub(crate) async fn ask(
        &self,
        to: &Endpoint,
        request: http::request::Builder,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, HttpError> {
        let mut request = to.authorized(request.uri(&to.uri)).body(Full::from(body))?;
        request.headers_mut().extend(headers);
        if let Some(proxies) = &self.proxies
            && let Some(authorization) = proxies.authorization(&to.uri)
        {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization);
        }
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, bytes_max).collect().await.map_err(HttpError::Answer)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(), HttpError> {
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        if status.is_success() {
            return Ok(());
        }
        let text = body.map_err(HttpError::Answer)?.to_bytes();
        let text = String::from_utf8_lossy(&text).trim().chars().take(500).collect();
        Err(HttpError::Status { status, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let check = |base: &str, expect: &str, authorization: Option<&str>| {
            let endpoint = Endpoint::below(base, "/api/v2/alerts").expect("parses");
            let header = endpoint.authorization.as_ref().map(|value| value.to_str().expect("is text"));
            assert_eq!((endpoint.to_string().as_str(), header), (expect, authorization));
        };
        check("http://localhost:9093", "http://localhost:9093/api/v2/alerts", None);
        check("https://am.example/path/", "https://am.example/path/api/v2/alerts", None);
        check("http://me:p%40ss@am:1", "http://am:1/api/v2/alerts", Some("Basic bWU6cEBzcw=="));
    }

    #[test]
    fn an_endpoint_may_be_taken_as_it_stands() {
        let check = |url: &str, expect: &str| {
            assert_eq!(Endpoint::exactly(url).expect("parses").to_string(), expect);
        };
        check("http://host/hook/", "http://host/hook/");
        check("https://me:p@host:1?a=b/c", "https://host:1/?a=b/c");
        check("http://host#x", "http://host/");
    }

    #[test]
    fn bad_urls_are_told_without_their_password() {
        let check = |base: &str, expect: &str| {
            let error = Endpoint::below(base, "/x").expect_err("refused").to_string();
            assert!(error.contains(expect) && !error.contains("secret"), "{error}");
        };
        check("localhost:9093", "no scheme");
        check("ftp://me:secret@host", "neither http nor https");
        check("http://me:secret@/x", "no host");
        check("http://me:secret@a b", "malformed");
    }
}
