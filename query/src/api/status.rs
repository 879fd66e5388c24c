//! What is running, and how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::Api;
use super::answer::Success;
use super::json::{self, Fields};
use crate::calendar::rfc3339;

/// What was built, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of the program.
    pub version: String,
    /// The commit that it was built from.
    pub revision: String,
    /// The branch that it was built from.
    pub branch: String,
    /// Who built it.
    pub build_user: String,
    /// When it was built.
    pub build_date: String,
}

pub(super) async fn build_info(State(api): State<Arc<Api>>) -> Success {
    Success::of(build(&api))
}

/// The same without an envelope.
pub(super) async fn version(State(api): State<Arc<Api>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], build(&api) + "\n")
}

fn build(api: &Api) -> String {
    let BuildInfo { version, revision, branch, build_user, build_date } = &api.build;
    let fields = [
        ("version", version.as_str()),
        ("revision", revision),
        ("branch", branch),
        ("buildUser", build_user),
        ("buildDate", build_date),
        // clients expect it to be there
        ("goVersion", ""),
    ];
    let mut data = String::new();
    Fields::object(&mut data, |out| {
        for (name, value) in fields {
            json::string(out.field(name), value);
        }
    });
    data
}

/// The process that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// When it was started, in milliseconds.
    pub started_ms: i64,
    /// The folder in which it runs.
    pub working_directory: String,
    /// The machine on which it runs.
    pub host: String,
    /// Its command line: names of flags without dashes, and their values.
    pub flags: BTreeMap<String, String>,
}

/// What came of reading configuration, shared with whoever reads it.
#[derive(Debug)]
pub struct LastReload {
    is_good: AtomicBool,
    good_ms: AtomicI64,
}

impl LastReload {
    /// The configuration was read well at this time.
    pub fn at(now_ms: i64) -> Self {
        Self { is_good: AtomicBool::new(true), good_ms: AtomicI64::new(now_ms) }
    }

    /// It was read well again.
    pub fn succeeded(&self, now_ms: i64) {
        self.good_ms.store(now_ms, Ordering::Relaxed);
        self.is_good.store(true, Ordering::Relaxed);
    }

    /// It could not be read, or was refused.
    pub fn failed(&self) {
        self.is_good.store(false, Ordering::Relaxed);
    }

    /// Whether it was read well the last time.
    pub fn is_good(&self) -> bool {
        self.is_good.load(Ordering::Relaxed)
    }

    /// When it was read well the last time, in milliseconds.
    pub fn good_ms(&self) -> i64 {
        self.good_ms.load(Ordering::Relaxed)
    }
}

pub(super) async fn runtime_info(State(api): State<Arc<Api>>) -> Success {
    let Process { started_ms, working_directory, host, .. } = &api.process;
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        json::string(fields.field("startTime"), &rfc3339(*started_ms));
        json::string(fields.field("CWD"), working_directory);
        json::string(fields.field("hostname"), host);
        json::string(fields.field("serverTime"), &rfc3339(api.clock.now_ms()));
        let reload = api.last_reload.as_ref().map(|last| (last.is_good(), last.good_ms()));
        let (is_good, good_ms) = reload.unwrap_or((true, *started_ms));
        fields.field("reloadConfigSuccess").push_str(if is_good { "true" } else { "false" });
        json::string(fields.field("lastConfigTime"), &rfc3339(good_ms));
        fields.field("corruptionCount").push('0');
        // what clients expect to be there, and only Go has
        fields.field("goroutineCount").push('0');
        fields.field("GOMAXPROCS").push_str(&api.engine.settings().threads.to_string());
        fields.field("GOMEMLIMIT").push('0');
        for name in ["GOGC", "GODEBUG", "storageRetention"] {
            json::string(fields.field(name), "");
        }
    });
    Success::of(data)
}

/// There is no file: what Prometheus would have in one are flags here.
pub(super) async fn config(State(api): State<Arc<Api>>) -> Success {
    let interval = api.process.flags.get("evaluation-interval").map_or("1m", String::as_str);
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        json::string(fields.field("yaml"), &format!("global:\n  evaluation_interval: {interval}\n"));
    });
    Success::of(data)
}

pub(super) async fn flags(State(api): State<Arc<Api>>) -> Success {
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        for (name, value) in &api.process.flags {
            json::string(fields.field(name), value);
        }
    });
    Success::of(data)
}

/// Logs are replayed before anybody listens.
pub(super) async fn log_replay() -> Success {
    Success::of(r#"{"min":0,"max":0,"current":0}"#.to_owned())
}

pub(super) async fn notifications() -> Success {
    Success::of("[]".to_owned())
}

/// There are never any, so nobody needs to wait: as Prometheus answers where too many wait already, which ends the asking.
pub(super) async fn live_notifications() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// What is stored is in other files than blocks.
pub(super) async fn blocks() -> Success {
    Success::of(r#"{"blocks":[]}"#.to_owned())
}
