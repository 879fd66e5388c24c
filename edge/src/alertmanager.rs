//! Sends alerts to an Alertmanager.

use std::time::Duration;

use ::http::StatusCode;
use alert::{Alert, Notifier, NotifyError, api_v2_body};
use async_trait::async_trait;

use crate::http::{BadUrl, Endpoint, HttpClient, HttpError};

/// As Prometheus' default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One Alertmanager, by its API v2.
#[derive(Debug)]
pub struct Alertmanager {
    name: String,
    endpoint: Endpoint,
    client: HttpClient,
}

impl Alertmanager {
    /// The Alertmanager at a base URL, `http://HOST:PORT[/PREFIX]`.
    ///
    /// # Errors
    /// If the URL cannot be one.
    pub fn new(url: &str, client: HttpClient) -> Result<Self, BadUrl> {
        let endpoint = Endpoint::below(url, "/api/v2/alerts")?;
        Ok(Self { name: endpoint.to_string(), endpoint, client })
    }
}

#[async_trait]
impl Notifier for Alertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        let sent = self.client.post_json(&self.endpoint, api_v2_body(batch).into_bytes(), TIMEOUT).await;
        sent.map_err(|error| match error {
            HttpError::Status { status, .. } if is_final(status) => {
                NotifyError::Refused { reason: error.to_string() }
            }
            error => NotifyError::Unreachable(error.into()),
        })
    }
}

/// Whether sending the same again would be answered in the same way.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && status != StatusCode::TOO_MANY_REQUESTS
        && status != StatusCode::REQUEST_TIMEOUT
}
