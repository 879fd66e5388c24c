//! HTTP as Lambda sees it: payload format 2.0, that of Function URLs and HTTP APIs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::http::{Request, Response};

/// Types that a Function URL passes on as text; every other body comes in base64.
const TEXT_TYPES: [&str; 3] = ["application/json", "application/javascript", "application/xml"];

/// What a function answered is not an HTTP response.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP response in the function's answer ({reason}): {answer}")]
pub struct BadAnswer {
    reason: &'static str,
    answer: String,
}

/// The event of a Function URL for `request`. The raw path is as sent, percent escapes included.
pub fn request_event(request: &Request, request_id: &str) -> Value {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &request.headers.0 {
        // several fields of one name are joined
        let joined = headers.entry(name.to_ascii_lowercase()).or_default();
        joined.push_str(if joined.is_empty() { "" } else { "," });
        joined.push_str(value);
    }
    headers.entry("host".to_owned()).or_insert_with(|| "mayfly.lambda-url.us-east-1.on.aws".to_owned());
    let (body, encoded) = match String::from_utf8(request.body.clone()) {
        Ok(text) if is_text(headers.get("content-type").map_or("", String::as_str)) => (text, false),
        _ => (BASE64_STANDARD.encode(&request.body), true),
    };
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path(),
        "rawQueryString": request.query(),
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "mayfly",
            "domainName": headers["host"],
            "domainPrefix": "mayfly",
            "http": {
                "method": request.method,
                "path": request.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent").map_or("", String::as_str),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1_767_225_600_000_u64,
        },
        "isBase64Encoded": encoded,
    });
    if !body.is_empty() {
        event["body"] = Value::String(body);
    }
    event
}

/// What stands between the head and the body of a streamed answer; JSON cannot hold it.
const END_OF_PRELUDE: &[u8; 8] = &[0; 8];

/// The response that a function's answer stands for, whether it is in one piece or was streamed.
pub fn response_of(answer: &[u8]) -> Result<Response, BadAnswer> {
    let bad = |reason| BadAnswer { reason, answer: String::from_utf8_lossy(answer).into_owned() };
    let zero = answer.iter().position(|byte| *byte == 0);
    let behind = zero.and_then(|zero| answer[zero..].strip_prefix(END_OF_PRELUDE));
    let (head, streamed) = match (zero, behind) {
        (Some(zero), Some(body)) => (&answer[..zero], Some(body)),
        _ => (answer, None),
    };
    let value: Value = serde_json::from_slice(head).map_err(|_| bad("no JSON"))?;
    let status = value["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let mut response = Response::new(status.ok_or_else(|| bad("no statusCode"))?);
    for (name, field) in value["headers"].as_object().into_iter().flatten() {
        response.headers.push(name, field.as_str().ok_or_else(|| bad("a header that is no text"))?);
    }
    for (name, fields) in value["multiValueHeaders"].as_object().into_iter().flatten() {
        if response.headers.get(name).is_none() {
            for field in fields.as_array().into_iter().flatten() {
                response.headers.push(name, field.as_str().ok_or_else(|| bad("a header that is no text"))?);
            }
        }
    }
    if let Some(body) = streamed {
        response.body = body.to_vec();
        return Ok(response);
    }
    let body = value["body"].as_str().unwrap_or_default();
    response.body = if value["isBase64Encoded"].as_bool().unwrap_or(false) {
        BASE64_STANDARD.decode(body).map_err(|_| bad("a body that is no base64"))?
    } else {
        body.as_bytes().to_vec()
    };
    Ok(response)
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/") || TEXT_TYPES.contains(&kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_text_or_base64_by_type() {
        let check = |content_type: &str, body: &[u8], expect: (&str, bool)| {
            let request =
                Request::new("PUT", "/metrics/job/a?b=c").header("Content-Type", content_type).body(body);
            let event = request_event(&request, "1");
            assert_eq!(
                (event["body"].as_str().unwrap(), event["isBase64Encoded"].as_bool().unwrap()),
                expect
            );
        };
        check("text/plain; version=0.0.4", b"a 1\n", ("a 1\n", false));
        check("application/json", b"{}", ("{}", false));
        check("application/vnd.google.protobuf", b"a 1\n", ("YSAxCg==", true));
        check("", b"a 1\n", ("YSAxCg==", true));
        check("text/plain", b"\xff", ("/w==", true));
    }

    #[test]
    fn a_request_keeps_its_parts() {
        let request =
            Request::new("POST", "/metrics/job@base64/YQ%3D?x=1&y=%20").header("A", "1").header("a", "2");
        let event = request_event(&request, "id-1");
        assert_eq!(event["rawPath"], "/metrics/job@base64/YQ%3D");
        assert_eq!(event["rawQueryString"], "x=1&y=%20");
        assert_eq!(event["headers"]["a"], "1,2");
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert!(event.get("body").is_none());
    }

    #[test]
    fn answers_become_responses() {
        let answer = br#"{"statusCode":202,"headers":{"a":"1"},"multiValueHeaders":{"a":["1"],"b":["2","3"]},
            "body":"/w==","isBase64Encoded":true}"#;
        let expect = Response::new(202).header("a", "1").header("b", "2").header("b", "3").body([0xff]);
        assert_eq!(response_of(answer).unwrap(), expect);
        assert_eq!(response_of(br#"{"statusCode":204}"#).unwrap(), Response::new(204));
        let streamed = b"{\"statusCode\":201,\"headers\":{\"a\":\"1\"},\"cookies\":[]}\0\0\0\0\0\0\0\0\xff\0";
        assert_eq!(response_of(streamed).unwrap(), Response::new(201).header("a", "1").body([0xff, 0]));
        assert!(response_of(b"pong").unwrap_err().to_string().contains("no JSON"));
        assert!(response_of(b"{}").unwrap_err().to_string().contains("no statusCode"));
    }
}
