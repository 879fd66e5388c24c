//! Requests and their answers.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use model::{Labels, OPEN_END_MS, Selection, Series};
use testkit::ManualClock;
use tower::ServiceExt;

use super::{Api, BuildInfo, router};
use crate::engine::Settings;
use crate::source::{SeriesSource, SourceError, SourceErrorKind, SourceNotes};

/// `up` as samples at 0, 60 and 120 s; `runs_total` as steps from 30 s on; `broken` cannot be read, and `torn` only in
/// part.
struct Fixed;

#[async_trait]
impl SeriesSource for Fixed {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        if selection.metric_name() == Some("broken") {
            return Err(SourceError::new(SourceErrorKind::Unavailable, "the store does not answer"));
        }
        if selection.metric_name() == Some("torn") {
            notes.note("incomplete: some/object cannot be read: damaged");
        }
        let mut up =
            Series { labels: Labels::from_pairs([("__name__", "up"), ("job", "a")]), ..Series::default() };
        for (at, value) in [(0, 1.0), (60_000, 0.0), (120_000, 1.5)] {
            up.samples.push(at, value);
        }
        let labels = Labels::from_pairs([("__name__", "runs_total"), ("job", "b")]);
        let mut runs = Series { labels, ..Series::default() };
        runs.steps.push(30_000, 90_000, 1.0);
        runs.steps.push(90_000, OPEN_END_MS, 2.0);
        if selection.metric_name() == Some("typed") {
            let labels = Labels::from_pairs([("__name__", "typed"), ("__type__", "gauge")]);
            return Ok(vec![Series { labels, ..up }]);
        }
        Ok([up, runs].into_iter().filter(|series| selection.matches(&series.labels)).collect())
    }
}

async fn send(request: Request<Body>) -> (StatusCode, String) {
    let clock = Arc::new(ManualClock::at_ms(120_000));
    let build = BuildInfo { version: "1.2.3".to_owned(), ..BuildInfo::default() };
    let api = Api::new(Settings::default(), Arc::new(Fixed), clock, build);
    let response = router(Arc::new(api)).oneshot(request).await.expect("answers");
    let status = response.status();
    let body = response.into_body().collect().await.expect("has a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("is text"))
}

async fn get(path: &str) -> (StatusCode, String) {
    send(Request::get(path).body(Body::empty()).expect("is a request")).await
}

async fn check(path: &str, data: &str) {
    let expected = (StatusCode::OK, format!("{{\"status\":\"success\",\"data\":{data}}}"));
    assert_eq!(get(path).await, expected, "{path}");
}

async fn fails(path: &str, status: u16, kind: &str, message: &str) {
    let mut body = format!("{{\"status\":\"error\",\"errorType\":\"{kind}\",\"error\":");
    super::json::string(&mut body, message);
    body.push('}');
    assert_eq!(get(path).await, (StatusCode::from_u16(status).expect("a status"), body), "{path}");
}

#[tokio::test]
async fn instant_queries() {
    check("/api/v1/query?query=1.5", r#"{"resultType":"scalar","result":[120,"1.5"]}"#).await;
    check("/api/v1/query?query=%22a%22&time=4", r#"{"resultType":"string","result":[4,"a"]}"#).await;
    check(
        "/api/v1/query?query=up&time=60.5",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[60.500,"0"]}]}"#,
    )
    .await;
    check(
        "/api/v1/query?query=increase(runs_total[1m])&time=1970-01-01T00:02:00Z",
        r#"{"resultType":"vector","result":[{"metric":{"job":"b"},"value":[120,"1"]}]}"#,
    )
    .await;
    check(
        "/api/v1/query?query=up[2m]",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[60,"0"],[120,"1.5"]]}]}"#,
    )
    .await;
    check("/api/v1/query?query=nothing", r#"{"resultType":"vector","result":[]}"#).await;
    check("/api/v1/query?query=up&time=119&lookback_delta=10", r#"{"resultType":"vector","result":[]}"#)
        .await;
}

#[tokio::test]
async fn what_an_answer_lacks_is_a_warning() {
    let warned = |data: &str| {
        let warnings = r#"["incomplete: some/object cannot be read: damaged"]"#;
        format!("{{\"status\":\"success\",\"data\":{data},\"warnings\":{warnings}}}")
    };
    let vector = r#"{"resultType":"vector","result":[]}"#;
    let matrix = r#"{"resultType":"matrix","result":[]}"#;
    for (path, data) in [
        ("query?query=torn", vector),
        ("query?query=torn+or+torn+offset+1m", vector),
        ("query_range?query=torn&start=0&end=1&step=1", matrix),
        ("series?match[]=torn", "[]"),
        ("labels?match[]=torn", "[]"),
        ("label/job/values?match[]=torn", "[]"),
    ] {
        assert_eq!(get(&format!("/api/v1/{path}")).await, (StatusCode::OK, warned(data)), "{path}");
    }
}

#[tokio::test]
async fn a_server_without_targets_says_so() {
    let none = r#"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#;
    check("/api/v1/targets", none).await;
    check("/api/v1/scrape_pools", r#"{"scrapePools":[]}"#).await;
    check("/api/v1/query_exemplars?query=up&start=0&end=1", "[]").await;
    check("/api/v1/metadata", "{}").await;
    fails("/api/v1/metadata?limit=x", 400, "bad_data", "limit must be a number").await;
    fails("/api/v1/targets/metadata?limit=x", 400, "bad_data", "limit must be a number").await;
}

#[tokio::test]
async fn counts_of_what_there_is() {
    let names = r#"[{"name":"runs_total","value":1}]"#;
    let labels = r#"[{"name":"__name__","value":2}]"#;
    let bytes = r#"[{"name":"__name__","value":12}]"#;
    let pairs = r#"[{"name":"__name__=runs_total","value":1}]"#;
    check(
        "/api/v1/status/tsdb?limit=1",
        &format!(
            r#"{{"headStats":{{"numSeries":2,"numLabelPairs":4,"chunkCount":0,"minTime":-7080000,"maxTime":120000}},"seriesCountByMetricName":{names},"labelValueCountByLabelName":{labels},"memoryInBytesByLabelName":{bytes},"seriesCountByLabelValuePair":{pairs}}}"#
        ),
    )
    .await;
    for (limit, reason) in
        [("0", "limit must be a positive number"), ("10001", "limit must not exceed 10000")]
    {
        fails(&format!("/api/v1/status/tsdb?limit={limit}"), 400, "bad_data", reason).await;
    }
}

#[tokio::test]
async fn features_follow_the_settings() {
    let (status, body) = get("/api/v1/features").await;
    assert_eq!(status, StatusCode::OK);
    let told: serde_json::Value = serde_json::from_str(&body).expect("is JSON");
    let told = &told["data"];
    assert_eq!(told["promql_functions"].as_object().expect("an object").len(), 90);
    assert_eq!(told["promql_functions"]["rate"], true);
    assert_eq!(told["promql_functions"]["info"], false);
    assert_eq!(told["promql_operators"]["limitk"], false);
    assert_eq!(told["promql"]["anchored"], false);
}

#[tokio::test]
async fn a_query_may_ask_for_what_scraping_would_have_seen() {
    let empty = r#"{"resultType":"vector","result":[]}"#;
    check("/api/v1/query?query=runs_total&time=35&as_scraped=40s", empty).await;
    check(
        "/api/v1/query?query=runs_total&time=35&as_scraped=0",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"runs_total","job":"b"},"value":[35,"1"]}]}"#,
    )
    .await;
    fails(
        "/api/v1/query?query=runs_total&as_scraped=-1",
        400,
        "bad_data",
        "invalid parameter \"as_scraped\": a scrape interval cannot be negative",
    )
    .await;
}

#[tokio::test]
async fn range_queries() {
    check(
        "/api/v1/query_range?query=runs_total&start=0&end=120&step=30",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"runs_total","job":"b"},"values":[[30,"1"],[60,"1"],[90,"2"],[120,"2"]]}]}"#,
    )
    .await;
    check(
        "/api/v1/query_range?query=time()&start=0&end=60&step=1m",
        r#"{"resultType":"matrix","result":[{"metric":{},"values":[[0,"0"],[60,"60"]]}]}"#,
    )
    .await;
}

#[tokio::test]
async fn mistakes_have_the_words_of_prometheus() {
    fails(
        "/api/v1/query",
        400,
        "bad_data",
        "invalid parameter \"query\": unknown position: parse error: no expression found in input",
    )
    .await;
    fails(
        "/api/v1/query?query=up%7B",
        400,
        "bad_data",
        "invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces",
    )
    .await;
    fails(
        "/api/v1/query?query=up&time=x",
        400,
        "bad_data",
        "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
    )
    .await;
    fails(
        "/api/v1/query?query=up&limit=-1",
        400,
        "bad_data",
        "invalid parameter \"limit\": limit must be non-negative",
    )
    .await;
    fails(
        "/api/v1/query?query=up&timeout=x",
        400,
        "bad_data",
        "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration",
    )
    .await;
    let range = "/api/v1/query_range?query=up";
    fails(range, 400, "bad_data", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp")
        .await;
    fails(
        &format!("{range}&start=5&end=4&step=1"),
        400,
        "bad_data",
        "invalid parameter \"end\": end timestamp must not be before start time",
    )
    .await;
    fails(&format!("{range}&start=5&end=6&step=0"), 400, "bad_data", "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer").await;
    fails(&format!("{range}&start=0&end=11000&step=1"), 400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)").await;
    fails("/api/v1/query_range?query=up[5m]&start=0&end=1&step=1", 400, "bad_data", "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector").await;
    fails("/api/v1/series", 400, "bad_data", "no match[] parameter provided").await;
    fails(
        "/api/v1/series?match[]=%7B%7D",
        400,
        "bad_data",
        "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher",
    )
    .await;
    fails("/api/v1/query?query=up%2Bon()up%2Bon(x)topk(NaN,up)", 422, "execution", "Parameter value is NaN")
        .await;
    fails("/api/v1/query?query=broken", 500, "unavailable", "the store does not answer").await;
}

#[tokio::test]
async fn names_and_values() {
    check("/api/v1/labels", r#"["__name__","job"]"#).await;
    check("/api/v1/label/job/values", r#"["a","b"]"#).await;
    check("/api/v1/label/U__job/values?match[]=up", r#"["a"]"#).await;
    check(
        "/api/v1/series?match[]=up&match[]=%7Bjob=~%22.%2B%22%7D",
        r#"[{"__name__":"runs_total","job":"b"},{"__name__":"up","job":"a"}]"#,
    )
    .await;
    let (_, body) = get("/api/v1/label/job/values?limit=1").await;
    assert_eq!(body, r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#);
    let (_, body) = get("/api/v1/query?query=%7Bjob=~%22.%22%7D&limit=1").await;
    assert!(body.ends_with(r#""warnings":["results truncated due to limit"]}"#), "{body}");
}

#[tokio::test]
async fn forms_and_the_rest() {
    let form = Request::post("/api/v1/query?query=2&time=7")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("query=1%2B1%2B1"))
        .expect("is a request");
    let (_, body) = send(form).await;
    assert_eq!(body, r#"{"status":"success","data":{"resultType":"scalar","result":[7,"3"]}}"#);
    let large = Request::post("/api/v1/query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(vec![b'a'; super::parameters::FORM_BYTES_MAX + 1]))
        .expect("is a request");
    let (status, body) = send(large).await;
    assert!(status == 400 && body.contains("POST too large, at most 10485760 bytes"), "{status} {body}");
    check("/api/v1/format_query?query=sum(up)by(job)", r#""sum by (job) (up)""#).await;
    check(
        "/api/v1/status/buildinfo",
        r#"{"version":"1.2.3","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}"#,
    )
    .await;
    let (_, body) = get("/api/v1/query?query=rate(up[5m])").await;
    let info = r#""infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"up\" (1:6)"]"#;
    assert!(body.contains(info), "{body}");
}

/// Answers when it is let.
struct Slow(tokio::sync::Semaphore);

#[async_trait]
impl SeriesSource for Slow {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        self.0.acquire().await.expect("is open").forget();
        Fixed.select(selection, notes).await
    }
}

#[tokio::test]
async fn queries_wait_for_their_turn_but_not_too_many_and_not_too_long() {
    let clock = Arc::new(ManualClock::at_ms(120_000));
    let source = Arc::new(Slow(tokio::sync::Semaphore::new(0)));
    let settings = Settings { concurrent_queries_max: 1, queued_queries_max: 2, ..Settings::default() };
    let router = router(Arc::new(Api::new(settings, source.clone(), clock.clone(), BuildInfo::default())));
    let ask = |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("is a request");
        let answer = router.clone().oneshot(request);
        tokio::spawn(async move {
            let body = answer.await.expect("answers").into_body().collect().await.expect("has a body");
            String::from_utf8(body.to_bytes().to_vec()).expect("is text")
        })
    };
    let first = ask("/api/v1/query?query=up");
    tokio::task::yield_now().await;
    let patient = ask("/api/v1/query?query=up&stats=all");
    let impatient = ask("/api/v1/query?query=up&timeout=1s");
    tokio::task::yield_now().await;
    let refused = ask("/api/v1/query?query=up").await.expect("answers");
    let text = "too many queries wait to be executed: more than queued_queries_max, 2";
    assert!(refused.contains("\"unavailable\"") && refused.contains(text), "{refused}");
    clock.advance_ms(1_500);
    source.0.add_permits(3);
    assert!(first.await.expect("answers").contains("\"success\""));
    let stats = r#""stats":{"timings":{"evalTotalTime":0,"resultSortTime":0,"queryPreparationTime":0,"innerEvalTime":0,"execQueueTime":1.5,"execTotalTime":1.5},"samples":{"totalQueryableSamples":1,"samplesRead":1,"peakSamples":4}}"#;
    let answer = patient.await.expect("answers");
    assert!(answer.contains(stats), "{answer}");
    let answer = impatient.await.expect("answers");
    assert!(answer.contains(r#""errorType":"timeout","error":"query timed out in query queue""#), "{answer}");
}

/// What is said of a query by its name, where the clock stands still.
async fn explained(path: &str) -> serde_json::Value {
    let (status, body) = get(path).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    let mut answer: serde_json::Value = serde_json::from_str(&body).expect("is JSON");
    answer["data"]["explain"].take()
}

#[tokio::test]
async fn a_query_that_is_asked_to_explains_what_it_did() {
    let query = "sum+by+(job)+(rate(up%5B2m%5D))+%2B+-vector(time())%0A+or+up+%2B+up";
    let range = format!("/api/v1/query_range?query={query}&start=60&end=120&step=30&explain=1");
    let leaf = |expr: &str| serde_json::json!({"expr": expr, "kind": "vectorSelector", "steps": 3, "series": 1, "samples": 3, "seconds": 0, "selection": 1});
    let node = |expr: &str, kind: &str, given: (u64, u64), children: &[serde_json::Value]| {
        let mut node = serde_json::json!({"expr": expr, "kind": kind, "steps": 3, "seconds": 0, "series": given.0, "samples": given.1});
        if !children.is_empty() {
            node["children"] = children.into();
        }
        node
    };
    let window = serde_json::json!({"expr": "up[2m]", "kind": "matrixSelector", "steps": 3, "series": 1, "samples": 3, "selection": 0});
    let sum = node(
        "sum by (job) (rate(up[2m]))",
        "aggregation",
        (1, 3),
        &[node("rate(up[2m])", "call", (1, 3), &[window])],
    );
    let time = node("vector(time())", "call", (1, 3), &[node("time()", "call", (1, 3), &[])]);
    let negated = node("-vector(time())", "unaryExpr", (1, 3), &[time]);
    let explain = explained(&range).await;
    // a chain of operators is evaluated at once
    let both = node("up + up", "binaryExpr", (1, 3), &[leaf("up"), leaf("up")]);
    let whole = "sum by (job) (rate(up[2m])) + -vector(time())\n or up + up";
    let plan = node(whole, "binaryExpr", (1, 3), &[sum, negated, both]);
    assert_eq!(explain["plan"], plan, "{:#}", explain["plan"]);
    let selectors: Vec<_> = explain["selections"].as_array().expect("some").iter().collect();
    let expect = serde_json::json!({
        "selector": "{__name__=\"up\"}", "start": -60, "end": 120, "labels": ["__name__", "__type__", "__unit__", "job"],
        "series": 1, "samples": 3, "seconds": 0,
    });
    assert_eq!((selectors.len(), selectors[0]), (2, &expect), "{explain:#}");
    assert_eq!(explain["totals"]["samples"], 6);

    assert_eq!(explained("/api/v1/query?query=up&explain=false").await, serde_json::Value::Null);
    let (status, _) = get("/api/v1/query?query=up&explain=perhaps").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // what is long is told with its beginning, and of what is much a part
    let many = ["up"; 600].join("+or+");
    let explain = explained(&format!("/api/v1/query?query={many}&explain=1")).await;
    let shown = explain["plan"]["children"].as_array().map_or(0, Vec::len);
    assert_eq!((shown, &explain["omittedNodes"]), (499, &serde_json::json!(101)), "{shown}");
    assert!(explain["plan"]["expr"].as_str().expect("a text").len() < 210);
    let deep = format!("{}up{}", "abs(".repeat(150), ")".repeat(150));
    let mut explain = explained(&format!("/api/v1/query?query={deep}&explain=1")).await;
    assert_eq!(explain["omittedNodes"], 101, "of 151 with 50 levels");
    let mut node = explain["plan"].take();
    let mut levels = 0;
    while !node.is_null() {
        let child = node.pointer_mut("/children/0").map(serde_json::Value::take);
        (node, levels) = (child.unwrap_or_default(), levels + 1);
    }
    assert_eq!(levels, 50, "readers of JSON have limits too");
    // all nodes of what is left out count, whatever they are
    let inner = "sum(rate(up[1m]))%2B-up*scalar(up)+or+topk(1,max_over_time(up[1m:10s]))";
    let deep = format!("{}{inner}{}", "abs(".repeat(50), ")".repeat(50));
    let explain = explained(&format!("/api/v1/query?query={deep}&explain=1")).await;
    assert_eq!(explain["omittedNodes"], 14, "operators in a chain are one");
    // what has types is read once more, with all labels
    let explain = explained("/api/v1/query?query=sum(typed)&explain=1").await;
    let reading = &explain["selections"][0];
    assert_eq!((&reading["series"], &reading["samples"]), (&1.into(), &3.into()), "{explain:#}");
    assert_eq!((&explain["totals"]["series"], &explain["totals"]["samples"]), (&1.into(), &3.into()));
}
