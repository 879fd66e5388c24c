//! From an HTTP event to a request.

use axum::body::Body;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::COOKIE;
use http::uri::{InvalidUri, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use crate::event::{Event, HttpEvent, Source};

/// An event of which no request can be made. It is the caller's to mend, so it is answered 400.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the event's method is {0:?}, which is none")]
    Method(String),
    #[error("the event's path {path:?} is none: {source}")]
    Path { path: String, source: InvalidUri },
    #[error("the event's header {0:?} is none")]
    Header(String),
    #[error("the event's body says that it is base64, and is not: {0}")]
    Body(#[from] base64::DecodeError),
}

/// The request that an event stands for.
pub(crate) fn request(from: HttpEvent) -> Result<Request<Body>, BadRequest> {
    let HttpEvent { source, method, mut event } = from;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| BadRequest::Method(method))?;
    let target = target(source, &event);
    let target: PathAndQuery =
        target.parse().map_err(|source| BadRequest::Path { path: target.clone(), source })?;
    let headers = headers(&mut event)?;
    let body = match event.body {
        Some(body) if event.is_base64_encoded == Some(true) => Body::from(BASE64_STANDARD.decode(body)?),
        Some(body) => Body::from(body),
        None => Body::empty(),
    };
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
        (method, Uri::from(target), headers);
    Ok(request)
}

/// Path and query as they would stand in a request line.
fn target(source: Source, event: &Event) -> String {
    let raw = match source {
        Source::Payload2 => without_stage(event),
        Source::Rest | Source::Alb { .. } => event.path.as_deref().unwrap_or_default(),
    };
    let mut target = String::with_capacity(raw.len() + 1);
    if !raw.starts_with('/') {
        target.push('/');
    }
    escape(&mut target, raw, is_of_path);
    let query = match source {
        Source::Payload2 => event.raw_query_string.clone().unwrap_or_default(),
        // a load balancer hands parameters on as they were sent, a REST API decodes them
        Source::Alb { .. } => query(event, |out, text| escape(out, text, is_of_query)),
        Source::Rest => query(event, |out, text| escape(out, text, is_unreserved)),
    };
    if !query.is_empty() {
        target.push('?');
        escape(&mut target, &query, is_of_query);
    }
    target
}

/// The path behind the name of the stage, where a stage has one.
fn without_stage(event: &Event) -> &str {
    let path = event.raw_path.as_deref().unwrap_or_default();
    let stage = event.request_context.as_ref().and_then(|context| context.stage.as_deref());
    let of_stage = stage.filter(|stage| *stage != "$default" && !stage.is_empty());
    let rest = of_stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

fn query(event: &Event, mut write: impl FnMut(&mut String, &str)) -> String {
    let mut out = String::new();
    let mut pair = |name: &str, value: &str| {
        if !out.is_empty() {
            out.push('&');
        }
        write(&mut out, name);
        out.push('=');
        write(&mut out, value);
    };
    if let Some(parameters) = &event.multi_value_query_string_parameters {
        for (name, values) in parameters {
            values.iter().for_each(|value| pair(name, value));
        }
    } else if let Some(parameters) = &event.query_string_parameters {
        for (name, value) in parameters {
            pair(name, value.as_deref().unwrap_or_default());
        }
    }
    out
}

/// Appends `text` with every byte as `%XX` that is not allowed. An HTTP API decodes the path that it calls raw, so there may be
/// any.
fn escape(out: &mut String, text: &str, is_allowed: impl Fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if is_allowed(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"?#\"<>`{}|\\^".contains(&byte)
}

fn is_of_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"#\"<>".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn headers(event: &mut Event) -> Result<HeaderMap, BadRequest> {
    let mut headers = HeaderMap::new();
    let mut push = |name: &str, value: &str| {
        let bad = || BadRequest::Header(name.to_owned());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| bad())?);
        Ok::<(), BadRequest>(())
    };
    if let Some(several) = event.multi_value_headers.take() {
        for (name, values) in &several {
            values.iter().try_for_each(|value| push(name, value))?;
        }
    } else {
        for (name, value) in event.headers.take().unwrap_or_default() {
            push(&name, value.as_deref().unwrap_or_default())?;
        }
    }
    if let Some(cookies) = event.cookies.take() {
        push(COOKIE.as_str(), &cookies.join("; "))?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(event: Value) -> Result<Request<Body>, BadRequest> {
        let event: Event = serde_json::from_value(event).expect("an event");
        request(event.http().expect("asks over HTTP"))
    }

    fn check_target(event: Value, expect: &str) {
        assert_eq!(of(event).expect("a request").uri().to_string(), expect);
    }

    #[test]
    fn targets_of_function_urls_and_http_apis() {
        let check = |path: &str, query: &str, stage: &str, expect: &str| {
            let context = json!({"http": {"method": "GET"}, "stage": stage});
            check_target(
                json!({"rawPath": path, "rawQueryString": query, "requestContext": context}),
                expect,
            );
        };
        check("/a/b", "", "$default", "/a/b");
        check("", "", "$default", "/");
        check("/metrics/job/a%2Fb", "x=1&y=%20", "$default", "/metrics/job/a%2Fb?x=1&y=%20");
        // an HTTP API has decoded it
        check("/metrics/job/a b/é?", "", "$default", "/metrics/job/a%20b/%C3%A9%3F");
        check("/prod/metrics", "q={a=\"b\"}", "prod", "/metrics?q={a=%22b%22}");
        check("/production", "", "prod", "/production");
        check("/prod", "", "prod", "/");
    }

    #[test]
    fn targets_of_load_balancers_and_rest_apis() {
        let alb = json!({"elb": {}});
        let sent = json!({"query": "up%7Bjob%3D%22a%22%7D", "time": "1"});
        let event = json!({"httpMethod": "GET", "path": "/api/v1/query", "queryStringParameters": sent,
            "requestContext": alb});
        check_target(event, "/api/v1/query?query=up%7Bjob%3D%22a%22%7D&time=1");
        let several = json!({"match[]": ["a", "b%20c"]});
        let event = json!({"httpMethod": "GET", "path": "/s", "multiValueQueryStringParameters": several,
            "multiValueHeaders": {}, "requestContext": alb});
        check_target(event, "/s?match[]=a&match[]=b%20c");
        let several = json!({"match[]": ["a{b=\"&\"}"], "x": ["1 2", "%"]});
        let event = json!({"httpMethod": "GET", "path": "/s", "multiValueQueryStringParameters": several,
            "requestContext": {}});
        check_target(event, "/s?match%5B%5D=a%7Bb%3D%22%26%22%7D&x=1%202&x=%25");
    }

    #[test]
    fn headers_and_cookies() {
        let event = json!({"requestContext": {"http": {"method": "PUT"}}, "rawPath": "/",
            "headers": {"Content-Type": "text/plain", "x": null}, "cookies": ["a=1", "b=2"]});
        let found = of(event).expect("a request");
        let header = |name: &str| found.headers()[name].to_str().expect("text").to_owned();
        assert_eq!((found.method(), &*header("content-type")), (&Method::PUT, "text/plain"));
        assert_eq!((&*header("x"), &*header("cookie")), ("", "a=1; b=2"));
        let event = json!({"httpMethod": "GET", "path": "/", "requestContext": {"elb": {}},
            "multiValueHeaders": {"a": ["1", "2"]}});
        let found = of(event).expect("a request");
        let values: Vec<_> = found.headers().get_all("a").iter().collect();
        assert_eq!(values, ["1", "2"]);
    }

    #[tokio::test]
    async fn bodies() {
        let check = async |event: Value, expect: &[u8]| {
            let mut event = event;
            event["requestContext"] = json!({"http": {"method": "PUT"}});
            let body = of(event).expect("a request").into_body();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            assert_eq!(&*body, expect);
        };
        check(json!({}), b"").await;
        check(json!({"body": null, "isBase64Encoded": null}), b"").await;
        check(json!({"body": "a 1\n"}), b"a 1\n").await;
        check(json!({"body": "/wA=", "isBase64Encoded": true}), b"\xff\0").await;
    }

    #[test]
    fn what_is_no_request_says_what_of_it() {
        let check = |mut event: Value, method: &str, expect: &str| {
            event["requestContext"] = json!({"http": {"method": method}});
            let told = of(event).expect_err("is none").to_string();
            assert!(told.contains(expect), "{told}");
        };
        check(json!({"body": "?", "isBase64Encoded": true}), "PUT", "says that it is base64, and is not");
        check(json!({"headers": {"a b": "x"}}), "PUT", "header \"a b\"");
        check(json!({"headers": {"a": "x\ny"}}), "PUT", "header \"a\"");
        check(json!({}), "P T", "method is \"P T\"");
    }
}
