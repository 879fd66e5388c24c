//! Requests to the gateway and back. There are no decisions here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::LengthLimitError;
use model::{Change, Labels};
use tokio::time::timeout;
use wire::encoding::Encoding;
use wire::{Accepted, BodyFormat};

use crate::answer;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::intake::{Body, IntakeError};
use crate::path::{Destination, GroupPath, Resource, destination, grouping_labels};
use crate::settings::Settings;

#[cfg(test)]
mod tests;

/// The gateway's routes.
///
/// Its fallback answers for every path that no route has, since the paths that clients send wrong (`//metrics`,
/// `/METRICS`) are redirected. Who merges it with a router that has a fallback too takes one of them away with
/// [`Router::reset_fallback`].
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/metrics", any(answer))
        .route("/metrics/{*group}", any(answer))
        .route("/-/healthy", any(answer))
        .route("/-/ready", any(answer))
        .fallback(answer)
        .with_state(gateway)
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let method = request.method().clone();
    match destination(&method, request.uri().path()) {
        Destination::Resource(resource) => {
            resource_answer(&gateway, resource, request).await.unwrap_or_else(|error| answer::error(&error))
        }
        Destination::Options(allow) => answer::options(allow),
        Destination::NotAllowed(allow) => answer::not_allowed(allow),
        Destination::Redirect { keeps_method, mut location } => {
            if let Some(query) = request.uri().query() {
                location = format!("{location}?{query}");
            }
            answer::redirect(&method, keeps_method, &location)
        }
        Destination::NotFound => answer::not_found(),
        Destination::BadRequest => answer::bad_request(),
    }
}

async fn resource_answer(
    gateway: &Gateway,
    resource: Resource,
    request: Request,
) -> Result<Response, GatewayError> {
    match resource {
        Resource::Healthy | Resource::Ready => Ok(answer::ok_text()),
        Resource::Metrics => {
            let accepted = Accepted::of_header(header(request.headers(), &ACCEPT));
            let is_gzip = accepts_gzip(header(request.headers(), &ACCEPT_ENCODING));
            Ok(answer::page(gateway.page(accepted, is_gzip).await?))
        }
        Resource::Group(path) => group_answer(gateway, &path, request).await,
    }
}

async fn group_answer(gateway: &Gateway, path: &[u8], request: Request) -> Result<Response, GatewayError> {
    let Some(path) = GroupPath::of(path) else { return Ok(answer::not_found()) };
    let group = grouping_labels(&path, gateway.settings().utf8_names)?;
    let _place = gateway.admit()?;
    match *request.method() {
        Method::PUT => push(gateway, Change::ReplaceGroup, group, request).await,
        Method::POST => push(gateway, Change::ReplaceFamilies, group, request).await,
        _ => {
            gateway.delete(&group).await?;
            Ok(answer::empty(StatusCode::ACCEPTED))
        }
    }
}

async fn push(
    gateway: &Gateway,
    change: Change,
    group: Labels,
    request: Request,
) -> Result<Response, GatewayError> {
    let (head, body) = request.into_parts();
    let body = Body {
        format: BodyFormat::of_header(header(&head.headers, &CONTENT_TYPE)),
        encoding: Encoding::of_header(header(&head.headers, &CONTENT_ENCODING)),
        bytes: receive(body, gateway.settings()).await?,
    };
    gateway.push(change, group, body).await?;
    Ok(answer::empty(StatusCode::OK))
}

async fn receive(body: HttpBody, settings: &Settings) -> Result<bytes::Bytes, GatewayError> {
    let (max, max_ms) = (settings.body_bytes_max, settings.body_timeout_ms);
    let received = timeout(Duration::from_millis(max_ms), axum::body::to_bytes(body, max)).await;
    received.map_err(|_| GatewayError::SlowBody { max_ms })?.map_err(|error| {
        if std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
            IntakeError::TooLarge { what: "body", limit: "body_bytes_max", max }.into()
        } else {
            GatewayError::Receive(error)
        }
    })
}

/// The value of a header that stands once and is text.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    accept_encoding.unwrap_or("").split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let is_gzip = words.next().is_some_and(|word| word.eq_ignore_ascii_case("gzip"));
        is_gzip && !words.any(|word| matches!(word, "q=0" | "q=0.0"))
    })
}
