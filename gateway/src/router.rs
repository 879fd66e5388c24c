//! Requests to the gateway and back. There are no decisions here.

use std::sync::Arc;
use std::time::Duration;

use access::{Grant, Place, Scope, Unreceived};
use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::{StreamExt, stream};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, Method, StatusCode};
use model::Labels;
use tokio::time::timeout;
use wire::encoding::{AnswerEncoding, Encoding};
use wire::{Accepted, BodyFormat};

use crate::answer;
use crate::api;
use crate::error::GatewayError;
use crate::gateway::{Gateway, Pushed};
use crate::intake::{self, Body, IntakeError};
use crate::path::{ApiResource, Destination, GroupPath, Resource, Routes, grouping_labels};
use crate::scrape;
use crate::settings::Web;
use crate::terms::Terms;
use crate::web_page::web_page;

#[cfg(test)]
mod aggregate_tests;
#[cfg(test)]
mod exemplar_tests;
#[cfg(test)]
mod tests;

/// The gateway's routes: all paths, since those that clients send wrong (`//metrics`, `/METRICS`) are redirected.
pub fn router(gateway: Arc<Gateway>) -> Router {
    let routes = Routes::of(&gateway.settings().web);
    Router::new().fallback(answer).with_state(Arc::new(Shared { gateway, routes }))
}

/// The paths of [`router`] with these settings, where `{name}` stands for anything without a slash and `{*name}` for anything.
pub fn paths(web: &Web) -> Vec<String> {
    Routes::of(web).paths()
}

struct Shared {
    gateway: Arc<Gateway>,
    routes: Routes,
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let method = request.method().clone();
    match shared.routes.destination(&method, request.uri().path()) {
        Destination::Resource(resource) => {
            let handler = handler(&resource, &method);
            let answered = resource_answer(&shared, resource, request).await;
            let response = answered.unwrap_or_else(|error| refused(&shared.gateway, &error));
            if let Some(handler) = handler {
                shared.gateway.stats().answered(handler, response.status().as_u16(), word(&method));
            }
            response
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

/// What the request may do.
fn granted(request: &Request) -> Grant {
    request.extensions().get::<Grant>().cloned().unwrap_or_default()
}

fn refused(gateway: &Gateway, error: &GatewayError) -> Response {
    if let Some(limit) = error.limit() {
        gateway.stats().exceeded(limit);
    }
    answer::error(error)
}

/// As what a request is counted. Scrapes are not.
fn handler(resource: &Resource, method: &Method) -> Option<&'static str> {
    Some(match resource {
        Resource::Metrics | Resource::Quit => return None,
        Resource::Page => "status",
        Resource::Healthy => "healthy",
        Resource::Ready => "ready",
        Resource::Group(_) if method == Method::DELETE => "delete",
        Resource::Group(_) => "push",
        Resource::Api(ApiResource::Status) => "api/v1/status",
        Resource::Api(ApiResource::Metrics) => "api/v1/metrics",
        Resource::Api(ApiResource::Options) => "api/v1/options",
        Resource::Api(ApiResource::Wipe) => "wipe",
        Resource::Api(ApiResource::Groups) => "api/v1/groups",
        Resource::Api(ApiResource::Batch) => "api/v1/batch",
    })
}

/// The methods that resources have, in lower case.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::PUT => "put",
        Method::POST => "post",
        Method::DELETE => "delete",
        Method::OPTIONS => "options",
        _ => "unknown",
    }
}

async fn resource_answer(
    shared: &Shared,
    resource: Resource,
    request: Request,
) -> Result<Response, GatewayError> {
    let gateway = &*shared.gateway;
    let grant = granted(&request);
    match resource {
        Resource::Healthy => Ok(health(gateway)),
        Resource::Ready => gateway.ready().await.map(|()| health(gateway)),
        Resource::Metrics => {
            let place = gateway.admit_scrape()?;
            let accept = header(request.headers(), &ACCEPT);
            let accepted = Accepted::of_header(accept, gateway.settings().web.openmetrics);
            let encoding = AnswerEncoding::of_header(header(request.headers(), &ACCEPT_ENCODING));
            Ok(answer::page(gateway.page(accepted, encoding, &grant).await?, place))
        }
        Resource::Group(path) => group_answer(gateway, &path, request, &grant).await,
        Resource::Quit => Ok(quit(gateway, request.method())),
        Resource::Page => {
            let place = gateway.admit_scrape()?;
            let number = page_number(request.uri().query().unwrap_or(""));
            let live = gateway.live_groups(&grant).await?;
            let about = gateway.about_process();
            let about = if grant.is_bounded() { &about.without_flags() } else { about };
            let prefix = shared.routes.prefix();
            let page = web_page(&live, about, &gateway.settings().web, &prefix, number);
            Ok(answer::html(answer::keeping(place, page.into_bytes())))
        }
        Resource::Api(resource) => api_answer(shared, resource, request, &grant).await,
    }
}

async fn api_answer(
    shared: &Shared,
    resource: ApiResource,
    request: Request,
    grant: &Grant,
) -> Result<Response, GatewayError> {
    let gateway = &*shared.gateway;
    match resource {
        ApiResource::Options => Ok(answer::api_options()),
        ApiResource::Status => Ok(answer::json(api::status(gateway.about_process()))),
        ApiResource::Metrics => {
            let place = gateway.admit_scrape()?;
            let live = gateway.live_groups(grant).await?;
            scrape::check_count(&live, gateway.settings())?;
            let write = move || answer::json_keeping(place, api::groups(&live));
            tokio::task::spawn_blocking(write).await.map_err(|_| GatewayError::Interrupted)
        }
        ApiResource::Wipe => {
            gateway.wipe(grant).await?;
            Ok(answer::empty(StatusCode::ACCEPTED))
        }
        ApiResource::Groups => {
            let deletion = api::Deletion::of_query(request.uri().query().unwrap_or(""))?;
            Ok(answer::json(gateway.delete_selected(&deletion, grant).await?))
        }
        ApiResource::Batch => batch(shared, request, grant).await,
    }
}

/// Requests of one batch that are worked on at once.
const BATCH_AT_ONCE: usize = 32;

async fn batch(shared: &Shared, request: Request, grant: &Grant) -> Result<Response, GatewayError> {
    let settings = shared.gateway.settings();
    let kept;
    let requests = {
        let _place = shared.gateway.admit()?;
        let (head, body) = request.into_parts();
        let encoding = Encoding::of_header(header(&head.headers, &CONTENT_ENCODING));
        let (body, mut place) = receive(body, &shared.gateway).await?;
        let requests = {
            let inflated = intake::inflated(encoding, &body, &mut place, settings.inflated_body_bytes_max)?;
            let (utf8_names, max) = (settings.utf8_names, settings.requests_per_batch_max);
            api::requests(&inflated, &head.headers, &shared.routes, utf8_names, max)?
        };
        // their bodies wait for their turn
        place.shrink_to(requests.iter().map(|single| single.body.len()).sum());
        kept = place;
        requests
    };
    let outcomes =
        stream::iter(requests).map(|single| outcome(shared, single, grant)).buffered(BATCH_AT_ONCE);
    let outcomes = outcomes.collect::<Vec<_>>().await;
    drop(kept);
    Ok(answer::json(outcomes))
}

/// What the request would have been answered alone.
async fn outcome(shared: &Shared, single: api::Single, grant: &Grant) -> api::Outcome {
    let response = match single.destination {
        Destination::Resource(Resource::Group(path)) => {
            let mut request = Request::new(HttpBody::from(single.body));
            (*request.method_mut(), *request.headers_mut()) = (single.method, single.headers);
            let answered = group_answer(&shared.gateway, &path, request, grant).await;
            answered.unwrap_or_else(|error| refused(&shared.gateway, &error))
        }
        Destination::NotAllowed(allow) => answer::not_allowed(allow),
        Destination::BadRequest => answer::bad_request(),
        _ => answer::not_found(),
    };
    let status = response.status();
    // the texts of errors have a limit of their own
    let text = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
    let error = (!status.is_success()).then(|| String::from_utf8_lossy(&text).trim_end().to_owned());
    api::Outcome { status: status.as_u16(), error }
}

fn health(gateway: &Gateway) -> Response {
    if gateway.is_full() {
        return answer::text(StatusCode::INTERNAL_SERVER_ERROR, "write queue is full\n");
    }
    answer::ok_text()
}

fn quit(gateway: &Gateway, method: &Method) -> Response {
    if method == Method::GET {
        let text = "Only POST or PUT requests allowed.";
        return answer::handler_text(StatusCode::METHOD_NOT_ALLOWED, text);
    }
    if !gateway.settings().web.lifecycle {
        return answer::handler_text(StatusCode::FORBIDDEN, "Lifecycle API is not enabled.");
    }
    tracing::warn!("asked by a request to end");
    gateway.request_quit();
    answer::handler_text(StatusCode::OK, "Requesting termination... Goodbye!")
}

/// What `page=` says; 1 if it says no number.
fn page_number(query: &str) -> usize {
    let number = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

async fn group_answer(
    gateway: &Gateway,
    path: &[u8],
    request: Request,
    grant: &Grant,
) -> Result<Response, GatewayError> {
    let Some(path) = GroupPath::of(path) else { return Ok(answer::not_found()) };
    let group = grouping_labels(&path, gateway.settings().utf8_names)?;
    let method = request.method().clone();
    // a batch holds requests of both kinds
    grant.check_scope(if method == Method::DELETE { Scope::Delete } else { Scope::Push })?;
    let terms = Terms::of(&method, path.is_aggregated, request.headers(), gateway.settings())?;
    if method == Method::DELETE {
        let _place = gateway.admit()?;
        gateway.delete(&terms, &group, grant).await?;
        return Ok(answer::empty(StatusCode::ACCEPTED));
    }
    let (started_us, mut received) = (gateway.now_us(), 0);
    let pushed = push(gateway, terms, &group, request, grant, &mut received).await;
    gateway.stats().pushed(word(&method), gateway.now_us() - started_us, received);
    Ok(answer::empty(match pushed? {
        Pushed::Checked => StatusCode::OK,
        Pushed::Unchecked => StatusCode::ACCEPTED,
    }))
}

/// `received` becomes the number of bytes of the body.
async fn push(
    gateway: &Gateway,
    terms: Terms,
    group: &Labels,
    request: Request,
    grant: &Grant,
    received: &mut u64,
) -> Result<Pushed, GatewayError> {
    let _place = gateway.admit()?;
    let (head, body) = request.into_parts();
    let (bytes, place) = receive(body, gateway).await?;
    let body = Body {
        format: BodyFormat::of_header(header(&head.headers, &CONTENT_TYPE)),
        encoding: Encoding::of_header(header(&head.headers, &CONTENT_ENCODING)),
        bytes,
        place,
    };
    *received = body.bytes.len() as u64;
    gateway.push(&terms, group, body, grant).await
}

async fn receive(body: HttpBody, gateway: &Gateway) -> Result<(bytes::Bytes, Place), GatewayError> {
    let (max, max_ms) = (gateway.settings().body_bytes_max, gateway.settings().body_timeout_ms);
    let received = timeout(Duration::from_millis(max_ms), gateway.room().receive(body, max)).await;
    received.map_err(|_| GatewayError::SlowBody { max_ms })?.map_err(|error| match error {
        Unreceived::TooLarge => IntakeError::TooLarge { what: "body", limit: "body_bytes_max", max }.into(),
        Unreceived::NoRoom(full) => IntakeError::NoRoom(full).into(),
        Unreceived::Failed(error) => GatewayError::Receive(error),
    })
}

/// The value of a header that stands once and is text.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
