//! Requests to a relay and back.

use std::sync::Arc;
use std::time::Duration;

use access::{Place, Room, Unreceived};
use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use model::{Change, Clock, Labels, MetricType};
use tokio::time::timeout;
use wire::encoding::Encoding;
use wire::name_escaping::Escaping;
use wire::{BodyFormat, Family, protobuf};

use super::placing::place;
use super::push::{Adds, RelayedPush, protobuf_type, series};
use crate::answer;
use crate::error::GatewayError;
use crate::intake::{self, Body, IntakeError};
use crate::path::{Destination, GroupPath, Resource, Routes, grouping_labels};
use crate::settings::Settings;
use crate::terms::{INHERITED, Terms};

/// Who hands pushes on. It answers at once: senders wait for it.
pub trait Taker: Send + Sync {
    /// Takes what can be added up.
    ///
    /// # Errors
    /// If there is no room for it; then nothing of it was taken.
    fn add(&self, adds: Adds) -> Result<(), Full>;

    /// Takes a push that stands by itself, to be sent after all that came before for its group.
    ///
    /// # Errors
    /// If there is no room for it.
    fn push(&self, push: RelayedPush) -> Result<(), Full>;
}

/// There is no room for a push: it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bytes} bytes find no room among what waits to be sent, of which no more than {bytes_max} bytes are kept"
)]
pub struct Full {
    /// What it would take.
    pub bytes: usize,
    /// The limit.
    pub bytes_max: usize,
}

struct Relay {
    routes: Routes,
    settings: Settings,
    room: Arc<Room>,
    labels: Labels,
    clock: Arc<dyn Clock>,
    taker: Arc<dyn Taker>,
}

/// The routes of pushes (`/metrics/job/…` and `/aggregate/metrics/job/…`), `/-/healthy` and `/-/ready`. What is pushed is checked within
/// the settings' limits, gets these labels where it has none of their names, and goes to the taker, which is answered 202.
pub fn relay_router(
    settings: Settings,
    room: Arc<Room>,
    labels: Labels,
    clock: Arc<dyn Clock>,
    taker: Arc<dyn Taker>,
) -> Router {
    let routes = Routes::of(&settings.web);
    let relay = Relay { routes, settings, room, labels, clock, taker };
    Router::new().fallback(answered).with_state(Arc::new(relay))
}

async fn answered(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let method = request.method().clone();
    match relay.routes.destination(&method, request.uri().path()) {
        Destination::Resource(Resource::Group(path)) => match relay.take(&path, request).await {
            Ok(Ok(())) => answer::empty(StatusCode::ACCEPTED),
            Ok(Err(full)) => answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")),
            Err(error) => answer::error(&error),
        },
        Destination::Resource(Resource::Healthy | Resource::Ready) => answer::ok_text(),
        Destination::Resource(_) | Destination::NotFound => answer::not_found(),
        Destination::Options(allow) => answer::options(allow),
        Destination::NotAllowed(allow) => answer::not_allowed(allow),
        Destination::Redirect { keeps_method, location } => {
            answer::redirect(&method, keeps_method, &location)
        }
        Destination::BadRequest => answer::bad_request(),
    }
}

impl Relay {
    async fn take(&self, path: &[u8], request: Request) -> Result<Result<(), Full>, GatewayError> {
        // a path that was routed here is one of a group
        let Some(path) = GroupPath::of(path) else { return Ok(Ok(())) };
        let group = grouping_labels(&path, self.settings.utf8_names)?;
        let (head, body) = request.into_parts();
        let terms = Terms::of(&head.method, path.is_aggregated, &head.headers, &self.settings)?;
        let term = |name| Some((head.headers.get(&name)?.clone(), name));
        let terms_given = INHERITED.into_iter().filter_map(term).map(|(value, name)| (name, value));
        let push = RelayedPush {
            method: head.method,
            is_aggregated: path.is_aggregated,
            group,
            headers: terms_given.collect(),
            body: bytes::Bytes::new(),
            series: 0,
        };
        if push.method == Method::DELETE {
            let (group, _) = place(&self.labels, &push.group, &mut []);
            return Ok(self.taker.push(RelayedPush { group, ..push }));
        }
        let (bytes, room) = self.receive(body).await?;
        let format = BodyFormat::of_header(text(&head.headers, &CONTENT_TYPE));
        let encoding = Encoding::of_header(text(&head.headers, &CONTENT_ENCODING));
        let mut body = Body { format, encoding, bytes, place: room };
        let mut families = intake::families(&mut body, &self.settings)?;
        let (group, is_changed) = place(&self.labels, &push.group, &mut families);
        // what a gateway would refuse is refused here, where the sender hears of it
        intake::push(&terms, &group, families.clone(), self.clock.now_us(), &self.settings)?;
        let push = RelayedPush { group, series: series(&families), ..push };
        let is_usual = |family: &Family| !has_clear_mode(family) && is_of_protobuf(family.r#type);
        if terms.change == Change::Merge && push.headers.is_empty() && families.iter().all(is_usual) {
            return Ok(self.taker.add(Adds { group: push.group, families }));
        }
        Ok(self.taker.push(match is_changed {
            true => rewritten(push, &families),
            false => as_sent(push, &head.headers, body.bytes),
        }))
    }

    async fn receive(&self, body: HttpBody) -> Result<(bytes::Bytes, Place), GatewayError> {
        let (max, max_ms) = (self.settings.body_bytes_max, self.settings.body_timeout_ms);
        let received = timeout(Duration::from_millis(max_ms), self.room.receive(body, max)).await;
        received.map_err(|_| GatewayError::SlowBody { max_ms })?.map_err(|error| match error {
            Unreceived::TooLarge => {
                IntakeError::TooLarge { what: "body", limit: "body_bytes_max", max }.into()
            }
            Unreceived::NoRoom(full) => IntakeError::NoRoom(full).into(),
            Unreceived::Failed(error) => GatewayError::Receive(error),
        })
    }
}

/// Whether a sample says itself how it is added.
fn has_clear_mode(family: &Family) -> bool {
    let has =
        |metric: &wire::Metric| metric.labels.iter().any(|(name, _)| **name == *crate::aggregate::CLEAR_MODE);
    family.metrics.iter().any(has)
}

/// Whether protobuf has a word for it: what is added up is written so.
fn is_of_protobuf(r#type: MetricType) -> bool {
    !matches!(r#type, MetricType::Info | MetricType::StateSet)
}

fn as_sent(mut push: RelayedPush, headers: &HeaderMap, body: bytes::Bytes) -> RelayedPush {
    for name in [CONTENT_TYPE, CONTENT_ENCODING] {
        if let Some(value) = headers.get(&name) {
            push.headers.push((name, value.clone()));
        }
    }
    RelayedPush { body, ..push }
}

fn rewritten(mut push: RelayedPush, families: &[Family]) -> RelayedPush {
    push.headers.push(protobuf_type());
    RelayedPush { body: protobuf::write(families, Escaping::AllowUtf8).into(), ..push }
}

/// The value of a header that stands once and is text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::to_str).and_then(Result::ok)
}
