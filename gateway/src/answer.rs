//! What clients are told.

use access::Seldom;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use store::{ReadErrorKind, WriteErrorKind};

use crate::error::GatewayError;
use crate::intake::IntakeError;
use crate::scrape::{Page, ScrapeError};
use crate::terms::TermsError;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// Which limit a request exceeds, for programs: the name of a setting.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("mayfly-limit");

/// The one place where errors become statuses.
fn status(error: &GatewayError) -> StatusCode {
    match error {
        GatewayError::Intake(IntakeError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        GatewayError::Terms(TermsError::KeyReused) | GatewayError::Intake(IntakeError::Limit { .. }) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        GatewayError::Intake(IntakeError::NoRoom(_)) => StatusCode::SERVICE_UNAVAILABLE,
        GatewayError::Grouping(_)
        | GatewayError::Terms(_)
        | GatewayError::Receive(_)
        | GatewayError::Selector(_)
        | GatewayError::Batch(_)
        | GatewayError::Intake(_) => StatusCode::BAD_REQUEST,
        GatewayError::Refused(_) => StatusCode::FORBIDDEN,
        GatewayError::Quota(_) => StatusCode::TOO_MANY_REQUESTS,
        GatewayError::SlowBody { .. } => StatusCode::REQUEST_TIMEOUT,
        GatewayError::Busy { .. } | GatewayError::TooManyScrapes { .. } | GatewayError::Interrupted => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        GatewayError::Write(error) | GatewayError::MayHaveBeenAdded(error) | GatewayError::Partly(error) => {
            match error.kind() {
                WriteErrorKind::Busy | WriteErrorKind::Unavailable | WriteErrorKind::Closed => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                WriteErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                WriteErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            }
        }
        GatewayError::Scrape(ScrapeError::Interrupted) => StatusCode::SERVICE_UNAVAILABLE,
        GatewayError::Scrape(ScrapeError::TooManySeries { .. } | ScrapeError::Compress(_)) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        GatewayError::Scrape(ScrapeError::Read(error)) | GatewayError::Read(error) => match error.kind() {
            ReadErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ReadErrorKind::Limit => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// Whether to ask again is what the client should do: it may help and does no harm.
fn is_worth_a_retry(error: &GatewayError) -> bool {
    match error {
        _ if is_busy(error) => true,
        GatewayError::Interrupted => true,
        GatewayError::Write(error) | GatewayError::Partly(error) => {
            !matches!(error.kind(), WriteErrorKind::TooLarge | WriteErrorKind::Internal)
        }
        GatewayError::Read(error) | GatewayError::Scrape(ScrapeError::Read(error)) => {
            error.kind() == ReadErrorKind::Unavailable
        }
        _ => false,
    }
}

/// Whether there is too much to do, which many are told at once.
fn is_busy(error: &GatewayError) -> bool {
    match error {
        GatewayError::Busy { .. }
        | GatewayError::TooManyScrapes { .. }
        | GatewayError::Intake(IntakeError::NoRoom(_)) => true,
        GatewayError::Write(error) => error.kind() == WriteErrorKind::Busy,
        _ => false,
    }
}

static BUSY: Seldom = Seldom::new();

/// Errors quote what was sent; no more of it than this is sent back and logged.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// Logs an error and tells the client.
pub(crate) fn error(error: &GatewayError) -> Response {
    let status = status(error);
    let mut message = error.to_string();
    if message.len() > ERROR_BYTES_MAX {
        message.truncate(message.floor_char_boundary(ERROR_BYTES_MAX));
        message.push('…');
    }
    match error {
        _ if is_busy(error) => {
            if let Some(left_out) = BUSY.due() {
                tracing::warn!(status = status.as_u16(), error = message, left_out, "request not done");
            }
        }
        _ if status.is_server_error() => {
            tracing::error!(status = status.as_u16(), error = message, "request not done");
        }
        GatewayError::Intake(IntakeError::Inconsistent(_)) => {
            tracing::warn!(status = status.as_u16(), error = message, "push rejected");
        }
        _ => tracing::debug!(status = status.as_u16(), error = message, "request refused"),
    }
    let mut response = text(status, message + "\n");
    if let Some(limit) = error.limit() {
        response.headers_mut().insert(LIMIT, HeaderValue::from_static(limit));
    }
    if let GatewayError::Quota(error) = error {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(error.retry_after_s()));
    }
    if is_worth_a_retry(error) {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    response
}

/// A body with something that is kept until the last byte of it has left or the client is gone.
pub(crate) fn keeping(kept: impl Send + 'static, body: Vec<u8>) -> Body {
    Body::from(Bytes::from_owner(Keeping { body, _kept: kept }))
}

struct Keeping<T> {
    body: Vec<u8>,
    _kept: T,
}

impl<T> AsRef<[u8]> for Keeping<T> {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// A short text that is not to be taken for anything else.
pub(crate) fn text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Nothing but a status.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(crate) fn ok_text() -> Response {
    let mut response = Response::new(Body::from("OK"));
    response.headers_mut().insert(CONTENT_TYPE, PLAIN);
    response
}

pub(crate) fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

pub(crate) fn bad_request() -> Response {
    let mut response = text(StatusCode::BAD_REQUEST, "400 Bad Request");
    response.headers_mut().remove(X_CONTENT_TYPE_OPTIONS);
    response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(crate) fn not_allowed(allow: &'static str) -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

pub(crate) fn options(allow: &'static str) -> Response {
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// `location` is percent-encoded.
pub(crate) fn redirect(method: &Method, keeps_method: bool, location: &str) -> Response {
    let status = if keeps_method { StatusCode::TEMPORARY_REDIRECT } else { StatusCode::MOVED_PERMANENTLY };
    let Ok(value) = HeaderValue::from_str(location) else { return not_found() };
    let mut response = empty(status);
    response.headers_mut().insert(LOCATION, value);
    if matches!(*method, Method::GET | Method::HEAD) {
        // a query is not encoded anew, so it may hold what HTML does not allow
        let href =
            location.replace('&', "&amp;").replace('"', "&#34;").replace('<', "&lt;").replace('>', "&gt;");
        let reason = status.canonical_reason().unwrap_or_default();
        *response.body_mut() = Body::from(format!("<a href=\"{href}\">{reason}</a>.\n\n"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    response
}

/// A text without what the router's own answers carry.
pub(crate) fn handler_text(status: StatusCode, body: &'static str) -> Response {
    let mut response = text(status, body);
    response.headers_mut().remove(X_CONTENT_TYPE_OPTIONS);
    response
}

pub(crate) fn html(page: Body) -> Response {
    let mut response = Response::new(page);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, NO_CACHE);
    response
}

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");

/// Pages of any origin may ask the API.
pub(crate) fn api_options() -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CACHE_CONTROL, NO_CACHE);
    response
}

#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

/// The API's answer that holds this.
pub(crate) fn json(data: impl Serialize) -> Response {
    json_keeping((), data)
}

/// Like [`json`], and it keeps something as [`keeping`] does.
pub(crate) fn json_keeping(kept: impl Send + 'static, data: impl Serialize) -> Response {
    match serde_json::to_vec(&Success { status: "success", data }) {
        Ok(body) => {
            let mut response = api_options();
            *response.body_mut() = keeping(kept, body);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

pub(crate) fn page(page: Page, kept: impl Send + 'static) -> Response {
    let mut response = Response::new(keeping(kept, page.body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&page.content_type).unwrap_or(PLAIN));
    if let Some(encoding) = page.encoding.as_str() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}
