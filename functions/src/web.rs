//! HTTP events to a router and back.

use axum::Router;
use axum::body::Body;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use tower::ServiceExt as _;

use crate::answer::{self, Answer};
use crate::environment::Environment;
use crate::event::{HttpEvent, Source};
use crate::request::request;
use crate::run::{Invocation, RESERVE};
use crate::tokens::Tokens;

/// Routes behind a Function URL, API Gateway or a load balancer.
#[derive(Debug)]
pub struct Web {
    routes: Router,
    tokens: Tokens,
    streams: bool,
}

impl Web {
    /// No routes yet, and what the environment says about who may ask (`MAYFLY_TOKEN_SHA256`) and whether the Function URL
    /// streams (`MAYFLY_RESPONSE_STREAMING`).
    pub fn of(environment: &mut Environment) -> Self {
        Self {
            routes: Router::new(),
            tokens: Tokens::of(environment),
            streams: environment.flag("MAYFLY_RESPONSE_STREAMING"),
        }
    }

    /// The same with these routes.
    #[must_use]
    pub fn serving(self, routes: Router) -> Self {
        Self { routes, ..self }
    }

    /// Answers a request. An event that is no request is answered 400, one without a token that is good 401, and one that
    /// takes until Lambda would end the function 503.
    ///
    /// # Errors
    /// If the answer cannot be written.
    pub async fn answer(&self, event: HttpEvent, invocation: &Invocation) -> anyhow::Result<Answer> {
        let source = event.source;
        let request = match request(event) {
            Ok(request) => request,
            Err(error) => {
                let refused = answer::refusal(true, StatusCode::BAD_REQUEST, "bad_data", &error.to_string());
                return self.written(source, &http::HeaderMap::new(), refused.map(Body::from)).await;
            }
        };
        let asked = request.headers().clone();
        if !self.tokens.admit(&asked) {
            let reason = "no token that is good: expected the header Authorization: Bearer TOKEN, or the token as password";
            let mut refused = answer::refusal(true, StatusCode::UNAUTHORIZED, "unauthorized", reason);
            let scheme = HeaderValue::from_static("Basic realm=\"Mayfly\"");
            refused.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            return self.written(source, &asked, refused.map(Body::from)).await;
        }
        let answered = self.routes.clone().oneshot(request);
        let response = match tokio::time::timeout(invocation.left(RESERVE), answered).await {
            Ok(Ok(response)) => response,
            Err(_) => late().map(Body::from),
        };
        self.written(source, &asked, response).await
    }

    async fn written(
        &self,
        source: Source,
        asked: &http::HeaderMap,
        response: Response<Body>,
    ) -> anyhow::Result<Answer> {
        // only Function URLs stream
        if self.streams && source == Source::Payload2 {
            return Ok(answer::streamed(response));
        }
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await?;
        answer::buffered(source, asked, head, &body)
    }
}

/// Said in the place of an answer that would come after the end.
fn late() -> Response<String> {
    let reason =
        "no answer before the function's time ran out; what was asked to be stored may or may not be";
    answer::refusal(true, StatusCode::SERVICE_UNAVAILABLE, "timeout", reason)
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use lambda_runtime::FunctionResponse;
    use serde_json::{Value, json};

    use super::*;

    fn routes() -> Router {
        Router::new()
            .route("/slow", get(std::future::pending::<()>))
            .route("/echo", post(|body: String| async { body }))
    }

    async fn answer(variables: &[(&str, &str)], event: Value, left_ms: i64) -> Answer {
        let mut environment = Environment::of(variables);
        let web = Web::of(&mut environment).serving(routes());
        environment.finish().expect("an environment");
        let event: crate::Event = serde_json::from_value(event).expect("an event");
        let event = event.http().expect("asks over HTTP");
        web.answer(event, &Invocation::lasting(left_ms)).await.expect("an answer")
    }

    fn event(method: &str, path: &str, more: Value) -> Value {
        let mut more = more;
        more["rawPath"] = json!(path);
        more["requestContext"] = json!({"http": {"method": method}});
        more
    }

    fn whole(answer: Answer) -> Value {
        let FunctionResponse::BufferedResponse(json) = answer else { panic!("streams") };
        serde_json::from_str(json.get()).expect("JSON")
    }

    #[tokio::test]
    async fn requests_are_answered_by_the_routes() {
        let found = whole(answer(&[], event("POST", "/echo", json!({"body": "a 1\n"})), 10_000).await);
        assert_eq!((&found["statusCode"], &found["body"]), (&json!(200), &json!("a 1\n")));
        let found = whole(answer(&[], event("POST", "/nowhere", json!({})), 10_000).await);
        assert_eq!(found["statusCode"], 404);
    }

    #[tokio::test]
    async fn what_is_no_request_or_has_no_token_is_refused() {
        let broken = event("POST", "/echo", json!({"body": "?", "isBase64Encoded": true}));
        let found = whole(answer(&[], broken, 10_000).await);
        assert_eq!(found["statusCode"], 400);
        assert!(found["body"].as_str().is_some_and(|text| text.contains("is not: ")), "{found}");

        let tokens =
            [("MAYFLY_TOKEN_SHA256", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b")];
        let found = whole(answer(&tokens, event("POST", "/echo", json!({})), 10_000).await);
        assert_eq!(
            (&found["statusCode"], &found["headers"]["www-authenticate"]),
            (&json!(401), &json!("Basic realm=\"Mayfly\""))
        );
        let with = json!({"headers": {"authorization": "Bearer secret"}});
        assert_eq!(whole(answer(&tokens, event("POST", "/echo", with), 10_000).await)["statusCode"], 200);
    }

    #[tokio::test]
    async fn an_answer_comes_before_the_end() {
        let found = whole(answer(&[], event("GET", "/slow", json!({})), 550).await);
        assert_eq!(found["statusCode"], 503);
        assert!(found["body"].as_str().is_some_and(|text| text.contains("time ran out")), "{found}");
    }

    #[tokio::test]
    async fn function_urls_may_stream() {
        let streaming = [("MAYFLY_RESPONSE_STREAMING", "true")];
        let answered = answer(&streaming, event("POST", "/echo", json!({"body": "x"})), 10_000).await;
        let FunctionResponse::StreamingResponse(stream) = answered else { panic!("does not") };
        assert_eq!(stream.metadata_prelude.status_code, 200);
        assert!(!stream.metadata_prelude.headers.contains_key("content-length"));
        let alb = json!({"httpMethod": "POST", "path": "/echo", "body": "x", "requestContext": {"elb": {}}});
        assert_eq!(whole(answer(&streaming, alb, 10_000).await)["body"], "x");
    }
}
