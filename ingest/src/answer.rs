//! Answers. Senders read the status; people read the text.

use access::Seldom;
use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};
use store::WriteErrorKind;

use crate::error::IngestError;

/// Which limits a request exceeds, for programs: names of settings.
const LIMIT: HeaderName = HeaderName::from_static("mayfly-limit");

/// A server that is busy says so to many at once.
static BUSY: Seldom = Seldom::new();

/// The same for who counts answers.
#[derive(Clone, Debug)]
pub(crate) struct Exceeded(pub(crate) Vec<&'static str>);

/// The one place where errors become statuses. Senders give up on what is answered 4xx and try again what is answered 5xx, so a body
/// that came too slowly is a 503.
fn status(error: &IngestError) -> StatusCode {
    match error {
        IngestError::Version(_) | IngestError::Compression(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        IngestError::TooLarge { .. }
        | IngestError::InflatesTooFar(_)
        | IngestError::OtlpJsonTooLarge { .. }
        | IngestError::TooMany(_)
        | IngestError::OtlpTooMany(_)
        | IngestError::InfluxTooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
        IngestError::Precision(_)
        | IngestError::InfluxCompression(_)
        | IngestError::InfluxQuery
        | IngestError::OtlpType(_)
        | IngestError::OtlpCompression(_)
        | IngestError::Receive(_)
        | IngestError::Inflate(_)
        | IngestError::Decode(_)
        | IngestError::Otlp(_) => StatusCode::BAD_REQUEST,
        IngestError::Refused(_) => StatusCode::FORBIDDEN,
        IngestError::Quota(_) => StatusCode::TOO_MANY_REQUESTS,
        IngestError::Busy { .. }
        | IngestError::NoRoom(_)
        | IngestError::SlowBody { .. }
        | IngestError::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
        IngestError::Write(error) => match error.kind() {
            WriteErrorKind::Busy | WriteErrorKind::Unavailable | WriteErrorKind::Closed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            WriteErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            WriteErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// Whether to come again soon is what the sender should do.
fn is_busy(error: &IngestError) -> bool {
    match error {
        IngestError::Busy { .. } | IngestError::NoRoom(_) => true,
        IngestError::Write(error) => error.kind() == WriteErrorKind::Busy,
        _ => false,
    }
}

/// Logs an error and tells the sender.
pub(crate) fn error(error: &IngestError) -> Response {
    error_as(error, text)
}

/// The same with an answer that says status and text in another way.
pub(crate) fn error_as(error: &IngestError, answer: impl FnOnce(StatusCode, &str) -> Response) -> Response {
    let status = status(error);
    if is_busy(error) {
        if let Some(left_out) = BUSY.due() {
            tracing::warn!(status = status.as_u16(), %error, left_out, "write not done");
        }
    } else if status.is_server_error() {
        tracing::error!(status = status.as_u16(), %error, "write not done");
    } else {
        tracing::debug!(status = status.as_u16(), %error, "write refused");
    }
    let mut response = answer(status, &error.to_string());
    if let Some(limit) = error.limit() {
        exceeding(&mut response, &[limit]);
    }
    if let IngestError::Quota(error) = error {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(error.retry_after_s()));
    }
    if is_busy(error) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Says which limits were exceeded, by all of a request or by parts of it: each once, however often it is named.
pub(crate) fn exceeding(response: &mut Response, named: &[&'static str]) {
    let mut limits: Vec<&'static str> = Vec::new();
    for limit in named {
        if !limits.contains(limit) {
            limits.push(limit);
        }
    }
    // names of settings are words
    if let Some(value) = HeaderValue::from_str(&limits.join(", ")).ok().filter(|value| !value.is_empty()) {
        response.headers_mut().insert(LIMIT, value);
        response.extensions_mut().insert(Exceeded(limits));
    }
}

/// A text for people.
pub(crate) fn text(status: StatusCode, line: &str) -> Response {
    let mut response = empty(status);
    *response.body_mut() = Body::from(format!("{line}\n"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// JSON.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let mut response = empty(status);
    *response.body_mut() = Body::from(value.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The path is there, but only for POST.
pub(crate) fn not_allowed() -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    response
}
