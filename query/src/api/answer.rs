//! The envelope of every answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::json;
use crate::engine::{ErrorKind, QueryError};
use crate::source::{SourceError, SourceErrorKind};

/// What is wrong with a request, in the words of the API.
#[derive(Debug)]
pub struct ApiError {
    kind: ApiErrorKind,
    message: String,
}

/// The `errorType` of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiErrorKind {
    BadData,
    Execution,
    Canceled,
    Timeout,
    Internal,
    Unavailable,
}

impl ApiErrorKind {
    /// The status and the name: the one place where they are chosen.
    fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadData => (StatusCode::BAD_REQUEST, "bad_data"),
            Self::Execution => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            Self::Canceled => (StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST), "canceled"),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Unavailable => (StatusCode::INTERNAL_SERVER_ERROR, "unavailable"),
        }
    }
}

impl ApiError {
    pub(super) fn new(kind: ApiErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ApiErrorKind::BadData, message)
    }

    /// Whether there was no time left, or nobody waits any more.
    pub(super) fn is_about_time(&self) -> bool {
        matches!(self.kind, ApiErrorKind::Timeout | ApiErrorKind::Canceled)
    }

    /// The `errorType`.
    pub(super) fn type_name(&self) -> &'static str {
        self.kind.status().1
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// A parameter that cannot be used.
    pub(super) fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {reason}"))
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let kind = match error.kind() {
            ErrorKind::BadData => match &error {
                QueryError::TooManyPoints { .. } => return Self::bad_data(error.to_string()),
                QueryError::BadStep => return Self::parameter("step", error),
                _ => return Self::parameter("query", error),
            },
            ErrorKind::Execution => ApiErrorKind::Execution,
            ErrorKind::Timeout => ApiErrorKind::Timeout,
            ErrorKind::Canceled => ApiErrorKind::Canceled,
            ErrorKind::Unavailable => ApiErrorKind::Unavailable,
            ErrorKind::Internal => ApiErrorKind::Internal,
        };
        if let QueryError::Source(source) = &error {
            report(source);
        }
        Self::new(kind, error.to_string())
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        report(&error);
        let kind = match error.kind {
            SourceErrorKind::Unavailable => ApiErrorKind::Unavailable,
            SourceErrorKind::Limit => ApiErrorKind::Execution,
            SourceErrorKind::Internal => ApiErrorKind::Internal,
        };
        Self::new(kind, error.message)
    }
}

/// The user sees the message; the cause is for the log.
fn report(error: &SourceError) {
    tracing::warn!(error = error as &dyn std::error::Error, "source does not answer");
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, name) = self.kind.status();
        let mut body = String::from("{\"status\":\"error\",\"errorType\":");
        json::string(&mut body, name);
        body.push_str(",\"error\":");
        json::string(&mut body, &self.message);
        body.push('}');
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// A good answer: JSON, and remarks on it.
#[derive(Debug, Default)]
pub(super) struct Success {
    pub(super) data: String,
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
}

impl Success {
    pub(super) fn of(data: String) -> Self {
        Self { data, ..Self::default() }
    }
}

/// At most so many remarks of a kind are told.
const REMARKS_MAX: usize = 10;

impl IntoResponse for Success {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.data.len() + 64);
        body.push_str("{\"status\":\"success\",\"data\":");
        body.push_str(&self.data);
        remarks(&mut body, "warnings", "warning", self.warnings);
        remarks(&mut body, "infos", "info", self.infos);
        body.push('}');
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

fn remarks(body: &mut String, field: &str, what: &str, mut texts: Vec<String>) {
    if texts.is_empty() {
        return;
    }
    if texts.len() > REMARKS_MAX {
        let more = texts.len() - REMARKS_MAX;
        texts.truncate(REMARKS_MAX);
        texts.push(format!("{more} more {what} annotations omitted"));
    }
    body.push_str(&format!(",\"{field}\":"));
    json::list(body, texts.iter(), |body, text| json::string(body, text));
}
