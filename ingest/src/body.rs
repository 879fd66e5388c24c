//! A body as it comes.

use std::error::Error;
use std::time::Duration;

use access::Grant;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use tokio::time::timeout;

use crate::error::IngestError;
use crate::settings::Settings;

/// What the request may do.
pub(crate) fn granted(request: &Request) -> Grant {
    request.extensions().get::<Grant>().cloned().unwrap_or_default()
}

/// The whole body, within the limits on its size and its time.
pub(crate) async fn receive(body: Body, settings: &Settings) -> Result<Bytes, IngestError> {
    let (max, max_ms) = (settings.body_bytes_max, settings.body_timeout_ms);
    let received = timeout(Duration::from_millis(max_ms), to_bytes(body, max)).await;
    received.map_err(|_| IngestError::SlowBody { max_ms })?.map_err(|error| {
        let is_too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
        if is_too_large { IngestError::TooLarge { max } } else { IngestError::Receive(error) }
    })
}
