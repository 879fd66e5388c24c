//! `POST /api/v1/write`

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use wire::remote_write::Version;

use crate::answer;
use crate::body;
use crate::error::IngestError;
use crate::receiver::{Receiver, Unwritten, Written};

/// By which a sender of 2.0 knows what was written, and that it was understood.
const SAMPLES: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

pub(crate) async fn write(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let response = answered(&receiver, request).await;
    receiver.stats().answered("remote_write", &response);
    response
}

async fn answered(receiver: &Receiver, request: Request) -> Response {
    let version = match version(request.headers()) {
        Ok(version) => version,
        Err(error) => return answer::error(&error),
    };
    let (mut response, counts) = match written(receiver, version, request).await {
        Ok(Written { counts, faults }) if faults.is_empty() => {
            (answer::empty(StatusCode::NO_CONTENT), counts)
        }
        Ok(Written { counts, faults }) => {
            let text = faults.text();
            tracing::warn!(faults = faults.len(), text, "write refused in part");
            let mut response = answer::text(StatusCode::BAD_REQUEST, &text);
            answer::exceeding(&mut response, faults.limits());
            (response, counts)
        }
        Err(Unwritten { error, counts }) => (answer::error(&error), counts),
    };
    if version == Version::V2 {
        let counts =
            [(SAMPLES, counts.samples), (HISTOGRAMS, counts.histograms), (EXEMPLARS, counts.exemplars)];
        for (name, count) in counts {
            response.headers_mut().insert(name, HeaderValue::from(count));
        }
    }
    response
}

/// Which message it is. Senders of 1.0 may leave out headers.
fn version(headers: &HeaderMap) -> Result<Version, IngestError> {
    let text = |name: &HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let version = Version::of_header(text(&CONTENT_TYPE).as_deref())?;
    match text(&CONTENT_ENCODING) {
        Some(encoding) if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("snappy") => {
            Err(IngestError::Compression(encoding.into_owned()))
        }
        _ => Ok(version),
    }
}

async fn written(receiver: &Receiver, version: Version, request: Request) -> Result<Written, Unwritten> {
    let _place = receiver.admit()?;
    let grant = body::granted(&request);
    let body = body::receive(request.into_body(), receiver.settings(), receiver.room()).await?;
    receiver.remote_write(version, body, grant).await
}

#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
