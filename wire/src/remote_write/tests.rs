//! Both messages, and what may be wrong with them.

use model::{CounterReset, MetricType, STALE_NAN, Value};
use testkit::protobuf::Message;
use testkit::remote_write::{RequestV2, custom_histogram, histogram, request_v1, sample, series_v1};

use super::*;
use crate::Limits;

/// Without known label sets, and then with those of the body itself: that makes no difference.
fn decoded_thrice(version: Version, body: &[u8], limits: &Limits) -> Result<WriteRequest, DecodeError> {
    let result = decode(version, body, limits, &KnownLabels::new(0));
    let known = KnownLabels::new(1 << 20);
    // not a number is not the same as itself
    let show = |result: &Result<WriteRequest, DecodeError>| format!("{result:?}");
    for _ in 0..2 {
        assert_eq!(show(&decode(version, body, limits, &known)), show(&result));
    }
    result
}

fn decoded(version: Version, body: &[u8]) -> WriteRequest {
    decoded_thrice(version, body, &Limits::default()).expect("a message")
}

/// As `labels @at value`, a line per sample, and the faults.
fn shown(request: &WriteRequest) -> (Vec<String>, String) {
    let line = |series: &WriteSeries, point: &Point| match &point.value {
        Value::Float(value) => format!("{} @{} {value}", series.labels, point.at_ms),
        Value::Histogram(histogram) => {
            format!("{} @{} count {} sum {}", series.labels, point.at_ms, histogram.count, histogram.sum)
        }
    };
    let lines = request.series.iter().flat_map(|series| series.points.iter().map(|p| line(series, p)));
    (lines.collect(), request.faults.text())
}

#[track_caller]
fn check(version: Version, body: &[u8], lines: &[&str], faults: &str) {
    let found = shown(&decoded(version, body));
    assert_eq!(found, (lines.iter().map(|line| (*line).to_owned()).collect(), faults.to_owned()));
}

#[test]
fn samples_of_both_versions() {
    let labels = [("__name__", "up"), ("job", "a"), ("empty", "")];
    let samples = [(1_000, 1.0), (-5, 2.5)];
    let lines = [r#"up{job="a"} @1000 1"#, r#"up{job="a"} @-5 2.5"#];
    check(Version::V1, &request_v1([series_v1(&labels, &samples)]), &lines, "");
    check(Version::V2, &RequestV2::default().floats(&labels, &samples).into_bytes(), &lines, "");
    check(Version::V1, b"", &[], "");
    check(Version::V2, b"", &[], "");
}

#[test]
fn a_stale_marker_stays_what_it_is() {
    let stale = f64::from_bits(STALE_NAN);
    let body = RequestV2::default().floats(&[("__name__", "up")], &[(1, stale)]).into_bytes();
    let Value::Float(value) = decoded(Version::V2, &body).series[0].points[0].value else {
        panic!("a float")
    };
    assert_eq!(value.to_bits(), STALE_NAN);
}

#[test]
fn symbols_may_come_last_and_unsorted_labels_are_sorted() {
    let series = Message::new().varints(1, [2, 3, 0, 1]).message(2, sample(7, 1.0));
    let body = Message::new().message(5, series);
    let body = ["__name__", "up", "job", "a"].iter().fold(body, |body, symbol| body.bytes(4, symbol));
    check(Version::V2, &body.into_bytes(), &[r#"up{job="a"} @7 1"#], "");
}

#[test]
fn start_times_of_samples_and_of_series() {
    let body = RequestV2::default()
        .series(&[("__name__", "a")], |series| {
            series.message(2, sample(9, 1.0).int(3, 5)).message(2, sample(10, 1.0))
        })
        .series(&[("__name__", "b")], |series| {
            series.message(2, sample(9, 1.0).int(3, 5)).message(2, sample(10, 1.0)).int(6, 3)
        })
        .series(&[("__name__", "c")], |series| series.message(3, histogram(9, [1, 1], 2.0).int(17, 4)));
    let request = decoded(Version::V2, &body.into_bytes());
    let starts = request.series.iter().map(|series| series.points.iter().map(|p| p.start_ms).collect());
    assert_eq!(starts.collect::<Vec<Vec<i64>>>(), [vec![5, 0], vec![5, 3], vec![4]]);
}

#[test]
fn histograms_of_both_versions() {
    let (native, custom) = (histogram(5, [2, 1], 3.5), custom_histogram(6, [1, 0, 2], 20.0));
    let labels = [("__name__", "h")];
    let lines = ["h @5 count 4 sum 3.5", "h @6 count 3 sum 20"];
    let series = series_v1(&labels, &[]).message(4, native.clone()).message(4, custom.clone());
    check(Version::V1, &request_v1([series]), &lines, "");
    let body = RequestV2::default()
        .series(&labels, |series| series.message(3, native.varint(14, 3)).message(3, custom))
        .into_bytes();
    check(Version::V2, &body, &lines, "");
    let request = decoded(Version::V2, &body);
    let of = |index: usize| match &request.series[0].points[index].value {
        Value::Histogram(histogram) => histogram,
        Value::Float(_) => panic!("a histogram"),
    };
    assert_eq!((&of(0).positive_counts[..], of(0).counter_reset), (&[2.0, 1.0][..], CounterReset::Gauge));
    assert_eq!(
        (&of(1).positive_counts[..], &of(1).custom_bounds[..]),
        (&[1.0, 0.0, 2.0][..], &[1.0, 5.0][..])
    );
}

/// A histogram of whole numbers as its fields say; the bucket counts are 1 and 1.
struct Sent {
    schema: i64,
    count: u64,
    zero: (f64, u64),
    sum: f64,
    spans: Vec<(i64, u64)>,
    deltas: Vec<i64>,
    negative: (Vec<(i64, u64)>, Vec<i64>),
    custom: Vec<f64>,
}

impl Sent {
    fn exponential() -> Self {
        let (spans, deltas) = (vec![(0, 2)], vec![1, 0]);
        let negative = (vec![], vec![]);
        Self { schema: 0, count: 3, zero: (0.001, 1), sum: 2.5, spans, deltas, negative, custom: vec![] }
    }

    fn custom() -> Self {
        Self { schema: -53, count: 2, zero: (0.0, 0), custom: vec![1.0, 2.0], ..Self::exponential() }
    }

    fn message(&self) -> Message {
        let span = |span: &(i64, u64)| Message::new().sint(1, span.0).varint(2, span.1);
        let message = Message::new()
            .varint(1, self.count)
            .double(3, self.sum)
            .sint(4, self.schema)
            .double(5, self.zero.0)
            .varint(6, self.zero.1)
            .sints(9, self.negative.1.iter().copied())
            .sints(12, self.deltas.iter().copied())
            .doubles(16, self.custom.iter().copied());
        let message = self.negative.0.iter().fold(message, |message, s| message.message(8, span(s)));
        self.spans.iter().fold(message, |message, s| message.message(11, span(s)))
    }
}

#[test]
fn histograms_that_contradict_themselves() {
    #[track_caller]
    fn of(message: Message, fault: &str) {
        let body = RequestV2::default().series(&[("__name__", "h")], |series| series.message(3, message));
        let found = decoded(Version::V2, &body.into_bytes()).faults.text();
        let expect =
            if fault.is_empty() { String::new() } else { format!("{fault} for series {{__name__=\"h\"}}") };
        assert_eq!(found, expect);
    }
    #[track_caller]
    fn check(sent: &Sent, fault: &str) {
        of(sent.message(), fault);
    }
    let (good, custom) = (Sent::exponential, Sent::custom);
    check(&good(), "");
    check(&custom(), "");
    check(&Sent { count: 9, sum: f64::NAN, ..good() }, "");
    check(&Sent { spans: vec![(-3, 1), (0, 1)], ..good() }, "");
    check(
        &Sent { count: 9, ..good() },
        "3 observations found in buckets, but the Count field is 9: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)",
    );
    check(
        &Sent { count: 2, sum: f64::NAN, ..good() },
        "3 observations found in buckets, but the Count field is 2: histogram's observation count should be at least the number of observations found in the buckets",
    );
    check(
        &Sent { spans: vec![(0, 3)], ..good() },
        "positive side: spans need 3 buckets, have 2 buckets: histogram spans specify different number of buckets than provided",
    );
    check(
        &Sent { negative: (vec![(0, 2)], vec![1]), ..good() },
        "negative side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than provided",
    );
    check(
        &Sent { spans: vec![(0, 1), (-3, 1)], ..good() },
        "positive side: span number 2 with offset -3: histogram has a span whose offset is negative",
    );
    check(
        &Sent { spans: vec![(i64::from(i32::MAX), 2)], ..good() },
        "positive side: span number 1 ends beyond what a bucket's index can be",
    );
    check(
        &Sent { deltas: vec![1, -2], ..good() },
        "positive side: bucket number 2 has observation count of -1: histogram has a bucket whose observation count is negative",
    );
    let schema = "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema";
    for bad in [9, -5, 300] {
        check(&Sent { schema: bad, ..good() }, &format!("{schema} {bad}"));
    }
    check(
        &Sent { custom: vec![1.0], ..good() },
        "histogram with exponential schema must not have custom bounds",
    );
    check(
        &Sent { zero: (f64::NAN, 1), ..good() },
        "zero threshold is NaN: it must be a number that is not negative",
    );
    let few = "defined which is insufficient to cover total span length of";
    check(
        &Sent { custom: vec![], ..custom() },
        &format!("custom buckets: only 0 custom bounds {few} 2: histogram custom bounds are too few"),
    );
    check(
        &Sent { spans: vec![(5, 2)], ..custom() },
        &format!("custom buckets: only 2 custom bounds {few} 7: histogram custom bounds are too few"),
    );
    let order = "histogram custom bounds must be in strictly increasing order";
    check(
        &Sent { custom: vec![2.0, 1.0], ..custom() },
        &format!("custom buckets: previous bound is 2.000000 and current is 1.000000: {order}"),
    );
    check(
        &Sent { custom: vec![2.0, f64::NAN], ..custom() },
        &format!("custom buckets: previous bound is 2.000000 and current is NaN: {order}"),
    );
    check(
        &Sent { custom: vec![2.0, f64::INFINITY], ..custom() },
        "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite",
    );
    check(&Sent { zero: (0.0, 1), ..custom() }, "custom buckets: must have zero count of 0");
    check(&Sent { zero: (0.5, 0), ..custom() }, "custom buckets: must have zero threshold of 0");
    check(
        &Sent { negative: (vec![(0, 1)], vec![1]), ..custom() },
        "custom buckets: must not have negative spans",
    );
    check(
        &Sent { negative: (vec![], vec![1]), ..custom() },
        "custom buckets: must not have negative buckets",
    );
    let float = |count: f64, zero: f64, counts: [f64; 2]| {
        let span = Message::new().varint(2, 2);
        Message::new().double(2, count).double(7, zero).message(11, span).doubles(13, counts)
    };
    of(float(3.5, 1.0, [1.0, 1.5]), "");
    let negative = "histogram has a bucket whose observation count is negative";
    of(
        float(3.5, 1.0, [1.0, -1.5]),
        &format!("positive side: bucket number 2 has observation count of -1.5: {negative}"),
    );
    of(
        float(3.5, 1.0, [f64::NAN, 1.0]),
        &format!("positive side: bucket number 1 has observation count of NaN: {negative}"),
    );
    of(float(3.5, -1.0, [1.0, 1.0]), "zero count is -1: it must be a number that is not negative");
    of(float(-3.5, 1.0, [1.0, 1.0]), "observation count is -3.5: it must be a number that is not negative");
}

#[test]
fn labels_that_are_none() {
    let good = ("__name__", "m");
    let pair = |request: RequestV2, labels: &[(&str, &str)]| request.floats(labels, &[(1, 1.0)]);
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("job", "j")], r#"invalid metric name or labels, got {job="j"}"#),
        (&[], "invalid metric name or labels, got {}"),
        (&[("__name__", "")], r#"invalid metric name or labels, got {__name__=""}"#),
        (&[good, ("", "m")], r#"invalid metric name or labels, got {""="m", __name__="m"}"#),
        (
            &[good, ("job", "j"), ("job", "m")],
            r#"invalid labels for series, labels {__name__="m", job="j", job="m"}, duplicated label job"#,
        ),
    ];
    for (labels, fault) in cases {
        // the good one beside it is taken
        check(
            Version::V2,
            &pair(pair(RequestV2::default(), labels), &[good]).into_bytes(),
            &["m @1 1"],
            fault,
        );
        let series = [series_v1(labels, &[(1, 1.0)]), series_v1(&[good], &[(1, 1.0)])];
        check(Version::V1, &request_v1(series), &["m @1 1"], fault);
    }
    let symbols = [&b""[..], b"__name__", b"m", b"\xff", b"v\xfe"];
    let body = symbols.iter().fold(Message::new(), |body, symbol| body.bytes(4, symbol));
    let body = body.message(5, Message::new().varints(1, [1, 2, 3, 4]).message(2, sample(1, 1.0)));
    let fault = r#"invalid metric name or labels, got {__name__="m", "\xff"="v\xfe"}"#;
    check(Version::V2, &body.into_bytes(), &[], fault);
}

#[test]
fn references_that_lead_nowhere() {
    let raw = |references: &[u64]| {
        let series = Message::new().varints(1, references.iter().copied()).message(2, sample(1, 1.0));
        RequestV2::default().raw(series).into_bytes()
    };
    check(
        Version::V2,
        &raw(&[0, 0, 0]),
        &[],
        "parsing labels for series [0, 0, 0]: invalid labelRefs length 3",
    );
    check(
        Version::V2,
        &raw(&[0, u64::MAX]),
        &[],
        "parsing labels for series [0, 18446744073709551615]: labelRefs 0 (name) = 18446744073709551615 (value) outside of symbols table (size 1)",
    );
    let body = RequestV2::default().series(&[("__name__", "m")], |series| {
        let exemplars = series.message(4, Message::new().varints(1, [9, 9])).message(4, Message::new());
        exemplars.message(2, sample(1, 1.0)).message(5, Message::new().varint(3, 7))
    });
    let body = body.into_bytes();
    check(
        Version::V2,
        &body,
        &["m @1 1"],
        "parsing exemplar for series {__name__=\"m\"}: labelRefs 9 (name) = 9 (value) outside of symbols table (size 3)\n\
         parsing metadata for series {__name__=\"m\"}: HelpRef 7 outside of symbols table (size 3)",
    );
    assert_eq!(decoded(Version::V2, &body).series[0].exemplars.len(), 1);
}

#[test]
fn metadata_of_2_0_is_type_and_unit() {
    let known = |number: u64, unit: &str| {
        let mut request = RequestV2::default();
        let unit = request.symbol(unit);
        let body = request.series(&[("__name__", "m")], |series| {
            series.message(2, sample(1, 1.0)).message(5, Message::new().varint(1, number).varint(4, unit))
        });
        let series = decoded(Version::V2, &body.into_bytes()).series.remove(0);
        (series.metadata.r#type, series.metadata.unit.to_string())
    };
    assert_eq!(known(1, "bytes"), (MetricType::Counter, "bytes".to_owned()));
    assert_eq!(known(7, ""), (MetricType::StateSet, String::new()));
    assert_eq!(known(99, "s"), (MetricType::Untyped, "s".to_owned()), "of a later version");
}

#[test]
fn a_series_of_2_0_has_samples_or_histograms() {
    let name = [("__name__", "m")];
    let body = RequestV2::default().series(&name, |series| series).into_bytes();
    check(
        Version::V2,
        &body,
        &[],
        r#"TimeSeries must contain at least one sample or histogram for series {__name__="m"}"#,
    );
    let body = RequestV2::default()
        .series(&name, |series| series.message(2, sample(1, 1.0)).message(3, histogram(2, [1, 1], 1.0)));
    check(
        Version::V2,
        &body.into_bytes(),
        &[],
        r#"TimeSeries must contain either samples or histograms for series {__name__="m"} not both"#,
    );
}

#[test]
fn what_is_no_message_is_refused_whole() {
    let check = |version, body: &[u8], expect: &str| {
        let found = decoded_thrice(version, body, &Limits::default()).map_err(|error| error.to_string());
        assert_eq!(found, Err(expect.to_owned()), "{body:?}");
    };
    for version in [Version::V1, Version::V2] {
        check(version, b"\xff\xff\xff", "unexpected EOF");
        check(version, b"\x0a\x10aa", "unexpected EOF");
    }
    check(Version::V1, b"\x08\x01", "proto: wrong wireType for field Timeseries");
    check(Version::V2, b"\x28\x01", "proto: wrong wireType for field Timeseries");
    check(Version::V1, &request_v1([Message::new().varint(2, 1)]), "proto: wrong wireType for field Samples");
    check(
        Version::V1,
        &request_v1([Message::new().bytes(2, b"\x08\x01")]),
        "proto: wrong wireType for field Value",
    );
}

#[test]
fn every_limit_is_reached() {
    let limits = Limits { bytes_max: 400, samples_max: 6, labels_max: 2 };
    let error =
        |version, body: &[u8]| decoded_thrice(version, body, &limits).map(|_| ()).map_err(|e| e.to_string());
    let too_many = Err("more than 6 series, samples, buckets and exemplars".to_owned());
    assert_eq!(error(Version::V1, &[0; 401]), Err("inflated body is larger than 400 bytes".to_owned()));
    let name = [("__name__", "m")];
    let samples: Vec<(i64, f64)> = (0..6).map(|at_ms| (at_ms, 1.0)).collect();
    assert_eq!(error(Version::V1, &request_v1([series_v1(&name, &samples[..5])])), Ok(()));
    assert_eq!(error(Version::V1, &request_v1([series_v1(&name, &samples)])), too_many);
    assert_eq!(error(Version::V1, &request_v1((0..7).map(|_| Message::new()))), too_many);
    assert_eq!(error(Version::V2, &RequestV2::default().floats(&name, &samples[..2]).into_bytes()), Ok(()));
    assert_eq!(error(Version::V2, &RequestV2::default().floats(&name, &samples[..3]).into_bytes()), too_many);
    let buckets = RequestV2::default().series(&name, |series| series.message(3, histogram(1, [1, 1], 1.0)));
    assert_eq!(error(Version::V2, &buckets.into_bytes()), too_many);
    let labels = [("__name__", "m"), ("a", "b"), ("c", "d")];
    let request = decoded_thrice(Version::V1, &request_v1([series_v1(&labels, &[(1, 1.0)])]), &limits);
    assert_eq!(
        request.expect("a message").faults.text(),
        r#"3 labels are more than 2, which is labels_per_series_max, in series {__name__="m", a="b", c="d"}"#
    );
    // whoever has sent it before may send more labels
    let known = KnownLabels::new(1 << 20);
    let points = [(1, 1.0)];
    let both = [
        (Version::V1, request_v1([series_v1(&labels, &points)])),
        (Version::V2, RequestV2::default().floats(&labels, &points).into_bytes()),
    ];
    for (version, body) in both {
        assert!(decode(version, &body, &Limits::default(), &known).is_ok_and(|sent| sent.faults.is_empty()));
        let limits = Limits { labels_max: 2, ..Limits::default() };
        let again = decode(version, &body, &limits, &known).expect("a message");
        assert_eq!((again.series.len(), again.faults.limits()), (0, &["labels_per_series_max"][..]));
    }
    // one long symbol, many references to it
    let limits = Limits { samples_max: 100, ..limits };
    let (long, point) = ("x".repeat(150), [(1, 1.0)]);
    let named = [("__name__", &*long)];
    let twice = RequestV2::default().floats(&named, &point).floats(&named, &point).into_bytes();
    assert!(decoded_thrice(Version::V2, &twice, &limits).is_ok());
    let thrice = RequestV2::default().floats(&named, &point).floats(&named, &point).floats(&named, &point);
    assert_eq!(
        decoded_thrice(Version::V2, &thrice.into_bytes(), &limits),
        Err(DecodeError::LabelsTooLarge { bytes_max: 400 })
    );
}

/// `trace=value@time` of each exemplar.
fn shown_exemplars(series: &WriteSeries) -> Vec<String> {
    let shown = |exemplar: &crate::Exemplar| {
        let labels: Vec<String> =
            exemplar.labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        format!("{}={}@{:?}", labels.join(","), exemplar.value, exemplar.timestamp_ms)
    };
    series.exemplars.iter().map(shown).collect()
}

#[test]
fn exemplars_of_both_versions() {
    let expect = ["trace_id:t=1.5@Some(7)", "=2@Some(-1)"];
    let label = |name: &str, value: &str| Message::new().bytes(1, name).bytes(2, value);
    let exemplars = [
        Message::new().message(1, label("trace_id", "t")).double(2, 1.5).int(3, 7),
        Message::new().double(2, 2.0).int(3, -1),
    ];
    let [first, second] = exemplars;
    // a sender of 1.0 may send them apart from samples
    let series = Message::new().message(1, label("__name__", "m")).message(3, first).message(3, second);
    let found = decoded(Version::V1, &Message::new().message(1, series).into_bytes());
    assert_eq!(
        (shown_exemplars(&found.series[0]), found.series[0].points.len()),
        (expect.map(str::to_owned).to_vec(), 0)
    );

    let mut request = RequestV2::default();
    let references = ["trace_id", "t"].map(|symbol| request.symbol(symbol));
    let body = request.series(&[("__name__", "m")], |series| {
        let first = Message::new().varints(1, references).double(2, 1.5).int(3, 7);
        series.message(4, first).message(4, Message::new().double(2, 2.0).int(3, -1))
    });
    let found = decoded(Version::V2, &body.into_bytes());
    assert_eq!(
        (shown_exemplars(&found.series[0]), found.faults.is_empty()),
        (expect.map(str::to_owned).to_vec(), true)
    );
}

#[test]
fn metadata_of_1_0_is_of_families() {
    let family = |number: u64, name: &[u8]| {
        Message::new().varint(1, number).bytes(2, name).bytes(4, "help").bytes(5, "s")
    };
    let body = Message::new()
        .message(3, family(5, b"wait"))
        .message(3, family(1, b""))
        .message(3, family(1, b"\xff"))
        .message(3, family(0, b"what"));
    let found = decoded(Version::V1, &body.into_bytes());
    let families: Vec<_> =
        found.families.iter().map(|(name, told)| (&**name, told.r#type, &*told.help, &*told.unit)).collect();
    assert_eq!(
        families,
        [("wait", MetricType::Summary, "help", "s"), ("what", MetricType::Untyped, "help", "s")]
    );
}
