//! The Runtime API, version 2018-06-01.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::extensions::{self, Extensions, ShutdownReason};
use super::telemetry::{self, Telemetry};
use crate::http::{Request, Response, Server};

const PREFIX: &str = "/2018-06-01/runtime/";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:mayfly-test";
/// Bytes of an answer in one piece that Lambda takes; what is streamed may have more.
const ANSWER_BYTES_MAX: usize = 6_291_556;
const TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
/// How long each environment says that it took to start.
const INIT_MS: f64 = 125.25;
/// How often a waiting side looks whether the other still lives.
const LOOK_MS: u64 = 50;

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The handler answered with an error: what it posted.
    #[error("the function failed: {0}")]
    Function(String),
    /// The runtime gave up before its first event: what it posted.
    #[error("the function did not initialise: {0}")]
    Init(String),
    /// No answer within the time of the invocation.
    #[error("no answer from the function within {0:?}")]
    Timeout(Duration),
    /// The process is gone.
    #[error("the function's process ended: {0}")]
    Exited(String),
    /// There is an answer, but the invocation did not end within its time.
    #[error("these extensions were not done within {0:?}: {names}", names = .1.join(", "))]
    Extensions(Duration, Vec<String>),
    /// The answer is not that of an HTTP integration.
    #[error(transparent)]
    Answer(#[from] super::BadAnswer),
}

/// The Runtime API on a free port. Events wait in order; each goes to the next caller of `next`.
#[derive(Debug)]
pub struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    extensions: Extensions,
    telemetry: Telemetry,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    /// How long the last invocation took to be answered.
    last_reply: Duration,
    waiting: VecDeque<Event>,
    answers: HashMap<String, Answer>,
    init_error: Option<String>,
    /// Whether the function has asked for an event.
    asked: bool,
    stopped: bool,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: Vec<u8>,
    deadline_ms: u128,
}

#[derive(Debug)]
enum Answer {
    Pending,
    Response(Vec<u8>),
    Error(String),
}

impl RuntimeApi {
    /// Starts on a free port.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let server = Server::start(move |request| state.answer(request))?;
        Ok(Self { server, shared })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` says.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Waits until the function has asked for its first event, at most for `timeout`: whether it did.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes wait in real time")]
    pub fn wait_until_asked(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut state = self.shared.lock();
        while !state.asked && state.init_error.is_none() && Instant::now() < end {
            state = self.shared.wait(state);
        }
        state.asked
    }

    /// Gives `event` to the function and waits for its answer. `alive` is asked now and then and ends the wait by an
    /// error that says what became of the function.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes wait in real time")]
    pub fn invoke(
        &self,
        event: &[u8],
        timeout: Duration,
        mut alive: impl FnMut() -> Result<(), String>,
    ) -> Result<Vec<u8>, InvokeError> {
        let began = Instant::now();
        let end = began + timeout;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut state = self.shared.lock();
        state.last_id += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", state.last_id);
        state.answers.insert(id.clone(), Answer::Pending);
        let deadline_ms = (now + timeout).as_millis();
        state.waiting.push_back(Event { id: id.clone(), body: event.to_vec(), deadline_ms });
        self.shared.extensions.invoked(&id, deadline_ms, ARN, TRACE);
        let start = json!({ "requestId": id, "version": "$LATEST", "tracing": tracing() });
        self.shared.telemetry.tell("start", &start);
        self.shared.changed.notify_all();
        let outcome = loop {
            match state.answers.get(&id) {
                Some(Answer::Response(body)) => break Ok(body.clone()),
                Some(Answer::Error(text)) => break Err(InvokeError::Function(text.clone())),
                Some(Answer::Pending) | None => {}
            }
            if let Some(text) = &state.init_error {
                break Err(InvokeError::Init(text.clone()));
            }
            if let Err(text) = alive() {
                break Err(InvokeError::Exited(text));
            }
            if Instant::now() >= end {
                break Err(InvokeError::Timeout(timeout));
            }
            state = self.shared.wait(state);
        };
        state.answers.remove(&id);
        state.waiting.retain(|event| event.id != id);
        let (reply, is_first) = (began.elapsed(), state.last_id == 1);
        state.last_reply = reply;
        drop(state);
        let status = status(&outcome);
        let produced = outcome.as_ref().map_or(0, Vec::len);
        self.shared.telemetry.tell(
            "runtimeDone",
            &json!({ "requestId": id, "status": status, "tracing": tracing(),
                "metrics": { "durationMs": ms(reply), "producedBytes": produced }, "spans": [] }),
        );
        let busy = match &outcome {
            Ok(_) | Err(InvokeError::Function(_)) => {
                self.shared.extensions.busy_after(end.saturating_duration_since(Instant::now()))
            }
            // the environment ends, and who is told of that may still be busy
            Err(_) => Vec::new(),
        };
        let mut metrics = json!({ "durationMs": ms(began.elapsed()), "billedDurationMs": ms(began.elapsed()).ceil(),
            "memorySizeMB": 256, "maxMemoryUsedMB": 64 });
        if is_first {
            metrics["initDurationMs"] = json!(INIT_MS);
        }
        let report = json!({ "requestId": id, "status": status, "tracing": tracing(), "metrics": metrics });
        self.shared.telemetry.tell("report", &report);
        match busy.is_empty() {
            true => outcome,
            false => Err(InvokeError::Extensions(timeout, busy)),
        }
    }

    /// As an emulator that has no Telemetry API.
    pub(super) fn without_telemetry(&self) {
        self.shared.telemetry.is_absent();
    }

    /// From now on reports of these kinds, as `runtimeDone`, are lost on their way.
    pub fn loses(&self, kinds: &'static [&'static str]) {
        self.shared.telemetry.loses(kinds);
    }

    /// How long the last invocation took to be answered: its caller waits no longer, whatever extensions do.
    pub fn last_reply(&self) -> Duration {
        self.shared.lock().last_reply
    }

    /// Whether there are extensions, and all of them wait for an event.
    pub fn extensions_wait(&self) -> bool {
        self.shared.extensions.wait_for_events()
    }

    /// Tells extensions that the environment ends in so long.
    #[expect(clippy::disallowed_methods, reason = "a test's edge: real processes wait in real time")]
    pub fn announce_end(&self, reason: ShutdownReason, within: Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.shared.extensions.ends(reason, (now + within).as_millis());
    }

    /// Tells extensions that the environment ends, and gives them so long: the names of those that were not done.
    pub fn shut_down(&self, reason: ShutdownReason, within: Duration) -> Vec<String> {
        self.announce_end(reason, within);
        self.shared.extensions.busy_after(within)
    }

    /// What extensions have posted about their own failures.
    pub fn extension_failures(&self) -> Vec<String> {
        self.shared.extensions.failures()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.extensions.stop();
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(guard, Duration::from_millis(LOOK_MS));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn answer(&self, request: &Request) -> Response {
        if request.method == "PUT" && request.path() == telemetry::PATH {
            return self.telemetry.subscribe(request);
        }
        if let Some(path) = request.path().strip_prefix(extensions::PREFIX) {
            return self.extensions.answer(request, path);
        }
        let Some(path) = request.path().strip_prefix(PREFIX) else {
            return refusal(404, "InvalidPath", request.path());
        };
        let parts: Vec<&str> = path.split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["invocation", "next"]) => self.next(),
            ("POST", ["invocation", id, "response"]) => self.done(id, answer_of(request)),
            ("POST", ["invocation", id, "error"]) => self.done(id, Answer::Error(text_of(request))),
            ("POST", ["init", "error"]) => {
                self.lock().init_error = Some(text_of(request));
                self.changed.notify_all();
                accepted()
            }
            _ => refusal(404, "InvalidPath", request.path()),
        }
    }

    /// The long poll: as in Lambda it has no end but an event, here also the end of the emulator.
    fn next(&self) -> Response {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.asked, true) {
            self.tell_of_init();
        }
        self.changed.notify_all();
        loop {
            if let Some(event) = state.waiting.pop_front() {
                return Response::new(200)
                    .header("Content-Type", "application/json")
                    .header("Lambda-Runtime-Aws-Request-Id", &event.id)
                    .header("Lambda-Runtime-Deadline-Ms", &event.deadline_ms.to_string())
                    .header("Lambda-Runtime-Invoked-Function-Arn", ARN)
                    .header("Lambda-Runtime-Trace-Id", TRACE)
                    .body(event.body);
            }
            if state.stopped {
                return refusal(403, "Stopped", "the emulator has stopped");
            }
            state = self.wait(state);
        }
    }

    fn tell_of_init(&self) {
        let of_init = |more: serde_json::Value| {
            let mut record = json!({ "initializationType": "on-demand", "phase": "init" });
            for (name, value) in more.as_object().into_iter().flatten() {
                record[name] = value.clone();
            }
            record
        };
        self.telemetry.tell("initStart", &of_init(json!({ "functionName": "mayfly-test" })));
        self.telemetry.tell("initRuntimeDone", &of_init(json!({ "status": "success" })));
        let metrics = json!({ "durationMs": INIT_MS });
        self.telemetry.tell("initReport", &of_init(json!({ "status": "success", "metrics": metrics })));
    }

    fn done(&self, id: &str, answer: Answer) -> Response {
        let mut state = self.lock();
        let Some(pending @ Answer::Pending) = state.answers.get_mut(id) else {
            return refusal(400, "InvalidRequestID", id);
        };
        *pending = answer;
        self.changed.notify_all();
        accepted()
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn tracing() -> serde_json::Value {
    json!({ "type": "X-Amzn-Trace-Id", "value": TRACE, "spanId": "54565fb41ac79632" })
}

/// As the platform calls it.
fn status(outcome: &Result<Vec<u8>, InvokeError>) -> &'static str {
    match outcome {
        Ok(_) => "success",
        Err(InvokeError::Timeout(_)) => "timeout",
        Err(InvokeError::Exited(_)) => "failure",
        Err(_) => "error",
    }
}

fn answer_of(request: &Request) -> Answer {
    let is_streamed = request.headers.get("lambda-runtime-function-response-mode") == Some("streaming");
    if !is_streamed && request.body.len() > ANSWER_BYTES_MAX {
        return Answer::Error(format!(
            "Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES_MAX} bytes)."
        ));
    }
    Answer::Response(request.body.clone())
}

fn text_of(request: &Request) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn accepted() -> Response {
    Response::new(202).header("Content-Type", "application/json").body(r#"{"status":"OK"}"#)
}

fn refusal(status: u16, kind: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errorType": kind, "errorMessage": message }).to_string();
    Response::new(status).header("Content-Type", "application/json").body(body)
}

#[cfg(test)]
mod tests;
