//! `POST /write` and `/api/v2/write`: Influx line protocol, and what its senders ask before they send.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, Query, Request, State};
use axum::response::Response;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use model::{Labels, Metadata, Value};
use serde::Deserialize;
use serde_json::json;
use wire::encoding::Encoding;
use wire::influx::{Points, Precision};
use wire::remote_write::{Point, WriteRequest, WriteSeries};

use crate::answer;
use crate::body;
use crate::error::IngestError;
use crate::receiver::{Receiver, Unwritten, Written};

/// By which clients tell what they talk to. They look for a number.
const VERSION: HeaderName = HeaderName::from_static("x-influxdb-version");
/// Whose ways of answering these are.
const VERSION_VALUE: HeaderValue = HeaderValue::from_static("1.8.0");

/// What headers and parameters say about a body.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) precision: Precision,
    pub(crate) encoding: Encoding,
    /// The database, which becomes a label. Buckets and organizations do not.
    pub(crate) db: Option<Arc<str>>,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    db: Option<String>,
    precision: Option<String>,
    q: Option<String>,
}

/// How an error is told.
type Told = fn(StatusCode, &str) -> Response;

pub(crate) async fn write_v1(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    write(&receiver, request, told_v1).await
}

pub(crate) async fn write_v2(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    write(&receiver, request, told_v2).await
}

async fn write(receiver: &Receiver, request: Request, told: Told) -> Response {
    let mut response = match written(receiver, request).await {
        Ok(Written { faults, .. }) if faults.is_empty() => answer::empty(StatusCode::NO_CONTENT),
        Ok(Written { faults, counts }) => {
            let text = format!(
                "partial write: {}\n{} values were stored, and {} lines or values were not",
                faults.text(),
                counts.samples,
                faults.len()
            );
            tracing::warn!(faults = faults.len(), text, "lines refused in part");
            let mut response = told(StatusCode::BAD_REQUEST, &text);
            answer::exceeding(&mut response, faults.limits());
            response
        }
        Err(Unwritten { error, .. }) => answer::error_as(&error, told),
    };
    response.headers_mut().insert(VERSION, VERSION_VALUE);
    receiver.stats().answered("influx", &response);
    response
}

async fn written(receiver: &Receiver, request: Request) -> Result<Written, Unwritten> {
    let kind = kind(&request)?;
    let _place = receiver.admit()?;
    let grant = body::granted(&request);
    let body = body::receive(request.into_body(), receiver.settings(), receiver.room()).await?;
    receiver.influx(kind, body, grant).await
}

fn kind(request: &Request) -> Result<Kind, IngestError> {
    let Parameters { db, precision, .. } = parameters(request);
    let precision = precision.unwrap_or_default();
    let precision = Precision::from_word(&precision).ok_or(IngestError::Precision(precision))?;
    let encoding = encoding(request.headers())?;
    Ok(Kind { precision, encoding, db: db.filter(|db| !db.is_empty()).map(Arc::from) })
}

/// Those of the query; none if it cannot be read.
fn parameters(request: &Request) -> Parameters {
    Query::try_from_uri(request.uri()).map(|Query(parameters)| parameters).unwrap_or_default()
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, IngestError> {
    let word = headers.get(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let word = word.unwrap_or_default().to_ascii_lowercase();
    match &*word {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" => Ok(Encoding::Gzip),
        _ => Err(IngestError::InfluxCompression(word)),
    }
}

/// The series of all points, in the order in which they are named first.
pub(crate) fn request(points: Points, db: Option<&str>, now_ms: i64) -> WriteRequest {
    let Points { points, faults } = points;
    let (mut places, mut series) = (HashMap::<Labels, usize>::new(), Vec::<WriteSeries>::new());
    let (of_name, of_db): (Arc<str>, Arc<str>) = (Labels::NAME.into(), "db".into());
    let db: Option<Arc<str>> = db.map(Arc::from);
    for point in points {
        let at_ms = point.at_ms.unwrap_or(now_ms);
        for (name, value) in point.fields {
            // a tag of that name goes before the database
            let db = db.iter().map(|db| (Arc::clone(&of_db), Arc::clone(db)));
            let labels = db.chain(point.tags.iter().cloned()).chain([(Arc::clone(&of_name), name)]);
            let labels = Labels::from_pairs(labels);
            let place = *places.entry(labels).or_insert_with_key(|labels| {
                series.push(WriteSeries {
                    labels: labels.clone(),
                    points: Vec::new(),
                    exemplars: Vec::new(),
                    metadata: Metadata::default(),
                });
                series.len() - 1
            });
            series[place].points.push(Point { at_ms, start_ms: 0, value: Value::Float(value) });
        }
    }
    WriteRequest { series, families: Vec::new(), faults }
}

fn told_v1(status: StatusCode, text: &str) -> Response {
    answer::json(status, &json!({ "error": text }))
}

/// With the codes of InfluxDB.
fn told_v2(status: StatusCode, text: &str) -> Response {
    let code = match status {
        StatusCode::BAD_REQUEST => "invalid",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::PAYLOAD_TOO_LARGE => "request too large",
        StatusCode::TOO_MANY_REQUESTS => "too many requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "internal error",
    };
    answer::json(status, &json!({ "code": code, "message": text }))
}

pub(crate) async fn ping() -> Response {
    let mut response = answer::empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(VERSION, VERSION_VALUE);
    response
}

pub(crate) async fn health(State(receiver): State<Arc<Receiver>>) -> Response {
    let (status, word, message) = match receiver.ready().await {
        Ok(()) => (StatusCode::OK, "pass", "ready for writes".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, "fail", error.to_string()),
    };
    let version = env!("CARGO_PKG_VERSION");
    answer::json(
        status,
        &json!({ "name": "mayfly", "message": message, "status": word, "checks": [], "version": version }),
    )
}

/// Senders make sure that their database is there: every one is.
pub(crate) async fn query(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let asked = match parameters(&request).q {
        Some(asked) => asked,
        None => {
            let form = Form::from_request(request, &()).await;
            form.map(|Form(Parameters { q, .. })| q.unwrap_or_default()).unwrap_or_default()
        }
    };
    let words: Vec<String> = asked.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut response = match words[..] {
        ["CREATE", "DATABASE"] => {
            answer::json(StatusCode::OK, &json!({ "results": [{ "statement_id": 0 }] }))
        }
        ["SHOW", "DATABASES" | "DATABASES;"] => {
            let databases = json!({ "name": "databases", "columns": ["name"], "values": [] });
            let results = json!([{ "statement_id": 0, "series": [databases] }]);
            answer::json(StatusCode::OK, &json!({ "results": results }))
        }
        _ => answer::error_as(&IngestError::InfluxQuery, told_v1),
    };
    response.headers_mut().insert(VERSION, VERSION_VALUE);
    receiver.stats().answered("influx", &response);
    response
}

#[cfg(test)]
mod tests;
