//! The API against a client in this process that does what a runtime does.
#![expect(clippy::disallowed_methods, reason = "the deadline is compared with the wall clock")]

use std::thread;

use super::*;
use crate::http;

const SECOND: Duration = Duration::from_secs(1);

/// Takes one event and posts what `handler` makes of it to the path that it names.
fn client(
    api: &RuntimeApi,
    handler: impl FnOnce(&Response) -> (&'static str, Vec<u8>) + Send + 'static,
) -> thread::JoinHandle<u16> {
    let base = api.address().to_string();
    thread::spawn(move || {
        let event = http::get(&base, "/2018-06-01/runtime/invocation/next").unwrap();
        let id = event.headers.get("lambda-runtime-aws-request-id").unwrap();
        let (what, body) = handler(&event);
        let target = match what {
            "init" => format!("{PREFIX}init/error"),
            what => format!("{PREFIX}invocation/{id}/{what}"),
        };
        http::send(&base, &Request::new("POST", &target).body(body)).unwrap().status
    })
}

fn alive() -> Result<(), String> {
    Ok(())
}

#[test]
fn an_event_goes_out_and_its_answer_comes_back() {
    let api = RuntimeApi::start().unwrap();
    let client = client(&api, |event| {
        let deadline: u128 = event.headers.get("lambda-runtime-deadline-ms").unwrap().parse().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!(deadline.abs_diff(now) <= 5_000, "{deadline} is not epoch milliseconds near {now}");
        assert!(
            event.headers.get("lambda-runtime-invoked-function-arn").unwrap().starts_with("arn:aws:lambda:")
        );
        assert!(event.headers.get("lambda-runtime-trace-id").unwrap().starts_with("Root="));
        ("response", [&event.body[..], b"!"].concat())
    });
    assert_eq!(api.invoke(b"hello", 5 * SECOND, alive).unwrap(), b"hello!");
    assert_eq!(client.join().unwrap(), 202);
}

#[test]
fn errors_of_the_handler_and_of_the_start_arrive_as_such() {
    let api = RuntimeApi::start().unwrap();
    drop(client(&api, |_| ("error", b"no luck".to_vec())));
    let handler = api.invoke(b"{}", 5 * SECOND, alive).unwrap_err();
    assert!(matches!(&handler, InvokeError::Function(text) if text == "no luck"), "{handler}");
    drop(client(&api, |_| ("init", b"no key".to_vec())));
    let init = api.invoke(b"{}", 5 * SECOND, alive).unwrap_err();
    assert!(matches!(&init, InvokeError::Init(text) if text == "no key"), "{init}");
}

#[test]
fn a_silent_or_dead_function_ends_the_wait() {
    let api = RuntimeApi::start().unwrap();
    let silent = api.invoke(b"{}", SECOND / 10, alive).unwrap_err();
    assert!(matches!(silent, InvokeError::Timeout(_)), "{silent}");
    let dead = api.invoke(b"{}", 5 * SECOND, || Err("signal: 9".to_owned())).unwrap_err();
    assert!(matches!(&dead, InvokeError::Exited(text) if text == "signal: 9"), "{dead}");
}

#[test]
fn an_answer_after_the_end_is_refused() {
    let api = RuntimeApi::start().unwrap();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let late = client(&api, move |_| {
        wait.recv().unwrap();
        ("response", Vec::new())
    });
    assert!(matches!(api.invoke(b"{}", SECOND / 10, alive), Err(InvokeError::Timeout(_))));
    go.send(()).unwrap();
    assert_eq!(late.join().unwrap(), 400);
    assert_eq!(http::get(&api.address().to_string(), "/2018-06-01/other").unwrap().status, 404);
}

#[test]
fn an_answer_in_one_piece_has_a_limit() {
    let api = RuntimeApi::start().unwrap();
    drop(client(&api, |_| ("response", vec![b' '; ANSWER_BYTES_MAX])));
    assert_eq!(api.invoke(b"{}", 20 * SECOND, alive).unwrap().len(), ANSWER_BYTES_MAX);
    drop(client(&api, |_| ("response", vec![b' '; ANSWER_BYTES_MAX + 1])));
    let large = api.invoke(b"{}", 20 * SECOND, alive).unwrap_err();
    assert!(matches!(&large, InvokeError::Function(text) if text.contains("6291556 bytes")), "{large}");
}
