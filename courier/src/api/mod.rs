//! Alertmanager's API v2, below `/alertmanager`, so that amtool and whoever sends alerts to an Alertmanager may talk to Mayfly.

mod post;
mod show;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use notify::{Matcher, Matchers};
use serde::Serialize;
use serde_json::json;

use crate::courier::{Courier, CourierError};
use crate::go_json;

/// The routes, as axum writes them.
pub const API_PATHS: [&str; 7] = [
    "/alertmanager/api/v2/alerts",
    "/alertmanager/api/v2/alerts/groups",
    "/alertmanager/api/v2/receivers",
    "/alertmanager/api/v2/silence/{id}",
    "/alertmanager/api/v2/silences",
    "/alertmanager/api/v2/status",
    "/alertmanager/-/ready",
];

/// What a request may have in its body.
pub(crate) const BODY_BYTES_MAX: usize = 32 << 20;

type Served = State<Option<Arc<Courier>>>;

/// The API over a courier. Without one, every route says that there is none.
pub fn router(courier: Option<Arc<Courier>>) -> Router {
    Router::new()
        .route(API_PATHS[0], get(alerts).post(post_alerts))
        .route(API_PATHS[1], get(groups))
        .route(API_PATHS[2], get(receivers))
        .route(API_PATHS[3], get(silence).delete(end_silence))
        .route(API_PATHS[4], get(silences).post(post_silence))
        .route(API_PATHS[5], get(status))
        .route(API_PATHS[6], get(ready))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(courier)
}

/// Why a request is not answered as it hoped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// There is no courier.
    #[error("nobody is notified by this server: it has no --alertmanager.config-file")]
    NobodyNotifies,
    /// What is asked for is mistaken: told as a text.
    #[error("{0}")]
    Mistaken(String),
    /// The body is not what the description of the API says: told with a number.
    #[error("{reason}")]
    Body { status: StatusCode, code: u16, reason: String },
    /// There is no such silence.
    #[error("silence not found")]
    NoSilence { is_told: bool },
    /// The store does not answer.
    #[error(transparent)]
    Courier(#[from] CourierError),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let coded = |status, code: u16| answer(status, &json!({ "code": code, "message": text }));
        match self {
            Self::NobodyNotifies => coded(StatusCode::NOT_FOUND, 404),
            Self::Mistaken(_) => answer(StatusCode::BAD_REQUEST, &text),
            Self::Body { status, code, .. } => coded(status, code),
            Self::NoSilence { is_told: true } => answer(StatusCode::NOT_FOUND, &text),
            Self::NoSilence { is_told: false } => StatusCode::NOT_FOUND.into_response(),
            Self::Courier(error) => {
                tracing::warn!(%error, "a request about notifications failed");
                answer(StatusCode::SERVICE_UNAVAILABLE, &text)
            }
        }
    }
}

/// JSON in the form in which Alertmanager sends it.
fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], go_json::line(value)).into_response()
}

fn served(courier: Option<Arc<Courier>>) -> Result<Arc<Courier>, ApiError> {
    courier.ok_or(ApiError::NobodyNotifies)
}

async fn alerts(State(courier): Served, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    let asked = Asked::of(query.as_deref())?;
    let (book, state) = (courier.book(), courier.state.read().await?);
    let alerts = book.dispatcher.alerts(&state, courier.clock.now_ms());
    let shown: Vec<_> = alerts.iter().filter(|alert| asked.wants(alert)).map(show::alert).collect();
    Ok(answer(StatusCode::OK, &shown))
}

async fn groups(State(courier): Served, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    let asked = Asked::of(query.as_deref())?;
    let (book, state) = (courier.book(), courier.state.read().await?);
    let mut groups = book.dispatcher.groups(&state, courier.clock.now_ms());
    for group in &mut groups {
        group.alerts.retain(|alert| asked.wants(alert));
    }
    groups.retain(|group| !group.alerts.is_empty() && asked.is_receiver(group.receiver));
    let shown: Vec<_> = groups.iter().map(show::group).collect();
    Ok(answer(StatusCode::OK, &shown))
}

async fn receivers(State(courier): Served) -> Result<Response, ApiError> {
    let book = served(courier)?.book();
    let names = book.config.receivers.iter().map(|receiver| show::Receiver { name: &receiver.name });
    Ok(answer(StatusCode::OK, &names.collect::<Vec<_>>()))
}

async fn status(State(courier): Served) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    let book = courier.book();
    Ok(answer(StatusCode::OK, &show::status(&book.config, courier.started_ms)))
}

async fn ready(State(courier): Served) -> Result<&'static str, ApiError> {
    served(courier).map(|_| "OK")
}

async fn silences(State(courier): Served, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    let filter = Asked::of(query.as_deref())?.filter;
    let state = courier.state.read().await?;
    Ok(answer(StatusCode::OK, &show::silences(&state, &filter, courier.clock.now_ms())))
}

async fn silence(State(courier): Served, Path(id): Path<String>) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    check_id(&id)?;
    let state = courier.state.read().await?;
    let silence = state.silences().get(&id).ok_or(ApiError::NoSilence { is_told: false })?;
    Ok(answer(StatusCode::OK, &show::silence(&id, silence, courier.clock.now_ms())))
}

async fn end_silence(State(courier): Served, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let courier = served(courier)?;
    check_id(&id)?;
    let now_ms = courier.clock.now_ms();
    let (is_known, _) = courier.state.change(|state| state.expire_silence(&id, now_ms)).await?;
    courier.wake();
    if is_known { Ok(StatusCode::OK) } else { Err(ApiError::NoSilence { is_told: false }) }
}

async fn post_silence(State(courier): Served, headers: HeaderMap, body: Bytes) -> Result<Response, ApiError> {
    let courier = served(courier)?;
    check_type(&headers)?;
    let (id, silence) = post::silence(&body)?;
    if let Some(id) = &id {
        check_id(id)?;
    }
    let (now_ms, new_id) = (courier.clock.now_ms(), random_id());
    let set = |state: &mut notify::State| state.set_silence(id.as_deref(), silence.clone(), &new_id, now_ms);
    let (set, _) = courier.state.change(set).await?;
    courier.wake();
    match set {
        Ok(id) => Ok(answer(StatusCode::OK, &json!({ "silenceID": id }))),
        Err(notify::SilenceError::NotFound) => Err(ApiError::NoSilence { is_told: true }),
        Err(error) => Err(ApiError::Mistaken(error.to_string())),
    }
}

async fn post_alerts(
    State(courier): Served,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let courier = served(courier)?;
    check_type(&headers)?;
    let (alerts, mistakes) = post::alerts(&body, courier.clock.now_ms())?;
    if !alerts.is_empty() {
        courier.take_and_see(alerts).await?;
    }
    // as in Alertmanager: what is good of a batch is taken all the same
    if mistakes.is_empty() { Ok(StatusCode::OK) } else { Err(ApiError::Mistaken(mistakes.join("\n"))) }
}

/// A page of another site can post whatever it likes, but not as JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    // what says nothing is bytes, as in Alertmanager
    let nothing = "application/octet-stream";
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(nothing);
    let kind = given.split(';').next().unwrap_or("").trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let kind = model::quote::quoted(kind);
    let reason = format!("unsupported media type {kind}, only [application/json] are allowed");
    Err(ApiError::Body { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, code: 415, reason })
}

fn check_id(id: &str) -> Result<(), ApiError> {
    let is_uuid = id.len() == 36
        && id.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    if is_uuid {
        return Ok(());
    }
    let reason = format!("silenceID in path must be of type uuid: {}", model::quote::quoted(id));
    Err(ApiError::Body { status: StatusCode::UNPROCESSABLE_ENTITY, code: 601, reason })
}

/// A UUID of version 4.
fn random_id() -> String {
    let (high, low) = (edge::identity(), edge::identity());
    let hex = format!("{high:016x}{low:016x}");
    let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16]) % 4];
    format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// What a request wants to see.
struct Asked {
    filter: Matchers,
    receiver: Option<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
}

impl Asked {
    fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let mut asked = Self {
            filter: Matchers::default(),
            receiver: None,
            active: true,
            silenced: true,
            inhibited: true,
        };
        for (name, value) in pairs(query.unwrap_or("")) {
            let told = |error: notify::MatcherError| ApiError::Mistaken(error.to_string());
            match name.as_str() {
                "filter" => asked.filter.extend(Matchers::read(&value).map_err(told)?.matchers),
                "receiver" if !value.is_empty() => {
                    let receiver = Matcher::new("receiver", model::MatchOp::Regex, &value);
                    asked.receiver = Some(receiver.map_err(|error| {
                        ApiError::Mistaken(format!("failed to parse receiver param: {error}"))
                    })?);
                }
                "active" => asked.active = is_true(&value),
                "silenced" => asked.silenced = is_true(&value),
                "inhibited" => asked.inhibited = is_true(&value),
                _ => {}
            }
        }
        Ok(asked)
    }

    fn wants(&self, alert: &notify::ShownAlert<'_>) -> bool {
        let (is_silenced, is_inhibited) = (!alert.silenced_by.is_empty(), alert.inhibited_by.is_some());
        (self.active || is_silenced || is_inhibited)
            && (self.silenced || !is_silenced)
            && (self.inhibited || !is_inhibited)
            && alert.receivers.iter().any(|receiver| self.is_receiver(receiver))
            && self.filter.matches(&alert.alert.labels)
    }

    fn is_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|receiver| receiver.matches(name))
    }
}

/// What Alertmanager's library takes for it.
fn is_true(value: &str) -> bool {
    let words = ["", "1", "true", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"];
    words.contains(&value.to_lowercase().as_str())
}

/// Names and values of a query.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = || u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok();
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => match hex() {
                Some(byte) => {
                    out.push(byte);
                    at += 2;
                }
                None => out.push(b'%'),
            },
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
