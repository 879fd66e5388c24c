//! A server with a folder of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use testkit::server::{Mayfly, built};

/// A server on a folder that goes away with it, and what a test wants to know of it. Anything unexpected panics.
#[derive(Debug)]
pub struct Fixture {
    folder: TempDir,
    args: Vec<String>,
    server: Option<Mayfly>,
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

impl Fixture {
    /// A running server on an empty folder.
    pub fn new() -> Self {
        Self::with_args(|_| Vec::new())
    }

    /// The same with further flags, which may name files in the folder given.
    pub fn with_args(args: impl FnOnce(&TempDir) -> Vec<String>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut all = vec!["--storage".to_owned(), folder.path().join("data").display().to_string()];
        all.extend(args(&folder));
        let mut fixture = Self { folder, args: all, server: None };
        fixture.start();
        fixture
    }

    /// Where the server stores.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has logged so far, in all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("mayfly.log")).expect("a log")
    }

    /// The process.
    pub fn server(&self) -> &Mayfly {
        self.server.as_ref().expect("the server runs")
    }

    /// Starts the server where none runs.
    pub fn start(&mut self) {
        let log = self.folder.path().join("mayfly.log");
        let binary = built("mayfly").expect("the binary");
        self.server = Some(Mayfly::start(&binary, &self.args, &log).expect("mayfly serve"));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.server.take().expect("the server runs").kill();
    }

    /// SIGKILL, then a new process on the same folder.
    pub fn restart_after_kill(&mut self) {
        self.kill();
        self.start();
    }

    /// SIGTERM, and an end with 0.
    pub fn stop(&mut self) {
        let status = self.server.take().expect("the server runs").stop().expect("an end after SIGTERM");
        assert!(status.success(), "mayfly serve ended with {status}");
    }

    /// A push that is answered as the Pushgateway answers a good one.
    pub fn push(&self, method: &str, group: &str, body: &str) {
        let answer = self.server().push(method, group, body).expect("an answer");
        let expect = if method == "DELETE" { 202 } else { 200 };
        assert_eq!((answer.status, answer.text().as_str()), (expect, ""), "{method} {group} {body}");
    }

    /// An instant vector as texts: `name{label="value",…}` without empty labels, to its value.
    pub fn vector(&self, expr: &str, time: Option<&str>) -> BTreeMap<String, String> {
        let answer = self.server().instant(expr, time).expect("an answer");
        assert_eq!(answer.status, 200, "{expr}: {}", answer.text());
        let json = answer.json().expect("JSON");
        assert_eq!(json["data"]["resultType"], "vector", "{json}");
        let rows = json["data"]["result"].as_array().expect("a result").iter();
        rows.map(|row| (series_name(&row["metric"]), row["value"][1].as_str().expect("a value").to_owned()))
            .collect()
    }

    /// That the vector now is this one.
    #[track_caller]
    pub fn check(&self, expr: &str, expect: &[(&str, &str)]) {
        let expect = expect.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(self.vector(expr, None), expect, "{expr}");
    }
}

fn series_name(metric: &Value) -> String {
    let labels: BTreeMap<&String, &Value> = metric.as_object().expect("labels").iter().collect();
    let pairs = labels.iter().filter(|(name, _)| name.as_str() != "__name__");
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}{{{}}}", metric["__name__"].as_str().unwrap_or_default(), pairs.join(","))
}
