//! Asks another server over HTTP, as whoever a configuration says.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use config::HttpClientConfig;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};

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
        let mut all = self.authorization.headers(&to.to_string(), &body).await?;
        all.extend_from_slice(headers);
        let asked = self.client.ask(to, Request::builder().method(method), all, body, bytes_max);
        match tokio::time::timeout(timeout, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(HttpError::Timeout(timeout).into()),
        }
    }
}
