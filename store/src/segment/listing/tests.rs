use model::{Labels, MatchOp, Matcher, NeededLabels, Samples, Selection};

use super::*;
use crate::segment::{Blocks, Place, Segment, Span, encode_paged};

/// What is decoded of a file.
fn decoded<D: Decoding>(file: &Bytes, mut decoding: D) -> Result<D::Done, SegmentError> {
    loop {
        match decoding.step()? {
            Step::Done(done) => return Ok(done),
            Step::Needs(ranges) => {
                let bytes = |range: &Range<u64>| {
                    let place = |at: u64| usize::try_from(at).expect("small");
                    file.slice(place(range.start)..place(range.end))
                };
                decoding.give(ranges.iter().map(|range| (range.clone(), bytes(range))).collect())?;
            }
        }
    }
}

/// A file with so many series of three metrics, its table, and the series in its order.
fn file_of(series: usize) -> (Bytes, Sealed, Arc<SeriesTable>, Segment) {
    let series = (0..series).map(|number| {
        let mut labels =
            vec![("__name__", format!("metric_{}", number % 3)), ("instance", format!("i-{number}"))];
        if number % 2 == 0 {
            labels.push(("job", format!("job-{}", number % 7)));
        }
        // no name of a column
        if number % 5 == 0 {
            labels.push(("Zone", format!("zone-{}", number % 4)));
        }
        let mut samples = Samples::default();
        let step_ms = if number % 4 == 0 { 7_000 } else { 15_000 };
        #[expect(clippy::cast_precision_loss, reason = "small")]
        for at in 0..100 + number as i64 % 90 {
            samples.push(1_000_000 + at * step_ms + (at * at) % (1 + number as i64 % 3), (at * 3) as f64);
        }
        (Labels::from_pairs(labels), samples)
    });
    let whole = Segment::from_samples(1, &series.collect::<Vec<_>>());
    let file: Bytes = encode_paged(&whole, 1).expect("encodes");
    let sealed = Sealed::of_file(&file).expect("opens");
    let table = decoded(&file, Listing::of(&sealed).expect("begins")).expect("lists");
    (file, sealed, table.into(), whole)
}

fn selection(matchers: &[(&str, MatchOp, &str)]) -> Selection {
    let matchers = matchers.iter().map(|(name, op, value)| Matcher::new(*name, *op, *value).expect("valid"));
    Selection { matchers: matchers.collect(), start_ms: i64::MIN, end_ms: i64::MAX }
}

#[test]
fn series_that_match_are_those_that_labels_say() {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let all = [
        vec![],
        vec![("__name__", Equal, "metric_1")],
        vec![("__name__", Equal, "metric")],
        vec![("__name__", Regex, "metric_[12]")],
        vec![("__name__", NotEqual, "metric_1"), ("job", Equal, "job-2")],
        vec![("__name__", Equal, "metric_0"), ("job", Equal, "job-2"), ("Zone", Equal, "zone-0")],
        vec![("job", Equal, "")],
        vec![("job", NotEqual, "")],
        vec![("job", Regex, "job-[1-4]|")],
        vec![("job", NotRegex, "job-[1-4]"), ("__name__", Equal, "metric_2")],
        vec![("instance", Equal, "i-17")],
        vec![("instance", Regex, "i-1.*"), ("nobody", Equal, "")],
        vec![("nobody", Equal, "has")],
    ];
    // looked through, and found by an index
    for series in [40, 1_500] {
        let (_, _, table, whole) = file_of(series);
        let middle = &whole.series[series / 2];
        let middle = Place { name: middle.labels.metric_name().into(), fingerprint: middle.fingerprint };
        let spans = [
            Span::default(),
            Span { from: Some(middle.clone()), to: None },
            Span { from: None, to: Some(middle.clone()) },
            Span { from: Some(Place::before("metric_1".into())), to: Some(middle) },
            Span { from: Some(Place::before("metric_12".into())), to: Some(Place::before("z".into())) },
        ];
        for (matchers, span) in all.iter().flat_map(|matchers| spans.iter().map(move |span| (matchers, span)))
        {
            let selection = selection(matchers);
            let expect = whole.series.iter().enumerate().filter(|(_, of)| {
                span.contains(of.labels.metric_name(), of.fingerprint) && selection.matches(&of.labels)
            });
            let expect: Vec<u32> = expect.map(|(place, _)| u32::try_from(place).expect("small")).collect();
            assert_eq!(table.matching(&selection, span), expect, "{matchers:?} {span:?}");
            assert!(table.candidate_count(&selection, span) >= expect.len(), "{matchers:?} {span:?}");
        }
        for needed in [NeededLabels::All, NeededLabels::These(["job".into(), "__name__".into()].into())] {
            let (columns, name) = (table.columns(&needed), Arc::from("__name__"));
            let keys = table.keys(&columns);
            for (place, of) in whole.series.iter().enumerate() {
                let labels = table.labels(place, &columns, &name);
                assert_eq!(labels, needed.of(&of.labels));
                let texts = labels.iter().map(|label| (&*label.name, &*label.value));
                assert!(table.texts(place, &columns).eq(texts));
                assert_eq!((table.fingerprint(place), table.rows(place)), (of.fingerprint, of.range.clone()));
                let Some(keys) = &keys else { continue };
                assert!(keys.of(place) < keys.count);
                assert_eq!(keys.of(place) == keys.of(0), labels == table.labels(0, &columns, &name));
            }
        }
    }
}

#[test]
fn blocks_have_all_rows() {
    let (file, sealed, table, whole) = file_of(1_500);
    let count = table.block_of(1_499) + 1;
    assert!(count > 3, "{count}");
    for numbers in [0..count, 1..3, count - 1..count, 2..2] {
        let decoding = Blocks::of(&sealed, Arc::clone(&table), numbers.clone()).expect("begins");
        let blocks = decoded(&file, decoding).expect("decodes");
        assert_eq!(blocks.len(), numbers.len());
        for (number, block) in numbers.zip(blocks) {
            for place in table.block(number) {
                assert_eq!(table.block_of(place), number);
                let range = whole.series[place].range.clone();
                let rows = range.start - block.first_row..range.end - block.first_row;
                let mut times = Vec::new();
                block.times.extend(rows.clone(), &mut times);
                assert!(
                    times.iter().map(|ms| ms * 1_000).eq(whole.rows.at_us[range.clone()].iter().copied())
                );
                assert_eq!(block.values[rows], whole.rows.values[range]);
            }
        }
    }
}

#[test]
fn label_sets_are_given_where_it_is_known_that_they_were_seen() {
    let (_, _, table, whole) = file_of(60);
    let check = |selection: &Selection, needed: &NeededLabels, expect: Option<usize>| {
        let found = table.label_sets(selection, needed);
        assert_eq!(found.map(|found| found.len()), expect, "{selection:?}");
    };
    let names = NeededLabels::These(["__name__".into()].into());
    let of_time = |start_ms, end_ms| Selection { start_ms, end_ms, ..selection(&[]) };
    for _ in 0..2 {
        check(&of_time(i64::MIN, i64::MAX), &names, Some(3));
        check(&of_time(i64::MIN, i64::MAX), &NeededLabels::All, Some(60));
        for (from, to) in [(i64::MIN, i64::MAX), (0, 1_000_000)] {
            assert_eq!(table.label_names(&of_time(from, to)).map(|names| names.len()), Some(4));
            assert_eq!(table.label_values(&of_time(from, to), "job").map(|jobs| jobs.len()), Some(7));
            assert_eq!(table.label_values(&of_time(from, to), "__name__").map(|names| names.len()), Some(3));
        }
        // no other is missing but that of which it is not known
        assert_eq!(table.label_values(&of_time(1_020_000, 1_040_000), "job"), None);
        assert_eq!(table.label_values(&of_time(0, 999_999), "job"), Some(Vec::new()));
        assert_eq!(table.label_values(&of_time(0, i64::MAX), "nobody"), Some(Vec::new()));
        check(&of_time(0, 1_000_000), &NeededLabels::All, Some(60));
        check(&of_time(0, 999_999), &NeededLabels::All, Some(0));
        // between two rows of which the times are known
        check(&of_time(1_020_000, 1_040_000), &NeededLabels::All, None);
    }
    let last = |of: &crate::segment::SeriesRows| whole.rows.at_us[of.range.end - 1] / 1_000;
    let latest = whole.series.iter().map(last).max().expect("some");
    let ends_last = whole.series.iter().filter(|of| last(of) == latest).count();
    check(&of_time(latest, i64::MAX), &NeededLabels::All, Some(ends_last));
}
