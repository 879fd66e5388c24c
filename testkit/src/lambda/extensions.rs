//! The Extensions API, version 2020-01-01: programs beside the function that hear of each invocation and of the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Request, Response};

pub(super) const PREFIX: &str = "/2020-01-01/extension/";
const IDENTIFIER: &str = "lambda-extension-identifier";
/// How often a waiting side looks whether it is all over.
const LOOK: Duration = Duration::from_millis(50);

/// Why an environment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Nobody has called for a while.
    Spindown,
    /// An invocation ran into its time.
    Timeout,
    /// The function's process ended.
    Failure,
}

/// Those that have registered, by their identifier.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    registered: BTreeMap<String, Extension>,
    events: u64,
    failures: Vec<String>,
    stopped: bool,
}

#[derive(Debug)]
struct Extension {
    name: String,
    wanted: Vec<String>,
    waiting: VecDeque<Value>,
    /// It has asked for an event and has none: it is done with what it had.
    is_idle: bool,
}

impl Extensions {
    /// Answers a request below [`PREFIX`].
    pub(super) fn answer(&self, request: &Request, path: &str) -> Response {
        match (request.method.as_str(), path) {
            ("POST", "register") => self.register(request),
            ("GET", "event/next") => self.next(request),
            ("POST", "init/error" | "exit/error") => {
                let told = String::from_utf8_lossy(&request.body).into_owned();
                self.lock().failures.push(told);
                self.changed.notify_all();
                json_answer(202, &json!({ "status": "OK" }))
            }
            _ => refused(404, "Extension.InvalidPath", path),
        }
    }

    /// Tells of an invocation.
    pub(super) fn invoked(&self, request_id: &str, deadline_ms: u128, arn: &str, trace: &str) {
        self.tell(
            "INVOKE",
            &json!({ "eventType": "INVOKE", "deadlineMs": deadline_ms, "requestId": request_id,
                "invokedFunctionArn": arn, "tracing": { "type": "X-Amzn-Trace-Id", "value": trace } }),
        );
    }

    /// Tells that the environment ends at `deadline_ms`.
    pub(super) fn ends(&self, reason: ShutdownReason, deadline_ms: u128) {
        let reason = match reason {
            ShutdownReason::Spindown => "spindown",
            ShutdownReason::Timeout => "timeout",
            ShutdownReason::Failure => "failure",
        };
        let event = json!({ "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms });
        self.tell("SHUTDOWN", &event);
    }

    /// Waits, at most for so long, until all have asked for the event after the last one, as an invocation ends only then:
    /// the names of those that have not.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes wait in real time")]
    pub(super) fn busy_after(&self, wait: Duration) -> Vec<String> {
        let end = Instant::now() + wait;
        let mut state = self.lock();
        loop {
            let busy: Vec<String> = state
                .registered
                .values()
                .filter(|extension| !extension.is_idle)
                .map(|extension| extension.name.clone())
                .collect();
            if busy.is_empty() || Instant::now() >= end {
                return busy;
            }
            state = self.wait(state);
        }
    }

    /// Whether there are some, and all wait for an event.
    pub(super) fn wait_for_events(&self) -> bool {
        let state = self.lock();
        !state.registered.is_empty() && state.registered.values().all(|extension| extension.is_idle)
    }

    /// What extensions have said of their own failures.
    pub(super) fn failures(&self) -> Vec<String> {
        self.lock().failures.clone()
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn register(&self, request: &Request) -> Response {
        let Some(name) = request.headers.get("lambda-extension-name") else {
            return refused(400, "Extension.MissingHeader", "Lambda-Extension-Name");
        };
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let wanted = body["events"].as_array().cloned().unwrap_or_default();
        let wanted: Vec<String> =
            wanted.iter().filter_map(|event| event.as_str().map(str::to_owned)).collect();
        if let Some(unknown) = wanted.iter().find(|event| !["INVOKE", "SHUTDOWN"].contains(&event.as_str())) {
            return refused(400, "Extension.InvalidEventType", unknown);
        }
        let mut state = self.lock();
        let id = format!("00000000-0000-4000-9000-{:012x}", state.registered.len() + 1);
        let extension = Extension { name: name.to_owned(), wanted, waiting: VecDeque::new(), is_idle: false };
        state.registered.insert(id.clone(), extension);
        let body =
            json!({ "functionName": "mayfly-test", "functionVersion": "$LATEST", "handler": "bootstrap" });
        json_answer(200, &body).header("Lambda-Extension-Identifier", &id)
    }

    /// The long poll, as that of the runtime.
    fn next(&self, request: &Request) -> Response {
        let mut state = self.lock();
        let Some(id) = request.headers.get(IDENTIFIER).filter(|id| state.registered.contains_key(*id)) else {
            return refused(403, "Extension.UnknownExtensionIdentifier", "not registered");
        };
        loop {
            let State { registered, events, stopped, .. } = &mut *state;
            let Some(extension) = registered.get_mut(id) else {
                return refused(403, "Extension.UnknownExtensionIdentifier", id);
            };
            if let Some(event) = extension.waiting.pop_front() {
                extension.is_idle = false;
                *events += 1;
                let number = format!("event-{events}");
                return json_answer(200, &event).header("Lambda-Extension-Event-Identifier", &number);
            }
            if *stopped {
                return refused(403, "Extension.Stopped", "the emulator has stopped");
            }
            extension.is_idle = true;
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    fn tell(&self, kind: &str, event: &Value) {
        let mut state = self.lock();
        for extension in state.registered.values_mut().filter(|one| one.wanted.iter().any(|w| w == kind)) {
            extension.waiting.push_back(event.clone());
            extension.is_idle = false;
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(guard, LOOK).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn json_answer(status: u16, body: &Value) -> Response {
    Response::new(status).header("Content-Type", "application/json").body(body.to_string())
}

fn refused(status: u16, kind: &str, message: &str) -> Response {
    json_answer(status, &json!({ "errorType": kind, "errorMessage": message }))
}

#[cfg(test)]
mod tests;
