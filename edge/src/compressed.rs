//! Answers in the form that takes the client the fewest bytes.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use wire::encoding::AnswerEncoding;

/// Smaller answers go out as they are.
const PLAIN_BYTES_MAX: u64 = 1_000;

/// Larger ones are compressed by a thread that may take its time.
const QUICK_BYTES_MAX: usize = 128 << 10;

/// Compresses what is at hand as the client likes it. What is compressed already, or made while it is sent, stays as it is.
pub(crate) async fn compressed(request: Request, next: Next) -> Response {
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let encoding = AnswerEncoding::of_header(accepted);
    let mut response = next.run(request).await;
    let is_small = response.body().size_hint().exact().is_none_or(|bytes| bytes <= PLAIN_BYTES_MAX);
    if is_small || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(name) = encoding.as_str() else { return response };
    let (mut head, body) = response.into_parts();
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let is_quick = plain.len() <= QUICK_BYTES_MAX;
    let compress = move || encoding.compress(plain.into());
    let compressed = match is_quick {
        true => compress(),
        false => match tokio::task::spawn_blocking(compress).await {
            Ok(compressed) => compressed,
            Err(error) => Err(std::io::Error::other(error)),
        },
    };
    match compressed {
        Ok(compressed) => {
            head.headers.remove(CONTENT_LENGTH);
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            Response::from_parts(head, Body::from(compressed))
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be compressed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::Request;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use futures::stream;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_worth_it_is_compressed() {
        let large = "x".repeat(500_000);
        let of_large = large.clone();
        let streamed = async || {
            let parts = ["a", "b"].map(|part| Ok::<_, std::io::Error>(part.repeat(5_000)));
            Body::from_stream(stream::iter(parts))
        };
        let routes = Router::new()
            .route("/small", get(async || "x".repeat(1_000)))
            .route("/large", get(async move || of_large))
            .route("/streamed", get(streamed))
            .route("/snappy", get(async || ([(CONTENT_ENCODING, "snappy")], "x".repeat(5_000))))
            .layer(from_fn(compressed));
        for (path, accepted, expect, varies) in [
            ("/small", "gzip", None, false),
            ("/streamed", "gzip", None, false),
            ("/snappy", "gzip", Some("snappy"), false),
            ("/large", "br", None, true),
            ("/large", "gzip;q=0", None, true),
            ("/large", "gzip", Some("gzip"), true),
            ("/large", "deflate", Some("deflate"), true),
            ("/large", "gzip, deflate, br, zstd", Some("zstd"), true),
        ] {
            let request = Request::get(path).header(ACCEPT_ENCODING, accepted).body(Body::empty());
            let answer = routes.clone().oneshot(request.expect("a request")).await.expect("an answer");
            let header =
                |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let (encoding, vary) = (header(CONTENT_ENCODING), header(VARY));
            assert_eq!((encoding.as_deref(), vary.is_some()), (expect, varies), "{path} {accepted}");
            let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
            if let ("/large", Some(_)) = (path, expect) {
                assert!(body.len() < large.len() / 100, "{accepted}: {}", body.len());
            }
        }
    }
}
