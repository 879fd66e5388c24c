//! What those are told who may not.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::Denied;
use super::needs::Port;
use crate::serve::tenants::NotOpen;

/// Which limit a request exceeds, for programs.
const LIMIT: HeaderName = HeaderName::from_static("mayfly-limit");

const BEARER: &str = "Bearer realm=\"mayfly\"";

/// How a client of a route understands an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line for people.
    Plain,
    /// The envelope of Prometheus' API.
    Prometheus,
    /// The object of InfluxDB 1.
    Influx1,
    /// The object of InfluxDB 2.
    Influx2,
}

impl Form {
    pub(super) fn of(port: Port, path: &str) -> Self {
        let is_received = path == "/api/v1/write" || path.starts_with("/api/v1/otlp/");
        match port {
            Port::Query if path.starts_with("/api/v1/") && !is_received => Self::Prometheus,
            Port::Gateway if path.ends_with("/api/v2/write") => Self::Influx2,
            Port::Gateway if path.ends_with("/write") && !path.ends_with("/api/v1/write") => Self::Influx1,
            Port::Gateway if path.ends_with("/query") => Self::Influx1,
            _ => Self::Plain,
        }
    }
}

pub(super) fn denied(denied: &Denied, form: Form) -> Response {
    let (status, word) = match denied {
        Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Denied::TenantName(_) | Denied::SeveralTenants { .. } => {
            (StatusCode::BAD_REQUEST, if form == Form::Influx2 { "invalid" } else { "bad_data" })
        }
        _ if denied.is_unauthorized() => (StatusCode::UNAUTHORIZED, "unauthorized"),
        _ => (StatusCode::FORBIDDEN, "forbidden"),
    };
    let text = denied.to_string();
    if matches!(denied, Denied::NoUser) {
        // as the exporter toolkit answers, whatever is asked for
        let mut response = self::status(status);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        return response;
    }
    let mut response = error(status, word, &text, form);
    let headers = response.headers_mut();
    if matches!(denied, Denied::Busy) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if denied.is_unauthorized() {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
        // browsers ask for a password then
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"mayfly\""));
    }
    response
}

/// A refusal at which a browser does not ask for a password by itself: it does so where one would do.
pub(super) fn unprompted(response: &mut Response) {
    let headers = response.headers_mut();
    if headers.remove(WWW_AUTHENTICATE).is_some() {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER));
    }
}

/// For requests to a tenant that is not open.
pub(super) fn not_open(why: &NotOpen, form: Form) -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &why.to_string(), form);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static(if why.limit().is_some() { "60" } else { "1" }));
    if let Some(limit) = why.limit() {
        headers.insert(LIMIT, HeaderValue::from_static(limit));
    }
    response
}

fn error(status: StatusCode, word: &str, text: &str, form: Form) -> Response {
    let (body, content_type) = match form {
        Form::Plain => (format!("{text}\n"), "text/plain; charset=utf-8"),
        Form::Prometheus => {
            // in the order in which Prometheus has them
            let body = format!(r#"{{"status":"error","errorType":"{word}","error":{}}}"#, json!(text));
            (body, "application/json")
        }
        Form::Influx1 => (json!({ "error": text }).to_string(), "application/json"),
        Form::Influx2 => (json!({ "code": word, "message": text }).to_string(), "application/json"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A status in words.
pub(super) fn status(status: StatusCode) -> Response {
    let mut response =
        Response::new(Body::from(format!("{}\n", status.canonical_reason().unwrap_or_default())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
