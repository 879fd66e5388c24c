//! `mayfly rules replay`: what rules would have said about what is stored, in the words and at the times of a server.

use std::path::Path;

use mayfly_tests::{Ended, Fixture, mayfly};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{self, Request};
use testkit::remote_write::{V1, request_v1, series_v1};

const MINUTE: i64 = 60_000;

/// The name of file and group set the second at which a group is evaluated.
const RULES: &str = r#"
groups:
- name: g1
  rules:
  - {record: halved, expr: rows / 2}
  - alert: Low
    expr: halved < 0.5
    for: 2m
    labels: {severity: page}
    annotations: {summary: 'only {{ $value }} of {{ $labels.job }}'}
  - {alert: Follows, expr: 'ALERTS{alertname="Low", alertstate="firing"}'}
"#;

fn replay(folder: &Path, storage: &Path, arguments: &[&str]) -> Ended {
    let storage = storage.to_str().unwrap();
    mayfly(folder, &[&["rules", "replay", "--storage", storage], arguments].concat())
}

#[test]
fn the_past_under_new_rules() {
    let mut fixture = Fixture::new();
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // a whole hour, so that minutes can be told
    let hour_ms = i64::try_from(since.as_millis()).unwrap() / (60 * MINUTE) * (60 * MINUTE) - 60 * MINUTE;
    let at = |minute: i64| hour_ms + minute * MINUTE;
    let rows: Vec<_> = (0..20).map(|m| (at(m), if (5..10).contains(&m) { 0.0 } else { 1.0 })).collect();
    // what was recorded at the time is not what the rules of now record
    let recorded: Vec<_> = (0..20).map(|m| (at(m), 0.0)).collect();
    let message = request_v1([
        series_v1(&[("__name__", "rows"), ("job", "etl")], &rows),
        series_v1(&[("__name__", "halved"), ("job", "other")], &recorded),
    ]);
    let request = Request::new("POST", "/api/v1/write")
        .header("content-type", V1)
        .header("content-encoding", "snappy")
        .body(snap::raw::Encoder::new().compress_vec(&message).unwrap());
    assert_eq!(http::send(&fixture.server().query, &request).unwrap().status, 204);
    fixture.stop();

    let folder = TempDir::new().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("rules.yml"), text).unwrap();
    write(RULES);
    let (start, end) = ((at(0) / 1_000).to_string(), (at(15) / 1_000).to_string());
    let range = ["--start", &start, "--end", &end, "rules.yml"];
    let missing = folder.path().join("missing");
    let (code, _, err) = replay(folder.path(), &missing, &range);
    assert!(code == Some(1) && err.contains("there is no such folder"), "{err}");
    assert!(!missing.exists());
    let (code, out, err) = replay(folder.path(), &fixture.storage(), &range);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    let expected = [
        r#":07:14.891Z firing   Low{job="etl", severity="page"}"#,
        "    summary: only 0 of etl",
        r#":07:14.891Z firing   Follows{alertstate="firing", job="etl", severity="page"}"#,
        r#":10:14.891Z resolved Low{job="etl", severity="page"}"#,
        r#":10:14.891Z resolved Follows{alertstate="firing", job="etl", severity="page"}"#,
        "2 alerts fired, 0 still fire at the end; 45 evaluations of rules, 0 failed",
    ];
    assert_eq!(lines.len(), expected.len(), "{out}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.ends_with(expected), "{line}\n{expected}");
    }

    // up to when they fire, for programs
    let end = (at(8) / 1_000).to_string();
    let range = ["--start", &start, "--end", &end, "--format", "json", "rules.yml"];
    let (code, out, _) = replay(folder.path(), &fixture.storage(), &range);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{out}");
    assert_eq!(lines[0]["labels"]["alertname"], "Low");
    assert_eq!(lines[0]["annotations"]["summary"], "only 0 of etl");
    assert_eq!((&lines[2]["fired"], &lines[2]["firing"]), (&2.into(), &2.into()));

    // a rule that fails is told once, and the others go on
    let bad = "rows / 2}\n  - {record: bad, expr: 'label_replace(rows, \"a\", \"b\", \"c\", \"(\")'}";
    write(&RULES.replace("rows / 2}", bad));
    let (code, out, err) = replay(folder.path(), &fixture.storage(), &range);
    assert_eq!((code, out.lines().count(), err.lines().count()), (Some(1), 3, 1), "{out}{err}");
    assert!(err.starts_with("mayfly: rule bad failed: "), "{err}");
}

#[test]
fn what_cannot_be_replayed_is_told() {
    let (folder, storage) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let told = |rules: &str, arguments: &[&str]| {
        std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
        let (code, out, err) = replay(folder.path(), storage.path(), arguments);
        assert!(matches!(code, Some(1 | 2)), "{code:?} {out}");
        err
    };
    let err = told(RULES, &["--start", "5", "--end", "4", "rules.yml"]);
    assert_eq!(err, "mayfly: the range ends before it begins\n");
    let fast = RULES.replace("name: g1", "name: g1\n  interval: 1s");
    let err = told(&fast, &["--start", "0", "--end", "1e9", "rules.yml"]);
    assert!(err.contains("has 1000000000 evaluations of groups; the limit is 10000000"), "{err}");
    let err = told("groups: 5", &["--start", "0", "rules.yml"]);
    assert!(err.contains("rules.yml: yaml: unmarshal errors"), "{err}");
    let err = told(RULES, &["--start", "yesterday", "rules.yml"]);
    assert!(err.contains("expected one like 2026-01-31T08:00:00Z"), "{err}");
    let err = told(RULES, &["--start", "0", "nope.yml"]);
    assert!(err.contains("nope.yml: No such file"), "{err}");
}
