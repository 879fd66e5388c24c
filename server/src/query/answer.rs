//! What an answer of Prometheus' HTTP API says, judged as promtool judges it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// Why there is nothing to show.
#[derive(Debug)]
pub(super) enum QueryFailure {
    /// Told in promtool's words, which need no more.
    Told(String),
    Other(anyhow::Error),
}

impl From<anyhow::Error> for QueryFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for QueryFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(anyhow::Error::from(error).context("standard output"))
    }
}

/// What was asked for, and what is to be known about it.
#[derive(Debug, PartialEq)]
pub(super) struct Answer<T> {
    pub(super) data: T,
    pub(super) warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Envelope<IgnoredAny> {
    fn without_data<T>(self) -> Envelope<T> {
        let Self { status, error_type, error, warnings, .. } = self;
        Envelope { status, data: None, error_type, error, warnings }
    }
}

fn told<T>(text: impl std::fmt::Display) -> Result<T, QueryFailure> {
    Err(QueryFailure::Told(format!("query error: {text}")))
}

/// Reads an answer. `is_own` is one of this process, whose errors are told whatever their status.
///
/// # Errors
/// That which the answer says, or that it says nothing that can be read.
pub(super) fn read<T: DeserializeOwned>(
    status: StatusCode,
    body: &[u8],
    is_own: bool,
) -> Result<Answer<T>, QueryFailure> {
    let code = status.as_u16();
    // bad requests and what cannot be evaluated are told in the answer itself
    let is_told = matches!(code, 400 | 422) || is_own;
    if !status.is_success() && !is_told {
        let text = match code / 100 {
            4 => format!("client_error: client error: {code}"),
            5 => format!("server_error: server error: {code}"),
            _ => return told(format!("bad_response: bad response code {code}")),
        };
        let detail = String::from_utf8_lossy(body);
        return match detail.trim() {
            "" => told(text),
            detail => told(format!("{text} (detail: {detail})")),
        };
    }
    let answer: Envelope<T> = match status.is_success() {
        true => serde_json::from_slice(body),
        // what stands in the place of the data is not looked at
        false => serde_json::from_slice(body).map(Envelope::<IgnoredAny>::without_data),
    }
    .or_else(|error| told(format!("bad_response: {error}")))?;
    match (answer.status.as_str(), answer.data) {
        ("error", _) => told(format!("{}: {}", answer.error_type, answer.error)),
        _ if !status.is_success() => told("bad_response: inconsistent body for response code".to_owned()),
        (_, Some(data)) => Ok(Answer { data, warnings: answer.warnings.unwrap_or_default() }),
        (_, None) => told("bad_response: the answer has no data".to_owned()),
    }
}

/// The labels of a series.
pub(super) type Series = BTreeMap<String, String>;

/// What an expression gives.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Value {
    Vector(Vec<Sample>),
    Matrix(Vec<Stream>),
    Scalar(Point<Number>),
    String(Point<String>),
}

/// Something at one time, in seconds.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Point<T>(pub(super) f64, pub(super) T);

/// One series at one time.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Sample {
    pub(super) metric: Series,
    pub(super) value: Option<Point<Number>>,
    pub(super) histogram: Option<Point<Histogram>>,
}

/// One series over time.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Stream {
    pub(super) metric: Series,
    #[serde(default)]
    pub(super) values: Vec<Point<Number>>,
    #[serde(default)]
    pub(super) histograms: Vec<Point<Histogram>>,
}

/// A native histogram.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Histogram {
    pub(super) count: Number,
    pub(super) sum: Number,
    pub(super) buckets: Option<Vec<Bucket>>,
}

/// Which bounds belong to it (0: the upper, 1: the lower, 2: none, 3: both), the bounds, and how much lies between them.
#[derive(Debug, Deserialize, PartialEq)]
pub(super) struct Bucket(pub(super) u8, pub(super) Number, pub(super) Number, pub(super) Number);

/// A number, which JSON has as a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| D::Error::custom(format!("{text:?} is no number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_is_told_as_promtool_does() {
        let check = |status: u16, body: &str, expect: &str| {
            let status = StatusCode::from_u16(status).expect("is one");
            match read::<Vec<String>>(status, body.as_bytes(), false) {
                Err(QueryFailure::Told(text)) => assert_eq!(text, format!("query error: {expect}")),
                other => panic!("{body}: {other:?}"),
            }
        };
        let error = r#"{"status":"error","errorType":"bad_data","error":"no"}"#;
        check(400, error, "bad_data: no");
        check(422, error, "bad_data: no");
        check(200, error, "bad_data: no");
        check(404, "404 page not found\n", "client_error: client error: 404 (detail: 404 page not found)");
        check(503, "", "server_error: server error: 503");
        check(302, "", "bad_response: bad response code 302");
        check(400, r#"{"status":"success","data":[]}"#, "bad_response: inconsistent body for response code");
    }

    #[test]
    fn an_own_error_is_told_whatever_its_status() {
        let body = br#"{"status":"error","errorType":"unavailable","error":"gone"}"#;
        let found = read::<Value>(StatusCode::INTERNAL_SERVER_ERROR, body, true);
        assert!(matches!(found, Err(QueryFailure::Told(text)) if text == "query error: unavailable: gone"));
    }

    #[test]
    fn warnings_come_with_the_data() {
        let body = br#"{"status":"success","data":["a"],"warnings":["w"]}"#;
        let found: Answer<Vec<String>> = read(StatusCode::OK, body, false).expect("is read");
        assert_eq!(found, Answer { data: vec!["a".to_owned()], warnings: vec!["w".to_owned()] });
    }
}
