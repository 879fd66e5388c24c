//! The Telemetry API, version 2022-07-01: what the platform reports to extensions that have subscribed, in the shapes of schema 2022-12-13.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::{self, Request, Response};

pub(super) const PATH: &str = "/2022-07-01/telemetry";
/// What extensions call the sandbox that they are in.
const SANDBOX: &str = "sandbox.localdomain";
/// How often something is posted that was not answered with success.
const ATTEMPTS: u32 = 3;

/// What was told so far, and whom: those who subscribe late hear all of it.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// There is no such API here.
    is_absent: bool,
    /// Kinds of events that nobody is told of.
    lost: &'static [&'static str],
    told: Vec<Value>,
    subscribers: Vec<Sender<Value>>,
}

impl Telemetry {
    /// Answers a subscription.
    pub(super) fn subscribe(&self, request: &Request) -> Response {
        let refused = |why: &str| Response::new(400).body(json!({ "errorMessage": why }).to_string());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if request.headers.get("lambda-extension-identifier").is_none() {
            return refused("no identifier of an extension");
        }
        if body["schemaVersion"] != "2022-12-13" || body["destination"]["protocol"] != "HTTP" {
            return refused("expected schemaVersion 2022-12-13 and a destination over HTTP");
        }
        let wants = body["types"].as_array().is_some_and(|types| types.contains(&json!("platform")));
        let Some(place) = body["destination"]["URI"].as_str().filter(|_| wants) else {
            return refused("expected the type platform and the URI of a destination");
        };
        // the least that Lambda allows
        let Some(wait_ms @ 25..=30_000) = body["buffering"]["timeoutMs"].as_u64() else {
            return refused("expected a timeoutMs from 25 to 30000");
        };
        if self.lock().is_absent {
            // as SAM's emulator says it
            let text = "Telemetry API is not supported";
            return Response::new(202).body(json!({ "errorMessage": text, "errorType": text }).to_string());
        }
        let place = place.replace(SANDBOX, "127.0.0.1");
        let (sender, events) = mpsc::channel();
        thread::spawn(move || deliver(&place, &events, Duration::from_millis(wait_ms)));
        let mut state = self.lock();
        for event in &state.told {
            // it listens as long as we keep the other end
            let _ = sender.send(event.clone());
        }
        state.subscribers.push(sender);
        Response::new(200).body("\"OK\"")
    }

    /// From now on there is no such API.
    pub(super) fn is_absent(&self) {
        self.lock().is_absent = true;
    }

    /// From now on such events are lost on their way.
    pub(super) fn loses(&self, kinds: &'static [&'static str]) {
        self.lock().lost = kinds;
    }

    /// Tells of something that has happened.
    pub(super) fn tell(&self, kind: &str, record: &Value) {
        let event = json!({ "time": now(), "type": format!("platform.{kind}"), "record": record });
        let mut state = self.lock();
        if state.lost.contains(&kind) {
            return;
        }
        state.subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
        state.told.push(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Posts what is told, some of it at once. What is not answered is sent again, as Lambda does.
#[expect(clippy::disallowed_methods, reason = "a test's edge: real processes wait in real time")]
fn deliver(place: &str, events: &Receiver<Value>, wait: Duration) {
    let (base, path) = match place.strip_prefix("http://").and_then(|rest| rest.split_once('/')) {
        Some((host, path)) => (host.to_owned(), format!("/{path}")),
        None => (place.to_owned(), "/".to_owned()),
    };
    while let Ok(first) = events.recv() {
        let (mut batch, end) = (vec![first], Instant::now() + wait);
        while let Ok(event) = events.recv_timeout(end.saturating_duration_since(Instant::now())) {
            batch.push(event);
        }
        let request = Request::new("POST", &path)
            .header("Content-Type", "application/json")
            .body(Value::Array(batch).to_string());
        for _ in 0..ATTEMPTS {
            if http::send(&base, &request).is_ok_and(|answer| answer.status < 300) {
                break;
            }
        }
    }
}

/// The time as events have it: `2026-11-28T09:00:00.000Z`.
#[expect(clippy::disallowed_methods, reason = "a test's edge")]
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let months = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (day, month) = (days + 1, month + 1);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", since.subsec_millis())
}
