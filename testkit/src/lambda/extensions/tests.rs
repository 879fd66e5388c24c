//! Extensions in this process, beside a runtime that is one too.

use std::thread;

use super::super::RuntimeApi;
use super::*;
use crate::http::{self, Headers};

const SECOND: Duration = Duration::from_secs(1);

fn register(base: &str, name: &str, events: &Value) -> String {
    let request = Request::new("POST", "/2020-01-01/extension/register")
        .header("Lambda-Extension-Name", name)
        .body(json!({ "events": events }).to_string());
    let answer = http::send(base, &request).unwrap();
    assert_eq!(answer.json().unwrap()["functionVersion"], "$LATEST");
    answer.headers.get(IDENTIFIER).unwrap().to_owned()
}

fn next(base: &str, id: &str) -> Response {
    http::send(base, &Request::new("GET", "/2020-01-01/extension/event/next").header(IDENTIFIER, id)).unwrap()
}

/// A runtime that answers each event at once.
fn runtime(base: String) {
    thread::spawn(move || {
        while let Ok(event) = http::get(&base, "/2018-06-01/runtime/invocation/next") {
            let Some(id) = event.headers.get("lambda-runtime-aws-request-id") else { return };
            let target = format!("/2018-06-01/runtime/invocation/{id}/response");
            http::send(&base, &Request::new("POST", &target).body(event.body)).unwrap();
        }
    });
}

#[test]
fn each_invocation_and_the_end_are_told() {
    let api = RuntimeApi::start().unwrap();
    let base = api.address().to_string();
    runtime(base.clone());
    let id = register(&base, "metrics", &json!(["INVOKE", "SHUTDOWN"]));
    let told = thread::spawn({
        let base = base.clone();
        move || (0..3).map(|_| next(&base, &id).json().unwrap()).collect::<Vec<_>>()
    });
    for body in [b"1", b"2"] {
        assert_eq!(api.invoke(body, 5 * SECOND, || Ok(())).unwrap(), body);
    }
    assert_eq!(api.shut_down(ShutdownReason::Spindown, SECOND / 5), ["metrics"], "it asks no more");
    let told = told.join().unwrap();
    let kinds: Vec<_> = told.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["INVOKE", "INVOKE", "SHUTDOWN"]);
    assert_ne!(told[0]["requestId"], told[1]["requestId"]);
    assert!(told[0]["tracing"]["value"].as_str().unwrap().starts_with("Root="));
    assert_eq!(told[2]["shutdownReason"], "spindown");
}

#[test]
fn an_invocation_lasts_until_extensions_are_done() {
    let api = RuntimeApi::start().unwrap();
    let base = api.address().to_string();
    runtime(base.clone());
    let id = register(&base, "slow", &json!(["INVOKE"]));
    // it never asks for an event, so it is never done
    let late = api.invoke(b"x", SECOND / 5, || Ok(())).unwrap_err();
    assert_eq!(late.to_string(), "these extensions were not done within 200ms: slow");
    // a second invocation waits behind the first one's event
    let both = thread::spawn(move || [next(&base, &id), next(&base, &id)].map(|event| event.json().unwrap()));
    drop(api.invoke(b"y", SECOND / 5, || Ok(())));
    assert!(both.join().unwrap().iter().all(|event| event["eventType"] == "INVOKE"));
}

#[test]
fn what_is_wrong_is_refused_and_failures_are_kept() {
    let api = RuntimeApi::start().unwrap();
    let base = api.address().to_string();
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = Request::new(method, &format!("/2020-01-01/extension/{path}")).body(body);
        request.headers = Headers(headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        http::send(&base, &request).unwrap().status
    };
    let name = ("Lambda-Extension-Name", "x");
    assert_eq!(send("POST", "register", &[], r#"{"events":[]}"#), 400);
    assert_eq!(send("POST", "register", &[name], r#"{"events":["SLEEP"]}"#), 400);
    assert_eq!(send("GET", "event/next", &[(IDENTIFIER, "nobody")], ""), 403);
    assert_eq!(send("POST", "nowhere", &[], ""), 404);
    assert_eq!(send("POST", "exit/error", &[], r#"{"errorMessage":"no disk"}"#), 202);
    assert_eq!(api.extension_failures(), [r#"{"errorMessage":"no disk"}"#]);
}
