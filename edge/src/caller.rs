//! Asks another server over HTTP, as whoever a configuration says.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use config::HttpClientConfig;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::authorization::{Authorization, AuthorizationError};
use crate::http::{Endpoint, HttpClient, HttpError};
use crate::tls::TlsError;

/// Sends requests under one identity.
#[derive(Debug)]
pub struct Caller {
    client: HttpClient,
    authorization: Authorization,
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It cannot say who asks.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// There is no answer, or none that can be read.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Caller {
    /// Calls as `config` says, with files relative to `folder`.
    ///
    /// # Errors
    /// If a certificate or key is none, or cannot be read.
    pub fn new(config: &HttpClientConfig, folder: &Path) -> Result<Self, TlsError> {
        let client = HttpClient::with_tls(&config.tls, folder)?;
        Ok(Self { client, authorization: Authorization::new(config.auth.clone(), folder) })
    }

    /// The same, where requests that are signed are signed for this service of Amazon's, and have JSON for a body.
    #[must_use]
    pub fn signing(self, service: &'static str) -> Self {
        Self { authorization: self.authorization.signing(service, "application/json"), ..self }
    }

    /// Sends a request with these headers, which stand in the place of what the URL and the configuration say, and gives the answer,
    /// whatever its status.
    ///
    /// # Errors
    /// No answer within `timeout`, or one of more than `bytes_max`.
    pub async fn call(
        &self,
        to: &Endpoint,
        method: Method,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let answer = self.answer(to, method, headers, body, bytes_max, timeout).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// The same, with the headers of the answer.
    pub(crate) async fn answer(
        &self,
        to: &Endpoint,
        method: Method,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Response<Bytes>, CallError> {
        let mut all = self.authorization.headers(&to.to_string(), &body).await?;
        all.extend_from_slice(headers);
        let asked = self.client.ask(to, Request::builder().method(method), all, body, bytes_max);
        match tokio::time::timeout(timeout, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(HttpError::Timeout(timeout).into()),
        }
    }
}

impl CallError {
    /// In Go's words, as far as they can be told. `method` is as Go writes it there: `Get`.
    pub fn told(&self, method: &str, url: &str) -> String {
        let why = match self {
            Self::Http(HttpError::Connection(cause)) if is_refused(cause) => {
                format!("dial tcp {}: connect: connection refused", address(url))
            }
            Self::Http(HttpError::Timeout(_)) => "context deadline exceeded".to_owned(),
            error => whole(error),
        };
        format!("{method} {url:?}: {why}")
    }
}

/// The error and the innermost cause, if that says more.
pub(crate) fn whole(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    let (text, cause) = (error.to_string(), innermost.to_string());
    if text.contains(&cause) { text } else { format!("{text}: {cause}") }
}

fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let refused = std::io::ErrorKind::ConnectionRefused;
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == refused) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Host and port of a URL.
fn address(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    match (has_port, scheme) {
        (true, _) => host.to_owned(),
        (false, "https") => format!("{host}:443"),
        (false, _) => format!("{host}:80"),
    }
}
