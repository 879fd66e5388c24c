//! Bodies that are refused, and those that only other clients send. Round trips stand with the exposition.

use model::{CounterReset, MetricType, Span};
use prost::Message;

use super::messages::{BucketSpan, Counter, Histogram, LabelPair, Metric, Number, Summary, family};
use super::*;
use crate::{Family, Limits, MetricValue};

/// A family with these metrics, with its length before it.
fn body(name: &[u8], type_number: u64, metrics: &[Metric]) -> Vec<u8> {
    use prost::encoding::{WireType, encode_key, encode_varint};
    let mut message = Vec::new();
    let mut field = |tag: u32, bytes: &[u8]| {
        encode_key(tag, WireType::LengthDelimited, &mut message);
        encode_varint(bytes.len() as u64, &mut message);
        message.extend_from_slice(bytes);
    };
    field(family::NAME, name);
    for metric in metrics {
        field(family::METRIC, &metric.encode_to_vec());
    }
    encode_key(family::TYPE, WireType::Varint, &mut message);
    encode_varint(type_number, &mut message);
    let mut delimited = Vec::new();
    encode_varint(message.len() as u64, &mut delimited);
    [delimited, message].concat()
}

fn gauge(value: f64) -> Metric {
    Metric { gauge: Some(Number { value: Some(value) }), ..Metric::default() }
}

fn label(name: &[u8], value: &[u8]) -> LabelPair {
    LabelPair { name: Some(name.to_vec()), value: Some(value.to_vec()) }
}

fn check_error(body: &[u8], limits: &Limits, expect: &str) {
    let found = parse(body, limits).map_err(|error| error.to_string());
    assert_eq!(found, Err(expect.to_owned()), "{body:?}");
}

#[test]
fn refused() {
    let check = |body: &[u8], expect: &str| check_error(body, &Limits::default(), expect);
    let whole = body(b"a", 1, &[gauge(1.0)]);
    check(&whole[..whole.len() - 1], "unexpected EOF");
    check(&[&whole[..], b"\x80"].concat(), "unexpected EOF");
    check(&[0xff; 12], "proto: cannot parse invalid wire-format data");
    check(b"\x02\x0a\x05", "proto: cannot parse invalid wire-format data");
    check(b"\x02\x07\x05", "proto: cannot parse invalid wire-format data");
    check(&body(b"", 1, &[gauge(1.0)]), "metric family without a name");
    check(b"\x00", "metric family without a name");
    check(&body(b"a", 9, &[]), "metric family \"a\" has the unknown type 9");
    check(&body(b"a\xff", 1, &[]), "name of metric family is not utf8: \"a\\xff\"");
    let with = |label: LabelPair| body(b"a", 1, &[Metric { label: vec![label], ..gauge(1.0) }]);
    check(&with(label(b"\xff", b"")), "metric \"a\" has a label whose name is not utf8: \"\\xff\"");
    check(
        &with(label(b"x", b"\xff")),
        "metric \"a\" has a label named \"x\" whose value is not utf8: \"\\xff\"",
    );
}

#[test]
fn limits() {
    let two = body(b"a", 1, &[Metric { label: vec![label(b"x", b"1"); 2], ..gauge(1.0) }, gauge(2.0)]);
    let exact = Limits { bytes_max: two.len(), samples_max: 2, labels_max: 2 };
    assert!(parse(&two, &exact).is_ok());
    let bytes_max = two.len() - 1;
    check_error(&two, &Limits { bytes_max, ..exact }, &format!("body is larger than {bytes_max} bytes"));
    check_error(&two, &Limits { samples_max: 1, ..exact }, "body has more than 1 samples");
    check_error(&two, &Limits { labels_max: 1, ..exact }, "a metric of \"a\" has more than 1 labels");
    let more = [two.clone(), body(b"b", 1, &[gauge(3.0)])].concat();
    check_error(&more, &Limits { bytes_max: 999, ..exact }, "body has more than 2 samples");
    let large = Metric { label: vec![label(b"x", &vec![b'x'; METRIC_BYTES_MAX])], ..gauge(1.0) };
    check_error(
        &body(b"a", 1, &[large]),
        &Limits::default(),
        "a metric of \"a\" is larger than 1048576 bytes",
    );
    let buckets = Histogram { bucket: vec![super::messages::Bucket::default(); 9], ..Histogram::default() };
    let metric = Metric { histogram: Some(Box::new(buckets)), ..Metric::default() };
    let samples_max = 9;
    let limits = Limits { samples_max, ..Limits::default() };
    check_error(&body(b"h", 4, &[metric]), &limits, "body has more than 9 samples");
}

#[test]
fn the_later_of_two_families_with_one_name_counts() {
    let body = [body(b"a", 1, &[gauge(1.0)]), body(b"b", 1, &[]), body(b"a", 1, &[gauge(2.0)])].concat();
    let families = parse(&body, &Limits::default()).expect("parses");
    let found: Vec<_> = families.iter().map(|f| (&*f.name, f.metrics.len())).collect();
    assert_eq!(found, [("a", 1), ("b", 0)]);
    assert_eq!(families[0].metrics[0].value, MetricValue::Gauge(2.0));
    assert_eq!(parse(b"", &Limits::default()), Ok(vec![]));
}

#[test]
fn a_value_that_does_not_fit_the_type_is_kept_for_the_receiver_to_judge() {
    let check = |type_number: u64, metric: Metric, expect: MetricValue| {
        let families = parse(&body(b"a", type_number, &[metric]), &Limits::default()).expect("parses");
        assert_eq!(families[0].metrics[0].value, expect);
    };
    let both = Metric { counter: Some(Counter { value: Some(2.0), ..Counter::default() }), ..gauge(1.0) };
    check(0, both.clone(), MetricValue::Counter(2.0));
    check(1, both.clone(), MetricValue::Gauge(1.0));
    check(2, gauge(1.0), MetricValue::Gauge(1.0));
    check(
        3,
        Metric { summary: Some(Summary::default()), ..Metric::default() },
        MetricValue::Summary(Default::default()),
    );
    check(0, Metric::default(), MetricValue::Absent);
}

fn read(message: Histogram, type_number: u64) -> Result<Option<model::Histogram>, ProtobufError> {
    let metric = Metric { histogram: Some(Box::new(message)), ..Metric::default() };
    let families: Vec<Family> = parse(&body(b"h", type_number, &[metric]), &Limits::default())?;
    match &families[0].metrics[0].value {
        MetricValue::Histogram(histogram) => Ok(histogram.native.as_deref().cloned()),
        other => panic!("{other:?}"),
    }
}

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset: Some(offset), length: Some(length) }
}

#[test]
fn native_histograms_have_absolute_float_counts() {
    let whole = Histogram {
        sample_count: Some(10),
        sample_sum: Some(2.5),
        schema: Some(3),
        zero_threshold: Some(1e-128),
        zero_count: Some(1),
        positive_span: vec![span(-2, 2), span(3, 1)],
        positive_delta: vec![3, -1, 2],
        negative_span: vec![span(0, 1)],
        negative_delta: vec![1],
        ..Histogram::default()
    };
    let expect = model::Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        zero_count: 1.0,
        count: 10.0,
        sum: 2.5,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }],
        negative_spans: vec![Span { offset: 0, length: 1 }],
        positive_counts: vec![3.0, 2.0, 4.0],
        negative_counts: vec![1.0],
        ..model::Histogram::default()
    };
    assert_eq!(read(whole.clone(), 4), Ok(Some(expect.clone())));
    let float = Histogram {
        sample_count_float: Some(10.0),
        zero_count_float: Some(1.0),
        zero_count: None,
        sample_count: None,
        positive_count: vec![3.0, 2.0, 4.0],
        negative_count: vec![1.0],
        positive_delta: vec![],
        negative_delta: vec![],
        ..whole.clone()
    };
    assert_eq!(read(float, 4), Ok(Some(expect.clone())));
    let gauge = model::Histogram { counter_reset: CounterReset::Gauge, ..expect };
    assert_eq!(read(whole, 5), Ok(Some(gauge)));
    assert_eq!(read(Histogram { sample_count: Some(1), ..Histogram::default() }, 4), Ok(None));
    let empty = Histogram { positive_span: vec![span(0, 0)], ..Histogram::default() };
    assert_eq!(read(empty, 4).map(|native| native.is_some()), Ok(true));
}

#[test]
fn native_histograms_that_contradict_themselves() {
    let check = |message: Histogram, expect: NativeFault| {
        let family = "h".to_owned();
        assert_eq!(read(message, 4), Err(ProtobufError::Native { family, fault: expect }));
    };
    let one = Histogram { positive_span: vec![span(0, 1)], positive_delta: vec![1], ..Histogram::default() };
    check(Histogram { schema: Some(9), ..one.clone() }, NativeFault::Schema(9));
    check(Histogram { schema: Some(-53), ..one.clone() }, NativeFault::Schema(-53));
    check(Histogram { schema: Some(300), ..one.clone() }, NativeFault::Schema(300));
    check(
        Histogram { positive_span: vec![span(0, u32::MAX)], ..one.clone() },
        NativeFault::Buckets { spans: u64::from(u32::MAX), counts: 1 },
    );
    check(Histogram { positive_delta: vec![], ..one.clone() }, NativeFault::Buckets { spans: 1, counts: 0 });
    check(Histogram { positive_span: vec![span(i32::MAX, 1)], ..one.clone() }, NativeFault::Spans);
    let overlap = vec![span(5, 1), span(-1, 0)];
    check(Histogram { positive_span: overlap, ..one.clone() }, NativeFault::Spans);
    check(Histogram { positive_delta: vec![-1], ..one.clone() }, NativeFault::Count);
    let nan = Histogram { sample_count_float: Some(1.0), positive_count: vec![f64::NAN], ..one.clone() };
    check(nan, NativeFault::Count);
    check(Histogram { zero_threshold: Some(-1.0), ..one }, NativeFault::ZeroThreshold);
}

#[test]
fn types_without_a_number_travel_as_untyped() {
    for r#type in [MetricType::Info, MetricType::StateSet] {
        let body = write(
            &[Family { name: "a".into(), r#type, ..Family::default() }],
            crate::name_escaping::Escaping::AllowUtf8,
        );
        let families = parse(&body, &Limits::default()).expect("parses");
        assert_eq!(families[0].r#type, MetricType::Untyped);
    }
}
