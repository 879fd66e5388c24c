//! What queries do is told: to who asks, in the log, and in metrics; and who sends too many keeps nobody else waiting.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mayfly_tests::{Fixture, mayfly};
use serde_json::Value;
use testkit::http::{self, Request, Response};
use testkit::server::escape;

use super::s22_access::token;

pub(super) fn ask(fixture: &Fixture, target: &str, form: &[(&str, &str)]) -> Response {
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let request = Request::new("POST", target).header("content-type", "application/x-www-form-urlencoded");
    http::send(&fixture.server().query, &request.body(form.join("&"))).expect("an answer")
}

/// The values of a metric of the server's own, by its labels.
fn metrics(fixture: &Fixture) -> BTreeMap<String, f64> {
    let text = http::get(&fixture.server().query, "/metrics").unwrap().text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[test]
fn a_query_explains_what_it_did() {
    let mut fixture = Fixture::with_args(|_| vec!["--storage.ack=stored".to_owned()]);
    for job in ["a", "b", "c"] {
        fixture.push("PUT", &format!("job/{job}"), "rows{part=\"1\"} 42\nrows{part=\"2\"} 1\nother 7\n");
    }
    let query = "sum by (job) (rows) > 0";
    let answer = ask(&fixture, "/api/v1/query", &[("query", query), ("explain", "1")]);
    let data: Value = answer.json().unwrap()["data"].take();
    assert_eq!(data["result"].as_array().unwrap().len(), 3, "{data}");
    let explain = &data["explain"];
    assert_eq!(explain["plan"]["expr"], query);
    let sum = &explain["plan"]["children"][0];
    assert_eq!((&sum["kind"], &sum["series"]), (&"aggregation".into(), &3.into()), "{sum:#}");
    let rows = &sum["children"][0];
    assert_eq!((&rows["expr"], &rows["series"], &rows["samples"]), (&"rows".into(), &6.into(), &6.into()));
    let read = &explain["selections"][0];
    assert_eq!((&read["series"], &read["files"]["opened"]), (&6.into(), &3.into()), "{read:#}");
    // each file is listed, fetched whole and decoded: its head, what is pushed and what the gateway says of it
    assert!(read["requests"].as_u64() >= Some(5) && read["bytes"].as_u64() > Some(1_000), "{read:#}");
    assert!(read["rows"].as_u64() >= Some(9), "{read:#}");
    assert!(explain["totals"]["peakBytes"].as_u64() > Some(0), "{explain:#}");
    let again = ask(&fixture, "/api/v1/query", &[("query", query), ("explain", "true")]).json().unwrap();
    let again = &again["data"]["explain"]["selections"][0];
    let cached = (&again["files"]["cached"], &again["rows"], &again["bytes"]);
    assert_eq!(cached, (&3.into(), &0.into(), &0.into()), "{again:#}");
    let plain = ask(&fixture, "/api/v1/query", &[("query", query)]).json().unwrap();
    assert_eq!(plain["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["result", "resultType"]);

    let server = fixture.server().query.clone();
    let storage = fixture.storage();
    let folder = storage.parent().unwrap();
    let shown = |arguments: &[&str]| {
        let (code, out, err) = mayfly(folder, &[&["query"], arguments].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out
    };
    let tree = shown(&["range", "--explain", &server, query]);
    assert!(tree.starts_with("sum by (job) (rows) > 0  [binaryExpr; 3 series, "), "{tree}");
    assert!(tree.contains("├─ sum by (job) (rows)  [aggregation; 3 series, "), "{tree}");
    assert!(tree.contains("│        3 of 3 files (3 in memory), "), "{tree}");
    let json = shown(&["instant", "--explain", "-o", "json", &server, query]);
    assert!(serde_json::from_str::<Value>(&json).unwrap()["plan"].is_object(), "{json}");
    fixture.stop();
    let tree = shown(&["instant", "--explain", "--storage=data", "rows"]);
    assert!(tree.contains("reads {__name__=\"rows\"} from "), "{tree}");
    assert!(tree.contains("3 of 3 files (0 in memory)"), "{tree}");
}

/// Takes long, and needs nothing to be stored.
const SLOW: &str = "count_over_time((vector(1) + vector(1) * vector(2))[20d:1s])";

#[test]
fn slow_queries_are_told_in_the_log_however_they_end() {
    let args = ["--query.log-slower-than=1ms", "--log.format=json", "--query.max-samples=10000000"];
    let fixture = Fixture::with_args(|_| args.map(str::to_owned).to_vec());
    fixture.push("PUT", "job/a", "rows 42\n");
    assert_eq!(ask(&fixture, "/api/v1/query", &[("query", SLOW)]).status, 200);
    let late = ask(&fixture, "/api/v1/query", &[("query", SLOW), ("timeout", "20ms")]);
    let late = (late.status, late.text());
    assert_eq!(late.0, 503, "{}", late.1);
    let text = r#""errorType":"timeout","error":"query timed out in expression evaluation""#;
    assert!(late.1.contains(text), "{}", late.1);
    let one = |number| format!("label_replace(vector(time()), \"a\", \"{number}\", \"\", \"\")");
    let many = (0..8).map(one).collect::<Vec<_>>().join(" or ");
    let many = ask(&fixture, "/api/v1/query", &[("query", &format!("max_over_time(({many})[20d:1s])"))]);
    assert_eq!((many.status, many.text().contains("too many samples")), (422, true), "{}", many.text());

    // whoever goes away ends the query
    let address = fixture.server().query.strip_prefix("http://").unwrap().to_owned();
    let mut impatient = std::net::TcpStream::connect(address).unwrap();
    let request = format!("GET /api/v1/query?query={} HTTP/1.1\r\nhost: x\r\n\r\n", escape(SLOW));
    std::io::Write::write_all(&mut impatient, request.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(50));
    drop(impatient);
    let logged = |outcome: &str| -> Vec<Value> {
        let log = fixture.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let slow = lines.filter(|line| line["fields"]["message"] == "slow query");
        slow.map(|mut line| line["fields"].take()).filter(|fields| fields["outcome"] == outcome).collect()
    };
    let end = Instant::now() + Duration::from_secs(20);
    while logged("canceled").is_empty() {
        assert!(Instant::now() < end, "not in the log: {}", fixture.log());
        thread::sleep(Duration::from_millis(50));
    }
    let slow = &logged("success")[0];
    assert_eq!((&slow["tenant"], &slow["query"]), (&"default".into(), &SLOW.into()), "{slow:#}");
    assert!(
        slow["seconds"].as_f64() > Some(0.0) && slow["peak_bytes"].as_u64() > Some(1_000_000),
        "{slow:#}"
    );
    let plan = slow["plan"].as_str().unwrap();
    assert!(plan.starts_with("call(1×1 ") && plan.contains(" subquery( binaryExpr("), "{plan}");
    let timeout = &logged("timeout")[0];
    assert_eq!(timeout["error"], "query timed out in expression evaluation");
    assert!(timeout["plan"].as_str().unwrap().contains("subquery"), "{timeout:#}");
    let limited = logged("execution");
    assert!(
        limited.iter().any(|line| line["error"].as_str().unwrap().contains("too many samples")),
        "{limited:?}"
    );

    let metrics = metrics(&fixture);
    assert_eq!(metrics["prometheus_engine_queries"], 0.0);
    assert_eq!(metrics["prometheus_engine_queries_concurrent_max"], 20.0);
    assert_eq!(metrics["prometheus_engine_query_log_enabled"], 1.0);
    assert!(metrics["mayfly_slow_queries_total"] >= 4.0, "{metrics:?}");
    for name in ["queue_time", "prepare_time", "inner_eval"] {
        let count = metrics[&format!("prometheus_engine_query_duration_seconds_count{{slice=\"{name}\"}}")];
        let all = format!(
            "prometheus_engine_query_duration_histogram_seconds_bucket{{slice=\"{name}\",le=\"+Inf\"}}"
        );
        assert!(count >= 3.0 && metrics[&all] == count, "{name}: {metrics:?}");
    }
}

#[test]
fn one_tenants_flood_keeps_no_other_waiting() {
    let mut tokens = Vec::new();
    let fixture = Fixture::with_args(|folder| {
        for tenant in ["flood", "other"] {
            tokens.push(token(folder.path(), tenant, &["--scope", "admin", "--tenant", tenant]));
        }
        tokens.push(token(folder.path(), "boss", &["--scope", "admin"]));
        let limits = folder.path().join("limits.yml");
        std::fs::write(&limits, "tenants:\n  flood: {concurrent_queries_max: 2, queued_queries_max: 6}\n")
            .unwrap();
        let tokens = folder.path().join("tokens.yml").display().to_string();
        let limits = limits.display().to_string();
        ["--access.tokens-file", &tokens, "--limits.file", &limits, "--query.max-concurrency=3"]
            .map(str::to_owned)
            .to_vec()
    });
    let send = |tenant: usize, target: String| {
        let request =
            Request::new("GET", &target).header("authorization", &format!("Bearer {}", tokens[tenant]));
        http::send(&fixture.server().query, &request).unwrap()
    };
    let slow = format!("/api/v1/query?query={}", escape(SLOW));
    assert_eq!(send(0, "/api/v1/query?query=1".to_owned()).status, 200);
    assert_eq!(send(1, "/api/v1/query?query=1".to_owned()).status, 200);
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for _ in 0..12 {
            let (tell, slow, send) = (tell.clone(), &slow, &send);
            scope.spawn(move || tell.send(send(0, slow.clone())).unwrap());
        }
        let metrics = || {
            let request =
                Request::new("GET", "/metrics").header("authorization", &format!("Bearer {}", tokens[2]));
            http::send(&fixture.server().query, &request).unwrap().text()
        };
        let end = Instant::now() + Duration::from_secs(20);
        let has_all_come = |metrics: &str| {
            metrics.contains("mayfly_queries_waiting{tenant=\"flood\"} 6\n")
                && metrics.contains("mayfly_queries_refused_total{tenant=\"flood\"} 4\n")
        };
        while !has_all_come(&metrics()) {
            assert!(Instant::now() < end, "{}", metrics());
        }
        // two of three places are all that it has, so this one finds one at once
        assert_eq!(send(1, "/api/v1/query?query=1".to_owned()).status, 200);
        let crowd = metrics();
        assert!(crowd.contains("mayfly_queries_evaluated{tenant=\"flood\"} 2\n"), "{crowd}");
        assert!(crowd.contains("mayfly_queries_waiting{tenant=\"flood\"} "), "{crowd}");
        assert!(crowd.contains("mayfly_queries_refused_total{tenant=\"flood\"} 4\n"), "{crowd}");
        assert!(
            !crowd.contains("mayfly_queries_waiting{tenant=\"flood\"} 0\n"),
            "it ended before this was looked at"
        );
        drop(tell);
        let mut answers: Vec<u16> = told.iter().map(|answer| answer.status).collect();
        answers.sort_unstable();
        assert_eq!(answers, [[200; 8].as_slice(), &[500; 4]].concat());
    });
}
