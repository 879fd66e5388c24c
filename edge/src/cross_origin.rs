//! Pages of other origins, which browsers let see answers only if these say that they may.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::{MatchOp, Matcher, MatcherError};

/// Which origins may see answers of the API; all of them, unless a regular expression says which.
#[derive(Clone, Debug, Default)]
pub struct Origins(Option<Arc<Matcher>>);

impl FromStr for Origins {
    type Err = MatcherError;

    /// Those that a regular expression matches from beginning to end.
    fn from_str(expression: &str) -> Result<Self, MatcherError> {
        Matcher::new("origin", MatchOp::Regex, expression).map(|matcher| Self(Some(Arc::new(matcher))))
    }
}

/// Tells browsers what pages of other origins may do with the API, before they ask and with each answer.
pub(crate) async fn across_origins(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/v1/") {
        return next.run(request).await;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = match *request.method() {
        // browsers ask first whether they may ask
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return response };
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let may = |matcher: &Arc<Matcher>| origin.to_str().is_ok_and(|origin| matcher.matches(origin));
    if origins.0.as_ref().is_none_or(may) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn pages_of_allowed_origins_may_see_the_api() {
        let check = async |origins: Origins,
                           method: &str,
                           path: &str,
                           origin: Option<&str>,
                           expect: (u16, Option<&str>, bool)| {
            let routes = Router::new().route("/api/v1/x", get(async || "x")).route("/x", get(async || "x"));
            let routes = routes.layer(from_fn_with_state(origins, across_origins));
            let mut request = Request::builder().method(method).uri(path);
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            let answer =
                routes.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
            let headers = answer.headers();
            let allowed =
                headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().expect("a text"));
            let told = headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
            assert_eq!((answer.status().as_u16(), allowed, told), expect, "{method} {path} {origin:?}");
            assert_eq!(headers.contains_key(header::VARY), path.starts_with("/api/"));
        };
        let (any, some) = (Origins::default, || "https?://(a|b)".parse::<Origins>().expect("an expression"));
        check(any(), "GET", "/api/v1/x", None, (200, None, false)).await;
        check(any(), "GET", "/api/v1/x", Some("http://c"), (200, Some("http://c"), true)).await;
        check(some(), "GET", "/api/v1/x", Some("http://b"), (200, Some("http://b"), true)).await;
        check(some(), "GET", "/api/v1/x", Some("http://b.c"), (200, None, true)).await;
        check(some(), "OPTIONS", "/api/v1/nothing", Some("https://a"), (204, Some("https://a"), true)).await;
        check(any(), "OPTIONS", "/api/v1/x", None, (204, None, false)).await;
        check(any(), "GET", "/x", Some("http://c"), (200, None, false)).await;
        assert!("(".parse::<Origins>().is_err());
    }
}
