//! Prometheus' configuration file: checked as promtool checks it, in force in a server, and read anew.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use mayfly_tests::{Ended, Fixture, mayfly};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::{self, Response, Server};

const WAIT: Duration = Duration::from_secs(20);
const RULES: &str = "groups:\n- name: g\n  rules:\n  - {record: one, expr: 1}\n";

fn check(folder: &TempDir, arguments: &[&str]) -> Ended {
    mayfly(folder.path(), &[&["check", "config"], arguments].concat())
}

#[test]
fn configurations_are_checked() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("r.yml", RULES);
    write("bad.yml", "groups: []\nx: 1\n");
    let told = |config: &str, arguments: &[&str]| {
        write("p.yml", config);
        check(&folder, &[&["p.yml"], arguments].concat())
    };
    let valid = " SUCCESS: p.yml is valid prometheus config file syntax\n\n";

    let good = "rule_files: [r.yml, 'none*.yml']\n";
    let expect = format!(
        "Checking p.yml\n  SUCCESS: 1 rule files found\n{valid}Checking r.yml\n  SUCCESS: 1 rules found\n\n"
    );
    assert_eq!(told(good, &[]), (Some(0), expect, String::new()));
    let syntax = (Some(0), format!("Checking p.yml\n{valid}"), String::new());
    assert_eq!(told("rule_files: [nope.yml]\n", &["--syntax-only"]), syntax);
    assert_eq!(told("", &[]), syntax);

    let failed = |text: &str| (Some(1), "Checking p.yml\n".to_owned(), format!("  FAILED:\n{text}\n"));
    assert_eq!(
        told("rule_files: [nope.yml]\n", &[]),
        failed("\"nope.yml\" does not point to an existing file")
    );
    let unknown = "p.yml:1:10: unknown field \"evaluate\" in global; there are evaluation_interval, rule_query_offset, external_labels\n\
                   p.yml:2:1: field \"scrape_configs\" in the configuration is not supported: what is scraped stands in a file of its own, --scrape-config of mayfly serve";
    assert_eq!(told("global: {evaluate: 1s}\nscrape_configs: []\n", &[]), failed(unknown));

    let (code, out, err) = told("rule_files: [bad.yml, r.yml]\n", &[]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains("SUCCESS: 2 rule files found") && out.contains("Checking r.yml\n  SUCCESS: 1"),
        "{out}"
    );
    assert!(err.contains("bad.yml: yaml: unmarshal errors:\n  line 2: field x not found"), "{err}");
    let (code, _, err) = check(&folder, &["missing.yml"]);
    assert_eq!((code, err.starts_with("mayfly: missing.yml: No such file")), (Some(1), true), "{err}");
}

/// What an Alertmanager was sent: the header, the alerts.
type Sent = (String, Vec<Value>);

fn alertmanager() -> (Server, mpsc::Receiver<Sent>) {
    let (send, received) = mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let server = Server::start(move |request| {
        let header = request.headers.get("authorization").unwrap_or_default().to_owned();
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/am/api/v2/alerts"));
        let alerts = serde_json::from_slice(&request.body).unwrap();
        drop(send.lock().unwrap().send((header, alerts)));
        Response::new(200)
    });
    (server.unwrap(), received)
}

fn config(address: &str, region: &str) -> String {
    format!(
        "global: {{evaluation_interval: 1s, external_labels: {{region: {region}, replica: a}}}}\n\
         rule_files: ['rules/*.yml']\n\
         alerting:\n  alert_relabel_configs: [{{regex: replica, action: labeldrop}}]\n  alertmanagers:\n  \
         - path_prefix: am/\n    basic_auth: {{username: me, password_file: password}}\n    \
         alert_relabel_configs: [{{target_label: to, replacement: first}}]\n    \
         relabel_configs: [{{source_labels: [__address__], regex: dropped.*, action: drop}}]\n    \
         static_configs: [{{targets: ['{address}', 'dropped:9093']}}]\n"
    )
}

#[test]
fn a_configuration_is_in_force_and_read_anew() {
    let (receiver, sent) = alertmanager();
    let url = receiver.url();
    let address = url.strip_prefix("http://").unwrap();
    let fixture = Fixture::with_args(|folder| {
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        write("rules/a.yml", "groups:\n- name: g\n  rules:\n  - {alert: Failed, expr: exit_code > 0}\n");
        write("password", "p@ss\n");
        write("p.yml", &config(address, "eu"));
        let place = folder.path().join("p.yml").display().to_string();
        ["--config.file", &place, "--rules.reload-interval", "200ms"].map(str::to_owned).to_vec()
    });
    let get = |target: &str| http::get(&fixture.server().query, target).unwrap().text();
    let expect = format!(
        r#"{{"status":"success","data":{{"activeAlertmanagers":[{{"url":"{url}/am/api/v2/alerts"}}],"droppedAlertmanagers":[{{"url":"http://dropped:9093/am/api/v2/alerts"}}]}}}}"#
    );
    assert_eq!(get("/api/v1/alertmanagers"), expect);

    fixture.push("PUT", "job/etl", "exit_code 2\n");
    let (header, alerts) = sent.recv_timeout(WAIT).expect("an alert");
    assert_eq!(header, "Basic bWU6cEBzcw==");
    let labels = serde_json::json!({"alertname": "Failed", "job": "etl", "region": "eu", "to": "first"});
    assert_eq!(alerts[0]["labels"], labels);
    // external labels are for receivers: what is asked here has none
    assert!(!get("/api/v1/alerts").contains("region"));

    // a mistake is told with its place, and what was in force stays
    let write = |text: &str| std::fs::write(fixture.storage().parent().unwrap().join("p.yml"), text).unwrap();
    write(&config(address, "us").replace("action: drop}", "action: dorp}"));
    let told = |what: &str| {
        let end = Instant::now() + WAIT;
        while !fixture.log().contains(what) {
            assert!(Instant::now() < end, "not told: {what}: {}", fixture.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    told("p.yml:9:80: unknown relabel action");
    assert_eq!(get("/api/v1/alertmanagers"), expect);
    assert!(get("/metrics").contains("prometheus_config_last_reload_successful 0\n"));

    // another label is in force with the next alert that begins
    write(&config(address, "us"));
    told("rule files are well again");
    fixture.push("PUT", "job/other", "exit_code 2\n");
    let end = Instant::now() + WAIT;
    loop {
        assert!(Instant::now() < end, "no alert with the new label");
        let (_, alerts) = sent.recv_timeout(WAIT).expect("an alert");
        if alerts.iter().any(|alert| alert["labels"]["job"] == "other") {
            assert_eq!(alerts[0]["labels"]["region"], "us");
            return;
        }
    }
}

#[test]
fn how_otlp_is_translated_is_read_anew() {
    let fixture = Fixture::with_args(|folder| {
        let file = folder.path().join("p.yml");
        std::fs::write(&file, "otlp: {translation_strategy: NoTranslation}\n").unwrap();
        vec!["--config.file".to_owned(), file.display().to_string(), "--web.enable-lifecycle".to_owned()]
    });
    let (file, server) = (fixture.storage().parent().unwrap().join("p.yml"), fixture.server());
    let export = |job: &str| {
        let body = super::s22_access::otlp(job, 2);
        let request = http::Request::new("POST", "/v1/metrics").header("content-type", "application/json");
        assert_eq!(http::send(&server.gateway, &request.body(body)).unwrap().status, 200);
    };
    let name_of = |job: &str| {
        let query = testkit::server::escape(&format!("count by (__name__) ({{job=\"{job}\"}})"));
        let answer =
            http::get(&server.query, &format!("/api/v1/query?query={query}")).unwrap().json().unwrap();
        answer["data"]["result"][0]["metric"]["__name__"].as_str().unwrap_or_default().to_owned()
    };
    let reload = || http::send(&server.query, &http::Request::new("POST", "/-/reload")).unwrap();
    export("a");
    assert_eq!(name_of("a"), "zebra.rows");
    std::fs::write(&file, "otlp: {translation_strategy: UnderscoreEscapingWithoutSuffixes}\n").unwrap();
    assert_eq!(reload().status, 200);
    export("b");
    assert_eq!(name_of("b"), "zebra_rows");
    std::fs::write(&file, "otlp: {translation_strategy: other}\n").unwrap();
    let answer = reload();
    assert!(
        answer.status == 500 && answer.text().contains("unsupported OTLP translation strategy \"other\"")
    );
    std::fs::write(&file, "").unwrap();
    assert_eq!(reload().status, 200);
    export("c");
    assert_eq!(name_of("c"), "zebra_rows_total");
}
