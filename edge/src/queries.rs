//! Everything that asks, as one router: what a server has on its query port and a function behind its URL.

use std::sync::Arc;

use alert::{Components, Evaluator, Rules};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use model::Clock;
use query::Settings;
use query::api::{Api, BuildInfo};
use store::Reader;

use crate::compressed::compressed;
use crate::cross_origin::{Origins, across_origins};
use crate::page::Page;
use crate::remote_read::RemoteReads;
use crate::rule_queries::RuleQueries;
use crate::storage::Storage;
use crate::stored_series::StoredSeries;

/// The query API over what a reader sees, and what rules ask of the same engine.
pub fn queries(reader: Arc<Reader>, settings: Settings, clock: Arc<dyn Clock>) -> (Api, RuleQueries) {
    let series = Arc::new(StoredSeries::new(reader));
    let api = Api::new(settings, Arc::clone(&series) as _, clock, build_information());
    let queries = RuleQueries::of_stored(api.engine().clone(), series);
    (api, queries)
}

/// An evaluator for whoever has no rules, but is asked about them.
pub fn no_rules(queries: RuleQueries, storage: &Storage, clock: Arc<dyn Clock>) -> Arc<Evaluator> {
    let components = Components {
        query: Arc::new(queries),
        notifiers: Vec::new(),
        state: Arc::new(storage.rule_state()),
        sink: None,
        clock,
    };
    Arc::new(Evaluator::new(Rules::default(), components, alert::Settings::default()))
}

/// How whoever asks is served, whatever is asked.
#[derive(Clone, Debug)]
pub struct QueryPort {
    /// How remote reads are answered.
    pub remote_reads: RemoteReads,
    /// Pages of which origins may see answers.
    pub origins: Origins,
    /// What browsers are shown.
    pub page: Page,
}

/// The routes of a query port and their parameters, in OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.yaml");

/// Where that is.
const OPENAPI_PATH: &str = "/api/v1/openapi.yaml";

/// The query API, federation, remote read, rules and alerts, the page, and `more`. What no route takes is refused in the words of
/// Prometheus, and answers are compressed for those who like that.
pub fn query_routes(api: Arc<Api>, rules: Arc<Evaluator>, port: &QueryPort, more: Router) -> Router {
    let federation = crate::federation::router(Arc::clone(&api), Arc::clone(&rules));
    let remote_read = crate::remote_read::router(Arc::clone(&api), Arc::clone(&rules), &port.remote_reads);
    let openapi = get(async || ([(CONTENT_TYPE, "application/yaml")], OPENAPI));
    query::api::router(api)
        .merge(federation)
        .merge(remote_read)
        .route(OPENAPI_PATH, openapi)
        .merge(alert::router(rules, query::api::matchers))
        .merge(port.page.router())
        .merge(more)
        .layer(map_response(refused_in_words))
        .layer(from_fn(compressed))
        .layer(from_fn_with_state(port.origins.clone(), across_origins))
}

/// The paths of [`query_routes`], as axum writes them, without those of `more`.
pub fn query_paths() -> Vec<&'static str> {
    let mut paths = query::api::paths();
    paths.extend([crate::federation::PATH, crate::remote_read::READ_PATH, OPENAPI_PATH]);
    paths.extend(alert::PATHS);
    paths.extend(crate::page::PATHS);
    paths
}

/// What was built: the version, and what the build's environment says about the rest.
pub fn build_information() -> BuildInfo {
    let of_build = |variable: Option<&'static str>| variable.unwrap_or("unknown").to_owned();
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: of_build(option_env!("MAYFLY_BUILD_REVISION")),
        branch: of_build(option_env!("MAYFLY_BUILD_BRANCH")),
        build_user: of_build(option_env!("MAYFLY_BUILD_USER")),
        build_date: of_build(option_env!("MAYFLY_BUILD_DATE")),
    }
}

async fn refused_in_words(response: Response) -> Response {
    let status = response.status();
    let words = match status {
        StatusCode::NOT_FOUND => "404 page not found\n",
        StatusCode::METHOD_NOT_ALLOWED => "Method Not Allowed\n",
        _ => return response,
    };
    // a route that refuses says so by itself
    if response.headers().contains_key(CONTENT_TYPE) {
        return response;
    }
    let (head, _) = response.into_parts();
    let mut told = (status, words).into_response();
    for (name, value) in &head.headers {
        if name != CONTENT_LENGTH {
            told.headers_mut().append(name, value.clone());
        }
    }
    told
}
