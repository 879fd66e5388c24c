//! Paths.

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use http::StatusCode;

use crate::receiver::Receiver;
use crate::{answer, remote_write};

/// What senders post to. Both ports have it.
pub fn router(receiver: Arc<Receiver>) -> Router {
    let write = post(remote_write::write)
        .options(async || answer::empty(StatusCode::NO_CONTENT))
        .fallback(async || answer::not_allowed());
    Router::new().route("/api/v1/write", write).with_state(receiver)
}
