use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use model::{
    Change, GroupKey, MatchOp, Matcher, MetricType, NeededLabels, OPEN_END_MS, PushedFamily, PushedSeries,
    Samples, Selection,
};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use testkit::{Fault, FaultyStore, ManualClock, Operation};
use tokio::sync::Semaphore;

use super::*;
use crate::layout::SegmentName;
use crate::segment;
use crate::writer::tests::until;
use crate::{Tenant, Writer, WriterSettings};

const T0: i64 = 1_795_391_160_000;

/// A writer, a reader of the same store without its tail, and a clock at [`T0`].
struct House {
    store: Arc<dyn ObjectStore>,
    clock: Arc<ManualClock>,
    writer: Writer,
    reader: Reader,
}

impl House {
    fn over(store: Arc<dyn ObjectStore>) -> Self {
        let clock = Arc::new(ManualClock::at_ms(T0));
        let writer = Writer::start(
            Arc::clone(&store),
            stream(),
            Arc::clone(&clock) as _,
            WriterSettings::of_writer(1),
        );
        let reader = reader(&store, ReaderSettings::default());
        Self { store, clock, writer, reader }
    }

    fn new() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    async fn push(&self, change: Change, metrics: &[(&str, f64)]) {
        let grouping = Labels::from_pairs([("job", "j")]);
        let families = metrics
            .iter()
            .map(|(name, value)| {
                let labels = Labels::from_pairs([("__name__", *name), ("job", "j")]);
                let series = vec![PushedSeries::float(labels, *value)];
                PushedFamily {
                    name: (*name).into(),
                    r#type: MetricType::Gauge,
                    help: format!("About {name}.").into(),
                    series,
                    ..PushedFamily::default()
                }
            })
            .collect();
        self.writer.push(Push::new(GroupKey::of(&grouping), change, families)).await.expect("written");
    }

    async fn steps(&self, name: &str, start_ms: i64, end_ms: i64) -> Vec<(i64, i64, f64)> {
        let matchers = vec![Matcher::equal("__name__", name)];
        let series =
            self.reader.select(&Selection { matchers, start_ms, end_ms }).await.expect("reads").found;
        let steps = series.iter().map(|series| &series.steps);
        steps.flat_map(|s| (0..s.len()).map(|i| (s.from_ms[i] - T0, s.until_ms[i], s.values[i]))).collect()
    }
}

fn reader(store: &Arc<dyn ObjectStore>, settings: ReaderSettings) -> Reader {
    let samples = Stream::samples(&Path::from("some/prefix"), &Tenant::default());
    Reader::new(Arc::clone(store), Source::new(stream(), None), Source::new(samples, None), settings)
}

fn stream() -> Stream {
    Stream::pushes(&Path::from("some/prefix"), &Tenant::default())
}

#[tokio::test]
async fn put_post_and_delete_over_many_segments() {
    let house = House::new();
    house.push(Change::ReplaceGroup, &[("a", 1.0), ("b", 1.0)]).await;
    house.clock.advance_ms(1_000);
    house.push(Change::ReplaceFamilies, &[("a", 2.0)]).await;
    house.clock.advance_ms(1_000);
    house.push(Change::ReplaceGroup, &[("b", 3.0)]).await;
    house.clock.advance_ms(1_000);
    house.push(Change::Delete, &[]).await;

    assert_eq!(house.steps("a", 0, T0 * 2).await, [(0, T0 + 1_000, 1.0), (1_000, T0 + 2_000, 2.0)]);
    assert_eq!(house.steps("b", 0, T0 * 2).await, [(0, T0 + 2_000, 1.0), (2_000, T0 + 3_000, 3.0)]);
    // what came later is not known at the end of the time asked for
    assert_eq!(house.steps("a", T0, T0 + 500).await, [(0, OPEN_END_MS, 1.0)]);
    assert_eq!(house.steps("a", T0 + 3_000, T0 + 9_000).await, []);
    assert_eq!(house.steps("", T0, T0 * 2).await, []);
}

#[tokio::test]
async fn matchers_select_series_and_missing_labels_are_empty() {
    let house = House::new();
    house.push(Change::ReplaceGroup, &[("a", 1.0), ("ab", 2.0), ("b", 3.0)]).await;
    let check = async |name: &str, op, value: &str, expect: &[&str]| {
        let matchers = vec![Matcher::new(name, op, value).expect("parses")];
        let selection = Selection { matchers, start_ms: T0, end_ms: T0 };
        let found = house.reader.select(&selection).await.expect("reads").found;
        let names: Vec<_> = found.iter().map(|series| series.labels.metric_name()).collect();
        assert_eq!(names, expect, "{name} {op:?} {value}");
    };
    check("__name__", MatchOp::Equal, "ab", &["ab"]).await;
    check("__name__", MatchOp::NotEqual, "ab", &["a", "b"]).await;
    check("__name__", MatchOp::Regex, "a.*", &["a", "ab"]).await;
    check("__name__", MatchOp::NotRegex, "a.*", &["b"]).await;
    check("instance", MatchOp::Equal, "", &["a", "ab", "b"]).await;
    check("instance", MatchOp::NotEqual, "", &[]).await;
}

#[tokio::test]
async fn live_families_carry_the_latest_type_and_help() {
    let house = House::new();
    house.push(Change::ReplaceGroup, &[("b", 1.0), ("a", 1.0)]).await;
    house.clock.advance_ms(1_000);
    house.push(Change::ReplaceFamilies, &[("a", 2.0)]).await;
    let live = house.reader.live(T0 + 1_000).await.expect("reads").found;
    let shown: Vec<_> = live.iter().map(|f| (&*f.name, &*f.metadata.help, f.series[0].1.clone())).collect();
    assert_eq!(shown, [("a", "About a.", Value::Float(2.0)), ("b", "About b.", Value::Float(1.0))]);
    house.clock.advance_ms(1_000);
    house.push(Change::Delete, &[]).await;
    assert_eq!(house.reader.live(T0 + 2_000).await.expect("reads").found, []);
    assert_eq!(house.reader.live(T0 + 1_500).await.expect("reads").found.len(), 2);
}

#[tokio::test]
async fn segments_are_fetched_once() {
    let house = House::new();
    for value in 0..5 {
        house.push(Change::ReplaceGroup, &[("a", f64::from(value))]).await;
    }
    for _ in 0..3 {
        house.reader.live(T0 + 1_000).await.expect("reads");
    }
    assert_eq!((house.reader.stats().segments_fetched(), house.reader.stats().segments_cached()), (5, 10));
}

#[tokio::test]
async fn a_damaged_segment_is_named_and_the_others_are_read() {
    let house = House::new();
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    let foreign = stream().hot().join("notes.txt");
    house.store.put(&foreign, "hello".into()).await.expect("written");
    assert_eq!(house.steps("a", T0, T0).await.len(), 1);

    let name = SegmentName {
        stamped_us: 1,
        writer: 9,
        number: 0,
        from_us: T0 * 1_000,
        to_us: T0 * 1_000,
        rows: 1,
        checksum: 0,
        again_since: None,
    };
    let damaged = stream().segment(&name);
    house.store.put(&damaged, "PAR1 and nothing else".into()).await.expect("written");
    let answer = house.reader.live(T0).await.expect("reads");
    assert_eq!(answer.found.len(), 1, "everything else stays readable");
    let said: Vec<String> = answer.left_out.iter().map(ToString::to_string).collect();
    assert!(
        said.len() == 1 && said[0].contains(damaged.as_ref()) && said[0].contains("damaged: its checksum is"),
        "{said:?}"
    );
    assert_eq!((house.reader.unreadable(), house.reader.stats().incomplete()), (2, 1), "the notes and this");
    let fetched = house.reader.stats().segments_fetched();
    assert_eq!(house.reader.live(T0).await.expect("reads").left_out, answer.left_out);
    assert_eq!(house.reader.stats().segments_fetched(), fetched, "what is damaged is not fetched again");

    // deleted, or put right
    house.store.delete(&damaged).await.expect("deleted");
    house.store.delete(&foreign).await.expect("deleted");
    assert_eq!(house.reader.live(T0).await.expect("reads").left_out, []);
    assert_eq!(house.reader.unreadable(), 0);
}

/// Everything that can be wrong with a segment, with the words that are to be said about it.
#[tokio::test]
async fn whatever_is_wrong_with_one_segment_the_others_are_read() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let house = House::over(Arc::clone(&memory));
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    let good = listed(&memory).await.remove(0);
    let whole = memory.get(&good).await.expect("there").bytes().await.expect("whole");
    let name = SegmentName::parse(&good).expect("a segment");
    let put = async |number: u32, bytes: Vec<u8>| {
        let checksum = segment::checksum(&bytes);
        let object = stream().segment(&SegmentName { writer: 9, number, checksum, ..name.clone() });
        memory.put(&object, bytes.into()).await.expect("written");
        object
    };
    let mut newer = whole.to_vec();
    let at = newer.windows(14).position(|text| text == b"mayfly.format\x18").expect("in the footer");
    // the value of the pair: a length of 1, and the digit
    newer[at + 15] = b'9';
    let cases = [
        (put(0, whole[..whole.len() / 2].to_vec()).await, "not readable as Parquet"),
        (
            put(1, b"not Parquet at all, but long enough for a footer".to_vec()).await,
            "not readable as Parquet",
        ),
        (put(2, Vec::new()).await, "not readable as Parquet"),
        (put(3, newer).await, "format 9 is newer than 2"),
        (put(4, foreign_parquet()).await, "not a segment"),
    ];
    let otherwise_named = stream().hot().join("v2-1-2-3.parquet");
    memory.put(&otherwise_named, "x".into()).await.expect("written");

    let answer = house.reader.live(T0).await.expect("reads");
    assert_eq!(answer.found.len(), 1);
    let reason = |object: &Path| {
        let left_out = answer.left_out.iter().find(|left_out| left_out.object == *object);
        left_out.unwrap_or_else(|| panic!("{object} is not told of")).to_string()
    };
    for (object, expect) in &cases {
        assert!(reason(object).contains(expect), "{}", reason(object));
    }
    assert!(reason(&otherwise_named).contains("is not called as a segment is"));
    assert_eq!((answer.left_out.len(), house.reader.unreadable()), (6, 6));
}

#[tokio::test]
async fn a_reader_reads_its_own_tenant_and_no_other() {
    let house = House::new();
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    let prefix = Path::from("some/prefix");
    let other = Tenant::new("default-2").expect("a name");
    let of = |pushes: Stream, samples: Stream| {
        let (pushes, samples) = (Source::new(pushes, None), Source::new(samples, None));
        Reader::new(Arc::clone(&house.store), pushes, samples, ReaderSettings::default())
    };
    let selection = Selection { matchers: vec![], start_ms: 0, end_ms: T0 * 2 };
    let own = of(Stream::pushes(&prefix, &other), Stream::samples(&prefix, &other));
    assert_eq!(own.select(&selection).await.expect("reads").found, []);
    let mixed = of(Stream::pushes(&prefix, &other), Stream::samples(&prefix, &Tenant::default()));
    let error = mixed.select(&selection).await.expect_err("another's");
    assert!(error.to_string().contains("the folder of the tenant"), "{error}");
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_when_an_object_is_merged_meanwhile() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let house = House::over(Arc::clone(&memory));
    house.push(Change::ReplaceGroup, &[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)]).await;
    let settings =
        ReaderSettings { whole_bytes_max: 0, cache_bytes_max: 0, batch_rows: 1, ..ReaderSettings::default() };
    let reader = reader(&house.store, settings);
    let matchers = vec![Matcher::new("__name__", MatchOp::Regex, "[a-d]").expect("parses")];
    let selection = Selection { matchers, start_ms: T0, end_ms: T0 };
    let mut stream = reader.stream(&selection, &NeededLabels::All);
    let mut names = Vec::new();
    while let Some(batch) = stream.next().await {
        names.extend(batch.expect("reads").iter().map(|series| series.labels.metric_name().to_owned()));
        if names.len() == 1 {
            // the same rows under another name
            let object = listed(&memory).await.remove(0);
            let bytes = memory.get(&object).await.expect("there").bytes().await.expect("whole");
            memory.delete(&object).await.expect("deleted");
            let name = SegmentName::parse(&object).expect("a segment");
            let again = SegmentName {
                stamped_us: name.stamped_us + 60_000_000,
                again_since: Some(crate::layout::Minute::of(name.stamped_us)),
                ..name
            };
            memory.put(&super::tests::stream().segment(&again), bytes.into()).await.expect("written");
        }
    }
    assert_eq!((names.join(" "), stream.finish().left_out), ("a b c d".to_owned(), vec![]));
}

#[tokio::test]
async fn a_segment_that_is_put_right_is_read_again() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let house = House::over(Arc::clone(&memory));
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    let object = listed(&memory).await.remove(0);
    let whole = memory.get(&object).await.expect("there").bytes().await.expect("whole");
    memory.put(&object, whole.slice(..10).into()).await.expect("written");
    let answer = house.reader.live(T0).await.expect("reads");
    assert_eq!((answer.found.len(), answer.left_out.len()), (0, 1));
    memory.put(&object, whole.into()).await.expect("written");
    let answer = house.reader.live(T0).await.expect("reads");
    assert_eq!((answer.found.len(), answer.left_out.len(), house.reader.unreadable()), (1, 0, 0));
}

#[tokio::test]
async fn what_is_on_disk_is_not_asked_for_again() {
    let house = House::new();
    // so many are written in pages
    let names: Vec<String> = (0..10_000).map(|index| format!("m{index:04}")).collect();
    let metrics: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    house.push(Change::ReplaceGroup, &metrics).await;
    let folder = tempfile::tempdir().expect("a folder");
    for whole_bytes_max in [1 << 20, 0] {
        let disk = Arc::new(DiskCache::open(&folder.path().join("cache"), 1 << 20).expect("opens"));
        // what they know is gone with them, as that of a process is
        let gets = async |name: &str| {
            let settings = ReaderSettings {
                whole_bytes_max,
                disk: Some(Arc::clone(&disk)),
                ..ReaderSettings::default()
            };
            let reader = reader(&house.store, settings);
            let selection =
                Selection { matchers: vec![Matcher::equal("__name__", name)], start_ms: T0, end_ms: T0 };
            let answer = reader.select(&selection).await.expect("reads");
            let values: Vec<f64> =
                answer.found.iter().flat_map(|series| series.steps.values.clone()).collect();
            disk.settled().await;
            (values, answer.usage.bytes)
        };
        let (values, bytes) = gets("m0007").await;
        assert_eq!(values, [1.0]);
        assert!(bytes > 0, "nothing was there yet");
        assert_eq!(gets("m0007").await, (vec![1.0], 0), "whole up to {whole_bytes_max} bytes");
        assert_eq!((disk.stats().damaged, disk.stats().failures), (0, 0));
    }
}

async fn listed(store: &Arc<dyn ObjectStore>) -> Vec<Path> {
    store.list(None).map_ok(|meta| meta.location).try_collect().await.expect("lists")
}

/// A Parquet file that somebody else has written.
fn foreign_parquet() -> Vec<u8> {
    let column: arrow_array::ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1, 2, 3]));
    let batch = arrow_array::RecordBatch::try_from_iter([("x", column)]).expect("a batch");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("closed")
}

#[tokio::test]
async fn an_object_that_goes_away_between_listing_and_reading_is_listed_again() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let gone = stream().segment(&SegmentName {
        stamped_us: 1,
        writer: 9,
        number: 0,
        from_us: 1,
        to_us: 1,
        rows: 1,
        checksum: 0,
        again_since: None,
    });
    memory.put(&gone, "merged meanwhile".into()).await.expect("written");
    let plan = {
        let (memory, gone) = (Arc::clone(&memory), gone.clone());
        move |operation, path: &Path| {
            if operation == Operation::Get && *path == gone {
                // somebody deletes it just before it is read
                futures::executor::block_on(memory.delete(&gone)).expect("deleted");
            }
            Fault::None
        }
    };
    let house = House::over(Arc::new(FaultyStore::new(Arc::clone(&memory), plan)));
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    assert_eq!(house.steps("a", T0, T0).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_and_too_many_segments_are_errors_that_say_so() {
    let plan = |operation, _: &Path| {
        if operation == Operation::List { Fault::Fail } else { Fault::None }
    };
    let house = House::over(Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan)));
    let error = house.reader.live(T0).await.expect_err("away");
    assert_eq!(error.kind(), ReadErrorKind::Unavailable);

    let house = House::new();
    house.push(Change::ReplaceGroup, &[("a", 1.0)]).await;
    house.push(Change::ReplaceGroup, &[("a", 2.0)]).await;
    let settings = ReaderSettings { segments_max: 1, ..ReaderSettings::default() };
    let reader = reader(&house.store, settings);
    let error = reader.live(T0).await.expect_err("too many");
    assert_eq!(error.kind(), ReadErrorKind::Limit);
    assert!(
        error.to_string().contains("2 segments, and no more than 1 are allowed, which is segments_max"),
        "{error}"
    );
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_may_be() {
    const MAX: usize = 3;
    let (gate, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let plan = {
        let (gate, asked) = (Arc::clone(&gate), Arc::clone(&asked));
        move |operation, path: &Path| {
            if operation != Operation::Get || !path.as_ref().ends_with(".parquet") {
                return Fault::None;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            Fault::Wait(Arc::clone(&gate))
        }
    };
    let house = House::over(Arc::new(FaultyStore::new(Arc::new(InMemory::new()), plan)));
    for value in 0..10 {
        house.push(Change::ReplaceGroup, &[("a", f64::from(value))]).await;
    }
    let reader = reader(&house.store, ReaderSettings { requests_max: MAX, ..ReaderSettings::default() });
    let answer = tokio::spawn(async move { reader.live(T0 + 1_000).await });
    for done in 0..10 {
        let asked = || asked.load(Ordering::SeqCst);
        until(|| asked() >= 10.min(done + MAX)).await;
        assert!(asked() <= done + MAX, "{} under way", asked() - done);
        gate.add_permits(1);
    }
    assert_eq!(answer.await.expect("runs").expect("reads").found.len(), 1);
}

fn samples(points: &[(i64, f64)]) -> Samples {
    let mut samples = Samples::default();
    points.iter().for_each(|(at_ms, value)| samples.push(T0 + at_ms, *value));
    samples
}

#[tokio::test]
async fn samples_are_found_by_time_and_the_later_write_wins() {
    let house = House::new();
    let stream = Stream::samples(&Path::from("some/prefix"), &Tenant::default());
    let start = |writer| {
        let clock = Arc::clone(&house.clock) as _;
        Writer::start(Arc::clone(&house.store), stream.clone(), clock, WriterSettings::of_writer(writer))
    };
    let labels = |name: &str| Labels::from_pairs([("__name__", name), ("job", "j")]);
    let batch = |series: Vec<(Labels, Samples)>| SampleBatch::of(series);
    let writer = start(1);
    writer
        .push(batch(vec![
            (labels("b"), samples(&[(0, 1.0), (10, 2.0)])),
            (labels("a"), samples(&[(5, 1.0)])),
        ]))
        .await
        .expect("written");
    writer
        .push(batch(vec![
            (labels("b"), samples(&[(10, 3.0), (20, 4.0)])),
            (labels("b"), samples(&[(5, 9.0), (20, 5.0)])),
        ]))
        .await
        .expect("written");
    house.push(Change::ReplaceGroup, &[("b", 7.0)]).await;

    let select = async |start_ms: i64, end_ms: i64| {
        let matchers = vec![Matcher::equal("job", "j")];
        let selection = Selection { matchers, start_ms: T0 + start_ms, end_ms: T0 + end_ms };
        house.reader.select(&selection).await.expect("reads").found
    };
    let found = select(0, 20).await;
    let names: Vec<_> = found.iter().map(|series| series.labels.metric_name()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(found[1].samples, samples(&[(0, 1.0), (5, 9.0), (10, 3.0), (20, 5.0)]));
    assert_eq!(found[1].steps.values, [7.0], "one series, pushed and with samples");
    assert_eq!(select(6, 10).await[0].samples, samples(&[(10, 3.0)]));
    assert_eq!(house.reader.stats().segments_fetched(), 3);
    assert_eq!(select(-20, -10).await, [], "neither held nor sampled yet");
}

#[tokio::test]
async fn groups_and_what_they_hold() {
    let house = House::new();
    let push = async |job: &str, change, names: &[&str], value| {
        let grouping = Labels::from_pairs([("job", job)]);
        let family = |name: &&str| {
            // the body's labels may say what another group's labels say too
            let labels = Labels::from_pairs([("__name__", *name), ("job", job), ("x", "1")]);
            let labels = if *name == "push_time_seconds" {
                Labels::from_pairs([("__name__", *name), ("job", job)])
            } else {
                labels
            };
            let series = vec![PushedSeries::float(labels, value)];
            let r#type = MetricType::Gauge;
            PushedFamily { name: (*name).into(), r#type, series, ..PushedFamily::default() }
        };
        let families = names.iter().map(family).collect();
        let ttl_us = (job == "k").then_some(60_000_000);
        let push = Push { ttl_us, ..Push::new(GroupKey::of(&grouping), change, families) };
        house.writer.push(push).await.expect("written");
        house.clock.advance_ms(1_000);
    };
    push("j", Change::ReplaceGroup, &["a", "b", "push_time_seconds"], 1.0).await;
    push("k", Change::ReplaceGroup, &["a", "push_time_seconds"], 2.0).await;
    push("j", Change::ReplaceFamilies, &["b", "push_time_seconds"], 3.0).await;
    push("gone", Change::ReplaceGroup, &["a", "push_time_seconds"], 4.0).await;
    push("gone", Change::Delete, &[], 0.0).await;
    // a failure time alone makes no group
    push("never", Change::ReplaceFamilies, &["push_failure_time_seconds"], 5.0).await;
    let live = house.reader.live_groups(T0 + 9_000).await.expect("reads").found;
    let shown: Vec<_> = live
        .iter()
        .map(|group| {
            assert_eq!(group.key, GroupKey::of(&group.labels));
            let family =
                |f: &HeldFamily| format!("{} {} {:?}", f.name, f.pushed_us - T0 * 1_000, f.series[0].1);
            let until_us = group.until_us.map(|until_us| until_us - T0 * 1_000);
            (group.labels.to_string(), until_us, group.families.iter().map(family).collect::<Vec<_>>())
        })
        .collect();
    let expect = [
        (
            r#"{job="j"}"#,
            None,
            vec!["a 0 Float(1.0)", "b 2000000 Float(3.0)", "push_time_seconds 2000000 Float(3.0)"],
        ),
        (
            r#"{job="k"}"#,
            Some(61_000_000),
            vec!["a 1000000 Float(2.0)", "push_time_seconds 1000000 Float(2.0)"],
        ),
    ];
    let expect = expect.map(|(labels, until_us, families)| {
        (labels.to_owned(), until_us, families.into_iter().map(str::to_owned).collect())
    });
    assert_eq!(shown, expect);
}

#[tokio::test]
async fn a_group_that_expired_is_gone() {
    let house = House::new();
    let labels = Labels::from_pairs([("__name__", "push_time_seconds"), ("job", "j")]);
    let family = PushedFamily {
        name: "push_time_seconds".into(),
        series: vec![PushedSeries::float(labels, 1.0)],
        ..PushedFamily::default()
    };
    let group = GroupKey::of(&Labels::from_pairs([("job", "j")]));
    let push = Push { ttl_us: Some(60_000_000), ..Push::new(group, Change::ReplaceGroup, vec![family]) };
    house.writer.push(push).await.expect("written");
    let count = async |at_ms: i64| house.reader.live_groups(T0 + at_ms).await.expect("reads").found.len();
    assert_eq!((count(59_999).await, count(60_000).await), (1, 0));
}
