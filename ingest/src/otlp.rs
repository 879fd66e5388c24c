//! `POST /v1/metrics` and `/api/v1/otlp/v1/metrics`

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use wire::encoding::Encoding;
use wire::otlp::Format;
use wire::remote_write::Faults;

use crate::answer;
use crate::body;
use crate::error::IngestError;
use crate::receiver::{Exported, Receiver};

/// How a body is written and compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) format: Format,
    pub(crate) encoding: Encoding,
}

pub(crate) async fn write(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let response = match kind(request.headers()) {
        Ok(kind) => match exported(&receiver, kind, request).await {
            Ok(exported) => success(kind.format, &exported),
            Err(error) => answer::error(&error),
        },
        Err(error) => answer::error(&error),
    };
    receiver.stats().answered("otlp", &response);
    response
}

async fn exported(receiver: &Receiver, kind: Kind, request: Request) -> Result<Exported, IngestError> {
    let _place = receiver.admit()?;
    let grant = body::granted(&request);
    let body = body::receive(request.into_body(), receiver.settings(), receiver.room()).await?;
    receiver.otlp(kind, body, grant).await
}

pub(crate) fn kind(headers: &HeaderMap) -> Result<Kind, IngestError> {
    let text = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    };
    let content_type = text(&CONTENT_TYPE);
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let format = match &*media {
        "application/x-protobuf" => Format::Protobuf,
        "application/json" => Format::Json,
        _ => return Err(IngestError::OtlpType(content_type)),
    };
    let compression = text(&CONTENT_ENCODING);
    let encoding = match &*compression.to_ascii_lowercase() {
        "" | "identity" => Encoding::Identity,
        "gzip" => Encoding::Gzip,
        _ => return Err(IngestError::OtlpCompression(compression)),
    };
    Ok(Kind { format, encoding })
}

/// An `ExportMetricsServiceResponse`, with a `partial_success` where something was not taken. If that is no data point, it is a warning,
/// by the specification one with 0 rejected.
pub(crate) fn success(format: Format, exported: &Exported) -> Response {
    let Exported { faults, remarks } = exported;
    let rejected = faults.len() as u64;
    let texts = [faults, remarks].into_iter().filter(|faults| !faults.is_empty()).map(Faults::text);
    let text = texts.collect::<Vec<_>>().join("\n");
    let is_partial = !text.is_empty();
    if is_partial {
        tracing::warn!(rejected, text, "export refused in part");
    }
    let (content_type, body) = match format {
        Format::Protobuf => {
            ("application/x-protobuf", if is_partial { partial_success(rejected, &text) } else { Vec::new() })
        }
        Format::Json if is_partial => {
            let partial =
                serde_json::json!({ "rejectedDataPoints": rejected.to_string(), "errorMessage": text });
            ("application/json", serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes())
        }
        Format::Json => ("application/json", b"{}".to_vec()),
    };
    let mut response = answer::empty(StatusCode::OK);
    *response.body_mut() = body.into();
    let limits: Vec<&'static str> = faults.limits().iter().chain(remarks.limits()).copied().collect();
    answer::exceeding(&mut response, &limits);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn partial_success(rejected: u64, text: &str) -> Vec<u8> {
    let mut partial = vec![1 << 3];
    varint(&mut partial, rejected);
    partial.push(2 << 3 | 2);
    varint(&mut partial, text.len() as u64);
    partial.extend_from_slice(text.as_bytes());
    let mut message = vec![1 << 3 | 2];
    varint(&mut message, partial.len() as u64);
    message.extend(partial);
    message
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests;
