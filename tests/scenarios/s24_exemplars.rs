//! Exemplars and metadata in the real binary: of every way in, after a kill, merged, looked after and deleted.

use std::process::Command;

use mayfly_tests::Fixture;
use testkit::http::{self, Request};
use testkit::protobuf::Message;
use testkit::remote_write::{RequestV2, V2, sample};
use testkit::server::built;

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn data(fixture: &Fixture, path: &str) -> serde_json::Value {
    let answer = http::get(&fixture.server().query, &format!("/api/v1/{path}")).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut body: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
    body["data"].take()
}

/// The traces of a metric.
fn traces(fixture: &Fixture, name: &str) -> Vec<String> {
    let found = data(fixture, &format!("query_exemplars?query={name}"));
    let exemplars =
        found.as_array().unwrap().iter().flat_map(|series| series["exemplars"].as_array().unwrap());
    exemplars.map(|exemplar| exemplar["labels"]["trace_id"].as_str().unwrap().to_owned()).collect()
}

fn send(base: &str, path: &str, content_type: &str, encoding: &str, body: Vec<u8>) {
    let request = Request::new("POST", path)
        .header("content-type", content_type)
        .header("content-encoding", encoding)
        .body(body);
    let answer = http::send(base, &request).expect("an answer");
    assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.text());
}

fn store(what: &str, storage: &str, code: i32) -> String {
    let mut command = Command::new(built("mayfly").unwrap());
    let output = command.args(["store", what, "--storage", storage]).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn exemplars_of_every_way_in_stay_and_go_with_their_series() {
    let mut fixture = Fixture::with_args(|_| vec!["--web.enable-admin-api".to_owned()]);
    let now_ms = now_ms();
    let of_metrics =
        "# TYPE pushed counter\n# HELP pushed Pushed.\npushed_total 2 # {trace_id=\"pushed\"} 0.5\n# EOF\n";
    for _ in 0..2 {
        send(
            &fixture.server().gateway,
            "/metrics/job/a",
            "application/openmetrics-text",
            "identity",
            of_metrics.into(),
        );
    }
    let mut written = RequestV2::default();
    let references = ["trace_id", "written", "Written."].map(|symbol| written.symbol(symbol));
    let written = written.series(&[("__name__", "written_total")], |series| {
        let exemplar =
            Message::new().varints(1, references[..2].iter().copied()).double(2, 1.5).int(3, now_ms);
        let metadata = Message::new().varint(1, 1).varint(3, references[2]);
        series.message(2, sample(now_ms, 1.0)).message(4, exemplar).message(5, metadata)
    });
    let written = snap::raw::Encoder::new().compress_vec(&written.into_bytes()).unwrap();
    let nanos = now_ms * 1_000_000;
    let exported = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"api"}}}}]}},
        "scopeMetrics":[{{"metrics":[{{"name":"exported","description":"Exported.","histogram":{{"aggregationTemporality":2,
        "dataPoints":[{{"timeUnixNano":"{nanos}","count":"2","sum":3,"bucketCounts":["1","1"],"explicitBounds":[1],
        "exemplars":[{{"timeUnixNano":"{nanos}","asDouble":2,"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"",
        "filteredAttributes":[{{"key":"user","value":{{"stringValue":"ann"}}}}]}}]}}]}}}}]}}]}}]}}"#
    );
    for _ in 0..2 {
        send(&fixture.server().query, "/api/v1/write", V2, "snappy", written.clone());
        send(
            &fixture.server().gateway,
            "/v1/metrics",
            "application/json",
            "identity",
            exported.clone().into(),
        );
    }
    let asked = |fixture: &Fixture| {
        assert_eq!(traces(fixture, "pushed_total"), ["pushed"]);
        assert_eq!(traces(fixture, "written_total"), ["written"]);
        assert_eq!(traces(fixture, "exported_bucket"), ["0af7651916cd43dd8448eb211c80319c"]);
        let found = data(fixture, "query_exemplars?query=exported_bucket");
        assert_eq!(found[0]["seriesLabels"]["le"], "+Inf");
        assert_eq!(found[0]["exemplars"][0]["labels"]["user"], "ann");
        let told = data(fixture, "metadata");
        for (name, r#type, help) in [
            ("pushed_total", "counter", "Pushed."),
            ("written_total", "counter", "Written."),
            ("exported", "histogram", "Exported."),
        ] {
            let expect = serde_json::json!([{ "type": r#type, "help": help, "unit": "" }]);
            assert_eq!(told[name], expect, "{name}");
        }
        fixture.check("written_total", &[("written_total{}", "1")]);
    };
    asked(&fixture);
    fixture.restart_after_kill();
    asked(&fixture);
    let url = fixture.storage().to_str().unwrap().to_owned();
    let listed = store("ls", &url, 0);
    assert!(listed.contains("\ndefault/exemplars\n  hot "), "{listed}");
    let verified = store("verify", &url, 0);
    assert!(verified.contains("default/exemplars: 1 objects, "), "{verified}");

    let delete = Request::new("POST", "/api/v1/admin/tsdb/delete_series")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("match[]=written_total");
    assert_eq!(http::send(&fixture.server().query, &delete).unwrap().status, 204);
    assert_eq!(traces(&fixture, "written_total"), [""; 0]);
    assert_eq!(data(&fixture, "metadata")["written_total"], serde_json::Value::Null);
    assert_eq!(traces(&fixture, "pushed_total"), ["pushed"]);
    // selectors, times and mistakes
    assert_eq!(data(&fixture, "query_exemplars?query=pushed_total&end=1"), serde_json::json!([]));
    let missing = http::get(&fixture.server().query, "/api/v1/query_exemplars?query=1").unwrap();
    assert_eq!((missing.status, missing.text().as_str()), (204, ""));
}
