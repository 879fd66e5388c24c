//! The function `push` stores what the server reads, `query` reads what it stores, `alert` evaluates rules on it; here all on
//! one folder, in `peers/` on S3.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mayfly_tests::Fixture;
use serde_json::{Value, json};
use testkit::http::{Request, Response, Server};
use testkit::lambda::Function;
use testkit::server::built;

const TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn pushes_through_the_function_are_answered_like_those_through_the_gateway() {
    let mut fixture = Fixture::new();
    let variables = [("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string())];
    let mut function = Function::start(&built("push").unwrap(), &variables, TIMEOUT).unwrap();
    let text = |request: Request| request.header("content-type", "text/plain; version=0.0.4");

    let put = text(Request::new("PUT", "/metrics/job/lambda/path@base64/L3RtcA")).body("x 1\n");
    assert_eq!(function.request(&put).unwrap().status, 200);
    let broken = function.request(&text(Request::new("PUT", "/metrics/job/lambda")).body("x{\n")).unwrap();
    assert_eq!(broken.status, 400);
    assert!(broken.text().starts_with("text format parsing error in line 1"), "{}", broken.text());
    // what was answered is stored: the environment may end at any time
    function.kill();

    fixture.check("x", &[(r#"x{job="lambda",path="/tmp"}"#, "1")]);
    fixture.restart_after_kill();
    fixture.check("x", &[(r#"x{job="lambda",path="/tmp"}"#, "1")]);
}

/// Another gauge for each number, in groups that are large enough to need few pushes.
fn many(fixture: &Fixture, series: u64) {
    let mut body = String::from("# TYPE wide gauge\n");
    (0..series).for_each(|n| {
        use std::fmt::Write as _;
        writeln!(body, "wide{{number=\"{n:0>100}\"}} {n}").unwrap();
    });
    fixture.push("PUT", "job/wide", &body);
}

pub(super) fn query_function(fixture: &Fixture, more: &[(&str, &str)]) -> Function {
    let mut variables = vec![("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string())];
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Function::start(&built("query").unwrap(), &variables, TIMEOUT).unwrap()
}

/// A server that has stored everything that it acknowledged: a function does not see its log.
fn storing() -> Fixture {
    Fixture::with_args(|_| ["--storage.ack", "stored"].map(str::to_owned).to_vec())
}

#[test]
fn the_query_function_answers_as_the_server_does() {
    let fixture = storing();
    fixture.push("PUT", "job/etl/instance/a", "# TYPE rows counter\nrows 10\n");
    fixture.push("PUT", "job/etl/instance/b", "# TYPE rows counter\nrows 32\n");
    let mut function = query_function(&fixture, &[]);
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 5;
    for target in [
        format!("/api/v1/query?query=sum(rows)&time={at}"),
        format!("/api/v1/query_range?query=rows&start={}&end={at}&step=60", at - 600),
        format!("/api/v1/series?match[]=rows&start=0&end={at}"),
        "/api/v1/labels".to_owned(),
        "/api/v1/label/instance/values".to_owned(),
        "/api/v1/query?query=sum(".to_owned(),
        "/api/v1/rules".to_owned(),
        "/api/v1/nowhere".to_owned(),
        "/federate?match[]=absent".to_owned(),
    ] {
        let request = Request::new("GET", &target);
        let ours = function.request(&request).unwrap();
        let theirs = testkit::http::send(&fixture.server().query, &request).unwrap();
        assert_eq!((ours.status, ours.text()), (theirs.status, theirs.text()), "{target}");
        let kind =
            |response: &testkit::http::Response| response.headers.get("content-type").map(str::to_owned);
        assert_eq!(kind(&ours), kind(&theirs), "{target}");
    }
    let form = Request::new("POST", "/api/v1/query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("query=sum(rows)&time={at}"));
    let found = function.request(&form).unwrap().json().unwrap();
    assert_eq!(found["data"]["result"][0]["value"][1], "42");
    assert_eq!(function.request(&Request::new("GET", "/-/ready")).unwrap().status, 200);
}

#[test]
fn a_large_answer_is_refused_compressed_or_streamed() {
    let fixture = storing();
    many(&fixture, 40_000);
    let asked = Request::new("GET", "/api/v1/query?query=wide");
    let mut function = query_function(&fixture, &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")]);
    let refused = function.request(&asked).unwrap();
    assert_eq!(refused.status, 422);
    let told = refused.json().unwrap();
    assert_eq!((&told["status"], &told["errorType"]), (&"error".into(), &"execution".into()));
    assert!(told["error"].as_str().unwrap().contains("more than RESPONSE_BYTES_MAX = 6291456"), "{told}");

    let compressed = function.request(&asked.clone().header("accept-encoding", "gzip")).unwrap();
    assert_eq!((compressed.status, compressed.headers.get("content-encoding")), (200, Some("gzip")));
    assert!(compressed.body.len() < 2 << 20, "{}", compressed.body.len());

    let streaming = [("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"), ("MAYFLY_RESPONSE_STREAMING", "true")];
    let mut function = query_function(&fixture, &streaming);
    let streamed = function.request(&asked).unwrap();
    assert_eq!(streamed.status, 200);
    assert_eq!(streamed.headers.get("content-type"), Some("application/json"));
    assert_eq!(streamed.json().unwrap()["data"]["result"].as_array().unwrap().len(), 40_000);
}

#[test]
fn a_batch_of_messages_is_stored_or_comes_again_one_by_one() {
    let fixture = Fixture::new();
    let variables = [("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string())];
    let mut function = Function::start(&built("push").unwrap(), &variables, TIMEOUT).unwrap();
    let message = |id: &str, body: &str| {
        json!({"messageId": id, "body": body, "eventSource": "aws:sqs", "attributes": {},
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:pushes"})
    };
    let add = |rows: u64| {
        let body = format!("# TYPE rows counter\nrows {rows}\n");
        json!({"method": "POST", "path": "/aggregate/metrics/job/queue", "body": body}).to_string()
    };
    let batch = json!({"Records": [
        message("one", &add(1)),
        message("broken", r#"{"method": "PUT", "path": "/metrics/job/queue", "body": "rows{"}"#),
        message("two", &add(10)),
        message("no json", "rows 1"),
    ]});
    let event = batch.to_string();
    // the queue gives the same messages again, to this process and to the next
    for _ in 0..2 {
        for _ in 0..2 {
            let answer = function.invoke(event.as_bytes()).unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            let failed = json!([{"itemIdentifier": "broken"}, {"itemIdentifier": "no json"}]);
            assert_eq!(answer["batchItemFailures"], failed);
        }
        function = Function::start(&built("push").unwrap(), &variables, TIMEOUT).unwrap();
    }
    fixture.check("rows", &[(r#"rows{job="queue"}"#, "11")]);
}

#[test]
fn events_of_others_and_missing_settings_are_told() {
    let fixture = Fixture::new();
    let variables = [("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string())];
    for name in ["push", "query"] {
        let mut function = Function::start(&built(name).unwrap(), &variables, TIMEOUT).unwrap();
        for (event, expect) in [
            (r#"{"source": "aws.scheduler"}"#, "the event is none that this function takes"),
            (r#"{"requestContext": 5}"#, "requestContext"),
            ("[1]", "invalid type"),
        ] {
            let told = function.invoke(event.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(expect), "{name} {event}: {told}");
        }
        let mut function = Function::start(&built(name).unwrap(), &[], TIMEOUT).unwrap();
        let told = function.invoke(b"{}").unwrap_err().to_string();
        assert!(told.contains("exit status: 1"), "{told}");
    }
}

#[test]
fn a_tick_of_the_alert_function_reaches_an_alertmanager_once() {
    let fixture = storing();
    let folder = tempfile::TempDir::new().unwrap();
    let rules = folder.path().join("rules.yml");
    let rule = |threshold: u64| {
        format!(
            "groups:\n- name: g\n  rules:\n  - alert: TooFew\n    expr: rows < {threshold}\n  - record: doubled\n    expr: rows * 2\n"
        )
    };
    std::fs::write(&rules, rule(50)).unwrap();
    let received = Arc::new(Mutex::new(Vec::<Value>::new()));
    let sink = Arc::clone(&received);
    let receiver = Server::start(move |request| {
        sink.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        Response::new(200)
    });
    let receiver = receiver.unwrap();
    let heartbeats = Arc::new(AtomicUsize::new(0));
    let beats = Arc::clone(&heartbeats);
    let outside = Server::start(move |request| {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/ping"));
        beats.fetch_add(1, Ordering::SeqCst);
        // what a service answers is of no matter to the tick
        Response::new(500)
    });
    let outside = outside.unwrap();
    let variables = [
        ("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string()),
        ("MAYFLY_RULES".to_owned(), rules.display().to_string()),
        ("MAYFLY_ALERTMANAGER_URL".to_owned(), receiver.url()),
        ("MAYFLY_EVALUATION_INTERVAL".to_owned(), "1s".to_owned()),
        ("MAYFLY_HEARTBEAT_URL".to_owned(), format!("{}/ping", outside.url())),
    ];
    fixture.push("PUT", "job/backup", "rows 42\n");
    let scheduled =
        br#"{"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}"#;
    let mut function = Function::start(&built("alert").unwrap(), &variables, TIMEOUT).unwrap();
    let mut ticks = 0;
    // the first slots may lie before the push
    let ticked = std::iter::repeat_with(|| {
        ticks += 1;
        let ticked: Value = serde_json::from_slice(&function.invoke(scheduled).unwrap()).unwrap();
        assert_eq!((&ticked["rulesFailed"], &ticked["alertsDropped"]), (&json!(0), &json!(0)));
        std::thread::sleep(Duration::from_millis(100));
        ticked
    });
    assert!(ticked.take(100).any(|ticked| ticked["alertsSent"] == 1));
    assert_eq!(heartbeats.load(Ordering::SeqCst), ticks);
    let sent = received.lock().unwrap().clone();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0][0]["labels"], json!({"alertname": "TooFew", "job": "backup"}));
    fixture.check("doubled", &[(r#"doubled{job="backup"}"#, "84")]);

    // on demand, in another process: it fires already, and is not sent again so soon
    let mut function = Function::start(&built("alert").unwrap(), &variables, TIMEOUT).unwrap();
    let ticked: Value = serde_json::from_slice(&function.invoke(b"{}").unwrap()).unwrap();
    assert_eq!(ticked["alertsSent"], 0);

    // what is no rule file is told, and what is known goes on
    std::fs::write(&rules, "groups: 5\n").unwrap();
    let told = function.invoke(b"{}").unwrap_err().to_string();
    assert!(told.contains("MAYFLY_RULES") && told.contains("rules.yml"), "{told}");
    assert_eq!(heartbeats.load(Ordering::SeqCst), ticks + 1, "no heartbeat of a tick that failed");
    let told =
        Function::start(&built("alert").unwrap(), &variables, TIMEOUT).unwrap().invoke(b"{}").unwrap_err();
    assert!(told.to_string().contains("MAYFLY_RULES"), "{told}");
    let told = function.invoke(br#"{"Records": []}"#).unwrap_err().to_string();
    assert!(told.contains("the event is none that this function takes"), "{told}");
    assert_eq!(received.lock().unwrap().len(), 1);
}

#[test]
fn the_alert_function_goes_by_a_configuration() {
    let fixture = storing();
    let folder = tempfile::TempDir::new().unwrap();
    let (send, alerts) = std::sync::mpsc::channel::<Value>();
    let send = Mutex::new(send);
    let receiver = Server::start(move |request| {
        assert_eq!(request.path(), "/am/api/v2/alerts");
        drop(send.lock().unwrap().send(serde_json::from_slice(&request.body).unwrap()));
        Response::new(200)
    });
    let receiver = receiver.unwrap();
    let address = receiver.url().trim_start_matches("http://").to_owned();
    let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {alert: Few, expr: rows < 50, labels: {replica: a}}\n";
    std::fs::write(folder.path().join("rules.yml"), rules).unwrap();
    let configuration = folder.path().join("prometheus.yml");
    std::fs::write(
        &configuration,
        format!(
            "global: {{external_labels: {{region: eu}}}}\nrule_files: ['*.yml', nothing*.yaml]\nalerting:\n  \
             alert_relabel_configs: [{{action: labeldrop, regex: replica}}]\n  \
             alertmanagers: [{{path_prefix: /am, static_configs: [{{targets: ['{address}']}}]}}]\n"
        ),
    )
    .unwrap();
    let variables = [
        ("MAYFLY_STORAGE".to_owned(), fixture.storage().display().to_string()),
        ("MAYFLY_CONFIG_FILE".to_owned(), configuration.display().to_string()),
    ];
    let mut function = Function::start(&built("alert").unwrap(), &variables, TIMEOUT).unwrap();
    // the pattern finds the configuration too, which is no rule file
    let told = function.invoke(b"{}").unwrap_err().to_string();
    assert!(told.contains("MAYFLY_CONFIG_FILE") && told.contains("field global not found"), "{told}");
    let text = std::fs::read_to_string(&configuration).unwrap().replace("'*.yml'", "rules.yml");
    std::fs::write(&configuration, text).unwrap();
    fixture.push("PUT", "job/backup", "rows 42\n");
    let told = (0..100).find_map(|_| {
        function.invoke(b"{}").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        alerts.try_recv().ok()
    });
    assert_eq!(
        told.expect("an alert")[0]["labels"],
        json!({"alertname": "Few", "job": "backup", "region": "eu"})
    );
}
