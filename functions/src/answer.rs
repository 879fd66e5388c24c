//! From a response to what the source of an event expects as an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::body::{Body, BodyDataStream};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode, response};
use lambda_runtime::{FunctionResponse, MetadataPrelude, StreamResponse};
use serde::Serialize;
use serde_json::value::RawValue;
use wire::encoding::AnswerEncoding;

use crate::event::Source;

/// Bytes of an answer, as JSON, that Lambda hands on when it does not stream: 6 MiB.
pub const RESPONSE_BYTES_MAX: usize = 6 << 20;
/// The same where a load balancer asks: 1 MB.
pub const RESPONSE_BYTES_MAX_ALB: usize = 1_000_000;

/// What goes back to Lambda: JSON, or a stream behind a head.
pub type Answer = FunctionResponse<Box<RawValue>, BodyDataStream>;

/// Any value as an answer.
///
/// # Errors
/// If it has no JSON form.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<Answer> {
    Ok(FunctionResponse::BufferedResponse(serde_json::value::to_raw_value(value)?))
}

/// A response whose body follows while it is sent.
pub(crate) fn streamed(response: Response<Body>) -> Answer {
    let (head, body) = response.into_parts();
    let mut headers = head.headers;
    let cookies = cookies(&mut headers);
    // how the body is framed on its way is not ours to say
    headers.remove(CONTENT_LENGTH);
    let headers = joined(&headers);
    let metadata_prelude = MetadataPrelude { status_code: head.status, headers, cookies };
    FunctionResponse::StreamingResponse(StreamResponse { metadata_prelude, stream: body.into_data_stream() })
}

/// A response in one piece. What is larger than the source takes is compressed if the client accepts that, and else replaced
/// by an error that says so.
pub(crate) fn buffered(
    source: Source,
    asked: &HeaderMap,
    head: response::Parts,
    body: &[u8],
) -> anyhow::Result<Answer> {
    let (limit, max) = match source {
        Source::Payload2 | Source::Rest => ("RESPONSE_BYTES_MAX", RESPONSE_BYTES_MAX),
        Source::Alb { .. } => ("RESPONSE_BYTES_MAX_ALB", RESPONSE_BYTES_MAX_ALB),
    };
    let (status, is_json) = (head.status, is_json(&head.headers));
    let whole = written(source, head.status, head.headers.clone(), body)?;
    if whole.get().len() <= max {
        return Ok(FunctionResponse::BufferedResponse(whole));
    }
    let accepts = asked.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let encoding = AnswerEncoding::of_header(accepts);
    if let Some(name) = encoding.as_str()
        && !head.headers.contains_key(CONTENT_ENCODING)
    {
        let mut headers = head.headers;
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
        let compressed = written(source, status, headers, &encoding.compress(body.to_vec())?)?;
        if compressed.get().len() <= max {
            return Ok(FunctionResponse::BufferedResponse(compressed));
        }
    }
    let found = whole.get().len();
    let reason = format!(
        "the answer takes {found} bytes, more than {limit} = {max} that Lambda passes on: ask for less (a shorter range, a \
         larger step, fewer series), accept gzip, or deploy the function with response streaming"
    );
    let (head, body) = refusal(is_json, StatusCode::UNPROCESSABLE_ENTITY, "execution", &reason).into_parts();
    Ok(FunctionResponse::BufferedResponse(written(source, head.status, head.headers, body.as_bytes())?))
}

/// An error in the form that the client of such an answer reads.
pub(crate) fn refusal(as_json: bool, status: StatusCode, kind: &str, reason: &str) -> Response<String> {
    let (content_type, body) = if as_json {
        let body = serde_json::json!({ "status": "error", "errorType": kind, "error": reason });
        ("application/json", body.to_string())
    } else {
        ("text/plain; charset=utf-8", format!("{reason}\n"))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// The JSON of all sources; each has its fields.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

fn written(
    source: Source,
    status: StatusCode,
    mut headers: HeaderMap,
    body: &[u8],
) -> anyhow::Result<Box<RawValue>> {
    headers.remove(CONTENT_LENGTH);
    let text = std::str::from_utf8(body).ok().filter(|_| !headers.contains_key(CONTENT_ENCODING));
    let is_base64_encoded = text.is_none();
    let body = text.map_or_else(|| Cow::Owned(BASE64_STANDARD.encode(body)), Cow::Borrowed);
    let cookies = if source == Source::Payload2 { cookies(&mut headers) } else { Vec::new() };
    let is_multi_value = matches!(source, Source::Rest | Source::Alb { multi_value: true });
    let several = several(&headers);
    let (headers, multi_value_headers) = if is_multi_value {
        (None, Some(several))
    } else {
        (Some(several.into_iter().map(|(name, values)| (name, values.join(", "))).collect()), None)
    };
    let status_description = matches!(source, Source::Alb { .. }).then(|| status.to_string());
    let written = Written {
        status_code: status.as_u16(),
        status_description,
        headers,
        multi_value_headers,
        cookies,
        body,
        is_base64_encoded,
    };
    Ok(serde_json::value::to_raw_value(&written)?)
}

/// Each header once, as what comes before a stream has one value for a name.
fn joined(headers: &HeaderMap) -> HeaderMap {
    let mut joined = HeaderMap::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        // values with a comma between them are a value
        joined.extend(HeaderValue::from_bytes(&values.join(&b", "[..])).map(|value| (name.clone(), value)));
    }
    joined
}

fn several(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut several = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        several.entry(name.as_str().to_owned()).or_default().push(text);
    }
    several
}

fn cookies(headers: &mut HeaderMap) -> Vec<String> {
    let found = headers.get_all(SET_COOKIE).iter();
    let found = found.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    headers.remove(SET_COOKIE);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(source: Source, accepts: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
        let mut asked = HeaderMap::new();
        asked.insert(ACCEPT_ENCODING, accepts.parse().expect("a header"));
        let mut response = Response::new(());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().expect("a name");
            response.headers_mut().append(name, value.parse().expect("a value"));
        }
        let (head, ()) = response.into_parts();
        match buffered(source, &asked, head, body).expect("an answer") {
            FunctionResponse::BufferedResponse(json) => serde_json::from_str(json.get()).expect("JSON"),
            FunctionResponse::StreamingResponse(_) => panic!("streams"),
        }
    }

    #[test]
    fn what_comes_before_a_stream_has_each_header_once() {
        let mut response = Response::new(Body::empty());
        for (name, value) in [("vary", "Origin"), ("vary", "Accept-Encoding"), ("set-cookie", "c=1")] {
            response.headers_mut().append(name, HeaderValue::from_static(value));
        }
        let FunctionResponse::StreamingResponse(answer) = streamed(response) else {
            panic!("is in one piece")
        };
        let MetadataPrelude { headers, cookies, .. } = answer.metadata_prelude;
        let vary: Vec<_> = headers.get_all(VARY).iter().map(HeaderValue::as_bytes).collect();
        assert_eq!((vary, cookies), (vec![&b"Origin, Accept-Encoding"[..]], vec!["c=1".to_owned()]));
    }

    #[test]
    fn each_source_has_its_form() {
        let headers = [("content-type", "text/plain"), ("a", "1"), ("a", "2"), ("set-cookie", "c=1")];
        let headers = [&headers[..], &[("content-length", "2")]].concat();
        let found = answer(Source::Payload2, "", &headers, b"ok");
        let expect = json!({"statusCode": 200, "headers": {"a": "1, 2", "content-type": "text/plain"},
            "cookies": ["c=1"], "body": "ok", "isBase64Encoded": false});
        assert_eq!(found, expect);
        let several = json!({"a": ["1", "2"], "content-type": ["text/plain"], "set-cookie": ["c=1"]});
        let expect =
            json!({"statusCode": 200, "multiValueHeaders": several, "body": "ok", "isBase64Encoded": false});
        assert_eq!(answer(Source::Rest, "", &headers, b"ok"), expect);
        let expect = json!({"statusCode": 200, "statusDescription": "200 OK", "multiValueHeaders": several,
            "body": "ok", "isBase64Encoded": false});
        assert_eq!(answer(Source::Alb { multi_value: true }, "", &headers, b"ok"), expect);
        let found = answer(Source::Alb { multi_value: false }, "", &headers[..3], b"ok");
        assert_eq!(found["headers"], json!({"a": "1, 2", "content-type": "text/plain"}));
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let found = answer(Source::Payload2, "", &[], b"\xff\0");
        assert_eq!((&found["body"], &found["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
        let found = answer(Source::Payload2, "", &[("content-encoding", "gzip")], b"ok");
        assert_eq!((&found["body"], &found["isBase64Encoded"]), (&json!("b2s="), &json!(true)));
    }

    /// A body that makes exactly `total` bytes of JSON, or one more.
    fn body_of(source: Source, headers: &[(&str, &str)], total: usize) -> Vec<u8> {
        let empty = answer(source, "", headers, b"").to_string().len();
        vec![b'x'; total - empty]
    }

    #[test]
    fn what_is_too_large_names_the_limit() {
        for (source, limit, max) in [
            (Source::Payload2, "RESPONSE_BYTES_MAX", RESPONSE_BYTES_MAX),
            (Source::Alb { multi_value: true }, "RESPONSE_BYTES_MAX_ALB", RESPONSE_BYTES_MAX_ALB),
        ] {
            let headers = [("content-type", "application/json")];
            let mut body = body_of(source, &headers, max);
            assert_eq!(answer(source, "", &headers, &body)["body"].as_str().map(str::len), Some(body.len()));
            body.push(b'x');
            let found = answer(source, "", &headers, &body);
            assert_eq!(found["statusCode"], 422);
            let told: Value = serde_json::from_str(found["body"].as_str().expect("text")).expect("JSON");
            assert_eq!((&told["status"], &told["errorType"]), (&json!("error"), &json!("execution")));
            let told = told["error"].as_str().expect("text").to_owned();
            assert!(told.contains(&format!("takes {} bytes, more than {limit} = {max} ", max + 1)), "{told}");
            // to clients of the gateway it is text
            let found = answer(source, "", &[("content-type", "text/css; charset=utf-8")], &body);
            assert!(found["body"].as_str().is_some_and(|text| text.starts_with("the answer takes ")));
            // and whoever takes it compressed gets it
            let found = answer(source, "gzip", &headers, &body);
            assert_eq!((&found["statusCode"], &found["isBase64Encoded"]), (&json!(200), &json!(true)));
            let sent = BASE64_STANDARD.decode(found["body"].as_str().expect("text")).expect("base64");
            let inflated = wire::encoding::inflate(wire::encoding::Encoding::Gzip, &sent, usize::MAX);
            assert_eq!(inflated.expect("gzip"), body);
        }
    }
}
