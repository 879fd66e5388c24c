//! A rule on a pushed metric fires and resolves at a receiver that speaks Alertmanager's API.

use std::sync::mpsc;
use std::time::Duration;

use mayfly_tests::Fixture;
use serde_json::Value;
use testkit::http::{Response, Server};

const RULES: &str = r#"
groups:
- name: jobs
  rules:
  - alert: Failed
    expr: exit_code > 0
    for: 1s
    labels: {severity: page}
    annotations: {summary: "{{ $labels.job }} ended with {{ $value }}"}
"#;
const WAIT: Duration = Duration::from_secs(20);

#[test]
fn firing_then_resolved() {
    let (send, alerts) = mpsc::channel::<Value>();
    let send = std::sync::Mutex::new(send);
    let receiver = Server::start(move |request| {
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/api/v2/alerts"));
        for alert in serde_json::from_slice::<Vec<Value>>(&request.body).unwrap() {
            drop(send.lock().unwrap().send(alert));
        }
        Response::new(200)
    })
    .unwrap();
    let fixture = Fixture::with_args(|folder| {
        let rules = folder.path().join("rules.yml");
        std::fs::write(&rules, RULES).unwrap();
        let rules = rules.display().to_string();
        let flags = ["--rules", &rules, "--alertmanager.url", &receiver.url(), "--evaluation-interval", "1s"];
        flags.map(str::to_owned).to_vec()
    });

    fixture.push("PUT", "job/etl", "exit_code 2\n");
    let firing = alerts.recv_timeout(WAIT).expect("an alert");
    assert_eq!(firing["labels"]["alertname"], "Failed");
    assert_eq!((&firing["labels"]["job"], &firing["labels"]["severity"]), (&"etl".into(), &"page".into()));
    assert_eq!(firing["annotations"]["summary"], "etl ended with 2");

    fixture.push("PUT", "job/etl", "exit_code 0\n");
    loop {
        let alert = alerts.recv_timeout(WAIT).expect("the end of the alert");
        assert_eq!(alert["startsAt"], firing["startsAt"], "{alert}");
        // while it fires, its end is moved on into the future; when it is over, the end is now
        if alert["endsAt"].as_str() < firing["endsAt"].as_str() {
            break;
        }
    }
}
