//! Paths.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, any, get, post};
use http::StatusCode;

use crate::receiver::Receiver;
use crate::{answer, influx, otlp, remote_write};

type Route = (&'static str, MethodRouter<Arc<Receiver>>);

/// What senders post to. Both ports have it.
pub fn router(receiver: Arc<Receiver>) -> Router {
    of_routes(routes(), receiver)
}

/// What senders of Influx line protocol post to, and what they ask before. The gateway's port has it.
pub fn influx_router(receiver: Arc<Receiver>) -> Router {
    of_routes(influx_routes(), receiver)
}

/// The paths of [`router`], as axum writes them.
pub fn paths() -> Vec<&'static str> {
    routes().into_iter().map(|(path, _)| path).collect()
}

/// The paths of [`influx_router`].
pub fn influx_paths() -> Vec<&'static str> {
    influx_routes().into_iter().map(|(path, _)| path).collect()
}

fn routes() -> Vec<Route> {
    vec![
        ("/api/v1/write", only(post(remote_write::write))),
        ("/v1/metrics", only(post(otlp::write))),
        ("/api/v1/otlp/v1/metrics", only(post(otlp::write))),
    ]
}

fn influx_routes() -> Vec<Route> {
    vec![
        ("/write", only(post(influx::write_v1))),
        ("/api/v2/write", only(post(influx::write_v2))),
        ("/ping", any(influx::ping)),
        ("/health", get(influx::health)),
        ("/query", get(influx::query).post(influx::query)),
    ]
}

fn of_routes(routes: Vec<Route>, receiver: Arc<Receiver>) -> Router {
    let router =
        routes.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router.with_state(receiver)
}

/// Other methods are answered as Prometheus answers them.
fn only(post: MethodRouter<Arc<Receiver>>) -> MethodRouter<Arc<Receiver>> {
    post.options(async || answer::empty(StatusCode::NO_CONTENT)).fallback(async || answer::not_allowed())
}
