//! What is posted: alerts and silences.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::Timestamp;
use model::Labels;
use notify::{Received, Silence, SilenceMatcher};
use serde::{Deserialize, Deserializer};

use super::ApiError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedAlert {
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "time")]
    starts_at: Option<i64>,
    #[serde(default, deserialize_with = "time")]
    ends_at: Option<i64>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedSilence {
    #[serde(default)]
    id: Option<String>,
    matchers: Option<Vec<SilenceMatcher>>,
    #[serde(default, deserialize_with = "time")]
    starts_at: Option<i64>,
    #[serde(default, deserialize_with = "time")]
    ends_at: Option<i64>,
    created_by: Option<String>,
    comment: Option<String>,
}

/// Milliseconds; the zero of Go's clock is none.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let parsed: Result<Timestamp, _> = text.parse();
    let at = parsed.map_err(|_| serde::de::Error::custom(format!("{text:?} is no time of RFC 3339")))?;
    Ok((at.as_second() > ZERO_S).then(|| at.as_millisecond()))
}

/// The year 1, before 1970.
const ZERO_S: i64 = -62_135_596_800;

fn unprocessable(code: u16, reason: String) -> ApiError {
    ApiError::Body { status: StatusCode::UNPROCESSABLE_ENTITY, code, reason }
}

fn unreadable(what: &str, error: &serde_json::Error) -> ApiError {
    let reason = format!("parsing {what} body from \"\" failed, because {error}");
    ApiError::Body { status: StatusCode::BAD_REQUEST, code: 400, reason }
}

/// The alerts of a body that are good, and what is wrong with the others.
pub(super) fn alerts(body: &[u8], now_ms: i64) -> Result<(Vec<Received>, Vec<String>), ApiError> {
    let posted: Vec<PostedAlert> =
        serde_json::from_slice(body).map_err(|error| unreadable("alerts", &error))?;
    let (mut good, mut mistakes) = (Vec::new(), Vec::new());
    for (at, alert) in posted.into_iter().enumerate() {
        let Some(labels) = alert.labels else {
            return Err(unprocessable(602, format!("{at}.labels in body is required")));
        };
        let generator_url = alert.generator_url.unwrap_or_default();
        if !is_uri(&generator_url) {
            let url = model::quote::quoted(&generator_url);
            return Err(unprocessable(601, format!("{at}.generatorURL in body must be of type uri: {url}")));
        }
        // a label with an empty value is none
        let labels: BTreeMap<String, String> =
            labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let annotations = alert.annotations.unwrap_or_default();
        match mistake(&labels, &annotations, alert.starts_at, alert.ends_at, now_ms) {
            Some(mistake) => mistakes.push(mistake),
            None => good.push(Received {
                labels: Labels::from_pairs(labels),
                annotations: Labels::from_pairs(annotations),
                starts_at_ms: alert.starts_at,
                ends_at_ms: alert.ends_at,
                generator_url,
                at_ms: now_ms,
            }),
        }
    }
    Ok((good, mistakes))
}

fn mistake(
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    now_ms: i64,
) -> Option<String> {
    let starts_at = starts_at.or(ends_at).unwrap_or(now_ms);
    if ends_at.is_some_and(|ends_at| ends_at < starts_at) {
        return Some("start time must be before end time".to_owned());
    }
    if labels.is_empty() {
        return Some("at least one label pair required".to_owned());
    }
    if labels.contains_key("") {
        return Some("invalid label set: invalid name \"\"".to_owned());
    }
    annotations.contains_key("").then(|| "invalid annotations: invalid name \"\"".to_owned())
}

/// Nothing, a path, or what begins with a scheme.
fn is_uri(url: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    url.is_empty() || url.starts_with('/') || url.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// A silence, and the id of the one that it changes.
pub(super) fn silence(body: &[u8]) -> Result<(Option<String>, Silence), ApiError> {
    let posted: PostedSilence =
        serde_json::from_slice(body).map_err(|error| unreadable("silence", &error))?;
    let required = |name: &str| unprocessable(602, format!("{name} in body is required"));
    let comment = posted.comment.ok_or_else(|| required("comment"))?;
    let created_by = posted.created_by.ok_or_else(|| required("createdBy"))?;
    let ends_at_ms = posted.ends_at.ok_or_else(|| required("endsAt"))?;
    let matchers = posted.matchers.ok_or_else(|| required("matchers"))?;
    if matchers.is_empty() {
        return Err(unprocessable(612, "matchers in body should have at least 1 items".to_owned()));
    }
    let starts_at_ms = posted.starts_at.ok_or_else(|| required("startsAt"))?;
    let silence = Silence { matchers, starts_at_ms, ends_at_ms, created_by, comment, updated_at_ms: 0 };
    Ok((posted.id.filter(|id| !id.is_empty()), silence))
}
