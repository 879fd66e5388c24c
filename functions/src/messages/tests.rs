//! Batches against routes that say what they saw.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::any;
use http::HeaderMap;
use lambda_runtime::FunctionResponse;
use serde_json::{Value, json};

use super::*;

type Seen = Arc<Mutex<Vec<String>>>;

async fn saw(
    State(seen): State<Seen>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or("none");
    seen.lock().expect("no panic").push(format!("{method} {uri} {key} {body}"));
    match uri.path() {
        "/bad" => StatusCode::BAD_REQUEST,
        "/busy" => StatusCode::SERVICE_UNAVAILABLE,
        "/hangs" => std::future::pending().await,
        _ => StatusCode::OK,
    }
}

fn message(id: &str, body: &Value) -> Value {
    let body = if body.is_string() { body.as_str().expect("text").to_owned() } else { body.to_string() };
    json!({"messageId": id, "body": body, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q",
        "attributes": {"ApproximateReceiveCount": "1"}})
}

fn put(path: &str) -> Value {
    json!({"method": "PUT", "path": path, "body": "a 1\n"})
}

/// What the routes saw, and which messages come again.
async fn batch(records: Vec<Value>) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let seen = Seen::default();
    let routes = Router::new().fallback(any(saw)).with_state(Arc::clone(&seen));
    let event: Event = serde_json::from_value(json!({"Records": records})).expect("an event");
    let answer = Messages::to(routes).answer(event, &Invocation::lasting(700)).await?;
    let FunctionResponse::BufferedResponse(answer) = answer else { panic!("streams") };
    let answer: Value = serde_json::from_str(answer.get()).expect("JSON");
    let failures = answer["batchItemFailures"].as_array().expect("a list").iter();
    let failed = failures.map(|item| item["itemIdentifier"].as_str().expect("text").to_owned()).collect();
    let seen = seen.lock().expect("no panic").clone();
    Ok((seen, failed))
}

#[tokio::test]
async fn the_message_id_is_the_key_unless_there_is_one() {
    let mut own = put("/b");
    own["headers"] = json!({"Idempotency-Key": "mine"});
    let bytes = json!({"method": "POST", "path": "/c?x=1", "body_base64": "YiAyCg=="});
    let delete = json!({"method": "DELETE", "path": "/d"});
    let records =
        vec![message("1", &put("/a")), message("2", &own), message("3", &bytes), message("4", &delete)];
    let (seen, failed) = batch(records).await.expect("an outcome");
    assert_eq!(seen, ["PUT /a 1 a 1\n", "PUT /b mine a 1\n", "POST /c?x=1 3 b 2\n", "DELETE /d 4 "]);
    assert_eq!(failed, [""; 0]);
}

#[tokio::test]
async fn a_bad_message_comes_again_alone() {
    let records = vec![
        message("ok", &put("/a")),
        message("refused", &put("/bad")),
        message("busy", &put("/busy")),
        message("hangs", &put("/hangs")),
        message("text", &json!("a 1")),
        message("method", &json!({"method": "GET", "path": "/a"})),
        message("both", &json!({"method": "PUT", "path": "/a", "body": "", "body_base64": ""})),
        message("base64", &json!({"method": "PUT", "path": "/a", "body_base64": "?"})),
        message("path", &json!({"method": "PUT", "path": "a b"})),
        message("header", &json!({"method": "PUT", "path": "/a", "headers": {"a b": ""}})),
        message("field", &json!({"method": "PUT", "path": "/a", "boby": ""})),
        json!({"messageId": "empty", "eventSource": "aws:sqs"}),
        message("last", &put("/z")),
    ];
    let (seen, mut failed) = batch(records).await.expect("an outcome");
    assert_eq!(seen.len(), 5);
    failed.sort_unstable();
    let expect =
        ["base64", "both", "busy", "empty", "field", "hangs", "header", "method", "path", "refused", "text"];
    assert_eq!(failed, expect);
}

#[tokio::test]
async fn a_fifo_queue_keeps_its_order() {
    let of_group = |id: &str, group: &str, path: &str| {
        let mut message = message(id, &put(path));
        message["eventSourceARN"] = json!("arn:aws:sqs:eu-west-1:1:q.fifo");
        message["attributes"]["MessageGroupId"] = json!(group);
        message
    };
    let records = vec![
        of_group("1", "x", "/a"),
        of_group("2", "x", "/busy"),
        of_group("3", "x", "/b"),
        of_group("4", "y", "/c"),
    ];
    let (seen, failed) = batch(records).await.expect("an outcome");
    assert_eq!(failed, ["2", "3"]);
    assert!(!seen.iter().any(|seen| seen.starts_with("PUT /b ")), "{seen:?}");
}

#[tokio::test]
async fn records_of_others_are_no_batch() {
    for (record, expect) in [
        (json!({"eventSource": "aws:s3", "messageId": "1"}), "Records[0] is no message of an SQS queue"),
        (json!({"eventSource": "aws:sqs", "body": "{}"}), "Records[0] has no messageId"),
    ] {
        let told = batch(vec![record]).await.expect_err("is none").to_string();
        assert!(told.contains(expect), "{told}");
    }
}
