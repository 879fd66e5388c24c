//! Files of format 1 stay readable: `format-1/` holds some that were written once, and what they say.
//!
//! As long as nothing was released, a change of the format writes them anew:
//! `cargo test -p mayfly-store --test format_1 -- --ignored`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use model::{
    Change, GroupKey, Histogram, Labels, Matcher, Merge, MetricType, OPEN_END_MS, Push, PushedFamily,
    PushedSeries, RetryKey, Samples, Selection, Series, Span,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use testkit::ManualClock;

const T0: i64 = 1_795_391_160_000;

fn folder() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1")
}

fn pushes() -> Stream {
    Stream::pushes(&Path::default(), &Tenant::default())
}

fn samples() -> Stream {
    Stream::samples(&Path::default(), &Tenant::default())
}

fn family(name: &str, r#type: MetricType, series: Vec<PushedSeries>) -> PushedFamily {
    let help = format!("About {name}.").into();
    PushedFamily { name: name.into(), r#type, help, unit: "rows".into(), replaces: false, series }
}

fn float(name: &str, labels: &[(&str, &str)], value: f64) -> PushedSeries {
    let labels = labels.iter().copied().chain([("__name__", name), ("job", "j")]);
    PushedSeries::float(Labels::from_pairs(labels), value)
}

fn histogram(name: &str, buckets: &[(&str, f64)], sum: f64) -> PushedFamily {
    let bucket = |(bound, count): &(&str, f64)| {
        float(&format!("{name}_bucket"), &[("le", bound)], *count).merging(Merge::Add)
    };
    let mut series: Vec<PushedSeries> = buckets.iter().map(bucket).collect();
    series.push(float(&format!("{name}_sum"), &[], sum).merging(Merge::Add));
    let count = buckets.last().map_or(0.0, |(_, count)| *count);
    series.push(float(&format!("{name}_count"), &[], count).merging(Merge::Add));
    family(name, MetricType::Histogram, series)
}

fn native(name: &str, schema: i8, count: f64) -> PushedFamily {
    let native = Histogram {
        schema,
        count,
        sum: -count,
        positive_spans: vec![Span { offset: -1, length: 1 }],
        positive_counts: vec![count],
        ..Histogram::default()
    };
    let labels = Labels::from_pairs([("__name__", name), ("job", "j"), ("é.x", "ü")]);
    let series = PushedSeries::histogram(labels, Arc::new(native)).merging(Merge::Add);
    family(name, MetricType::Histogram, vec![series])
}

/// What happens, one second after the other.
fn story() -> Vec<Push> {
    let group = GroupKey::of(&Labels::from_pairs([("job", "j")]));
    let gauge = |value| family("g", MetricType::Gauge, vec![float("g", &[("Zone", "a")], value)]);
    let least = family("least", MetricType::Gauge, vec![float("least", &[], 3.0).merging(Merge::Min)]);
    let total = |value| {
        let series =
            PushedSeries { start_us: Some(T0 * 1_000), ..float("c_total", &[], value).merging(Merge::Add) };
        family("c_total", MetricType::Counter, vec![series])
    };
    let merge = |families| Push::new(group, Change::Merge, families);
    let key = |push, key| Push { retry_key: Some(RetryKey { key, body: 1 }), ..push };
    vec![
        Push::new(group, Change::ReplaceGroup, vec![gauge(f64::NAN)]),
        Push::new(group, Change::ReplaceFamilies, vec![gauge(2.0)]),
        key(merge(vec![total(5.0), least.clone(), histogram("h", &[("1.0", 1.0), ("+Inf", 2.0)], 4.0)]), 7),
        key(merge(vec![total(5.0)]), 7),
        key(merge(vec![total(1.0), histogram("h", &[("2.0", 2.0), ("+Inf", 2.0)], 3.0)]), 8),
        merge(vec![native("n", 1, 1.0)]),
        Push { ttl_us: Some(5_000_000), ..merge(vec![native("n", 0, 2.0)]) },
        Push { ttl_us: Some(1_500_000), ..merge(vec![PushedFamily { replaces: true, ..gauge(9.0) }]) },
        merge(vec![least]),
        merge(vec![total(2.0)]),
        Push::new(group, Change::Delete, vec![]),
        merge(vec![total(3.0)]),
        Push::new(group, Change::Wipe, vec![]),
    ]
}

async fn write(store: &Arc<dyn ObjectStore>) {
    let clock = Arc::new(ManualClock::at_ms(T0));
    let settings = WriterSettings::of_writer(0xabc);
    let writer = Writer::start(Arc::clone(store), pushes(), Arc::clone(&clock) as _, settings.clone());
    for pushes in story().chunks(9) {
        // what is asked for at once shares a file
        let mut answers = Vec::new();
        for push in pushes {
            clock.advance_ms(1_000);
            let mut answer = Box::pin(writer.push(push.clone()));
            assert!(futures::poll!(&mut answer).is_pending());
            answers.push(answer);
        }
        futures::future::try_join_all(answers).await.expect("written");
    }
    let writer: Writer<SampleBatch> = Writer::start(Arc::clone(store), samples(), clock as _, settings);
    let mut up = Samples::default();
    (0..10).for_each(|i| up.push(T0 + 15_000 * i, 1.0));
    up.start_ms = vec![T0; 10];
    let labels = Labels::from_pairs([("__name__", "up"), ("instance", "i")]);
    writer.push(SampleBatch::of(vec![(labels, up)])).await.expect("written");
}

/// All that a reader finds, one series to a line.
async fn read(store: Arc<dyn ObjectStore>) -> String {
    let reader = Reader::new(
        store,
        Source::new(pushes(), None),
        Source::new(samples(), None),
        ReaderSettings::default(),
    );
    let any = vec![Matcher::new("__name__", model::MatchOp::Regex, ".+").expect("a pattern")];
    let selection = Selection { matchers: any, start_ms: 0, end_ms: T0 + 1_000_000 };
    let mut text = String::new();
    for series in reader.select(&selection).await.expect("reads").found {
        writeln!(text, "{}: {}", series.labels, show(&series)).expect("a text");
    }
    for family in reader.live(T0 + 9_000).await.expect("reads").found {
        writeln!(text, "{} {:?} {}", family.name, family.metadata, family.series.len()).expect("a text");
    }
    text
}

fn show(series: &Series) -> String {
    let steps = &series.steps;
    let value = |values: &[f64], histograms: &[Option<Arc<Histogram>>], i: usize| match histograms
        .get(i)
        .and_then(Option::as_ref)
    {
        Some(h) => format!("{}/{}/{}/{:?}", h.schema, h.count, h.sum, h.positive_counts),
        None => values[i].to_string(),
    };
    let step = |i: usize| {
        let growth = if steps.from_zero[i] { "^" } else { "" };
        let until = steps.until_ms[i];
        let until = if until == OPEN_END_MS { String::new() } else { (until - T0).to_string() };
        format!("{}..{until} {growth}{}", steps.from_ms[i] - T0, value(&steps.values, &steps.histograms, i))
    };
    let samples = &series.samples;
    let sample = |i: usize| {
        format!("{} {}", samples.timestamps_ms[i] - T0, value(&samples.values, &samples.histograms, i))
    };
    (0..steps.len()).map(step).chain((0..samples.len()).map(sample)).collect::<Vec<_>>().join(", ")
}

/// The objects of the folder in a store.
async fn stored() -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    let (root, mut folders) = (folder(), vec![folder()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let name = path.strip_prefix(&root).expect("in the folder").to_string_lossy().into_owned();
                let bytes = fs::read(&path).expect("readable");
                store.put(&Path::from(name), bytes.into()).await.expect("put");
            }
        }
    }
    Arc::new(store)
}

#[tokio::test]
async fn files_of_format_1_say_what_they_said() {
    let expect = fs::read_to_string(folder().join("expect.txt")).expect("readable");
    assert_eq!(read(stored().await).await, expect);
}

#[tokio::test]
#[ignore = "writes what the other test reads: only for a change of a format that was not released"]
async fn write_the_files_anew() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    write(&store).await;
    if folder().exists() {
        fs::remove_dir_all(folder()).expect("removed");
    }
    let mut objects = store.list(None);
    while let Some(object) = objects.next().await {
        let location = object.expect("listed").location;
        let file = folder().join(location.as_ref());
        fs::create_dir_all(file.parent().expect("a folder")).expect("created");
        let bytes = store.get(&location).await.expect("there").bytes().await.expect("read");
        fs::write(file, bytes).expect("written");
    }
    fs::write(folder().join("expect.txt"), read(store).await).expect("written");
}
