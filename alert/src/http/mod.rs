//! `GET /api/v1/rules`, `/api/v1/alerts` and `/api/v1/alertmanagers`, as Prometheus answers them.

mod filter;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use access::Grant;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Serialize;

use crate::tick::{Evaluator, TickError};
use filter::{Filter, FilterError};

pub use filter::Selector;

/// The paths of [`router`].
pub const PATHS: [&str; 3] = ["/api/v1/rules", "/api/v1/alerts", "/api/v1/alertmanagers"];

/// The routes of the rules API, over the state that the evaluator's ticks write. `selector` reads the parameter `match[]`.
///
/// A token that is bound to some series sees the rules whose own labels, and the alerts whose labels are within its bounds.
pub fn router(evaluator: Arc<Evaluator>, selector: Selector) -> Router {
    let [of_rules, of_alerts, of_alertmanagers] = PATHS;
    Router::new()
        .route(of_rules, get(rules))
        .route(of_alerts, get(alerts))
        .route(of_alertmanagers, get(alertmanagers))
        .with_state(Served { evaluator, selector })
}

#[derive(Clone)]
struct Served {
    evaluator: Arc<Evaluator>,
    selector: Selector,
}

async fn rules(
    State(Served { evaluator, selector }): State<Served>,
    grant: Option<Extension<Grant>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let filter = Filter::parse(query.as_deref().unwrap_or(""), selector)?.within(granted(grant));
    let state = evaluator.load().await?;
    let default_ms = evaluator.settings().evaluation_interval_ms;
    Ok(success(&view::rules(&evaluator.rules(), &state, default_ms, &filter)?))
}

async fn alerts(
    State(Served { evaluator, .. }): State<Served>,
    grant: Option<Extension<Grant>>,
) -> Result<Response, ApiError> {
    let state = evaluator.load().await?;
    Ok(success(&view::alerts(&evaluator.rules(), &state, &granted(grant))))
}

/// What the request may see.
fn granted(grant: Option<Extension<Grant>>) -> Grant {
    grant.map(|Extension(grant)| grant).unwrap_or_default()
}

async fn alertmanagers(State(Served { evaluator, .. }): State<Served>) -> Response {
    success(&view::alertmanagers(evaluator.receivers(), &evaluator.settings().dropped_receivers))
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    status: &'a str,
    data: &'a T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refusal<'a> {
    status: &'a str,
    error_type: &'a str,
    error: String,
}

fn success<T: Serialize>(data: &T) -> Response {
    json(StatusCode::OK, &Envelope { status: "success", data })
}

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], like_go(&text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "answer has no JSON form");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Go's encoder escapes what HTML would take for markup. In JSON these characters stand in texts only.
fn like_go(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(transparent)]
    Parameter(#[from] FilterError),
    #[error(transparent)]
    State(#[from] TickError),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, error_type) = match &self {
            Self::Parameter(_) => (StatusCode::BAD_REQUEST, "bad_data"),
            Self::State(error) => {
                tracing::error!(%error, "rule state not read");
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
        };
        json(status, &Refusal { status: "error", error_type, error: self.to_string() })
    }
}
