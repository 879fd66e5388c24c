use std::collections::BTreeSet;

use super::*;
use bytes::Bytes;
use model::{
    Change, CounterReset, Histogram, Merge, MetricType, Push, PushedFamily, PushedSeries, Span, Stamp,
};
use parquet::basic::Encoding;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;

fn stamped(at_us: i64, group: u128, change: Change, families: Vec<PushedFamily>) -> Stamped<Push> {
    let push = Push::new(GroupKey(group), change, families);
    Stamped { sequence: 0, stamp: Stamp { at_us, writer: 7 }, entry: Arc::new(push), bytes: 0 }
}

fn family(name: &str, r#type: MetricType, series: Vec<PushedSeries>) -> PushedFamily {
    let help = format!("What {name} is.").into();
    PushedFamily { name: name.into(), r#type, help, series, ..PushedFamily::default() }
}

fn float(pairs: &[(&str, &str)], value: f64) -> PushedSeries {
    PushedSeries::float(Labels::from_pairs(pairs.iter().copied()), value)
}

fn example() -> Segment {
    let histogram = Histogram {
        schema: 3,
        count: 3.0,
        sum: -1.5,
        zero_threshold: 1e-128,
        positive_spans: vec![Span { offset: -2, length: 2 }],
        positive_counts: vec![1.0, 2.0],
        counter_reset: CounterReset::Gauge,
        ..Histogram::default()
    };
    let native =
        PushedSeries::histogram(Labels::from_pairs([("__name__", "n"), ("job", "a")]), Arc::new(histogram));
    let pushes = [
        stamped(
            10,
            1,
            Change::ReplaceGroup,
            vec![
                family(
                    "b_total",
                    MetricType::Counter,
                    vec![
                        float(&[("__name__", "b_total"), ("job", "a"), ("é.x", "ü"), ("Le", "1")], f64::NAN),
                        float(&[("__name__", "b_total"), ("job", "b")], -0.0),
                    ],
                ),
                family("a", MetricType::Gauge, vec![float(&[("__name__", "a"), ("job", "a")], 1.0)]),
                family("n", MetricType::Histogram, vec![native]),
            ],
        ),
        stamped(
            20,
            1,
            Change::ReplaceFamilies,
            vec![family("a", MetricType::Gauge, vec![float(&[("__name__", "a"), ("job", "a")], 2.0)])],
        ),
        stamped(30, u128::MAX, Change::Delete, vec![]),
    ];
    Segment::from_pushes(7, &pushes)
}

#[test]
fn what_is_added_up_is_said_by_events_and_by_the_head() {
    let added = float(&[("__name__", "a"), ("job", "a")], 5.0).merging(Merge::Add);
    let least = float(&[("__name__", "least"), ("job", "a")], 5.0).merging(Merge::Min);
    let families =
        vec![family("a", MetricType::Counter, vec![added]), family("least", MetricType::Gauge, vec![least])];
    let mut push = stamped(10, 1, Change::Merge, families);
    let plain = Segment::from_pushes(7, [&push]);
    assert_eq!((plain.aggregates, plain.clears.len(), plain.pushes.len()), (true, 0, 1));
    let entry = Arc::make_mut(&mut push.entry);
    (entry.ttl_us, entry.retry_key) = (Some(90), Some(RetryKey { key: 3, body: 4 }));
    let mut failure =
        stamped(20, 1, Change::Merge, vec![family("push_failure_time_seconds", MetricType::Gauge, vec![])]);
    Arc::make_mut(&mut failure.entry).families[0].replaces = true;
    let wipe = stamped(30, 0, Change::Wipe, vec![]);
    let segment = Segment::from_pushes(7, [&push, &failure, &wipe]);
    let until_us = Some(100);
    let expect = PushRow {
        stamp: Stamp { at_us: 10, writer: 7 },
        group: GroupKey(1),
        until_us,
        retry_key: push.entry.retry_key,
    };
    assert_eq!(segment.pushes, [expect]);
    let scopes: Vec<&Scope> = segment.clears.iter().map(|clear| &clear.scope).collect();
    let family = Scope::Family(GroupKey(1), "push_failure_time_seconds".into());
    assert_eq!(scopes, [&family, &Scope::Everything]);
    assert!(same(&reread(&segment), &segment));
}

fn reread(segment: &Segment) -> Segment {
    let bytes = encode(segment).expect("encodes");
    let sum = checksum(&bytes);
    decode(bytes, sum).expect("decodes")
}

/// NaN is not equal to itself, but its text is.
fn same(a: &Segment, b: &Segment) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

#[test]
fn rows_are_sorted_by_name_series_and_time() {
    let segment = example();
    let (series, ats) = (&segment.series, &segment.rows.at_us);
    assert!(series.is_sorted_by_key(|s| (
        s.labels.metric_name(),
        s.labels.fingerprint(),
        s.held.as_ref().map(|held| held.group)
    )));
    assert_eq!((series[0].labels.metric_name(), &ats[series[0].range.clone()]), ("a", &[10, 20][..]));
    assert_eq!((series.len(), segment.row_count()), (4, 3 + 3 + 5));
}

#[test]
fn a_segment_survives_its_file() {
    let segment = example();
    let decoded = reread(&segment);
    assert!(same(&decoded, &segment), "{decoded:#?}\n{segment:#?}");
}

#[test]
fn what_is_no_segment_is_refused_with_the_reason() {
    let good = encode(&example()).expect("encodes");
    let check = |bytes: &[u8], expect: &str| {
        let bytes = Bytes::copy_from_slice(bytes);
        let sum = checksum(&bytes);
        let error = decode(bytes, sum).expect_err("refused").to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(b"", "not readable as Parquet");
    check(b"hello, this is not a Parquet file", "not readable as Parquet");
    check(&good[..good.len() - 1], "not readable as Parquet");
    let newer = replaced(&good, b"mayfly.format\x18\x011", b"mayfly.format\x18\x019");
    check(&newer, "format 9 is newer than 2, the newest that this version reads");
    check(&replaced(&good, b"mayfly.format", b"mayfly.f_rmat"), r#"no "mayfly.format" in its metadata"#);
}

/// `bytes` with `from` exchanged for `to`, which is as long; `from` must occur.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("occurs");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn any_damaged_byte_and_any_missing_end_is_noticed() {
    let good = encode(&example()).expect("encodes");
    let sum = checksum(&good);
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] ^= 0xff;
        assert!(matches!(decode(bad.into(), sum), Err(SegmentError::Checksum { .. })), "byte {at}");
        assert!(matches!(decode(good.slice(..at), sum), Err(SegmentError::Checksum { .. })), "length {at}");
    }
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof![Just("job"), Just("le"), Just("Zone"), Just("a.b"), Just("__x"), Just("region")];
    (prop_oneof![Just("m"), Just("n"), Just("ö")], prop::collection::vec((name, "[a-zé\"\n]{0,4}"), 0..5))
        .prop_map(|(metric, pairs)| {
            let mut labels = Labels::from_pairs(pairs).to_builder();
            labels.set(Labels::NAME, metric).build()
        })
}

fn push() -> impl Strategy<Value = Stamped<Push>> {
    let change = prop_oneof![
        Just(Change::ReplaceGroup),
        Just(Change::ReplaceFamilies),
        Just(Change::Merge),
        Just(Change::Delete),
        Just(Change::Wipe)
    ];
    let merge = prop_oneof![Just(Merge::Set), Just(Merge::Add), Just(Merge::Min), Just(Merge::Max)];
    let series =
        (labels(), any::<f64>(), merge, any::<Option<i32>>()).prop_map(|(labels, value, merge, start)| {
            PushedSeries {
                start_us: start.map(i64::from),
                ..PushedSeries::float(labels, value).merging(merge)
            }
        });
    let family = ("[a-z]{1,3}", "[a-z]{0,1}", any::<bool>(), prop::collection::vec(series, 0..5)).prop_map(
        |(name, unit, replaces, series)| PushedFamily {
            unit: unit.into(),
            replaces,
            ..family(&name, MetricType::Untyped, series)
        },
    );
    let retry_key = any::<Option<(u128, u64)>>().prop_map(|k| k.map(|(key, body)| RetryKey { key, body }));
    let families = prop::collection::vec(family, 0..4);
    (0..1_000i64, any::<u128>(), change, families, any::<Option<u64>>(), retry_key).prop_map(
        |(at_us, group, change, families, ttl_us, retry_key)| {
            let stamped = stamped(at_us, group, change, families);
            Stamped { entry: Arc::new(Push { ttl_us, retry_key, ..(*stamped.entry).clone() }), ..stamped }
        },
    )
}

proptest! {
    #[test]
    fn any_segment_survives_its_file(pushes in prop::collection::vec(push(), 0..8)) {
        let segment = Segment::from_pushes(7, &pushes);
        let decoded = reread(&segment);
        prop_assert!(same(&decoded, &segment), "{:#?}\n{:#?}", decoded, segment);
    }
}

#[test]
fn samples_survive_their_file_without_the_columns_of_pushes() {
    let labels = |job: &str| Labels::from_pairs([("__name__", "up"), ("job", job), ("Zone", "x")]);
    let mut samples = Samples::default();
    (0..100).for_each(|i| samples.push(i * 15_000, f64::from(i32::try_from(i).expect("small"))));
    samples.start_ms = (0..100).map(|i| i64::from(i > 50)).collect();
    let series = [(labels("b"), samples.clone()), (labels("a"), samples)];
    let segment = Segment::from_samples(7, &series);
    let bytes = encode(&segment).expect("encodes");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("__labels__") && !text.contains("__group__") && !text.contains("__help__"));
    assert!(same(&reread(&segment), &segment));
    assert_eq!((segment.series.len(), segment.time_range()), (2, Some((0, 99 * 15_000_000))));
}

#[test]
fn rows_of_many_batches_survive() {
    let mut long = Samples::default();
    (0..150_000).for_each(|i| long.push(i, i as f64));
    let labels = |i: i32| Labels::from_pairs([("__name__", "m".to_owned()), ("job", i.to_string())]);
    let mut series: Vec<_> = (0..100).map(|i| (labels(i), long_to(&long, 1_000))).collect();
    series.push((labels(100), long));
    let segment = Segment::from_samples(7, &series);
    assert_eq!(segment.rows.len(), 250_000);
    assert!(reread(&segment) == segment);
}

fn long_to(samples: &Samples, end: usize) -> Samples {
    Samples {
        timestamps_ms: samples.timestamps_ms[..end].to_vec(),
        values: samples.values[..end].to_vec(),
        ..Samples::default()
    }
}

/// How the pages of a column are encoded, and whether it has a dictionary.
fn encodings(segment: &Segment, column: &str) -> (Vec<Encoding>, bool) {
    let bytes = encode(segment).expect("encodes");
    let reader = SerializedFileReader::new(bytes).expect("is Parquet");
    let chunks = reader.metadata().row_group(0).columns();
    let chunk = chunks.iter().find(|chunk| chunk.column_path().string() == column).expect("is there");
    let encodings = chunk.encodings().filter(|encoding| *encoding != Encoding::RLE).collect();
    (encodings, chunk.dictionary_page_offset().is_some())
}

#[test]
fn labels_that_are_too_much_for_a_dictionary_are_plain() {
    let of = |count: usize, job: &str| {
        let series = (0..count).map(|i| {
            let instance = format!("{i:01024}");
            let labels = [("__name__", "m"), ("instance", &*instance), ("job", job)];
            let samples = Samples { timestamps_ms: vec![1, 2], values: vec![1.0, 2.0], ..Samples::default() };
            (Labels::from_pairs(labels.into_iter().filter(|_| i != 7)), samples)
        });
        Segment::from_samples(7, &series.collect::<Vec<_>>())
    };
    let limit = pages::DICTIONARY_BYTES_MAX / (4 + 1_024);
    let within = of(limit, "j");
    assert_eq!(encodings(&within, "instance"), (vec![Encoding::PLAIN, Encoding::RLE_DICTIONARY], true));
    let beyond = of(limit + 2, "j");
    assert_eq!(encodings(&beyond, "instance"), (vec![Encoding::PLAIN], false));
    assert!(reread(&beyond) == beyond);
}

#[test]
fn what_is_small_is_not_compressed() {
    let of = |rows: i32, job: &str| {
        let series = (0..rows).map(|i| {
            let labels = [("__name__", "m"), ("instance", &*i.to_string()), ("job", job)];
            let samples = Samples { timestamps_ms: vec![1], values: vec![1.0], ..Samples::default() };
            (Labels::from_pairs(labels), samples)
        });
        Segment::from_samples(7, &series.collect::<Vec<_>>())
    };
    let compressions = |segment: &Segment| {
        let bytes = encode(segment).expect("encodes");
        let reader = SerializedFileReader::new(bytes).expect("is Parquet");
        let columns = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
        columns.map(|column| column.compression().to_string()).collect::<BTreeSet<_>>()
    };
    let text = "j".repeat(1_000);
    for (segment, expect) in [
        (of(1, "j"), "UNCOMPRESSED"),
        (of(63, "j"), "UNCOMPRESSED"),
        (of(64, "j"), "ZSTD(ZstdLevel(1))"),
        (of(10, &text), "UNCOMPRESSED"),
        (of(40, &text), "ZSTD(ZstdLevel(1))"),
    ] {
        assert_eq!(compressions(&segment), BTreeSet::from([expect.to_owned()]));
        assert!(reread(&segment) == segment);
    }
}

#[test]
fn values_are_kept_as_what_is_shorter() {
    let of = |value: fn(i32) -> f64| {
        let mut samples = Samples::default();
        (0..5_000).for_each(|i| samples.push(i64::from(i), value(i)));
        Segment::from_samples(7, &[(Labels::from_pairs([("__name__", "m")]), samples)])
    };
    let counted = of(|i| f64::from(i * 7_919 % 100_003));
    assert_eq!(encodings(&counted, "__value__").0, [Encoding::BYTE_STREAM_SPLIT]);
    // three times the same number with many digits
    let repeated = of(|i| f64::from(i / 3).sin());
    assert_eq!(encodings(&repeated, "__value__").0, [Encoding::PLAIN]);
    assert!(reread(&counted) == counted && reread(&repeated) == repeated);
}

#[test]
fn row_groups_end_at_their_limit_and_know_where_metrics_begin() {
    let max = encode::ROW_GROUP_ROWS_MAX;
    let series = |name: &str, range: Range<usize>| SeriesRows {
        labels: Labels::from_pairs([("__name__", name)]),
        fingerprint: 0,
        held: None,
        range,
    };
    let all = [series("a", 0..10), series("b", 10..max * 2), series("c", max * 2..max * 2 + 5)];
    let (mut rest, mut done, mut groups) = (&all[..], 0, Vec::new());
    while let Some(group) = row_group::RowGroup::take(&mut rest, &mut done, true, max) {
        groups.push(group.shape());
    }
    let expect = [
        (0..max, vec![10, max - 10], vec![10]),
        (max..max * 2, vec![max], vec![]),
        (max * 2..max * 2 + 5, vec![5], vec![]),
    ];
    assert_eq!(groups, expect);
}
