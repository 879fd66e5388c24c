//! Rule files of a folder are read anew; a bad one is refused whole, and told, while the last good ones stay in force.

use std::time::{Duration, Instant};

use mayfly_tests::Fixture;
use serde_json::Value;
use testkit::http::{self, Request};

const GOOD: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {record: one, expr: 1}\n";
const BAD: &str = "groups:\n- name: g\n  rules:\n  - record: one\n    expr: 1 +\n";

fn fixture(args: &[&str]) -> Fixture {
    Fixture::with_args(|folder| {
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).unwrap();
        std::fs::write(rules.join("a.yml"), GOOD).unwrap();
        let mut all = vec!["--rules".to_owned(), rules.display().to_string()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        all
    })
}

fn write(fixture: &Fixture, name: &str, text: &str) {
    std::fs::write(fixture.storage().parent().unwrap().join("rules").join(name), text).unwrap();
}

fn get(fixture: &Fixture, target: &str) -> String {
    http::get(&fixture.server().query, target).unwrap().text()
}

fn json(fixture: &Fixture, target: &str) -> Value {
    serde_json::from_str(&get(fixture, target)).unwrap()
}

/// The names of all rules that are in force.
fn rules(fixture: &Fixture) -> Vec<String> {
    let answer = json(fixture, "/api/v1/rules");
    let groups = answer["data"]["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
}

fn reload(fixture: &Fixture) -> (u16, String) {
    let answer = http::send(&fixture.server().query, &Request::new("POST", "/-/reload")).unwrap();
    (answer.status, answer.text())
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_changes_is_in_force_and_what_is_bad_is_refused() {
    let fixture = fixture(&["--rules.reload-interval", "200ms"]);
    assert_eq!(rules(&fixture), ["one"]);
    assert_eq!(reload(&fixture), (403, "Lifecycle API is not enabled.".to_owned()));
    let evaluated = || get(&fixture, "/api/v1/query?query=one").contains("\"one\"");
    until("the first evaluation", evaluated);

    write(&fixture, "b.yml", &GOOD.replace("one", "two"));
    until("another file", || rules(&fixture) == ["one", "two"]);
    let metrics = get(&fixture, "/metrics");
    assert!(metrics.contains("prometheus_config_last_reload_successful 1\n"), "{metrics}");

    write(&fixture, "b.yml", BAD);
    until("the refusal", || {
        get(&fixture, "/metrics").contains("prometheus_config_last_reload_successful 0\n")
    });
    assert_eq!(json(&fixture, "/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"], false);
    assert_eq!(rules(&fixture), ["one", "two"]);
    let log = fixture.log();
    let told =
        "b.yml: 5:11: group \\\"g\\\", rule 1, \\\"one\\\": could not parse expression: 1:4: parse error";
    assert!(log.contains(told), "{log}");

    write(&fixture, "b.yml", &GOOD.replace("one", "three"));
    until("a good file", || rules(&fixture) == ["one", "three"]);
    assert_eq!(json(&fixture, "/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"], true);
    assert_eq!(fixture.log().matches("rule files refused").count(), 1, "told once");

    // what the removed rule wrote has ended, and does not wait for five minutes
    until("a new series", || get(&fixture, "/api/v1/query?query=three").contains("\"three\""));
    until("the end of a series", || !get(&fixture, "/api/v1/query?query=two").contains("\"two\""));
    let metrics = get(&fixture, "/metrics");
    for name in ["iterations_total", "rules", "last_evaluation_samples", "interval_seconds"] {
        let line = metrics.lines().find(|line| line.starts_with(&format!("prometheus_rule_group_{name}{{")));
        assert!(line.is_some_and(|line| line.contains("a.yml;g\"}")), "{name}: {metrics}");
    }
}

#[test]
fn it_is_read_when_asked() {
    let fixture = fixture(&["--rules.reload-interval", "1h", "--web.enable-lifecycle"]);
    write(&fixture, "a.yml", BAD);
    let (status, text) = reload(&fixture);
    assert_eq!(status, 500, "{text}");
    assert!(
        text.starts_with("failed to reload config: ") && text.contains("a.yml: 5:11: group \"g\", rule 1"),
        "{text}"
    );
    write(&fixture, "a.yml", &GOOD.replace("one", "two"));
    assert_eq!(reload(&fixture), (200, String::new()));
    assert_eq!(rules(&fixture), ["two"]);
    write(&fixture, "a.yml", GOOD);
    fixture.server().hang_up().unwrap();
    until("SIGHUP", || rules(&fixture) == ["one"]);
}
