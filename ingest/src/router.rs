//! Paths.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, any, get, post};
use http::StatusCode;

use crate::receiver::Receiver;
use crate::{answer, influx, otlp, remote_write};

/// What senders post to. Both ports have it.
pub fn router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/api/v1/write", only(post(remote_write::write)))
        .route("/v1/metrics", only(post(otlp::write)))
        .route("/api/v1/otlp/v1/metrics", only(post(otlp::write)))
        .with_state(receiver)
}

/// What senders of Influx line protocol post to, and what they ask before. The gateway's port has it.
pub fn influx_router(receiver: Arc<Receiver>) -> Router {
    Router::new()
        .route("/write", only(post(influx::write_v1)))
        .route("/api/v2/write", only(post(influx::write_v2)))
        .route("/ping", any(influx::ping))
        .route("/health", get(influx::health))
        .route("/query", get(influx::query).post(influx::query))
        .with_state(receiver)
}

/// Other methods are answered as Prometheus answers them.
fn only(post: MethodRouter<Arc<Receiver>>) -> MethodRouter<Arc<Receiver>> {
    post.options(async || answer::empty(StatusCode::NO_CONTENT)).fallback(async || answer::not_allowed())
}
