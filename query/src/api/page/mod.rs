//! A plain page for an expression, as a table and as a graph: where the links of alerts lead.

use axum::http::header;
use axum::response::{IntoResponse, Redirect};

const HTML: &str = include_str!("graph.html");
const SCRIPT: &str = include_str!("graph.js");

/// Nothing of anybody else's runs in it, and it asks nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// Where the page is, relative, so that it works below any prefix.
pub(super) async fn root() -> impl IntoResponse {
    Redirect::temporary("graph")
}

pub(super) async fn graph() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, HTML)
}

pub(super) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}
