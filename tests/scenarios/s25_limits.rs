//! Limits from a file: who exceeds one is told which, and whoever does not is served.

use mayfly_tests::Fixture;
use testkit::http::{self, Request, Response};
use testkit::remote_write::{V1, request_v1, series_v1};

const LIMITS: &str = "\
body_bytes_max: 1KiB
label_value_bytes_max: 16
tenants:
  default: {active_series_max: 3, samples_per_second_max: 4}
  other: {active_series_max: 1}
";

fn limited() -> Fixture {
    Fixture::with_args(|folder| {
        let file = folder.path().join("limits.yml");
        std::fs::write(&file, LIMITS).unwrap();
        vec![format!("--limits.file={}", file.display())]
    })
}

fn told(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.headers.get("mayfly-limit"))
}

#[test]
fn who_exceeds_a_limit_is_told_which_and_others_are_served() {
    let fixture = limited();
    let push = |path: &str, body: &str| fixture.server().push("PUT", path, body).unwrap();
    assert_eq!(told(&push("job/a", "x 1\n")), (200, None));
    let long = format!("x{{y=\"{}\"}} 1\n", "z".repeat(17));
    assert_eq!(told(&push("job/b", &long)), (422, Some("label_value_bytes_max")));
    assert_eq!(told(&push("job/b", &"x 1\n".repeat(300))), (413, Some("body_bytes_max")));

    // what the gateway says itself of a group does not count
    let many = push("job/b", "x 1\ny 1\nz 1\n");
    assert_eq!(told(&many), (429, Some("active_series_max")));
    assert!(many.headers.get("retry-after").is_some(), "{}", many.text());
    assert!(many.text().contains("3 new series beside 1 active ones"), "{}", many.text());
    fixture.check("y", &[]);
    let sample = |instance: &str| {
        let series = series_v1(&[("__name__", "w"), ("instance", instance)], &[(now_ms(), 1.0)]);
        let request = Request::new("POST", "/api/v1/write")
            .header("content-type", V1)
            .header("content-encoding", "snappy")
            .body(snap::raw::Encoder::new().compress_vec(&request_v1([series])).unwrap());
        http::send(&fixture.server().query, &request).expect("an answer")
    };
    // all ways in share what there is
    assert_eq!([told(&sample("1")), told(&sample("2"))], [(204, None); 2]);
    assert_eq!(told(&sample("3")), (429, Some("active_series_max")));
    assert_eq!(told(&sample("1")), (204, None), "what is active goes on");

    // 40 samples may come at once
    let answers: Vec<_> = (0..60).map(|_| push("job/a", "x 2\n")).collect();
    assert!(answers.iter().any(|answer| told(answer) == (429, Some("samples_per_second_max"))));
    assert_eq!(fixture.server().push("DELETE", "job/a", "").unwrap().status, 202, "that needs no room");

    let metrics = http::get(&fixture.server().query, "/metrics").unwrap().text();
    for line in [
        "mayfly_active_series 3\n",
        "mayfly_gateway_limits_exceeded_total{limit=\"active_series_max\"} 1\n",
        "mayfly_gateway_limits_exceeded_total{limit=\"body_bytes_max\"} 1\n",
        "mayfly_write_limits_exceeded_total{limit=\"active_series_max\",protocol=\"remote_write\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

/// A body whose series has labels of this many names beside the metric's.
fn labelled(labels: usize) -> Vec<(String, String)> {
    let name = ("__name__".to_owned(), "m".to_owned());
    std::iter::once(name).chain((0..labels).map(|index| (format!("l{index:02}"), "x".to_owned()))).collect()
}

#[test]
fn every_way_in_tells_which_limit_of_a_series_is_exceeded() {
    let fixture = Fixture::with_args(|folder| {
        let file = folder.path().join("limits.yml");
        std::fs::write(&file, "labels_per_series_max: 10\nmetric_name_bytes_max: 16\n").unwrap();
        vec![format!("--limits.file={}", file.display())]
    });
    let send = |path: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        let request = headers
            .iter()
            .fold(Request::new("POST", path), |request, (name, value)| request.header(name, value));
        http::send(&fixture.server().gateway, &request.body(body)).expect("an answer")
    };
    let many = labelled(10);
    let pairs: Vec<(&str, &str)> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    let body = request_v1([series_v1(&pairs, &[(now_ms(), 1.0)])]);
    let body = snap::raw::Encoder::new().compress_vec(&body).unwrap();
    let headers = [("content-type", V1), ("content-encoding", "snappy")];
    assert_eq!(told(&send("/api/v1/write", &headers, body)), (400, Some("labels_per_series_max")));
    let tags = pairs[1..].iter().map(|(name, value)| format!(",{name}={value}")).collect::<String>();
    let answer = send("/write", &[], format!("m{tags} v=1").into_bytes());
    assert_eq!(told(&answer), (400, Some("labels_per_series_max")));
    let now_ms = now_ms();
    let body = format!(
        r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [
            {{"name": "a_name_of_17_char", "gauge": {{"dataPoints": [{{"timeUnixNano": "{now_ms}000000", "asInt": 1}}]}}}}]}}]}}]}}"#
    );
    let answer = send("/v1/metrics", &[("content-type", "application/json")], body.into_bytes());
    assert_eq!(told(&answer), (200, Some("metric_name_bytes_max")), "{}", answer.text());
    let metrics = http::get(&fixture.server().query, "/metrics").unwrap().text();
    for (protocol, limit) in [
        ("influx", "labels_per_series_max"),
        ("otlp", "metric_name_bytes_max"),
        ("remote_write", "labels_per_series_max"),
    ] {
        let line =
            format!("mayfly_write_limits_exceeded_total{{limit=\"{limit}\",protocol=\"{protocol}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
