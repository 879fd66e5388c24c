//! What instrumented code talks to on localhost: it is answered as soon as what it says is in memory.

mod otlp;
mod statsd;

use std::sync::Arc;

use access::Room;
use axum::Router;
use edge::SystemClock;
use ingest::ExportTaker;
use model::Labels;

use crate::outbox::Outbox;

pub(crate) use otlp::Otlp;
pub(crate) use statsd::StatsdPort;

/// Bytes of one body, and of what it is inflated to: functions have little memory, and what is sent on has to fit a request to Lambda.
const BODY_BYTES_MAX: usize = 1 << 20;
const INFLATED_BYTES_MAX: usize = 2 << 20;
/// Memory of all that is received at once.
const ROOM_BYTES_MAX: usize = 8 << 20;
/// Metrics, buckets and the like of one request.
const SERIES_MAX: usize = 20_000;
/// Requests that are worked on at once.
const IN_FLIGHT_MAX: usize = 64;

/// The Pushgateway's API and OTLP over HTTP, the same on each port.
pub(crate) fn router(outbox: &Arc<Outbox>, otlp: Otlp, labels: Labels) -> Router {
    let room = Room::new(ROOM_BYTES_MAX);
    let pushes = gateway::Settings {
        pushes_in_flight_max: IN_FLIGHT_MAX,
        body_bytes_max: BODY_BYTES_MAX,
        inflated_body_bytes_max: INFLATED_BYTES_MAX,
        series_per_push_max: SERIES_MAX,
        ..gateway::Settings::default()
    };
    let exports = ingest::Settings {
        writes_in_flight_max: IN_FLIGHT_MAX,
        body_bytes_max: BODY_BYTES_MAX,
        inflated_body_bytes_max: INFLATED_BYTES_MAX,
        otlp_json_bytes_max: BODY_BYTES_MAX,
        samples_per_request_max: SERIES_MAX,
        ..ingest::Settings::default()
    };
    let taker: Arc<dyn ExportTaker> = Arc::new(otlp);
    let exports = ingest::export_router(exports, Arc::clone(&room), taker);
    let clock = Arc::new(SystemClock);
    let pushes = gateway::relay_router(pushes, room, labels, clock, Arc::clone(outbox) as _);
    exports.fallback_service(pushes)
}
