//! One line per job: what is missing, late, refused, expired or says itself that it failed is told to the receiver of alerts, and a
//! heartbeat to somebody outside.

use std::collections::BTreeMap;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{self, Request, Response, Server};

const JOBS: &str = r#"
jobs:
- {job: backup, expect: 'every 2s, grace 500ms', labels: {severity: page}}
- {job: never, expect: every 1s}
- {job: refused, expect: every 1h}
- {name: beats, matchers: [team="x", job=~"heart.*"], expect: every 1h, annotations: {runbook: 'see {{ $labels.job }}'}}
- {job: reporter, expect: every 1h, failed_if: 'exit_code{job="reporter"} > 0'}
"#;
const WAIT: Duration = Duration::from_secs(20);

/// A server that passes on what comes.
fn listener() -> (Server, mpsc::Receiver<Request>) {
    let (send, requests) = mpsc::channel();
    let send = Mutex::new(send);
    let server = Server::start(move |request| {
        drop(send.lock().unwrap().send(request.clone()));
        Response::new(200)
    });
    (server.unwrap(), requests)
}

#[test]
fn jobs_that_do_not_run_are_told() {
    let ((alertmanager, alerts), (outside, heartbeats)) = (listener(), listener());
    let fixture = Fixture::with_args(|folder| {
        let jobs = folder.path().join("jobs.yml");
        std::fs::write(&jobs, JOBS).unwrap();
        let (jobs, heartbeat) = (jobs.display().to_string(), format!("{}/ping/key?x=1", outside.url()));
        ["--rules", &jobs, "--alertmanager.url", &alertmanager.url()]
            .into_iter()
            .chain(["--evaluation-interval", "1s", "--rules.heartbeat-url", &heartbeat])
            .map(str::to_owned)
            .collect()
    });
    let beat = heartbeats.recv_timeout(WAIT).expect("a heartbeat");
    assert_eq!((beat.method.as_str(), beat.target.as_str()), ("GET", "/ping/key?x=1"));

    fixture.push("PUT", "job/backup", "rows 1\n");
    fixture.push("PUT", "job/reporter", "exit_code 3\n");
    fixture.push("PUT", "job/refused", "a 1\n");
    let refused = fixture.server().push("PUT", "job/refused", "a 1\na 2\n").unwrap();
    assert_eq!(refused.status, 400, "{}", refused.text());
    let expires = Request::new("PUT", "/metrics/job/heart/team/x").header("x-mayfly-ttl", "1s").body("b 1\n");
    assert_eq!(http::send(&fixture.server().gateway, &expires).unwrap().status, 200);

    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    let end = Instant::now() + WAIT;
    while told.len() < 5 {
        let left = end.checked_duration_since(Instant::now()).unwrap_or_else(|| panic!("only {told:?}"));
        let Ok(request) = alerts.recv_timeout(left) else { continue };
        for alert in serde_json::from_slice::<Vec<Value>>(&request.body).unwrap() {
            told.entry(format!("{} {}", alert["labels"]["alertname"], alert["labels"]["expected"]))
                .or_insert(alert);
        }
    }
    let labels = |name: &str| told.get(name).unwrap_or_else(|| panic!("{name}: {told:?}"))["labels"].clone();
    assert_eq!(
        labels(r#""JobLate" "backup""#),
        json!({"alertname": "JobLate", "expected": "backup", "job": "backup", "severity": "page"})
    );
    assert_eq!(
        labels(r#""JobMissing" "never""#),
        json!({"alertname": "JobMissing", "expected": "never", "job": "never"})
    );
    assert_eq!(
        labels(r#""JobFailed" "refused""#),
        json!({"alertname": "JobFailed", "expected": "refused", "job": "refused", "reason": "refused"})
    );
    assert_eq!(
        labels(r#""JobExpired" "beats""#),
        json!({"alertname": "JobExpired", "expected": "beats", "job": "heart", "team": "x"})
    );
    assert_eq!(told[r#""JobExpired" "beats""#]["annotations"]["runbook"], "see heart");
    assert_eq!(
        labels(r#""JobFailed" "reporter""#),
        json!({"alertname": "JobFailed", "expected": "reporter", "job": "reporter", "reason": "reported"})
    );
    let late = &told[r#""JobLate" "backup""#];
    let summary = late["annotations"]["summary"].as_str().unwrap();
    assert!(summary.starts_with("backup has not been pushed for "), "{summary}");
    assert!(summary.ends_with("; it is expected every 2s, grace 500ms"), "{summary}");

    // once it has pushed again, it is over
    fixture.push("PUT", "job/backup", "rows 2\n");
    loop {
        let request = alerts.recv_timeout(WAIT).expect("the end of the alert");
        let all = serde_json::from_slice::<Vec<Value>>(&request.body).unwrap();
        let over = |alert: &Value| {
            alert["labels"] == late["labels"] && alert["endsAt"].as_str() < late["endsAt"].as_str()
        };
        if all.iter().any(over) {
            break;
        }
    }
    heartbeats.recv_timeout(WAIT).expect("another heartbeat");
}

#[test]
fn a_heartbeat_needs_rules_and_a_url() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("jobs.yml"), JOBS).unwrap();
    let told = |flags: &[&str]| {
        let serve = ["serve", "--storage=memory:", "--gateway.listen-address=127.0.0.1:0"];
        let serve = [&serve[..], &["--query.listen-address=127.0.0.1:0"], flags].concat();
        let (code, _, text) = mayfly(folder.path(), &serve);
        assert_eq!(code, Some(1));
        text
    };
    let text = told(&["--rules.heartbeat-url", "http://127.0.0.1/x"]);
    assert!(text.contains("needs rules, whose ticks it tells of: --rules or --config.file"), "{text}");
    let text = told(&["--rules", "jobs.yml", "--rules.heartbeat-url", "127.0.0.1/x"]);
    assert!(text.contains("--rules.heartbeat-url") && text.contains("it has no scheme"), "{text}");
}

#[test]
fn files_of_jobs_are_checked() {
    let folder = TempDir::new().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("jobs.yml"), text).unwrap();
        mayfly(folder.path(), &["check", "rules", "jobs.yml"])
    };
    // four rules for each, and one more where a job says itself that it failed
    let well = "Checking jobs.yml\n  SUCCESS: 21 rules found\n\n".to_owned();
    assert_eq!(check(JOBS), (Some(0), well, String::new()));
    let (code, _, err) = check("jobs:\n- job: backup\n  expect: daily\n  failed_if: exit_code >\n");
    assert_eq!(code, Some(1));
    assert_eq!(
        err.lines().collect::<Vec<_>>(),
        [
            "  FAILED:",
            r#"jobs.yml: 3:11: "daily": a word and a duration stand between commas; expected "every DURATION" or "every DURATION, grace DURATION""#,
            "jobs.yml: 4:14: could not parse expression: 1:12: parse error: unexpected end of input",
        ]
    );
}
