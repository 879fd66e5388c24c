//! A URL that is asked for after each tick, at a service that raises the alarm when nobody asks any more: what tells of Mayfly's
//! own death, which no rule of Mayfly's can.

use std::time::Duration;

use crate::http::{BadUrl, Endpoint, HttpClient, HttpError};

/// How long the service may take to answer.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);

/// Somebody who waits to hear from us.
#[derive(Debug)]
pub struct Heartbeat {
    endpoint: Endpoint,
    client: HttpClient,
}

/// A heartbeat that cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The URL is none.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The system's certificates cannot be read.
    #[error(transparent)]
    Client(#[from] HttpError),
}

impl Heartbeat {
    /// The service at a URL, `https://HOST/PATH`.
    ///
    /// # Errors
    /// If nothing can be sent there.
    pub fn at(url: &str) -> Result<Self, HeartbeatError> {
        Ok(Self { endpoint: Endpoint::below(url, "")?, client: HttpClient::new()? })
    }

    /// Asks for the URL once. What goes wrong is logged, without the URL, which may be a secret: the next tick asks again.
    pub async fn beat(&self) {
        if let Err(error) = self.client.get(&self.endpoint, HEARTBEAT_TIMEOUT).await {
            tracing::warn!(%error, "heartbeat not heard");
        }
    }
}
