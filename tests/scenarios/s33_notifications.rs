//! Notifications without an Alertmanager: rules fire, and a webhook is told, by a server and by the alert function.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use mayfly_tests::{Fixture, mayfly};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::http::{self, Response, Server};
use testkit::lambda::Function;
use testkit::server::built;

const WAIT: Duration = Duration::from_secs(20);
const RULES: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: Failed\n    expr: exit_code > 0\n    \
                     labels: {severity: page}\n    annotations: {summary: '{{ $labels.job }} ended'}\n";

/// A receiver of webhooks, and what it is told.
fn webhook() -> (Server, mpsc::Receiver<Value>) {
    let (send, told) = mpsc::channel();
    let send = Mutex::new(send);
    let server = Server::start(move |request| {
        assert_eq!((request.method.as_str(), request.path()), ("POST", "/hook"));
        assert_eq!(request.headers.get("content-type"), Some("application/json"));
        drop(send.lock().unwrap().send(serde_json::from_slice(&request.body).unwrap()));
        Response::new(200)
    });
    (server.unwrap(), told)
}

fn config(url: &str) -> String {
    format!(
        "route: {{receiver: hook, group_by: [job], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: '{url}/hook'}}]}}]\n"
    )
}

/// What stands in a notification, without times.
fn seen(told: &Value) -> Value {
    let alerts = told["alerts"].as_array().unwrap().iter();
    let alerts: Vec<Value> = alerts.map(|alert| json!([alert["status"], alert["labels"]])).collect();
    json!([told["status"], told["notification_reason"], told["groupKey"], alerts])
}

fn expected(status: &str, reason: &str, job: &str) -> Value {
    let labels = json!({"alertname": "Failed", "job": job, "severity": "page"});
    json!([status, reason, format!("{{}}:{{job=\"{job}\"}}"), [[status, labels]]])
}

#[test]
fn a_server_notifies() {
    let (receiver, told) = webhook();
    let (url, folder) = (receiver.url(), TempDir::new().unwrap());
    let file = folder.path().join("alertmanager.yml");
    let mut fixture = Fixture::with_args(|rules_in| {
        let rules = rules_in.path().join("rules.yml");
        std::fs::write(&rules, RULES).unwrap();
        std::fs::write(&file, config(&url)).unwrap();
        let flags = [
            "--rules",
            &rules.display().to_string(),
            "--alertmanager.config-file",
            &file.display().to_string(),
            "--web.external-url",
            "http://mayfly.example/",
            "--rules.reload-interval",
            "100ms",
        ];
        flags.map(str::to_owned).to_vec()
    });
    fixture.push("PUT", "job/etl", "exit_code 2\n");
    let first = told.recv_timeout(WAIT).expect("a notification");
    assert_eq!(seen(&first), expected("firing", "first notification", "etl"));
    assert_eq!((&first["version"], &first["externalURL"]), (&json!("4"), &json!("http://mayfly.example")));
    assert_eq!(first["alerts"][0]["annotations"], json!({"summary": "etl ended"}));
    let counted = "alertmanager_notification_requests_total{integration=\"webhook\"} 1\n";
    let metrics = || http::get(&fixture.server().query, "/metrics").unwrap().text();
    let is_counted = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        metrics().contains(counted)
    });
    assert!(is_counted, "{}", metrics());

    // who was told is remembered, from when it is counted on
    fixture.restart_after_kill();
    fixture.push("PUT", "job/other", "exit_code 1\n");
    let second = told.recv_timeout(WAIT).expect("a notification");
    assert_eq!(seen(&second), expected("firing", "first notification", "other"));

    // a configuration that is mistaken is told of, and the last good one stays
    std::fs::write(&file, "route: {receiver: nobody}\n").unwrap();
    while !fixture.log().contains("undefined receiver") {
        std::thread::sleep(Duration::from_millis(20));
    }
    fixture.push("PUT", "job/etl", "exit_code 0\n");
    let third = told.recv_timeout(WAIT).expect("the end of it");
    assert_eq!(seen(&third), expected("resolved", "all alerts resolved", "etl"));
    std::fs::write(&file, config(&url).replace("[job]", "[alertname]")).unwrap();
    let fourth = told.recv_timeout(WAIT).expect("another group");
    assert_eq!(fourth["groupKey"], "{}:{alertname=\"Failed\"}");
    assert!(told.try_recv().is_err());
}

#[test]
fn what_cannot_be_sent_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(
        folder.path().join("a.yml"),
        "route: {receiver: a}\nreceivers: [{name: a, pushover_configs: [{token: t, user_key: u}]}]\n",
    )
    .unwrap();
    let flags = ["serve", "--storage", "data", "--gateway.listen-address", "127.0.0.1:0"];
    let more = ["--query.listen-address", "127.0.0.1:0", "--alertmanager.config-file", "a.yml"];
    let (code, _, err) = mayfly(folder.path(), &[&flags[..], &more[..]].concat());
    let expect =
        "--alertmanager.config-file: a.yml: valid, but not supported: receiver \"a\": pushover_configs";
    assert!(code == Some(1) && err.contains(expect), "{err}");
}

/// AWS Systems Manager, with one parameter.
fn parameters(value: String) -> Server {
    let server = Server::start(move |request| {
        let header = |name| request.headers.get(name).unwrap();
        assert_eq!(header("x-amz-target"), "AmazonSSM.GetParameter");
        let signed = header("authorization");
        assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{signed}");
        assert!(signed.contains(
            "/eu-west-1/ssm/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target"
        ));
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(asked, json!({"Name": "/mayfly/hook", "WithDecryption": true}));
        Response::new(200).body(json!({"Parameter": {"Value": value}}).to_string())
    });
    server.unwrap()
}

#[test]
fn a_secret_that_cannot_be_had_is_named() {
    let folder = TempDir::new().unwrap();
    let text =
        "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: 'env:NO_SUCH_HOOK'}]}]\n";
    std::fs::write(folder.path().join("a.yml"), text).unwrap();
    let flags = ["serve", "--storage", "data", "--gateway.listen-address", "127.0.0.1:0"];
    let more = ["--query.listen-address", "127.0.0.1:0", "--alertmanager.config-file", "a.yml"];
    let (code, _, err) = mayfly(folder.path(), &[&flags[..], &more[..]].concat());
    let expect = "--alertmanager.config-file: a.yml: receiver \"a\": webhook_configs[0].url_file is env:NO_SUCH_HOOK: \
                  the environment has no such variable";
    assert!(code == Some(1) && err.contains(expect), "{err}");
}

#[test]
fn a_configuration_is_checked() {
    let folder = TempDir::new().unwrap();
    let found = |receivers: usize| {
        format!(
            "Found:\n - global config\n - route\n - 0 inhibit rules\n - {receivers} receivers\n - 0 templates\n"
        )
    };
    let check = |text: &str, expect: (i32, String, &str)| {
        std::fs::write(folder.path().join("a.yml"), text).unwrap();
        let told = mayfly(folder.path(), &["check", "alertmanager-config", "a.yml"]);
        assert_eq!(told, (Some(expect.0), expect.1, expect.2.to_owned()), "{text}");
    };
    let good = "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url_file: 'env:HOOK'}]}]\n";
    check(good, (0, format!("Checking 'a.yml'  SUCCESS\n{}\n", found(1)), ""));
    let unknown = "route: {receiver: b}\nreceivers: [{name: a}]\n";
    let failed = "mayfly: error: failed to validate 1 file(s)\n";
    let told = "Checking 'a.yml'  FAILED: undefined receiver \"b\" used in route\n\n".to_owned();
    check(unknown, (1, told, failed));
    let other = "route: {receiver: a}\n\
                 receivers: [{name: a, victorops_configs: [{api_key: s3cret, routing_key: r}], \
                 slack_configs: [{api_url: 'https://slack.com/api/chat.postMessage', http_config: {authorization: {credentials: t}}, channel: c, update_message: true}], \
                 pagerduty_configs: [{service_key: k}]}]\n";
    let told = format!(
        "Checking 'a.yml'  SUCCESS\n{} - valid, but not supported: receiver \"a\": pagerduty_configs with service_key\n \
         - valid, but not supported: receiver \"a\": slack_configs with update_message\n \
         - valid, but not supported: receiver \"a\": victorops_configs\n\n",
        found(1)
    );
    check(other, (0, told, ""));
    let template = "route: {receiver: a}\nreceivers: [{name: a}]\ntemplates: ['*.tmpl']\n";
    std::fs::write(folder.path().join("a.tmpl"), "{{ define \"x\" }}").unwrap();
    std::fs::write(folder.path().join("a.yml"), template).unwrap();
    let (code, out, _) = mayfly(folder.path(), &["check", "alertmanager-config", "a.yml"]);
    assert!(code == Some(1) && out.contains("FAILED: template: a.tmpl:1:"), "{out}");
}

#[test]
fn the_alert_function_notifies() {
    let mut fixture = Fixture::with_args(|_| ["--storage.ack", "stored"].map(str::to_owned).to_vec());
    let (receiver, told) = webhook();
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("rules.yml"), RULES).unwrap();
    let file = folder.path().join("alertmanager.yml");
    // a wait that is shorter than a tick is none; where the hook is, a parameter says
    let text = config("HOOK").replace("group_wait: 0s", "group_wait: 30s");
    std::fs::write(&file, text.replace("url: 'HOOK/hook'", "url_file: 'ssm:/mayfly/hook'")).unwrap();
    let parameters = parameters(format!("{}/hook", receiver.url()));
    let variables = [
        ("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string()),
        ("MAYFLY_RULES".to_owned(), folder.path().join("rules.yml").display().to_string()),
        ("MAYFLY_ALERTMANAGER_CONFIG_FILE".to_owned(), file.display().to_string()),
        ("AWS_ENDPOINT_URL_SSM".to_owned(), parameters.url()),
        ("AWS_REGION".to_owned(), "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "key".to_owned()),
    ];
    let mut function = Function::start(&built("alert").unwrap(), &variables, WAIT).unwrap();
    let mut until_told = |expect: Value| {
        let told = (0..100).find_map(|_| {
            // it fails as long as rules are mistaken
            drop(function.invoke(b"{}"));
            std::thread::sleep(Duration::from_millis(100));
            told.try_recv().ok()
        });
        assert_eq!(seen(&told.expect("a notification")), expect);
    };
    fixture.push("PUT", "job/etl", "exit_code 2\n");
    until_told(expected("firing", "first notification", "etl"));
    // rules that are mistaken keep nobody from hearing what the known ones find
    std::fs::write(folder.path().join("rules.yml"), "groups: [{name: g, rules: [{alert: Failed}]}]\n")
        .unwrap();
    fixture.push("PUT", "job/etl", "exit_code 0\n");
    until_told(expected("resolved", "all alerts resolved", "etl"));
    fixture.stop();
}

#[test]
fn routes_are_tried() {
    let folder = TempDir::new().unwrap();
    let text = "route: {receiver: a, routes: [{receiver: b, matchers: [team=x], continue: true}, {receiver: c, matchers: ['sev=~p.*']}]}\n\
                receivers: [{name: a}, {name: b}, {name: c}]\n";
    std::fs::write(folder.path().join("a.yml"), text).unwrap();
    let check = |arguments: &[&str], expect: (i32, &str, &str)| {
        let told =
            mayfly(folder.path(), &[&["routes", "test", "--config.file", "a.yml"], arguments].concat());
        assert_eq!(
            (told.0, told.1.as_str(), told.2.as_str()),
            (Some(expect.0), expect.1, expect.2),
            "{arguments:?}"
        );
    };
    check(&[], (0, "a\n", ""));
    check(&["team=x"], (0, "b\n", ""));
    check(&["team=x", "sev=page"], (0, "b,c\n", ""));
    check(&["--verify.receivers", "b,c", "sev=\"page\"", "team=x"], (0, "b,c\n", ""));
    let warning = "WARNING: Expected receivers did not match resolved receivers.\n";
    check(&["--verify.receivers=b", "sev=page"], (1, "c\n", warning));
    check(&["sev=~p"], (1, "", "mayfly: \"sev=~p\": labels must be specified as NAME=VALUE\n"));
}
