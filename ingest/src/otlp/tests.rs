//! Exports over a store in memory.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::Request;
use model::{Labels, Matcher, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::{Reader, ReaderSettings, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tower::ServiceExt;

use super::*;
use crate::router;
use crate::settings::Settings;

const NOW_MS: i64 = 1_795_370_073_531;

struct Bench {
    router: Router,
    /// Of another process: it sees only what is durable.
    reader: Reader,
}

impl Bench {
    fn over(store: Arc<dyn ObjectStore>, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at_ms(NOW_MS));
        let (root, tenant) = (Path::default(), Tenant::default());
        let (samples, pushes) = (Stream::samples(&root, &tenant), Stream::pushes(&root, &tenant));
        let of_samples = Writer::start(
            Arc::clone(&store),
            samples.clone(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(1),
        );
        let of_pushes = Writer::start(
            Arc::clone(&store),
            pushes.clone(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(2),
        );
        let reader = Reader::new(
            store,
            Source::new(pushes, None),
            Source::new(samples, None),
            ReaderSettings::default(),
        );
        let receiver = Receiver::new(Arc::new(of_samples), Arc::new(of_pushes), clock, settings);
        Self { router: router(Arc::new(receiver)), reader }
    }

    fn new() -> Self {
        Self::over(Arc::new(InMemory::new()), Settings::default())
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> (u16, String) {
        let (status, _, text) = self.answer(path, headers, body).await;
        (status, text)
    }

    /// Status, the limits that are exceeded, and the text.
    async fn answer(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (u16, String, String) {
        let request =
            headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        let response = self
            .router
            .clone()
            .oneshot(request.body(body.into()).expect("a request"))
            .await
            .expect("infallible");
        let status = response.status().as_u16();
        let limit =
            response.headers().get("mayfly-limit").map(|limit| limit.to_str().expect("words").to_owned());
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, limit.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned())
    }

    async fn json(&self, metrics: &str) -> (u16, String) {
        self.send("/v1/metrics", &[("content-type", "application/json")], export(metrics)).await
    }

    /// The times of what is known of the resource.
    async fn info_ms(&self) -> Vec<i64> {
        let matchers = vec![Matcher::equal("__name__", "target_info"), Matcher::equal("job", "cart")];
        let selection = Selection { matchers, start_ms: 0, end_ms: NOW_MS + 10_000_000 };
        let found = self.reader.select(&selection).await.expect("reads").found;
        found.first().map(|series| series.samples.timestamps_ms.clone()).unwrap_or_default()
    }

    /// The last value of a series, and whether it is a step.
    async fn last(&self, name: &str) -> Option<(f64, bool)> {
        let matchers = vec![Matcher::equal("__name__", name), Matcher::equal("job", "cart")];
        let selection = Selection { matchers, start_ms: 0, end_ms: NOW_MS + 1_000 };
        let found = self.reader.select(&selection).await.expect("reads").found;
        let series = found.first()?;
        match series.steps.values.last() {
            Some(value) => Some((*value, true)),
            None => Some((*series.samples.values.last()?, false)),
        }
    }
}

fn export(metrics: &str) -> String {
    export_of("", metrics)
}

/// The same of a resource with more attributes, each with a comma before it.
fn export_of(more: &str, metrics: &str) -> String {
    format!(
        r#"{{"resourceMetrics": [{{"resource": {{"attributes": [{{"key": "service.name", "value": {{"stringValue": "cart"}}}}{more}]}},
            "scopeMetrics": [{{"metrics": [{metrics}]}}]}}]}}"#
    )
}

/// A sum of one point, `number` of its kind, at this time.
fn sum(name: &str, temporality: u64, value: i64, at_ms: i64) -> String {
    format!(
        r#"{{"name": "{name}", "sum": {{"aggregationTemporality": {temporality}, "isMonotonic": true, "dataPoints": [
            {{"timeUnixNano": "{at_ms}000000", "asInt": "{value}"}}]}}}}"#
    )
}

const DELTA: u64 = 1;
const CUMULATIVE: u64 = 2;

#[tokio::test]
async fn cumulative_ones_are_samples_and_deltas_add_up() {
    let bench = Bench::new();
    for (calls, at_ms) in [(3, NOW_MS - 2), (4, NOW_MS - 1)] {
        let metrics =
            [sum("rows", CUMULATIVE, calls * 10, at_ms), sum("calls", DELTA, calls, at_ms)].join(",");
        assert_eq!(bench.json(&metrics).await, (200, "{}".to_owned()));
    }
    assert_eq!(bench.last("rows_total").await, Some((40.0, false)));
    assert_eq!(bench.last("calls_total").await, Some((7.0, true)));
    let groups = bench.reader.live_groups(NOW_MS + 1_000).await.expect("reads").found;
    assert_eq!(
        groups.iter().map(|group| group.labels.clone()).collect::<Vec<_>>(),
        [Labels::from_pairs([("job", "cart")])]
    );
}

#[tokio::test]
async fn a_body_that_comes_again_is_not_added_again_and_a_point_that_stands_twice_is() {
    let bench = Bench::new();
    let twice = [sum("calls", DELTA, 3, NOW_MS), sum("calls", DELTA, 4, NOW_MS)].join(",");
    for _ in 0..3 {
        assert_eq!(bench.json(&twice).await.0, 200);
    }
    assert_eq!(bench.last("calls_total").await, Some((7.0, true)));
    // the next export says the same, at another time
    assert_eq!(bench.json(&sum("calls", DELTA, 3, NOW_MS + 1)).await.0, 200);
    assert_eq!(bench.last("calls_total").await, Some((10.0, true)));
}

#[tokio::test]
async fn both_paths_both_writings_and_gzip() {
    let bench = Bench::new();
    let plain = export(&sum("rows", CUMULATIVE, 5, NOW_MS));
    let json = ("content-type", "application/json; charset=utf-8");
    let packed = wire::encoding::gzip(plain.as_bytes());
    let headers = [json, ("content-encoding", "gzip")];
    assert_eq!(bench.send("/api/v1/otlp/v1/metrics", &headers, packed).await, (200, "{}".to_owned()));
    assert_eq!(bench.last("rows_total").await, Some((5.0, false)));
    let protobuf = [("content-type", "application/x-protobuf")];
    assert_eq!(bench.send("/v1/metrics", &protobuf, "").await, (200, String::new()));
    let check = async |headers: &[(&str, &str)], body: &str, status: u16, expect: &str| {
        let (found, text) = bench.send("/v1/metrics", headers, body.to_owned()).await;
        assert!(found == status && text.starts_with(expect), "{found} {text}");
    };
    let supported = "supported: [application/json, application/x-protobuf]\n";
    check(
        &[("content-type", "text/plain")],
        "",
        400,
        &format!("unsupported content type: text/plain, {supported}"),
    )
    .await;
    check(&[], "", 400, &format!("unsupported content type: , {supported}")).await;
    check(&[json, ("content-encoding", "zstd")], "", 400, "unsupported compression: zstd.").await;
    check(&headers, "{}", 400, "unexpected EOF\n").await;
    check(&[json], "{", 400, "body is no OTLP in JSON: EOF").await;
    check(&protobuf, "\x08\x01", 400, "proto: wrong wireType for field ResourceMetrics\n").await;
}

#[tokio::test]
async fn what_is_not_taken_is_told_and_the_rest_is_taken() {
    let bench = Bench::new();
    let metrics = [
        sum("rows", CUMULATIVE, 5, NOW_MS),
        sum("far", CUMULATIVE, 5, NOW_MS + 600_001),
        sum("odd", 0, 5, NOW_MS),
    ]
    .join(",");
    let (status, text) = bench.json(&metrics).await;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let partial = &answer["partialSuccess"];
    assert_eq!((status, &partial["rejectedDataPoints"]), (200, &serde_json::json!("2")));
    let message = partial["errorMessage"].as_str().expect("a text");
    assert!(
        message.starts_with(
            "metric \"odd\": neither cumulative nor delta\nmetric \"far_total\": out of bounds: "
        ),
        "{message}"
    );
    assert_eq!((bench.last("rows_total").await, bench.last("far_total").await), (Some((5.0, false)), None));
    // in protobuf: field 1, with the count as field 1 and the text as field 2
    let message = partial_success(300, "x");
    assert_eq!(message, [0x0a, 6, 0x08, 0xac, 0x02, 0x12, 1, b'x']);
}

#[tokio::test]
async fn data_points_alone_are_counted_and_time_what_is_known_of_their_resource() {
    const HOUR_MS: i64 = 3_600_000;
    let region = r#", {"key": "cloud.region", "value": {"stringValue": "eu"}}"#;
    let long = format!(r#", {{"key": "note", "value": {{"stringValue": "{}"}}}}"#, "x".repeat(8 << 10 | 1));
    let bad = |temporality| sum("far", temporality, 5, NOW_MS + HOUR_MS);
    let good = |temporality| sum("rows", temporality, 5, NOW_MS - 7);
    let odd = sum("odd", 0, 5, NOW_MS + 9);
    let labelled = format!(
        r#""attributes": [{{"key": "long", "value": {{"stringValue": "{}"}}}}]"#,
        "x".repeat(8 << 10 | 1)
    );
    let check =
        async |attributes: &str, metrics: &[String], rejected: &str, limits: &str, info_ms: &[i64]| {
            let bench = Bench::new();
            let body = export_of(attributes, &metrics.join(","));
            let json = [("content-type", "application/json")];
            let (status, limit, text) = bench.answer("/v1/metrics", &json, body).await;
            let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let count = answer["partialSuccess"]["rejectedDataPoints"].as_str().unwrap_or_default();
            assert_eq!((status, count, &*limit), (200, rejected, limits), "{text}");
            assert_eq!(bench.info_ms().await, info_ms, "{text}");
        };
    for temporality in [CUMULATIVE, DELTA] {
        let (bad, good) = (bad(temporality), good(temporality));
        check(region, std::slice::from_ref(&bad), "1", "samples_ahead_max_ms", &[]).await;
        check(region, &[good.clone(), bad.clone()], "1", "samples_ahead_max_ms", &[NOW_MS - 7]).await;
        check(region, &[good.clone(), odd.clone()], "1", "", &[NOW_MS - 7]).await;
        check(region, std::slice::from_ref(&good), "", "", &[NOW_MS - 7]).await;
        // it is no data point, so that is a warning
        check(&long, std::slice::from_ref(&good), "0", "label_value_bytes_max", &[]).await;
        // a limit that a data point exceeds too is told once
        let too_long = good.replace(
            "dataPoints\": [\n            {",
            &format!("dataPoints\": [\n            {{{labelled}, "),
        );
        assert_ne!(too_long, good);
        check(&long, &[good, too_long], "1", "label_value_bytes_max", &[]).await;
    }
}

#[tokio::test]
async fn limits_and_a_store_that_fails() {
    let settings = Settings { samples_per_request_max: 4, metric_name_bytes_max: 10, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    let many = [sum("a", CUMULATIVE, 1, NOW_MS), sum("b", CUMULATIVE, 1, NOW_MS)].join(",");
    let (status, text) = bench.json(&many).await;
    assert_eq!(
        (status, &*text),
        (413, "more than 4 metrics, data points, buckets and attributes, which is samples_per_request_max\n")
    );
    let (_, text) = bench.json(&sum("a_long_name_of_it", DELTA, 1, NOW_MS)).await;
    assert!(text.contains("which is metric_name_bytes_max"), "{text}");
    let settings = Settings { otlp_json_bytes_max: 10, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    let json = [("content-type", "application/json")];
    let (status, limit, text) = bench.answer("/v1/metrics", &json, export("")).await;
    assert_eq!((status, &*limit), (413, "otlp_json_bytes_max"));
    assert!(text.contains("larger than 10 bytes, which is otlp_json_bytes_max"), "{text}");
    let protobuf = [("content-type", "application/x-protobuf")];
    assert_eq!(bench.send("/v1/metrics", &protobuf, b"\x12\x0bhello world".to_vec()).await.0, 200);
    let store = FaultyStore::new(Arc::new(InMemory::new()), |operation, _| match operation {
        Operation::Put => Fault::Fail,
        _ => Fault::None,
    });
    let bench = Bench::over(Arc::new(store), Settings::default());
    for temporality in [DELTA, CUMULATIVE] {
        assert_eq!(bench.json(&sum("a", temporality, 1, NOW_MS)).await.0, 503);
    }
}
