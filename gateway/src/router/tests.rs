//! The router over a store in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use access::QuotaSettings;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{Request, StatusCode};
use model::Clock;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use store::{Reader, ReaderSettings, Source, Stream, Tenant, Writer, WriterSettings};
use testkit::{DatedStore, Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;
use tower::ServiceExt;
use wire::encoding::gzip;

use super::*;
use crate::settings::Settings;

const NOW_MS: i64 = 1_795_370_073_531;

/// A gateway, its router and its clock.
pub(super) struct Bench {
    pub(super) gateway: Arc<Gateway>,
    router: Router,
    pub(super) clock: Arc<ManualClock>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::over(Arc::new(InMemory::new()), Settings::default(), WriterSettings::of_writer(1))
    }

    pub(super) fn over(
        store: Arc<dyn ObjectStore>,
        settings: Settings,
        writer_settings: WriterSettings,
    ) -> Self {
        Self::with(store, settings, writer_settings, |gateway| gateway)
    }

    /// As a server has it: it knows what groups hold.
    pub(super) fn knowing(store: Arc<dyn ObjectStore>, settings: Settings) -> Self {
        Self::with(store, settings, WriterSettings::of_writer(2), Gateway::knowing_groups)
    }

    fn with(
        store: Arc<dyn ObjectStore>,
        settings: Settings,
        writer_settings: WriterSettings,
        finish: fn(Gateway) -> Gateway,
    ) -> Self {
        let clock = Arc::new(ManualClock::at_ms(NOW_MS));
        let (root, tenant) = (Path::default(), Tenant::default());
        let pushes = Stream::pushes(&root, &tenant);
        let samples = Stream::samples(&root, &tenant);
        let writer: Writer =
            Writer::start(Arc::clone(&store), pushes.clone(), Arc::clone(&clock) as _, writer_settings);
        let exemplars = Stream::exemplars(&root, &tenant);
        let of_exemplars = Writer::start(
            Arc::clone(&store),
            exemplars.clone(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(9),
        );
        let reader = Reader::new(
            store,
            Source::new(pushes, Some(&writer)),
            Source::new(samples, None),
            ReaderSettings::default(),
        );
        let reader = Arc::new(reader.with_exemplars(Source::new(exemplars, Some(&of_exemplars))));
        let gateway = Gateway::new(Arc::new(writer), reader, Arc::clone(&clock) as _, settings);
        let gateway = gateway.with_exemplars(Arc::new(of_exemplars));
        let gateway = Arc::new(finish(gateway));
        Self { router: router(Arc::clone(&gateway)), gateway, clock }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("infallible")
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(body.into()).expect("a request");
        let response = self.send(request).await;
        (response.status().as_u16(), text(response).await)
    }

    /// As a client does that pushes one after the other.
    pub(super) async fn push(&self, method: &str, path: &str, body: impl Into<Body>, expect: (u16, &str)) {
        self.clock.advance_ms(1);
        let (status, text) = self.ask(method, path, body).await;
        assert_eq!((status, &*text), expect, "{method} {path}");
    }

    async fn push_status(&self, method: &str, path: &str, body: &str, expect: u16) {
        self.clock.advance_ms(1);
        let (status, text) = self.ask(method, path, body.to_owned()).await;
        assert_eq!(status, expect, "{method} {path}: {text}");
    }

    /// What is held, without the families of the gateway itself, types and `instance=""`.
    pub(super) async fn check_held(&self, expect: &[&str]) {
        let (status, text) = self.ask("GET", "/metrics", "").await;
        assert_eq!(status, 200, "{text}");
        let shown = text.lines().filter(|line| !line.starts_with("push_") && !line.starts_with('#'));
        let shown: Vec<_> = shown.map(|line| line.replace("instance=\"\",", "")).collect();
        assert_eq!(shown, expect);
    }
}

pub(super) async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn put_replaces_the_group_post_the_families_and_delete_all() {
    let bench = Bench::new();
    let (ok, group) = ((200, ""), "/metrics/job/j");
    bench.push("POST", group, "a{x=\"1\"} 1\na{x=\"2\"} 2\nb 2\n", ok).await;
    bench.push("POST", group, "a{x=\"1\"} 9\n", ok).await;
    bench.push("PUT", "/metrics/job/j/x/y", "a 5\n", ok).await;
    let others = r#"a{job="j",x="y"} 5"#;
    bench.check_held(&[r#"a{job="j",x="1"} 9"#, others, r#"b{job="j"} 2"#]).await;
    bench.push("PUT", group, "c 1\n", ok).await;
    bench.check_held(&[others, r#"c{job="j"} 1"#]).await;
    bench.push("PUT", group, "", ok).await;
    bench.check_held(&[others]).await;
    bench.push("DELETE", "/metrics/job/j/x/y", "", (202, "")).await;
    bench.push("DELETE", "/metrics/job/nope", "", (202, "")).await;
    let (_, page) = bench.ask("GET", "/metrics", "").await;
    let expect = "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n\
        # TYPE push_failure_time_seconds gauge\n\
        push_failure_time_seconds{instance=\"\",job=\"j\"} 0\n\
        # HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n\
        # TYPE push_time_seconds gauge\n\
        push_time_seconds{instance=\"\",job=\"j\"} 1.795370073536e+09\n";
    assert_eq!(page, expect);
    bench.push("DELETE", group, "", (202, "")).await;
    assert_eq!(bench.ask("GET", "/metrics", "").await, (200, String::new()));
}

#[tokio::test]
async fn a_refused_push_leaves_no_trace() {
    let bench = Bench::new();
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    let parse = "text format parsing error in line 1: expected float as value, got \"\"\n";
    bench.push("PUT", "/metrics/job/j", "blablabla\n", (400, parse)).await;
    let inconsistent = "pushed metrics are invalid or inconsistent with existing metrics: ";
    let times = format!("{inconsistent}pushed metrics must not have timestamps\n");
    bench.push("PUT", "/metrics/job/k", "a 1 1000\n", (400, &times)).await;
    bench
        .push(
            "POST",
            "/metrics/job/j/a/b/c",
            "a 1\n",
            (400, "odd number of components in label string \"/a/b/c\"\n"),
        )
        .await;
    bench.push("DELETE", "/metrics/job@base64/=", "", (400, "job name is required\n")).await;
    bench.check_held(&[r#"a{job="j"} 1"#]).await;
}

#[tokio::test]
async fn a_push_that_is_refused_takes_nothing_of_the_quota() {
    fn limited(gateway: Gateway) -> Gateway {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_ms(NOW_MS));
        let quota = QuotaSettings { active_series_max: Some(2), ..QuotaSettings::default() };
        gateway.knowing_groups().within(quota.quota(&clock))
    }
    let of_writer = WriterSettings::of_writer(2);
    let bench = Bench::with(Arc::new(InMemory::new()), Settings::default(), of_writer, limited);
    bench.push("PUT", "/metrics/job/a", "# TYPE a counter\na 1\n", (200, "")).await;
    bench.push_status("PUT", "/metrics/job/b", "# TYPE a gauge\na 1\nb 1\n", 400).await;
    bench.push("PUT", "/metrics/job/c", "b 1\n", (200, "")).await;
    bench.push_status("PUT", "/metrics/job/d", "b 1\n", 429).await;
}

#[tokio::test]
async fn bodies_are_inflated_and_decoded_by_their_headers() {
    let bench = Bench::new();
    let check = async |headers: &[(&str, &str)], body: &[u8], expect: (u16, &str)| {
        let mut request = Request::builder().method("PUT").uri("/metrics/job/j");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = bench.send(request.body(Body::from(body.to_vec())).expect("a request")).await;
        assert_eq!((response.status().as_u16(), &*text(response).await), expect, "{headers:?}");
    };
    check(&[("content-encoding", "gzip")], &gzip(b"a 1\n"), (200, "")).await;
    check(&[("content-encoding", "GZIP")], b"a 1\n", (400, "unexpected EOF\n")).await;
    check(&[("content-encoding", "snappy")], b"\x04\x0ca 1\n", (400, "snappy: corrupt input\n")).await;
    check(&[("content-encoding", "zstd")], b"a 1\n", (200, "")).await;
    let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    check(&[("content-type", protobuf)], b"", (200, "")).await;
    check(&[("content-type", protobuf)], b"\x05a", (400, "unexpected EOF\n")).await;
    check(&[("content-type", "application/json")], b"a 1\n", (200, "")).await;
    let large = format!("a{{x=\"{}\"}} 1\n", "x".repeat(4_000)).repeat(9);
    let (status, text) = bench.ask("PUT", "/metrics/job/j", large).await;
    assert!(status == 400 && text.contains("8 error(s) occurred:"), "{text}");
    assert!(text.len() < 20_000 && text.ends_with("…\n"), "{}", text.len());
}

#[tokio::test]
async fn answers_of_the_router() {
    let bench = Bench::new();
    let check = async |method: &str, path: &str, expect: (u16, &str), headers: &[(&str, &str)]| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let response = bench.send(request).await;
        for (name, value) in headers {
            assert_eq!(header(&response, name), *value, "{method} {path}");
        }
        assert_eq!((response.status().as_u16(), &*text(response).await), expect, "{method} {path}");
    };
    let plain = ("content-type", "text/plain; charset=utf-8");
    let nosniff = ("x-content-type-options", "nosniff");
    check("GET", "/-/healthy", (200, "OK"), &[plain]).await;
    check("GET", "/-/ready", (200, "OK"), &[plain]).await;
    let pushes = ("allow", "DELETE, OPTIONS, POST, PUT");
    check("GET", "/metrics/job/j", (405, "Method Not Allowed\n"), &[pushes, plain, nosniff]).await;
    check("OPTIONS", "/metrics/job/j", (200, ""), &[pushes]).await;
    check("PUT", "/metrics", (405, "Method Not Allowed\n"), &[("allow", "GET, OPTIONS"), plain, nosniff])
        .await;
    check("POST", "/metrics/instance/i", (404, "404 page not found\n"), &[plain, nosniff]).await;
    check("GET", "/nope", (404, "404 page not found\n"), &[plain, nosniff]).await;
    check("POST", "/metrics/job/j//x?y=%26&z", (301, ""), &[("location", "/metrics/job/j/x?y=%26&z")]).await;
    check("POST", "/METRICS/job/j", (307, ""), &[("location", "/metrics/job/j")]).await;
    let link = "<a href=\"/metrics?x&amp;y\">Moved Permanently</a>.\n\n";
    check("GET", "/metrics/?x&y", (301, link), &[("location", "/metrics?x&y")]).await;
    check("POST", "/metrics/job/%zz", (400, "400 Bad Request"), &[plain, ("connection", "close")]).await;
    check("PUT", "/metrics/job/é", (200, ""), &[("content-type", "")]).await;
}

#[tokio::test]
async fn a_scrape_is_in_the_format_that_was_asked_for() {
    let bench = Bench::new();
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    let ask = async |accept: &str, encoding: &str| {
        let request =
            Request::builder().uri("/metrics").header("accept", accept).header("accept-encoding", encoding);
        bench.send(request.body(Body::empty()).expect("a request")).await
    };
    let plain = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    let response = ask("*/*", "identity").await;
    assert_eq!((header(&response, "content-type"), header(&response, "content-encoding")), (plain, ""));
    let response = ask("application/openmetrics-text", "br, gzip;q=0.5").await;
    assert_eq!((header(&response, "content-type"), header(&response, "content-encoding")), (plain, "gzip"));
    let response = ask("*/*", "gzip;q=0").await;
    assert_eq!(header(&response, "content-encoding"), "");
    let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let response = ask(protobuf, "").await;
    assert_eq!(header(&response, "content-type"), format!("{protobuf}; escaping=underscores"));
}

#[tokio::test]
async fn pages_in_openmetrics_and_zstd() {
    let web = crate::Web { openmetrics: true, ..crate::Web::default() };
    let settings = Settings { web, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("PUT", "/metrics/job/j", "# TYPE a counter\na 1\n", (200, "")).await;
    let ask = async |accept: &str, encoding: &str| {
        let request = Request::get("/metrics").header("accept", accept).header("accept-encoding", encoding);
        bench.send(request.body(Body::empty()).expect("a request")).await
    };
    let response = ask("application/openmetrics-text; version=1.0.0", "identity").await;
    let expect = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
    assert_eq!(header(&response, "content-type"), expect);
    let page = text(response).await;
    assert!(page.starts_with("# TYPE a counter\na_total{instance=\"\",job=\"j\"} 1.0\n"), "{page}");
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    let response = ask("*/*", "gzip, zstd").await;
    assert_eq!(header(&response, "content-encoding"), "zstd");
}

#[tokio::test]
async fn the_json_api_the_page_and_the_wipe() {
    let web = crate::Web { admin_api: true, ..crate::Web::default() };
    let settings = Settings { web, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    bench.push("PUT", "/metrics/job/j/x/y", "a 1\n", (200, "")).await;
    let (status, json) = bench.ask("GET", "/api/v1/metrics", "").await;
    assert_eq!(status, 200);
    assert!(json.starts_with(r#"{"status":"success","data":[{"a":{"time_stamp":"2026-"#), "{json}");
    assert!(json.contains(r#""metrics":[{"labels":{"instance":"","job":"j"},"value":"1"}]"#), "{json}");
    assert!(json.contains(r#""labels":{"job":"j","x":"y"},"last_push_successful":true"#), "{json}");
    for path in ["/", "/status"] {
        let (status, page) = bench.ask("GET", path, "").await;
        assert!(status == 200 && page.contains("2 groups") && page.contains("job=j"), "{page}");
    }
    let request =
        Request::builder().method("OPTIONS").uri("/api/v1/x").body(Body::empty()).expect("a request");
    let response = bench.send(request).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    bench.push("PUT", "/api/v1/admin/wipe", "", (202, "")).await;
    bench.clock.advance_ms(1);
    let empty = (200, r#"{"status":"success","data":[]}"#.to_owned());
    assert_eq!(bench.ask("GET", "/api/v1/metrics", "").await, empty);
    bench.check_held(&[]).await;
}

#[tokio::test]
async fn groups_are_deleted_by_selectors() {
    let web = crate::Web { admin_api: true, ..crate::Web::default() };
    let settings = Settings { web, ..Settings::default() };
    let bench = Bench::knowing(Arc::new(InMemory::new()), settings);
    bench.gateway.look().await.expect("reads");
    for group in ["/metrics/job/a/instance/1", "/metrics/job/a/instance/2", "/metrics/job/b"] {
        bench.push("PUT", group, "rows 1\n", (200, "")).await;
    }
    let path = "/api/v1/admin/groups?match[]=%7Bjob%3D%22a%22%2Cinstance%3D~%222%7C3%22%7D";
    let matched =
        r#"{"status":"success","data":{"matched":1,"deleted":0,"groups":[{"instance":"2","job":"a"}]}}"#;
    bench.push("DELETE", &format!("{path}&dry_run=true"), "", (200, matched)).await;
    assert_eq!(bench.gateway.known(), Some((3, 3)));
    bench.push("DELETE", path, "", (200, &matched.replace("\"deleted\":0", "\"deleted\":1"))).await;
    bench.check_held(&[r#"rows{job="b"} 1"#, r#"rows{instance="1",job="a"} 1"#]).await;
    assert_eq!(bench.gateway.known(), Some((2, 2)));
    let both = "/api/v1/admin/groups?match[]={job=%27a%27}&match[]={job=%27b%27}";
    bench.push_status("DELETE", both, "", 200).await;
    bench.check_held(&[]).await;
    let none = "no match[] parameter provided: it says which groups are deleted\n";
    bench.push("DELETE", "/api/v1/admin/groups", "", (400, none)).await;
    bench.push_status("DELETE", "/api/v1/admin/groups?match[]={}", "", 400).await;
}

#[tokio::test]
async fn a_batch_is_answered_request_by_request() {
    let settings = Settings { requests_per_batch_max: 5, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("PUT", "/metrics/job/gone", "a 1\n", (200, "")).await;
    let batch = r#"{"requests": [
        {"method": "PUT", "path": "/metrics/job/j", "body": "a 1\n"},
        {"method": "POST", "path": "/metrics/job/k/x/%20", "headers": {"Content-Encoding": "gzip"}, "body_base64": "@"},
        {"method": "PUT", "path": "/metrics/job/bad", "body": "a 1\nb"},
        {"method": "DELETE", "path": "/metrics/job/gone"},
        {"method": "GET", "path": "/metrics/job/get"}
    ]}"#;
    let packed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, gzip(b"b 2\n"));
    let batch = batch.replace('@', &packed);
    let parse = "text format parsing error in line 2: unexpected end of input stream";
    let expect = format!(
        r#"{{"status":"success","data":[{{"status":200}},{{"status":200}},{{"status":400,"error":"{parse}"}},{{"status":202}},{{"status":405,"error":"Method Not Allowed"}}]}}"#
    );
    bench.push("POST", "/api/v1/batch", batch.clone(), (200, &expect)).await;
    bench.check_held(&[r#"a{job="j"} 1"#, r#"b{job="k",x=" "} 2"#]).await;

    let refused = async |requests: &str, expect: &str| {
        let body = format!("{{\"requests\": [{requests}]}}");
        bench.push("POST", "/api/v1/batch", body, (400, &format!("batch: {expect}\n"))).await;
    };
    let one = r#"{"method": "PUT", "path": "/metrics/job/j/x/1"}"#;
    refused(&[one; 6].join(","), "the number of requests (6) exceeds requests_per_batch_max = 5").await;
    let twice = format!(r#"{one},{{"method": "POST", "path": "/metrics/job@base64/ag/x/1"}}"#);
    let same = "requests[1] is about the same group as requests[0]: a group may stand in a batch once";
    refused(&twice, same).await;
    let both = r#"{"method": "PUT", "path": "/", "body": "", "body_base64": ""}"#;
    refused(both, "requests[0].body: there is a body_base64 too").await;
    refused(r#"{"method": "P T", "path": "/"}"#, "requests[0].method: \"P T\" is no method").await;
    let (status, text) = bench.ask("POST", "/api/v1/batch", "[]").await;
    assert!(status == 400 && text.contains("expected {\"requests\""), "{text}");
    bench.check_held(&[r#"a{job="j"} 1"#, r#"b{job="k",x=" "} 2"#]).await;
}

/// Sends a batch with these headers; gives its statuses.
async fn batch(bench: &Bench, headers: &[(&str, &str)], requests: &str) -> Vec<u64> {
    let mut request = Request::post("/api/v1/batch");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = format!("{{\"requests\": [{requests}]}}");
    bench.clock.advance_ms(1);
    let answer = text(bench.send(request.body(Body::from(body)).expect("a request")).await).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let outcomes = answer["data"].as_array().expect("outcomes").iter();
    outcomes.map(|outcome| outcome["status"].as_u64().expect("a status")).collect()
}

#[tokio::test]
async fn requests_of_a_batch_have_terms_each_and_those_of_the_batch() {
    let bench = Bench::new();
    let three = r##"{"method": "PUT", "path": "/metrics/job/own", "headers": {"x-mayfly-ttl": "10s"}, "body": "a 1\n"},
        {"method": "PUT", "path": "/metrics/job/stays", "headers": {"X-Mayfly-TTL": "0"}, "body": "a 1\n"},
        {"method": "POST", "path": "/aggregate/metrics/job/sum", "headers": {"Idempotency-Key": "k"},
         "body": "# TYPE c counter\nc 5\n# TYPE g gauge\ng 2\n"}"##;
    let terms = [("X-Mayfly-TTL", "1m"), ("Idempotency-Key", "all")];
    // the second time all of it is a retry
    assert_eq!(batch(&bench, &terms, three).await, [200, 200, 200]);
    assert_eq!(batch(&bench, &terms, three).await, [200, 200, 200]);
    let (own, stays) = (r#"a{job="own"} 1"#, r#"a{job="stays"} 1"#);
    let (c, g) = (r#"c{job="sum"} 5"#, r#"g{job="sum"} 2"#);
    bench.check_held(&[own, stays, c, g]).await;
    // the same key with another body is refused for that group alone; a gauge that merges otherwise begins anew
    let other = r##"{"method": "PUT", "path": "/metrics/job/own", "body": "a 2\n"},
        {"method": "POST", "path": "/aggregate/metrics/job/sum", "body": "# TYPE g gauge\ng 3\n",
         "headers": {"X-Mayfly-Gauge-Merge": "sum"}},
        {"method": "PUT", "path": "/metrics/job/new", "body": "a 1\n", "headers": {"X-Mayfly-Gauge-Merge": "sum"}}"##;
    assert_eq!(batch(&bench, &terms, other).await, [422, 200, 400]);
    bench.check_held(&[own, stays, c, r#"g{job="sum"} 3"#]).await;
    bench.clock.advance_ms(11_000);
    bench.check_held(&[stays, c, r#"g{job="sum"} 3"#]).await;
    bench.clock.advance_ms(60_000);
    bench.check_held(&[stays]).await;
}

#[tokio::test]
async fn no_more_pages_are_sent_at_once_than_may_be() {
    let settings = Settings { scrapes_at_once_max: 1, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    let request = || Request::get("/metrics").body(Body::empty()).expect("a request");
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    // who does not read keeps the place
    let unread = bench.send(request()).await;
    assert_eq!(unread.status(), StatusCode::OK);
    for path in ["/metrics", "/api/v1/metrics", "/"] {
        let (status, text) = bench.ask("GET", path, "").await;
        assert!(status == 503 && text.contains("scrapes_at_once_max"), "{text}");
    }
    text(unread).await;
    bench.push_status("GET", "/metrics", "", 200).await;
    drop(bench.send(request()).await);
    bench.push_status("GET", "/metrics", "", 200).await;
}

#[tokio::test]
async fn whether_a_retry_helps_is_told_where_it_does_no_harm() {
    let bench = Bench::over(broken(Fault::FailAfterwards), Settings::default(), WriterSettings::of_writer(1));
    let check = async |path: &str, key: Option<&str>, expect: &str| {
        let mut request = Request::post(path);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = Body::from("# TYPE c counter\nc 1\n");
        let response = bench.send(request.body(body).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&response, "retry-after"), expect, "{path} {key:?}");
        assert_eq!(text(response).await.contains("could count twice"), expect.is_empty());
    };
    check("/metrics/job/j", None, "1").await;
    check("/aggregate/metrics/job/j", Some("k"), "1").await;
    check("/aggregate/metrics/job/j", None, "").await;
}

#[tokio::test]
async fn an_answer_shows_no_more_than_it_may() {
    let settings = Settings { series_per_scrape_max: 2, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    bench.push_status("GET", "/api/v1/metrics", "", 200).await;
    bench.push("PUT", "/metrics/job/k", "a 1\n", (200, "")).await;
    for path in ["/api/v1/metrics", "/metrics"] {
        let (status, text) = bench.ask("GET", path, "").await;
        let expect = "4 series are held, which exceeds series_per_scrape_max = 2";
        assert!(status == 500 && text.contains(expect), "{text}");
    }
}

#[tokio::test]
async fn to_quit_must_be_allowed() {
    let bench = Bench::new();
    bench.push("PUT", "/-/quit", "", (403, "Lifecycle API is not enabled.")).await;
    bench.push("GET", "/-/quit", "", (405, "Only POST or PUT requests allowed.")).await;
    let web = crate::Web { lifecycle: true, ..crate::Web::default() };
    let settings = Settings { web, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("POST", "/-/quit", "", (200, "Requesting termination... Goodbye!")).await;
    bench.gateway.quit_requested().await;
}

#[tokio::test]
async fn groups_that_the_store_holds_already_count() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let earlier = Bench::over(Arc::clone(&store), Settings::default(), WriterSettings::of_writer(1));
    earlier.push("PUT", "/metrics/job/j", "# TYPE a counter\na 1\n", (200, "")).await;
    let bench = Bench::knowing(Arc::clone(&store), Settings { known_wait_ms: 20, ..Settings::default() });
    // what is not known yet keeps nobody waiting for long
    bench.push("PUT", "/metrics/job/k", "# TYPE b counter\nb 1\n", (200, "")).await;
    bench.gateway.look().await.expect("reads");
    let (status, text) = bench.ask("PUT", "/metrics/job/l", "# TYPE a gauge\na 1\n").await;
    assert!(status == 400 && text.ends_with("is not a COUNTER\n"), "{text}");
    let (status, text) = bench.ask("PUT", "/metrics/job/l", "# TYPE b gauge\nb 1\n").await;
    assert!(status == 400 && text.ends_with("is not a COUNTER\n"), "{text}");
    assert_eq!(bench.gateway.known(), Some((2, 2)));
    // a group that is there gets a failure time, and one that is not is not made
    bench.ask("POST", "/metrics/job/k", "# TYPE a gauge\na 1\n").await;
    let (_, page) = bench.ask("GET", "/metrics", "").await;
    let failures: Vec<_> = page.lines().filter(|line| line.starts_with("push_failure")).collect();
    assert_eq!(failures.len(), 2, "{page}");
    assert!(failures[0].ends_with("} 0") && !failures[1].ends_with("} 0"), "{page}");
}

#[tokio::test]
async fn a_write_that_failed_is_looked_after() {
    let store = broken(Fault::Fail);
    let bench = Bench::knowing(store, Settings::default());
    bench.gateway.look().await.expect("reads");
    bench.push_status("PUT", "/metrics/job/j", "# TYPE a counter\na 1\n", 503).await;
    // it is counted until it is known that it was not stored
    bench.push_status("PUT", "/metrics/job/k", "# TYPE a gauge\na 1\n", 400).await;
    bench.gateway.look().await.expect("reads");
    bench.push_status("PUT", "/metrics/job/k", "# TYPE a gauge\na 1\n", 503).await;
}

#[tokio::test]
async fn a_write_that_failed_after_its_client_had_left_is_looked_after() {
    let permits = Arc::new(Semaphore::new(0));
    let is_up = Arc::new(AtomicBool::new(false));
    let (waits, up) = (Arc::clone(&permits), Arc::clone(&is_up));
    // the first write waits and then fails
    let plan = move |operation, _: &Path| match operation {
        Operation::Put if !up.load(Ordering::SeqCst) => Fault::WaitAndFail(Arc::clone(&waits)),
        _ => Fault::None,
    };
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan));
    let bench = Bench::knowing(store, Settings::default());
    bench.gateway.look().await.expect("reads");
    {
        let counter = Body::from("# TYPE a counter\na 1\n");
        let request = Request::put("/metrics/job/j").body(counter).expect("a request");
        let push = std::pin::pin!(bench.send(request));
        assert!(futures::poll!(push).is_pending());
    }
    assert_eq!(bench.gateway.known(), Some((1, 1)), "its client is gone, and it may be stored yet");
    bench.gateway.look().await.expect("reads");
    assert_eq!(bench.gateway.known(), Some((1, 1)));
    permits.add_permits(1);
    while bench.gateway.known() != Some((0, 0)) {
        tokio::task::yield_now().await;
        bench.gateway.look().await.expect("reads");
    }
    is_up.store(true, Ordering::SeqCst);
    bench.push_status("PUT", "/metrics/job/k", "# TYPE a gauge\na 1\n", 200).await;
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let settings = Settings { body_bytes_max: 8, inflated_body_bytes_max: 16, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    bench.push("PUT", "/metrics/job/j", "abcde 1\n", (200, "")).await;
    bench
        .push("PUT", "/metrics/job/j", "abcdef 1\n", (413, "body is larger than body_bytes_max = 8 bytes\n"))
        .await;
    let settings = Settings { inflated_body_bytes_max: 16, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    let large = (413, "inflated body is larger than inflated_body_bytes_max = 16 bytes\n");
    bench.push("PUT", "/metrics/job/j", "abcdefghijklmn 1\n", large).await;
    bench.check_held(&[]).await;
}

#[tokio::test]
async fn programs_are_told_which_limit_a_request_exceeds() {
    let settings = Settings { body_bytes_max: 30, label_value_bytes_max: 3, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    for (body, status, limit) in [
        ("a_metric_of_more_than_thirty_bytes 1\n", 413, "body_bytes_max"),
        ("a{b=\"abcd\"} 1\n", 422, "label_value_bytes_max"),
        ("no text", 400, ""),
        ("a 1\n", 200, ""),
    ] {
        let request = Request::put("/metrics/job/j").body(Body::from(body)).expect("a request");
        let response = bench.send(request).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "mayfly-limit")),
            (status, limit),
            "{body}"
        );
    }
    let families = bench.gateway.stats().families();
    let counted = families.iter().find(|family| &*family.name == "mayfly_gateway_limits_exceeded_total");
    assert_eq!(counted.map(|family| family.metrics.len()), Some(2), "one of each");
}

/// A store that fails, or waits, when it is written to.
fn broken(fault: Fault) -> Arc<dyn ObjectStore> {
    let plan =
        move |operation, _: &Path| if operation == Operation::Put { fault.clone() } else { Fault::None };
    Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan))
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_stored() {
    for fault in [Fault::Fail, Fault::FailAfterwards] {
        let bench = Bench::over(broken(fault), Settings::default(), WriterSettings::of_writer(1));
        for (method, body) in [("PUT", "a 1\n"), ("POST", ""), ("DELETE", "")] {
            let (status, text) = bench.ask(method, "/metrics/job/j", body).await;
            assert_eq!(status, 503, "{text}");
        }
    }
}

/// While one push waits for the store, a second one is refused with this text.
async fn check_second(settings: Settings, writer_settings: WriterSettings, expect: &str) {
    let permits = Arc::new(Semaphore::new(0));
    let bench = Bench::over(broken(Fault::Wait(Arc::clone(&permits))), settings, writer_settings);
    let request = || Request::put("/metrics/job/j").body(Body::from("a 1\n")).expect("a request");
    let second = async {
        let response = bench.send(request()).await;
        let found = (response.status(), header(&response, "retry-after").to_owned());
        let text = text(response).await;
        assert_eq!(found, (StatusCode::SERVICE_UNAVAILABLE, "1".to_owned()), "{text}");
        assert!(text.contains(expect), "{text}");
        permits.add_permits(9);
    };
    let (first, ()) = tokio::join!(bench.send(request()), second);
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(bench.send(request()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_is_busy_says_so_and_when_to_come_back() {
    let one_at_once = Settings { pushes_in_flight_max: 1, ..Settings::default() };
    let expect = "1 pushes are being worked on, which is pushes_in_flight_max: try again later\n";
    check_second(one_at_once, WriterSettings::of_writer(1), expect).await;
    let small_buffer = WriterSettings { buffer_bytes_max: 1, ..WriterSettings::of_writer(1) };
    check_second(Settings::default(), small_buffer, "bytes of pushes are waiting to be written").await;
}

#[tokio::test]
async fn what_finds_no_memory_may_come_again() {
    let bench = Bench::over(Arc::new(InMemory::new()), Settings::default(), WriterSettings::of_writer(1));
    let mut others = bench.gateway.room().place();
    others.grow(access::ROOM_BYTES_MAX).expect("is there");
    let batch = r#"{"requests": [{"method": "PUT", "path": "/metrics/job/k", "body": "a 1\n"}]}"#;
    for (method, path, body) in [("PUT", "/metrics/job/j", "a 1\n"), ("POST", "/api/v1/batch", batch)] {
        let (status, text) = bench.ask(method, path, body).await;
        assert!(status == 503 && text.contains("which is received_bytes_max: try again later"), "{text}");
    }
    drop(others);
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
    let (status, text) = bench.ask("POST", "/api/v1/batch", batch).await;
    assert!(status == 200 && text.contains(r#"[{"status":200}]"#), "{text}");
    assert_eq!(bench.gateway.room().taken(), 0);
}

#[tokio::test]
async fn a_push_of_more_rows_than_the_store_takes_is_told_so_for_good() {
    let of_writer = WriterSettings { entry_bytes_max: 1_000, ..WriterSettings::of_writer(1) };
    let bench = Bench::over(Arc::new(InMemory::new()), Settings::default(), of_writer);
    let body: String = (0..100).map(|index| format!("a{index} 1\n")).collect();
    let (status, text) = bench.ask("PUT", "/metrics/job/j", body).await;
    assert_eq!(status, 413);
    assert!(
        text.contains("no more than 1000 may at once, which is entry_bytes_max: send them in parts"),
        "{text}"
    );
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
}

#[tokio::test]
async fn a_client_that_stops_in_mid_body_loses_its_place() {
    let settings = Settings { body_timeout_ms: 20, pushes_in_flight_max: 1, ..Settings::default() };
    let bench = Bench::over(Arc::new(InMemory::new()), settings, WriterSettings::of_writer(1));
    let stalled = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let expect = (408, "the body did not come within 20 ms, which is body_timeout_ms\n");
    bench.push("PUT", "/metrics/job/j", stalled, expect).await;
    bench.push("PUT", "/metrics/job/j", "a 1\n", (200, "")).await;
}

#[tokio::test]
async fn a_clock_that_is_off_the_stores_is_not_ready_and_takes_no_push() {
    let store_clock = Arc::new(ManualClock::at_ms(NOW_MS - 60_000));
    let store = DatedStore::new(Arc::new(InMemory::new()), store_clock);
    let bench = Bench::over(Arc::new(store), Settings::default(), WriterSettings::of_writer(1));
    assert_eq!(bench.ask("GET", "/-/healthy", "").await.0, 200);
    for (method, path) in [("GET", "/-/ready"), ("PUT", "/metrics/job/a"), ("DELETE", "/metrics/job/a")] {
        let (status, text) = bench.ask(method, path, "x 1\n").await;
        assert_eq!(status, 503, "{method} {path}: {text}");
        assert!(text.contains("ahead of the object store's"), "{method} {path}: {text}");
    }
    // set right
    bench.clock.advance_ms(-60_000);
    assert_eq!(bench.ask("GET", "/-/ready", "").await.0, 200);
    bench.push("PUT", "/metrics/job/a", "x 1\n", (200, "")).await;
}
