//! Requests that come inside another one, as JSON: those of a batch, and messages of a queue.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;

/// A request to the gateway, as JSON tells it:
/// `{"method": "POST", "path": "/metrics/job/backup", "headers": {}, "body": "…"}`, or `body_base64` for bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldRequest {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

/// The request that was told. Its path is as it was written, percent escapes and all.
#[derive(Debug)]
pub struct Request {
    /// Any that can be one.
    pub method: Method,
    /// With the query string, if there is one.
    pub path: String,
    /// Of each name one.
    pub headers: HeaderMap,
    /// Empty if none was told.
    pub body: Bytes,
}

/// Why something told is no request.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ToldRequestError {
    /// What of it.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl ToldRequest {
    /// What it tells.
    ///
    /// # Errors
    /// If a field cannot be part of a request.
    pub fn request(self) -> Result<Request, ToldRequestError> {
        let wrong = |field, reason| ToldRequestError { field, reason };
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| wrong("method", format!("{:?} is no method", self.method)))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .zip(HeaderValue::from_str(value).ok())
                .ok_or_else(|| wrong("headers", format!("{name:?}: {value:?} is no header")))?;
            headers.insert(name, value);
        }
        let body = match (self.body, self.body_base64) {
            (Some(_), Some(_)) => return Err(wrong("body", "there is a body_base64 too".to_owned())),
            (Some(text), None) => Bytes::from(text),
            (None, Some(encoded)) => Bytes::from(
                STANDARD.decode(encoded).map_err(|error| wrong("body_base64", error.to_string()))?,
            ),
            (None, None) => Bytes::new(),
        };
        Ok(Request { method, path: self.path, headers, body })
    }
}
