//! Sends alerts to an Alertmanager.

use std::path::Path;
use std::time::Duration;

use ::http::StatusCode;
use alert::{Alert, Notifier, NotifyError, api_v2_body};
use async_trait::async_trait;
use config::{AlertmanagersConfig, Auth};
use relabel::Rule;

use crate::authorization::Authorization;
use crate::http::{BadUrl, Endpoint, HttpClient, HttpError};

/// As Prometheus' default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One Alertmanager, by its API v2.
#[derive(Debug)]
pub struct Alertmanager {
    name: String,
    endpoint: Endpoint,
    client: HttpClient,
    timeout: Duration,
    authorization: Authorization,
    relabel: Vec<Rule>,
}

impl Alertmanager {
    /// The Alertmanager at a base URL, `http://HOST:PORT[/PREFIX]`.
    ///
    /// # Errors
    /// If the URL cannot be one.
    pub fn new(url: &str, client: HttpClient) -> Result<Self, BadUrl> {
        let endpoint = Endpoint::below(url, "/api/v2/alerts")?;
        Ok(Self {
            name: endpoint.to_string(),
            endpoint,
            client,
            timeout: TIMEOUT,
            authorization: Authorization::new(Auth::None, Path::new("")),
            relabel: Vec::new(),
        })
    }

    /// The Alertmanagers of one entry of a configuration, whose files are relative to `folder`.
    ///
    /// # Errors
    /// If the URL of one cannot be one.
    pub fn configured(
        entry: &AlertmanagersConfig,
        client: &HttpClient,
        folder: &Path,
    ) -> Result<Vec<Self>, BadUrl> {
        let one = |target: &config::AlertmanagerTarget| {
            let endpoint = Endpoint::below(&target.url(), "")?;
            Ok(Self {
                name: endpoint.to_string(),
                endpoint,
                client: client.clone(),
                timeout: Duration::from_millis(u64::try_from(entry.timeout_ms).unwrap_or(0)),
                authorization: Authorization::new(entry.auth.clone(), folder),
                relabel: entry.alert_relabel.clone(),
            })
        };
        entry.targets.iter().map(one).collect()
    }

    /// Tells it apart from others of the same URL.
    pub(crate) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// What it gets of a batch.
    fn relabelled(&self, batch: &[Alert]) -> Vec<Alert> {
        let relabelled = |alert: &Alert| {
            let labels = relabel::apply(&self.relabel, &alert.labels)?;
            Some(Alert { labels, ..alert.clone() })
        };
        batch.iter().filter_map(relabelled).collect()
    }
}

#[async_trait]
impl Notifier for Alertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        let batch = self.relabelled(batch);
        if batch.is_empty() {
            return Ok(());
        }
        let body = api_v2_body(&batch).into_bytes();
        let headers = self.authorization.headers(&self.endpoint.to_string(), &body).await;
        let headers = headers.map_err(|error| NotifyError::Unreachable(error.into()))?;
        let sent = self.client.post_json(&self.endpoint, headers, body, self.timeout).await;
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
        // credentials in files may be exchanged at any time
        && status != StatusCode::UNAUTHORIZED
        && status != StatusCode::FORBIDDEN
}
