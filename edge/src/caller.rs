//! Asks another server over HTTP, as whoever a configuration says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::{HttpClientConfig, Proxy, Secret};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::authorization::{Authorization, AuthorizationError};
use crate::http::{Endpoint, HttpClient, HttpError};
use crate::proxy::Proxies;
use crate::secret::{Secrets, read};
use crate::tls::TlsError;

/// Sends requests under one identity.
#[derive(Debug)]
pub struct Caller {
    client: HttpClient,
    authorization: Authorization,
    /// What requests have besides.
    headers: Vec<(HeaderName, Vec<Secret>)>,
    secrets: Arc<Secrets>,
}

/// Why nothing can be asked as a configuration says.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A certificate or key is none, or cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A proxy that cannot be spoken to.
    #[error("{0}")]
    Proxy(&'static str),
    /// A name that no header has.
    #[error("{0:?} is no name of a header")]
    Header(String),
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
    /// If a certificate or key is none, or cannot be read; or a proxy cannot be spoken to.
    pub fn new(config: &HttpClientConfig, folder: &Path) -> Result<Self, ClientError> {
        Self::with_secrets(config, folder, Arc::new(Secrets::in_files(folder)))
    }

    /// The same, where secrets may be elsewhere than in files.
    pub(crate) fn with_secrets(
        config: &HttpClientConfig,
        folder: &Path,
        secrets: Arc<Secrets>,
    ) -> Result<Self, ClientError> {
        let proxies = match &config.proxy {
            Proxy::None => None,
            Proxy::Environment => Some(Proxies::of_environment().map_err(ClientError::Proxy)?),
            Proxy::At { url, no_proxy } => {
                let url = read(url, folder).map_err(TlsError::from)?;
                Some(Proxies::at(&url, no_proxy).map_err(ClientError::Proxy)?)
            }
        };
        let header = |(name, values): &(String, Vec<Secret>)| {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            Ok((parsed.map_err(|_| ClientError::Header(name.clone()))?, values.clone()))
        };
        let headers = config.headers.iter().map(header).collect::<Result<_, ClientError>>()?;
        Ok(Self {
            client: HttpClient::through(proxies, &config.tls, folder)?,
            authorization: Authorization::new(config.auth.clone(), folder).with_secrets(Arc::clone(&secrets)),
            headers,
            secrets,
        })
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
        for (name, values) in &self.headers {
            for value in values {
                let value = self.secrets.text(value).await?;
                let mut value = HeaderValue::from_str(&value).map_err(AuthorizationError::from)?;
                value.set_sensitive(true);
                all.push((name.clone(), value));
            }
        }
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
