//! Bodies to pushes. Error texts were recorded from the Pushgateway 1.11.2, with its spacing made single.

use bytes::Bytes;
use model::{Change, Labels, MetricType, Push, PushedFamily, Value};
use wire::encoding::{Encoding, gzip};
use wire::name_escaping::Escaping;
use wire::{BodyFormat, Family, Metric, MetricValue, protobuf};

use super::*;
use crate::settings::Settings;
use crate::terms::Terms;

const AT_US: i64 = 1_795_370_073_531_006;
const INCONSISTENT: &str = "pushed metrics are invalid or inconsistent with existing metrics: ";

fn place() -> access::Place {
    access::Room::new(1).place()
}

fn body(format: BodyFormat, bytes: impl Into<Vec<u8>>) -> Body {
    Body { format, encoding: Encoding::Identity, bytes: Bytes::from(bytes.into()), place: place() }
}

fn group(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn read(body: &Body, group: &Labels, settings: &Settings) -> Result<Push, IntakeError> {
    let Body { format, encoding, ref bytes, .. } = *body;
    let mut body = Body { format, encoding, bytes: bytes.clone(), place: place() };
    let terms = Terms::of(&http::Method::PUT, false, &http::HeaderMap::new(), settings).expect("terms");
    push(&terms, group, families(&mut body, settings)?, AT_US, settings).map(|intake| intake.push)
}

/// The families without `push_time_seconds`, one series to a line.
fn show(push: &Push) -> String {
    let families = push.families.iter().filter(|family| &*family.name != PUSH_TIME);
    let series = |family: &PushedFamily| {
        let series = family.series.iter().map(|series| match &series.value {
            Value::Float(value) => format!("{} {value}", series.labels),
            Value::Histogram(_) => format!("{} native", series.labels),
        });
        format!("{} {}: {}\n", family.r#type, family.name, series.collect::<Vec<_>>().join("; "))
    };
    families.map(series).collect()
}

fn check_in(pairs: &[(&str, &str)], text: &str, expect: Result<&str, &str>) {
    let found = read(&body(BodyFormat::Text, text), &group(pairs), &Settings::default());
    let found = found.map(|push| show(&push)).map_err(|error| error.to_string());
    assert_eq!(found.as_deref().map_err(|e| &**e), expect, "{text}");
}

fn check(text: &str, expect: Result<&str, &str>) {
    let expect = expect.map_err(|fault| format!("{INCONSISTENT}{fault}"));
    check_in(&[("job", "j")], text, expect.as_ref().map(|shown| *shown).map_err(|error| &**error));
}

#[test]
fn types_and_units_are_labels_where_that_is_on() {
    let settings = Settings { type_labels: true, ..Settings::default() };
    let read = |format, text: &str| {
        let push = read(&body(format, text), &group(&[("job", "j")]), &settings).expect("is read");
        let times = push.families.iter().filter(|family| &*family.name == PUSH_TIME);
        let times: Vec<String> = times.map(|family| family.series[0].labels.to_string()).collect();
        assert_eq!(times, ["push_time_seconds{__type__=\"gauge\", job=\"j\"}"]);
        show(&push)
    };
    assert_eq!(read(BodyFormat::Text, "a 1\n"), "untyped a: a{job=\"j\"} 1\n");
    assert_eq!(
        read(BodyFormat::Text, "# TYPE a counter\na 1\n"),
        "counter a: a{__type__=\"counter\", job=\"j\"} 1\n"
    );
    // every series of a family has its type
    assert_eq!(
        read(BodyFormat::Text, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"),
        "histogram h: h_bucket{__type__=\"histogram\", job=\"j\", le=\"+Inf\"} 2; \
         h_sum{__type__=\"histogram\", job=\"j\"} 3; h_count{__type__=\"histogram\", job=\"j\"} 2\n"
    );
}

#[test]
fn series_get_the_labels_of_their_group() {
    let check = |pairs: &[(&str, &str)], text: &str, expect: &str| check_in(pairs, text, Ok(expect));
    check(&[("job", "j")], "a 1\n", "untyped a: a{job=\"j\"} 1\n");
    check(
        &[("job", "j"), ("x", "url")],
        "# TYPE a gauge\na{job=\"other\",x=\"body\",y=\"kept\",instance=\"i\",z=\"\"} 1\n",
        "gauge a: a{instance=\"i\", job=\"j\", x=\"url\", y=\"kept\"} 1\n",
    );
    check(
        &[("job", "j"), ("instance", "i")],
        "# TYPE h histogram\nh_bucket{le=\"1\",instance=\"x\"} 1\nh_sum{instance=\"x\"} 2\nh_count{instance=\"x\"} 3\n",
        concat!(
            r#"histogram h: h_bucket{instance="i", job="j", le="1.0"} 1; h_bucket{instance="i", job="j", le="+Inf"} 3; "#,
            r#"h_sum{instance="i", job="j"} 2; h_count{instance="i", job="j"} 3"#,
            "\n"
        ),
    );
}

#[test]
fn every_push_tells_its_time() {
    let group = group(&[("job", "j"), ("x", "y")]);
    for text in
        ["", "a 1\n", "# TYPE push_time_seconds counter\npush_time_seconds 5\npush_failure_time_seconds 5\n"]
    {
        let push = read(&body(BodyFormat::Text, text), &group, &Settings::default()).expect("is taken");
        let own: Vec<_> = push.families.iter().filter(|family| family.name.starts_with("push_")).collect();
        let [family] = &own[..] else { panic!("{own:?}") };
        assert_eq!((&*family.name, family.r#type), (PUSH_TIME, MetricType::Gauge));
        let [series] = &family.series[..] else { panic!("{family:?}") };
        assert_eq!(series.labels.to_string(), r#"push_time_seconds{job="j", x="y"}"#);
        assert_eq!(series.value, Value::Float(1_795_370_073.531_006));
    }
}

#[test]
fn a_group_does_not_depend_on_order_or_on_empty_labels() {
    let key = |pairs: &[(&str, &str)]| deletion(&group(pairs)).group;
    assert_eq!(key(&[("job", "j"), ("a", "1"), ("x", "")]), key(&[("a", "1"), ("job", "j")]));
    assert_ne!(key(&[("job", "j")]), key(&[("job", "j"), ("a", "1")]));
    assert_eq!(deletion(&group(&[("job", "j")])).change, Change::Delete);
}

#[test]
fn duplicates() {
    let metric = |labels: &str, value: &str| {
        format!("collected metric \"a\" {{ {labels}label:{{name:\"job\" value:\"j\"}} {value}}}")
    };
    let duplicate = metric("label:{name:\"instance\" value:\"\"} ", "untyped:{value:2}");
    let duplicate = format!("{duplicate} was collected before with the same name and label values");
    check("a 1\na 2\n", Err(&duplicate));
    check("a{job=\"x\"} 1\na{job=\"y\"} 2\n", Err(&duplicate));
    // an empty label is none: the Pushgateway takes these for two series
    check("a{instance=\"\"} 1\na 2\n", Err(&duplicate));
    let other = duplicate.replace("\"a\"", "\"b\"");
    check("b 1\na 1\na 2\nb 2\n", Err(&format!("2 error(s) occurred:\n* {duplicate}\n* {other}")));
    check(
        "a{x=\"1\"} 1\na{x=\"2\"} 2\n",
        Ok("untyped a: a{job=\"j\", x=\"1\"} 1; a{job=\"j\", x=\"2\"} 2\n"),
    );
}

#[test]
fn times_and_names() {
    check("a 1 1000\n", Err("pushed metrics must not have timestamps"));
    check("a 1\nb 1 0\nb 1 0\n", Err("pushed metrics must not have timestamps"));
    check(
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1 5\n",
        Err("pushed metrics must not have timestamps"),
    );
    check(
        "a{__x=\"1\"} 1\n",
        Err(concat!(
            r#"collected metric "a" { label:{name:"__x" value:"1"} label:{name:"instance" value:""} "#,
            r#"label:{name:"job" value:"j"} untyped:{value:1}} has a label with an invalid name: __x"#
        )),
    );
    let collides =
        "collected metric named \"h_count\" collides with previously collected histogram named \"h\"";
    check("h_count 5\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\n", Err(collides));
    check(
        "s_sum 5\n# TYPE s summary\ns 1\n",
        Err(&collides.replace("h_count", "s_sum").replace("histogram named \"h\"", "summary named \"s\"")),
    );
    check(
        "s_bucket 5\n# TYPE s summary\ns_sum 1\n",
        Ok("summary s: s_sum{job=\"j\"} 1; s_count{job=\"j\"} 0\nuntyped s_bucket: s_bucket{job=\"j\"} 5\n"),
    );
}

#[test]
fn labels_that_a_type_makes_itself() {
    let expect = concat!(
        r#"collected metric "s" { label:{name:"instance" value:""} label:{name:"job" value:"j"} "#,
        r#"label:{name:"quantile" value:"1"} summary:{quantile:{quantile:0.5 value:1}}} "#,
        r#"must not have an explicit "quantile" label"#
    );
    let text = "# TYPE s summary\ns{quantile=\"0.5\"} 1\n";
    check_in(&[("job", "j"), ("quantile", "1")], text, Err(&format!("{INCONSISTENT}{expect}")));
    check_in(&[("job", "j"), ("quantile", "1")], "a 1\n", Ok("untyped a: a{job=\"j\", quantile=\"1\"} 1\n"));
    let text = "# TYPE h histogram\nh_count 1\n";
    let found =
        read(&body(BodyFormat::Text, text), &group(&[("job", "j"), ("le", "1")]), &Settings::default());
    let error = found.map_err(|error| error.to_string()).expect_err("is refused");
    assert!(error.ends_with(r#"must not have an explicit "le" label"#), "{error}");
}

fn check_protobuf(r#type: MetricType, metric: Metric, expect: Result<&str, &str>) {
    let family = Family { name: "a".into(), r#type, metrics: vec![metric], ..Family::default() };
    let bytes = protobuf::write(&[family], Escaping::AllowUtf8);
    let found =
        read(&body(BodyFormat::ProtobufDelimited, bytes), &group(&[("job", "j")]), &Settings::default());
    let found = found.map(|push| show(&push)).map_err(|error| error.to_string());
    let expect = expect.map_err(|fault| {
        let labels = r#"label:{name:"instance" value:""} label:{name:"job" value:"j"}"#;
        format!("{INCONSISTENT}collected metric \"a\" {{ {labels}{fault}")
    });
    assert_eq!(found.as_deref(), expect.as_deref());
}

#[test]
fn when_a_counter_began_is_kept() {
    let metric = Metric { created_ms: Some(7), ..Metric::new(vec![], MetricValue::Counter(1.0)) };
    let family =
        Family { name: "a".into(), r#type: MetricType::Counter, metrics: vec![metric], ..Family::default() };
    let bytes = protobuf::write(&[family], Escaping::AllowUtf8);
    let body = body(BodyFormat::ProtobufDelimited, bytes);
    let push = read(&body, &group(&[("job", "j")]), &Settings::default()).expect("a push");
    assert_eq!(push.families[0].series[0].start_us, Some(7_000));
}

#[test]
fn openmetrics() {
    let check = |text: &str, expect: Result<&str, &str>| {
        let found = read(&body(BodyFormat::OpenMetrics, text), &group(&[("job", "j")]), &Settings::default());
        let found = found.map(|push| show(&push)).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(|error| &**error), expect, "{text}");
    };
    check(
        "# TYPE a counter\na_total 1 # {t=\"x\"} 1\na_created 7\n# EOF",
        Ok("counter a_total: a_total{job=\"j\"} 1\n"),
    );
    check("# TYPE b info\nb_info{v=\"1\"} 1\n# EOF", Ok("info b_info: b_info{job=\"j\", v=\"1\"} 1\n"));
    check("a 1\n", Err("OpenMetrics parsing error in line 2: expected # EOF at the end"));
    check("a 1 5\n# EOF", Err(&format!("{INCONSISTENT}pushed metrics must not have timestamps")));
    let dump = r#"collected metric "a_total" { label:{name:"instance" value:""} label:{name:"job" value:"j"}} is not a COUNTER"#;
    check("# TYPE a counter\na_created 7\n# EOF", Err(&format!("{INCONSISTENT}{dump}")));
    let settings = Settings { series_per_push_max: 1, ..Settings::default() };
    let two = body(BodyFormat::OpenMetrics, "a 1\nb 1\n# EOF");
    let error = read(&two, &group(&[("job", "j")]), &settings).expect_err("too many").to_string();
    assert_eq!(error, "the number of series exceeds series_per_push_max = 1");
    let body = body(BodyFormat::OpenMetrics, "# TYPE a counter\na_total 1\na_created 7\n# EOF");
    let push = read(&body, &group(&[("job", "j")]), &Settings::default()).expect("a push");
    assert_eq!(push.families[0].series[0].start_us, Some(7_000_000));
}

#[test]
fn samples_with_a_time_of_their_own() {
    let settings = Settings { timestamps: true, ..Settings::default() };
    let now_ms = AT_US / 1_000;
    let read = |is_aggregated: bool, format, text: &str| {
        let terms = Terms::of(&http::Method::PUT, is_aggregated, &http::HeaderMap::new(), &settings);
        let families = families(&mut body(format, text), &settings)?;
        push(&terms.expect("terms"), &group(&[("job", "j")]), families, AT_US, &settings)
    };
    let check = |format, text: &str, expect: Result<(&str, &[&str]), &str>| {
        let found = read(false, format, text).map_err(|error| error.to_string());
        let samples = |(labels, samples): &(Labels, model::Samples)| {
            format!("{labels} {:?} {:?} {:?}", samples.timestamps_ms, samples.values, samples.start_ms)
        };
        let found = found.map(|intake| {
            (show(&intake.push), intake.samples.series.iter().map(samples).collect::<Vec<_>>())
        });
        let expect = expect.map(|(held, samples)| {
            (held.to_owned(), samples.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(found, expect.map_err(str::to_owned), "{text}");
    };
    check(
        BodyFormat::Text,
        "a 1 2000\na 2 1000\na{x=\"1\"} 3\nb 4 5\n",
        Ok((
            "untyped a: a{job=\"j\", x=\"1\"} 3\n",
            &["a{job=\"j\"} [1000, 2000] [2.0, 1.0] []", "b{job=\"j\"} [5] [4.0] []"],
        )),
    );
    check(
        BodyFormat::OpenMetrics,
        "# TYPE a counter\na_total 1 1\na_total 2 2\na_created 0.5\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1 3\nh_count 1 3\nh_sum 7 3\n# EOF",
        Ok((
            "",
            &[
                "a_total{job=\"j\"} [1000, 2000] [1.0, 2.0] [0, 500]",
                "h_bucket{job=\"j\", le=\"+Inf\"} [3000] [1.0] []",
                "h_count{job=\"j\"} [3000] [1.0] []",
                "h_sum{job=\"j\"} [3000] [7.0] []",
            ],
        )),
    );
    let labels =
        r#"label:{name:"instance" value:""} label:{name:"job" value:"j"} untyped:{value:2} timestamp_ms:5}"#;
    let twice = format!(
        "{INCONSISTENT}collected metric \"a\" {{ {labels} was collected before with the same name and label values"
    );
    let found = read(false, BodyFormat::Text, "a 1 5\na 2 5\n").expect_err("twice").to_string();
    assert_eq!(found, twice);
    let ahead = format!("a 1 {}\n", now_ms + 600_001);
    check(
        BodyFormat::Text,
        &ahead,
        Err("a sample of metric \"a\" is 600001 ms ahead, which exceeds samples_ahead_max_ms = 600000"),
    );
    check(BodyFormat::Text, "a 1 -1\n", Err("a sample of metric \"a\" is of before 1970"));
    // what is added up has no time
    let error = read(true, BodyFormat::Text, "a 1 5\n").expect_err("added").to_string();
    assert_eq!(error, format!("{INCONSISTENT}pushed metrics must not have timestamps"));
}

#[test]
fn what_only_protobuf_can_say() {
    let label = |name: &str, value: &str| (name.into(), value.into());
    let gauge = |labels| Metric::new(labels, MetricValue::Gauge(2.0));
    check_protobuf(MetricType::Gauge, gauge(vec![]), Ok("gauge a: a{job=\"j\"} 2\n"));
    check_protobuf(MetricType::Counter, gauge(vec![]), Err(" gauge:{value:2}} is not a COUNTER"));
    check_protobuf(MetricType::Histogram, gauge(vec![]), Err(" gauge:{value:2}} is not a HISTOGRAM"));
    check_protobuf(MetricType::Gauge, Metric::new(vec![], MetricValue::Absent), Err("} is not a GAUGE"));
    let twice = vec![label("x", "1"), label("x", "2")];
    check_protobuf(
        MetricType::Gauge,
        gauge(twice),
        Err(concat!(
            r#" label:{name:"x" value:"1"} label:{name:"x" value:"2"} gauge:{value:2}} "#,
            "has two or more labels with the same name: x"
        )),
    );
    // also of a label that the group has
    let twice = vec![label("job", "1"), label("job", "2")];
    let fault = "has two or more labels with the same name: job";
    let body = {
        let metrics = vec![gauge(twice)];
        let family = Family { name: "a".into(), r#type: MetricType::Gauge, metrics, ..Family::default() };
        body(BodyFormat::ProtobufDelimited, protobuf::write(&[family], Escaping::AllowUtf8))
    };
    let found = read(&body, &group(&[("job", "j")]), &Settings::default()).expect_err("refused").to_string();
    assert!(found.contains(r#"label:{name:"job" value:"j"} label:{name:"job" value:"2"}"#), "{found}");
    assert!(found.ends_with(fault), "{found}");
    let native = model::Histogram {
        positive_spans: vec![model::Span { offset: 0, length: 1 }],
        positive_counts: vec![2.0],
        count: 2.0,
        ..model::Histogram::default()
    };
    let mut histogram =
        wire::Histogram { count: 2.0, native: Some(native.into()), ..wire::Histogram::default() };
    let metric = |histogram: &wire::Histogram| Metric::new(vec![], MetricValue::Histogram(histogram.clone()));
    check_protobuf(MetricType::Histogram, metric(&histogram), Ok("histogram a: a{job=\"j\"} native\n"));
    histogram.buckets.push(wire::Bucket { upper_bound: 1.0, cumulative_count: 1.0, exemplar: None });
    check_protobuf(
        MetricType::Histogram,
        metric(&histogram),
        Ok(concat!(
            r#"histogram a: a{job="j"} native; a_bucket{job="j", le="1.0"} 1; a_bucket{job="j", le="+Inf"} 2; "#,
            r#"a_sum{job="j"} 0; a_count{job="j"} 2"#,
            "\n"
        )),
    );
}

#[test]
fn a_protobuf_family_without_metrics_ends_what_the_group_held_of_it() {
    let family = Family { name: "a".into(), ..Family::default() };
    let bytes = protobuf::write(&[family], Escaping::AllowUtf8);
    let push =
        read(&body(BodyFormat::ProtobufDelimited, bytes), &group(&[("job", "j")]), &Settings::default());
    assert_eq!(show(&push.expect("is taken")), "untyped a: \n");
}

#[test]
fn not_utf8_is_refused_by_name() {
    let family = Family {
        name: "a".into(),
        metrics: vec![Metric::new(vec![("x".into(), "#".into())], MetricValue::Untyped(1.0))],
        ..Family::default()
    };
    let mut bytes = protobuf::write(&[family], Escaping::AllowUtf8);
    let at = bytes.iter().position(|byte| *byte == b'#').expect("the value");
    bytes[at] = 0xff;
    let found =
        read(&body(BodyFormat::ProtobufDelimited, bytes), &group(&[("job", "j")]), &Settings::default());
    let error = found.map_err(|error| error.to_string()).expect_err("is refused");
    assert_eq!(error, r#"metric "a" has a label named "x" whose value is not utf8: "\xff""#);
}

#[test]
fn only_so_many_faults_are_reported() {
    let text = (0..99).map(|n| format!("a{n} 1\na{n} 2\n")).collect::<String>();
    match read(&body(BodyFormat::Text, text), &group(&[("job", "j")]), &Settings::default()) {
        Err(IntakeError::Inconsistent(faults)) => assert_eq!(faults.len(), check::FAULTS_MAX),
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_are_named() {
    let small = Settings {
        inflated_body_bytes_max: 200,
        series_per_push_max: 4,
        labels_per_series_max: 3,
        label_name_bytes_max: 8,
        label_value_bytes_max: 5,
        metric_name_bytes_max: 6,
        help_bytes_max: 7,
        ..Settings::default()
    };
    let check_body = |body: Body, expect: Result<(), &str>| {
        let found =
            read(&body, &group(&[("job", "j")]), &small).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(found, expect.map_err(str::to_owned), "{body:?}");
    };
    let check = |text: &str, expect| check_body(body(BodyFormat::Text, text), expect);
    check("# HELP abcdef seven77\nabcdef{x2345678=\"12345\",y=\"1\"} 1\nb 1\nc 1\nd 1\n", Ok(()));
    check("a 1\nb 1\nc 1\nd 1\ne 1\n", Err("the number of series exceeds series_per_push_max = 4"));
    let parts = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\nh_count 1\n";
    check(parts, Err("the number of series exceeds series_per_push_max = 4"));
    check(
        "a{w=\"1\",x=\"1\",y=\"1\",z=\"1\"} 1\n",
        Err("the number of labels of a sample in line 1 exceeds labels_per_series_max = 3"),
    );
    check(
        "a{x=\"1\",y=\"1\",z=\"1\"} 1\n",
        Err("the number of labels of metric \"a\" exceeds labels_per_series_max = 3"),
    );
    check(
        "a{x23456789=\"1\"} 1\n",
        Err("the name of label \"x23456789\"… of metric \"a\" (9 bytes) exceeds label_name_bytes_max = 8"),
    );
    check(
        "a{x=\"123456\"} 1\n",
        Err("the value of label \"x\" of metric \"a\" (6 bytes) exceeds label_value_bytes_max = 5"),
    );
    check("abcdefg 1\n", Err("the name of metric \"abcdefg\"… (7 bytes) exceeds metric_name_bytes_max = 6"));
    check("# HELP a eight888\na 1\n", Err("the help of metric \"a\" (8 bytes) exceeds help_bytes_max = 7"));
    let large = "#\n".repeat(101);
    let too_large = Err("inflated body is larger than inflated_body_bytes_max = 200 bytes");
    check(&large, too_large);
    let zipped = Body { encoding: Encoding::Gzip, ..body(BodyFormat::Text, gzip(large.as_bytes())) };
    check_body(zipped, too_large);
}

#[test]
fn line_ends_are_put_right_if_allowed() {
    let lenient = Settings { lenient_text: true, ..Settings::default() };
    let read = |text: &str, settings: &Settings| {
        read(&body(BodyFormat::Text, text), &group(&[("job", "j")]), settings)
    };
    for text in ["a 1\r\nb 2\r\n", "a 1\nb 2"] {
        let push = read(text, &lenient).expect("taken");
        assert_eq!(show(&push), "untyped a: a{job=\"j\"} 1\nuntyped b: b{job=\"j\"} 2\n");
        assert!(read(text, &Settings::default()).is_err());
    }
    assert!(read("a one\r\n", &lenient).is_err());
}
