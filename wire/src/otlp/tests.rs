//! Messages in both writings, and what is made of them.

use model::{MetricType, is_stale_nan};
use testkit::protobuf::Message as Proto;

use super::*;
use crate::{Family, flatten};

const AT_NS: u64 = 1_700_000_000_000_000_000;

fn attribute(key: &str, value: Proto) -> Proto {
    Proto::new().bytes(1, key).message(2, value)
}

fn text(key: &str, value: &str) -> Proto {
    attribute(key, Proto::new().bytes(1, value))
}

/// A point with its times; start is one second before.
fn point() -> Proto {
    Proto::new().fixed64(2, AT_NS - 1_000_000_000).fixed64(3, AT_NS)
}

fn metric(name: &str, unit: &str, kind: u32, data: Proto) -> Proto {
    Proto::new().bytes(1, name).bytes(2, "Help.").bytes(3, unit).message(kind, data)
}

/// An export of one resource, `shop/cart` on `a1`.
fn export(metrics: impl IntoIterator<Item = Proto>) -> Vec<u8> {
    let resource = [
        ("service.name", "cart"),
        ("service.namespace", "shop"),
        ("service.instance.id", "a1"),
        ("cloud.region", "eu"),
    ];
    let resource =
        resource.iter().fold(Proto::new(), |resource, (key, value)| resource.message(1, text(key, value)));
    let scope = metrics.into_iter().fold(Proto::new(), |scope, metric| scope.message(2, metric));
    Proto::new().message(1, Proto::new().message(1, resource).message(2, scope)).into_bytes()
}

fn read(format: Format, body: &[u8]) -> Export {
    translated(format, body, &Translation::default())
}

fn translated(format: Format, body: &[u8], translation: &Translation) -> Export {
    families(&decode(format, body, &Limits::default()).expect("a message"), translation)
}

/// `name{labels} value @ms since ms` by series; a native histogram as its count and sum.
fn shown(families: &[Family]) -> Vec<String> {
    let mut lines = Vec::new();
    for family in families {
        for metric in &family.metrics {
            let alone = Family { metrics: vec![metric.clone()], ..family.clone() };
            for series in flatten(&alone) {
                let labels: Vec<String> =
                    series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let value = match &series.value {
                    model::Value::Float(value) if is_stale_nan(*value) => "stale".to_owned(),
                    model::Value::Float(value) => value.to_string(),
                    model::Value::Histogram(h) => format!(
                        "schema {} count {} sum {} zero {} {:?} {:?}",
                        h.schema,
                        h.count,
                        h.sum,
                        h.zero_count,
                        h.positive_spans.iter().map(|s| (s.offset, s.length)).collect::<Vec<_>>(),
                        h.positive_counts
                    ),
                };
                lines.push(format!("{}{{{}}} {value}", series.name, labels.join(",")));
            }
        }
    }
    lines
}

#[track_caller]
fn check(body: &[u8], cumulative: &[&str], delta: &[&str], faults: &str) {
    let export = read(Format::Protobuf, body);
    assert_eq!(export.faults.text(), faults);
    let resource = &export.resources[0];
    assert_eq!(
        (shown(&[&resource.cumulative[..], resource.info.as_slice()].concat()), shown(&resource.delta)),
        (
            cumulative.iter().map(|l| (*l).to_owned()).collect(),
            delta.iter().map(|l| (*l).to_owned()).collect()
        )
    );
}

const INFO: &str = "target_info{cloud_region=eu,instance=a1,job=shop/cart} 1";

#[test]
fn numbers_of_all_kinds() {
    let number = point().message(7, text("http.route", "/x")).double(4, 1.5);
    let whole = point().fixed64(6, 7);
    let gauge = metric("temp", "Cel", 5, Proto::new().message(1, number));
    let counter =
        metric("requests", "1", 7, Proto::new().message(1, whole.clone()).varint(2, 2).varint(3, 1));
    let delta = metric("calls", "", 7, Proto::new().message(1, whole.clone()).varint(2, 1).varint(3, 1));
    let updown = metric("queue", "{item}", 7, Proto::new().message(1, whole.clone()).varint(2, 2));
    let moved = metric("moved", "", 7, Proto::new().message(1, whole).varint(2, 1));
    let body = export([gauge, counter, delta, updown, moved]);
    check(
        &body,
        &[
            "queue{instance=a1,job=shop/cart} 7",
            "requests_total{instance=a1,job=shop/cart} 7",
            "temp_celsius{http_route=/x,instance=a1,job=shop/cart} 1.5",
            INFO,
        ],
        &["calls_total{instance=a1,job=shop/cart} 7", "moved{instance=a1,job=shop/cart} 7"],
        "",
    );
    let resource = &read(Format::Protobuf, &body).resources[0];
    let metric = &resource.cumulative[1].metrics[0];
    assert_eq!((metric.timestamp_ms, metric.created_ms), (Some(1_700_000_000_000), Some(1_699_999_999_000)));
    assert_eq!(
        (resource.cumulative[1].r#type, &*resource.cumulative[1].help),
        (MetricType::Counter, "Help.")
    );
    assert_eq!(resource.delta[1].r#type, MetricType::Gauge);
    assert_eq!(resource.identity.to_string(), r#"{instance="a1", job="shop/cart"}"#);
}

fn histogram(counts: [u64; 3]) -> Proto {
    point().fixed64(4, counts.iter().sum()).double(5, 9.5).fixed64s(6, counts).doubles(7, [0.5, 5.0])
}

#[test]
fn histograms_and_summaries() {
    let classic = metric("took", "ms", 9, Proto::new().message(1, histogram([1, 2, 3])).varint(2, 2));
    let side = |offset, counts: [u64; 4]| Proto::new().sint(1, offset).varints(2, counts);
    let exponential = |scale, count| {
        let point = point().fixed64(4, count).double(5, 9.5).sint(6, scale).fixed64(7, 1);
        metric(
            "size",
            "By",
            10,
            Proto::new().message(1, point.message(8, side(-1, [0, 2, 3, 4]))).varint(2, 2),
        )
    };
    let quantile = Proto::new().double(1, 0.5).double(2, 3.0);
    let summary = point().fixed64(4, 4).double(5, 9.5).message(6, quantile);
    let summary = metric("wait", "s", 11, Proto::new().message(1, summary));
    check(
        &export([classic, exponential(2, 10), summary]),
        &[
            "size_bytes{instance=a1,job=shop/cart} schema 2 count 10 sum 9.5 zero 1 [(1, 3)] [2.0, 3.0, 4.0]",
            "took_milliseconds_bucket{instance=a1,job=shop/cart,le=0.5} 1",
            "took_milliseconds_bucket{instance=a1,job=shop/cart,le=5.0} 3",
            "took_milliseconds_bucket{instance=a1,job=shop/cart,le=+Inf} 6",
            "took_milliseconds_sum{instance=a1,job=shop/cart} 9.5",
            "took_milliseconds_count{instance=a1,job=shop/cart} 6",
            "wait_seconds{instance=a1,job=shop/cart,quantile=0.5} 3",
            "wait_seconds_sum{instance=a1,job=shop/cart} 9.5",
            "wait_seconds_count{instance=a1,job=shop/cart} 4",
            INFO,
        ],
        &[],
        "",
    );
    // two scales too fine: indexes -1 0 1 2 become -1 0 0 0
    check(
        &export([exponential(10, 10)]),
        &["size_bytes{instance=a1,job=shop/cart} schema 8 count 10 sum 9.5 zero 1 [(1, 1)] [9.0]", INFO],
        &[],
        "",
    );
    check(&export([exponential(-5, 10)]), &[INFO], &[], "metric \"size\": scale -5 is below -4");
    check(
        &export([exponential(0, 11)]),
        &[INFO],
        &[],
        "metric \"size\": 10 observations found in buckets, but the count is 11",
    );
    let delta = metric("took", "s", 9, Proto::new().message(1, histogram([1, 0, 0])).varint(2, 1));
    let found = shown(&read(Format::Protobuf, &export([delta])).resources[0].delta);
    assert_eq!(found.len(), 5);
}

#[test]
fn a_point_without_a_value_is_stale() {
    let gauge = metric("temp", "", 5, Proto::new().message(1, point().varint(8, 1)));
    let classic = histogram([1, 2, 3]).varint(10, 1);
    let classic = metric("took", "", 9, Proto::new().message(1, classic).varint(2, 2));
    let found = shown(&read(Format::Protobuf, &export([gauge, classic])).resources[0].cumulative);
    assert_eq!(found.iter().filter(|line| line.ends_with(" stale")).count(), 6, "{found:?}");
}

#[test]
fn values_of_attributes_become_texts() {
    let list = Proto::new().message(1, Proto::new().bytes(1, "a")).message(1, Proto::new().varint(3, 2));
    let map = Proto::new().message(1, attribute("k", Proto::new().double(4, 0.5)));
    let attributes = [
        attribute("bool", Proto::new().varint(2, 1)),
        attribute("int", Proto::new().int(3, -7)),
        attribute("double", Proto::new().double(4, 1e21)),
        attribute("nan", Proto::new().double(4, f64::NAN)),
        attribute("list", Proto::new().message(5, list)),
        attribute("map", Proto::new().message(6, map)),
        attribute("raw", Proto::new().bytes(7, b"\xff\x00")),
        attribute("empty", Proto::new()),
        text("same.name", "2"),
        text("same-name", "1"),
    ];
    let point =
        attributes.into_iter().fold(point().double(4, 1.0), |point, attribute| point.message(7, attribute));
    let found = shown(
        &read(Format::Protobuf, &export([metric("m", "", 5, Proto::new().message(1, point))])).resources[0]
            .cumulative,
    );
    assert_eq!(
        found[0],
        r#"m{bool=true,double=1e+21,instance=a1,int=-7,job=shop/cart,list=["a",2],map={"k":0.5},nan=NaN,raw=/wA=,same_name=1;2} 1"#
    );
}

#[test]
fn what_is_wrong_with_a_point_is_told() {
    let check_fault = |metric: Proto, fault: &str| {
        assert_eq!(read(Format::Protobuf, &export([metric])).faults.text(), fault);
    };
    let one = |point: Proto| Proto::new().message(1, point);
    check_fault(
        metric("m", "", 5, one(Proto::new().double(4, 1.0))),
        "metric \"m\": a data point without a time",
    );
    check_fault(metric("m", "", 5, one(point())), "metric \"m\": a data point without a value");
    check_fault(metric("-", "", 5, one(point().double(4, 1.0))), "metric \"-\": no name is left of it");
    check_fault(
        metric("m", "", 7, one(point().double(4, 1.0))),
        "metric \"m\": neither cumulative nor delta",
    );
    check_fault(
        metric("m", "", 7, one(point().double(4, -1.0)).varint(2, 2).varint(3, 1)),
        "metric \"m\": a monotonic sum of -1",
    );
    check_fault(
        metric("m", "", 5, one(point().double(4, 1.0).message(7, text("__name__", "x")))),
        "metric \"m\": an attribute would become the label \"__name__\"",
    );
    let classic = |counts: &[u64], bounds: &[f64], count| {
        let point =
            point().fixed64(4, count).fixed64s(6, counts.iter().copied()).doubles(7, bounds.iter().copied());
        metric("h", "", 9, one(point).varint(2, 2))
    };
    check_fault(classic(&[1], &[1.0], 1), "metric \"h\": 1 bucket counts do not fit 1 bounds");
    check_fault(classic(&[1, 1, 1], &[2.0, 1.0], 3), "metric \"h\": bounds are not in ascending order");
    check_fault(
        classic(&[1, 1], &[1.0], 3),
        "metric \"h\": 2 observations found in buckets, but the count is 3",
    );
    check_fault(classic(&[], &[], 3), "");
}

#[test]
fn json_says_the_same() {
    let json = br#"{"resourceMetrics": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "cart"}}, {"key": "service.namespace", "value": {"stringValue": "shop"}},
        {"key": "service.instance.id", "value": {"stringValue": "a1"}}, {"key": "cloud.region", "value": {"stringValue": "eu"}}]},
      "scopeMetrics": [{"scope": {"name": "s"}, "metrics": [
        {"name": "took", "description": "Help.", "unit": "ms", "histogram": {"aggregationTemporality": 2, "dataPoints": [
          {"startTimeUnixNano": "1699999999000000000", "timeUnixNano": "1700000000000000000", "count": "6", "sum": 9.5,
           "bucketCounts": ["1", 2, "3"], "explicitBounds": [0.5, 5], "attributes": []}]}},
        {"name": "requests", "description": "Help.", "unit": "1", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [
          {"startTimeUnixNano": "1699999999000000000", "timeUnixNano": 1700000000000000000, "asInt": "7",
           "attributes": [{"key": "n", "value": {"intValue": "5"}}]}]}},
        {"name": "temp", "description": "Help.", "gauge": {"dataPoints": [
          {"startTimeUnixNano": "1699999999000000000", "timeUnixNano": "1700000000000000000", "asDouble": "NaN"}]}},
        {"name": "nothing", "sum": null}
      ]}]}], "unknown": 1}"#;
    let number = point().message(7, attribute("n", Proto::new().varint(3, 5))).fixed64(6, 7);
    let same = export([
        metric("took", "ms", 9, Proto::new().message(1, histogram([1, 2, 3])).varint(2, 2)),
        metric("requests", "1", 7, Proto::new().message(1, number).varint(2, 1).varint(3, 1)),
        metric("temp", "", 5, Proto::new().message(1, point().double(4, f64::NAN))),
    ]);
    // NaN is not equal to itself
    let shown = |export: &Export| format!("{export:?}");
    assert_eq!(shown(&read(Format::Json, json)), shown(&read(Format::Protobuf, &same)));
    assert_eq!(read(Format::Json, b"{}"), Export::default());
}

#[test]
fn what_is_no_message_is_refused() {
    let error =
        |format, body: &[u8]| decode(format, body, &Limits::default()).map_err(|e| e.to_string()).err();
    assert_eq!(error(Format::Protobuf, b"\x0a\x05a").as_deref(), Some("unexpected EOF"));
    assert_eq!(
        error(Format::Protobuf, b"\x08\x05").as_deref(),
        Some("proto: wrong wireType for field ResourceMetrics")
    );
    let name = export([Proto::new().bytes(1, b"\xff")]);
    assert_eq!(error(Format::Protobuf, &name).as_deref(), Some("proto: field Name contains invalid UTF-8"));
    let deep = (0..20)
        .fold(Proto::new().bytes(1, "x"), |value, _| Proto::new().message(5, Proto::new().message(1, value)));
    let deep =
        export([metric("m", "", 5, Proto::new().message(1, point().message(7, attribute("a", deep))))]);
    assert_eq!(error(Format::Protobuf, &deep).as_deref(), Some("proto: field AnyValue is nested too deeply"));
    for (json, expect) in [
        (&b"{"[..], "EOF"),
        (b"1", "invalid type"),
        (br#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"asInt": "x"}]}}]}]}]}"#, "\"x\" is no whole number"),
        (br#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"timeUnixNano": -1}]}}]}]}]}"#, "-1 is no whole number"),
    ] {
        let text = error(Format::Json, json).unwrap_or_default();
        assert!(text.starts_with("body is no OTLP in JSON: ") && text.contains(expect), "{text}");
    }
}

#[test]
fn every_limit_is_reached() {
    let point = || point().double(4, 1.0).message(7, text("a", "b"));
    let body = export([metric("m", "", 5, Proto::new().message(1, point()).message(1, point()))]);
    // a resource, its 4 attributes, a scope, a metric, 2 points with an attribute each
    let limits = |samples_max| Limits { samples_max, ..Limits::default() };
    assert!(decode(Format::Protobuf, &body, &limits(11)).is_ok());
    let error = decode(Format::Protobuf, &body, &limits(10)).expect_err("too many").to_string();
    assert_eq!(error, "more than 10 metrics, data points, buckets and attributes");
    let json = br#"{"resourceMetrics": [{}, {}, {}]}"#;
    assert!(decode(Format::Json, json, &limits(3)).is_ok());
    assert!(matches!(decode(Format::Json, json, &limits(2)), Err(OtlpError::TooMany { samples_max: 2 })));
    let small = Limits { bytes_max: 10, ..Limits::default() };
    assert!(matches!(decode(Format::Protobuf, &body, &small), Err(OtlpError::TooLarge { bytes_max: 10 })));
}

/// What is chosen, for a counter and a histogram of one scope.
fn chosen(translation: &Translation) -> Vec<String> {
    let body = br#"{"resourceMetrics": [{
      "resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "cart"}},
        {"key": "cloud.region", "value": {"stringValue": "eu"}},
        {"key": "http.route", "value": {"stringValue": "of resource"}}]},
      "scopeMetrics": [{"schemaUrl": "http://s", "scope": {"name": "lib", "attributes": [{"key": "x.y", "value": {"stringValue": "z"}}]},
        "metrics": [
          {"name": "http.requests", "unit": "By", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
            {"timeUnixNano": "1700000000000000000", "asInt": "5", "attributes": [{"key": "http.route", "value": {"stringValue": "/x"}}]}]}},
          {"name": "took", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": "1700000000000000000", "count": "6", "sum": 9.5, "bucketCounts": ["1", "0", "5"], "explicitBounds": [0.5, 5]}]}}]}]}]}"#;
    let export = translated(Format::Json, body, translation);
    assert_eq!(export.faults.text(), "");
    let resource = &export.resources[0];
    let mut lines = shown(&resource.cumulative);
    lines.extend(shown(resource.info.as_slice()));
    lines
}

#[test]
fn names_as_they_are() {
    let translation = Translation { strategy: Strategy::NoTranslation, ..Translation::default() };
    let lines = chosen(&translation);
    assert_eq!(lines[0], "http.requests{http.route=/x,job=cart} 5");
    assert_eq!(
        lines.last().map(String::as_str),
        Some("target_info{cloud.region=eu,http.route=of resource,job=cart} 1")
    );
}

#[test]
fn attributes_of_resources_become_labels_where_points_have_none() {
    let counter =
        |promoted: Promoted| chosen(&Translation { promoted, ..Translation::default() }).swap_remove(0);
    let name = "http_requests_bytes_total";
    assert_eq!(counter(Promoted::default()), format!("{name}{{http_route=/x,job=cart}} 5"));
    let these = ["cloud.region", "http.route", "nothing"].map(str::to_owned).into();
    assert_eq!(
        counter(Promoted::These(these)),
        format!("{name}{{cloud_region=eu,http_route=/x,job=cart}} 5")
    );
    let all_but = Promoted::AllBut(vec!["cloud.region".to_owned()]);
    assert_eq!(counter(all_but), format!("{name}{{http_route=/x,job=cart,service_name=cart}} 5"));
}

#[test]
fn scopes_become_labels() {
    let lines = chosen(&Translation { scopes: true, ..Translation::default() });
    let scope = "otel_scope_name=lib,otel_scope_schema_url=http://s,otel_scope_x_y=z";
    assert_eq!(lines[0], format!("http_requests_bytes_total{{http_route=/x,job=cart,{scope}}} 5"));
    assert_eq!(
        lines.last().map(String::as_str),
        Some("target_info{cloud_region=eu,http_route=of resource,job=cart} 1")
    );
}

#[test]
fn what_identifies_a_resource_may_stay() {
    let lines = chosen(&Translation { keeps_identifying: true, ..Translation::default() });
    let info = "target_info{cloud_region=eu,http_route=of resource,job=cart,service_name=cart} 1";
    assert_eq!(lines.last().map(String::as_str), Some(info));
}

#[test]
fn histograms_with_explicit_bounds_may_become_native_ones() {
    let translation = Translation { native_histograms: true, ..Translation::default() };
    let lines = chosen(&translation);
    assert_eq!(
        lines[1],
        "took_seconds{job=cart} schema -53 count 6 sum 9.5 zero 0 [(0, 1), (1, 1)] [1.0, 5.0]"
    );
    let of = |point: &str| {
        let body = format!(
            r#"{{"resourceMetrics": [{{"scopeMetrics": [{{"metrics": [{{"name": "h", "histogram": {{"aggregationTemporality": 2, "dataPoints": [{{"timeUnixNano": "1", {point}}}]}}}}]}}]}}]}}"#
        );
        let export = translated(Format::Json, body.as_bytes(), &translation);
        (shown(&export.resources[0].cumulative).join("; "), export.faults.text())
    };
    let good = |point: &str, expect: &str| assert_eq!(of(point), (expect.to_owned(), String::new()));
    good(r#""count": "3""#, "h{} schema -53 count 3 sum 0 zero 0 [(0, 1)] [3.0]");
    good(r#""flags": 1, "explicitBounds": [1]"#, "h{} schema -53 count NaN sum NaN zero 0 [] []");
    let (series, fault) = of(r#""count": "3", "bucketCounts": ["1", "1"], "explicitBounds": [1]"#);
    assert!(
        series.is_empty() && fault.contains("2 observations found in buckets, but the count is 3"),
        "{fault}"
    );
    let (series, fault) = of(r#""count": "2", "bucketCounts": ["1", "1"], "explicitBounds": ["Infinity"]"#);
    assert!(series.is_empty() && fault.contains("the last bound is infinite"), "{fault}");
}
