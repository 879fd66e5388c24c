//! Lines over a store in memory.

use access::QuotaSettings;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http;
use model::{Clock, MatchOp, Matcher, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::{Reader, ReaderSettings, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tower::ServiceExt;

use super::*;
use crate::router::influx_router;
use crate::settings::Settings;

const NOW_MS: i64 = 1_795_370_073_531;

struct Bench {
    router: Router,
    receiver: Arc<Receiver>,
    /// Of another process: it sees only what is durable.
    reader: Reader,
}

impl Bench {
    fn over(store: Arc<dyn ObjectStore>, settings: Settings) -> Self {
        Self::within(store, settings, None)
    }

    fn within(store: Arc<dyn ObjectStore>, settings: Settings, quota: Option<QuotaSettings>) -> Self {
        let clock = Arc::new(ManualClock::at_ms(NOW_MS));
        let (root, tenant) = (Path::default(), Tenant::default());
        let (samples, pushes) = (Stream::samples(&root, &tenant), Stream::pushes(&root, &tenant));
        let start = WriterSettings::of_writer;
        let of_samples =
            Writer::start(Arc::clone(&store), samples.clone(), Arc::clone(&clock) as _, start(1));
        let of_pushes = Writer::start(Arc::clone(&store), pushes.clone(), Arc::clone(&clock) as _, start(2));
        let reader = Reader::new(
            store,
            Source::new(pushes, None),
            Source::new(samples, None),
            ReaderSettings::default(),
        );
        let receiver =
            Receiver::new(Arc::new(of_samples), Arc::new(of_pushes), Arc::clone(&clock) as _, settings);
        let quota = quota.and_then(|quota| quota.quota(&(clock as Arc<dyn Clock>)));
        let receiver = Arc::new(receiver.within(quota));
        Self { router: influx_router(Arc::clone(&receiver)), receiver, reader }
    }

    fn new() -> Self {
        Self::over(Arc::new(InMemory::new()), Settings::default())
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
        let (status, _, text) = self.answer(method, path, headers, body).await;
        (status, text)
    }

    /// Status, the limits that are exceeded, and the text.
    async fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, String, String) {
        let request = http::Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::from(body)).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let limit =
            response.headers().get("mayfly-limit").map(|limit| limit.to_str().expect("words").to_owned());
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (status, limit.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned())
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        self.send("POST", path, &[], body.as_bytes().to_vec()).await
    }

    /// A line for each series: labels, and times (relative to now) with values.
    async fn stored(&self) -> Vec<String> {
        let matchers = vec![Matcher::new("__name__", MatchOp::NotEqual, "").expect("no expression")];
        let selection = Selection { matchers, start_ms: 0, end_ms: NOW_MS + 1_000_000 };
        let found = self.reader.select(&selection).await.expect("reads").found;
        let mut lines: Vec<String> = found
            .iter()
            .map(|series| {
                let points = series.samples.timestamps_ms.iter().zip(&series.samples.values);
                let points: Vec<String> =
                    points.map(|(at_ms, value)| format!("{}:{value}", at_ms - NOW_MS)).collect();
                format!("{} {}", series.labels, points.join(" "))
            })
            .collect();
        lines.sort();
        lines
    }
}

#[tokio::test]
async fn fields_become_series_with_their_own_time() {
    let bench = Bench::new();
    let body = format!(
        "cpu,host=a usage=1.5,idle=2i,note=\"x\" {0}000000\ncpu,host=a usage=2 {1}000000\ncpu,host=b usage=3\n\
        cpu,db=own,host=a usage=4\n",
        NOW_MS - 5,
        NOW_MS - 10
    );
    assert_eq!(bench.post("/write?db=metrics&rp=x", &body).await, (204, String::new()));
    let expect = [
        "cpu_idle{db=\"metrics\", host=\"a\"} -5:2",
        "cpu_usage{db=\"metrics\", host=\"a\"} -10:2 -5:1.5",
        "cpu_usage{db=\"metrics\", host=\"b\"} 0:3",
        "cpu_usage{db=\"own\", host=\"a\"} 0:4",
    ];
    assert_eq!(bench.stored().await, expect);
}

#[tokio::test]
async fn both_versions_with_precision_and_gzip() {
    let bench = Bench::new();
    let seconds = NOW_MS / 1_000;
    let body = format!("a v=1 {seconds}").into_bytes();
    let path = "/api/v2/write?org=o&bucket=b&precision=s";
    assert_eq!(bench.send("POST", path, &[], body.clone()).await.0, 204);
    let packed = wire::encoding::gzip(&format!("b v=2 {NOW_MS}").into_bytes());
    let headers = [("content-encoding", "gzip")];
    assert_eq!(bench.send("POST", "/write?precision=ms", &headers, packed).await.0, 204);
    assert_eq!(bench.stored().await, ["a_v -531:1", "b_v 0:2"]);
    let refused = "{\"error\":\"invalid precision \\\"d\\\" (use n, u, ms, s, m or h)\"}";
    assert_eq!(bench.post("/write?precision=d", "a v=1").await, (400, refused.to_owned()));
    let headers = [("content-encoding", "br")];
    let (status, text) = bench.send("POST", "/api/v2/write", &headers, body).await;
    assert!(status == 400 && text.contains("\"code\":\"invalid\"") && text.contains("br"), "{text}");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_keeps_no_other_from_being_stored() {
    let bench = Bench::new();
    let body = format!("a v=1\nbroken\nb v=x\nc v=2\nd v=3 {}000000", NOW_MS + 700_000);
    let (status, text) = bench.post("/write", &body).await;
    let error = "{\"error\":\"partial write: unable to parse 'broken': missing fields\\n\
        unable to parse 'b v=x': invalid field value\\n\
        out of bounds: timestamp is too far in the future: 1795370773531 is 700000 ms ahead, and samples_ahead_max_ms is 600000, \
        for series {__name__=\\\"d_v\\\"}\\n2 values were stored, and 3 lines or values were not\"}";
    assert_eq!((status, &*text), (400, error));
    assert_eq!(bench.stored().await, ["a_v 0:1", "c_v 0:2"]);
    let (status, text) = bench.post("/api/v2/write", "a").await;
    assert_eq!(status, 400);
    assert!(
        text.starts_with("{\"code\":\"invalid\",\"message\":\"partial write: unable to parse 'a'"),
        "{text}"
    );
    let stats = wire::exposition::write_text(
        &bench.receiver.stats().families(),
        wire::name_escaping::Escaping::Underscores,
    );
    assert!(stats.contains("mayfly_write_requests_total{protocol=\"influx\",status=\"400\"} 2"), "{stats}");
    assert!(stats.contains("mayfly_samples_written_total 2"), "{stats}");
}

#[tokio::test]
async fn limits_and_a_store_that_fails() {
    let settings = Settings { body_bytes_max: 30, samples_per_request_max: 2, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings);
    let (status, text) = bench.post("/write", &"a v=1\n".repeat(6)).await;
    assert!(status == 413 && text.contains("body_bytes_max"), "{text}");
    let (status, text) = bench.post("/api/v2/write", "a v=1,w=2,x=3").await;
    assert!(status == 413 && text.contains("samples_per_request_max"), "{text}");
    assert!(text.contains("\"code\":\"request too large\""), "{text}");
    assert!(bench.stored().await.is_empty());
    let plan = |operation, _: &Path| match operation {
        Operation::Put => Fault::Fail,
        _ => Fault::None,
    };
    let bench = Bench::over(Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan)), Settings::default());
    let (status, text) = bench.post("/api/v2/write", "a v=1").await;
    assert!(status == 503 && text.contains("\"code\":\"unavailable\""), "{text}");
}

#[tokio::test]
async fn labels_are_counted_with_the_database_and_the_name() {
    let bench = Bench::new();
    let line = |tags: usize| (0..tags).fold("m".to_owned(), |line, tag| format!("{line},t{tag}=x")) + " v=1";
    for (tags, status, limit) in
        [(62, 204, ""), (63, 400, "labels_per_series_max"), (65, 400, "labels_per_series_max")]
    {
        let (found, told, text) = bench.answer("POST", "/write?db=d", &[], line(tags).into_bytes()).await;
        assert_eq!((found, &*told), (status, limit), "{text}");
        assert!(text.contains(limit), "{text}");
    }
    let name = format!("{} v=1", "m".repeat(1_023));
    let (status, limit, _) = bench.answer("POST", "/api/v2/write", &[], name.into_bytes()).await;
    assert_eq!((status, &*limit), (400, "metric_name_bytes_max"));
    let stats = wire::exposition::write_text(
        &bench.receiver.stats().families(),
        wire::name_escaping::Escaping::Underscores,
    );
    for (limit, count) in [("labels_per_series_max", 2), ("metric_name_bytes_max", 1)] {
        let line =
            format!("mayfly_write_limits_exceeded_total{{protocol=\"influx\",limit=\"{limit}\"}} {count}\n");
        assert!(stats.contains(&line), "{line}{stats}");
    }
}

#[tokio::test]
async fn a_quota_is_told_in_the_words_of_either_version() {
    let quota = QuotaSettings { active_series_max: Some(1), ..QuotaSettings::default() };
    let bench = Bench::within(Arc::new(InMemory::new()), Settings::default(), Some(quota));
    for (path, expect) in
        [("/write", "{\"error\":"), ("/api/v2/write", "{\"code\":\"too many requests\",\"message\":")]
    {
        let (status, limit, text) = bench.answer("POST", path, &[], b"m v=1,w=2".to_vec()).await;
        assert_eq!((status, &*limit), (429, "active_series_max"));
        assert!(text.starts_with(expect), "{text}");
    }
}

#[tokio::test]
async fn what_senders_ask_before() {
    let bench = Bench::new();
    for method in ["GET", "HEAD", "POST"] {
        assert_eq!(bench.send(method, "/ping", &[], Vec::new()).await, (204, String::new()));
    }
    let (status, text) = bench.send("GET", "/health", &[], Vec::new()).await;
    assert!(status == 200 && text.contains("\"status\":\"pass\""), "{text}");
    let created = (200, "{\"results\":[{\"statement_id\":0}]}".to_owned());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = b"q=CREATE+DATABASE+%22telegraf%22".to_vec();
    assert_eq!(bench.send("POST", "/query", &form, body).await, created);
    assert_eq!(bench.post("/query?q=create%20database%20x", "").await, created);
    let (status, text) = bench.send("GET", "/query?q=SHOW+DATABASES", &[], Vec::new()).await;
    assert!(status == 200 && text.contains("\"databases\""), "{text}");
    for asked in ["/query?q=SELECT+1", "/query"] {
        let (status, text) = bench.send("GET", asked, &[], Vec::new()).await;
        assert!(status == 400 && text.contains("PromQL"), "{text}");
    }
    assert_eq!(bench.send("GET", "/write", &[], Vec::new()).await.0, 405);
    assert_eq!(bench.send("OPTIONS", "/api/v2/write", &[], Vec::new()).await.0, 204);
}
