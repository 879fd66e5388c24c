//! The values of a label are listed batch by batch: what is in memory at once are the values, and the series of a batch. Who asks for one of
//! them does not pay for each batch.
//! `make bench-store` measures the same with 2,000,000 values.
//!
//! One test only, because memory of the whole process is counted.

use std::sync::Arc;

use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use model::{
    Change, GroupKey, Labels, Matcher, MetricType, Push, PushedFamily, PushedSeries, Samples, Selection,
};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use peak_alloc::PeakAlloc;
use testkit::ManualClock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const START_MS: i64 = 1_760_000_000_000;

/// As many as a page of fingerprints has, and four times as many.
const FEW: usize = 16_384;
const MANY: usize = 4 * FEW;

/// A label may take as many bytes for each of its values: twice, as a value in a tree and in the answer, and its text.
const VALUE_BYTES: usize = 200;

/// A series for each value.
fn series(values: usize) -> impl Iterator<Item = Labels> {
    (0..values).map(|value| {
        let labels =
            [("__name__", "m".to_owned()), ("id", format!("value-{value:08}")), ("job", "j".to_owned())];
        Labels::from_pairs(labels)
    })
}

/// One sample of each.
fn batch(values: usize) -> SampleBatch {
    let mut samples = Samples::default();
    samples.push(START_MS, 1.0);
    SampleBatch::of(series(values).map(|labels| (labels, samples.clone())).collect())
}

/// One value of each, which is added to what is there.
fn push(values: usize) -> Push {
    let family = PushedFamily {
        name: "m".into(),
        r#type: MetricType::Counter,
        series: series(values).map(|labels| PushedSeries::float(labels, 1.0)).collect(),
        ..PushedFamily::default()
    };
    Push::new(GroupKey::of(&Labels::from_pairs([("job", "j")])), Change::Merge, vec![family])
}

/// So much of a file may be fetched for each of its values to find one of them: what matchers look at, once.
const FETCHED_BYTES: u64 = 20;

/// How much memory it takes to list so many values: of samples, or of what was pushed.
async fn listed(values: usize, pushed: bool) -> usize {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (prefix, tenant) = (Path::default(), Tenant::default());
    let (samples, pushes) = (Stream::samples(&prefix, &tenant), Stream::pushes(&prefix, &tenant));
    let clock = Arc::new(ManualClock::at_ms(START_MS));
    let settings = WriterSettings::of_writer(1);
    if pushed {
        let writer = Writer::start(Arc::clone(&store), pushes.clone(), clock, settings);
        writer.push(push(values)).await.expect("written");
        writer.close().await;
    } else {
        let writer = Writer::start(Arc::clone(&store), samples.clone(), clock, settings);
        writer.push(batch(values)).await.expect("written");
        writer.close().await;
    }
    let settings = ReaderSettings { cache_bytes_max: 0, batch_rows: 1 << 17, ..ReaderSettings::default() };
    let reader = Reader::new(store, Source::new(pushes, None), Source::new(samples, None), settings);
    let selection = Selection { matchers: vec![], start_ms: 0, end_ms: START_MS * 2 };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let found = reader.label_values("id", std::slice::from_ref(&selection)).await.expect("reads").found;
    assert_eq!(found.len(), values);
    assert_eq!(&*found[values - 1], format!("value-{:08}", values - 1));
    let peak = MEMORY.peak_usage() - before;
    let last = Matcher::equal("id", format!("value-{:08}", values - 1));
    let one = Selection { matchers: vec![Matcher::equal("__name__", "m"), last], ..selection };
    let answer = reader.select(&one).await.expect("reads");
    assert_eq!(answer.found.len(), 1);
    assert!(answer.usage.bytes <= values as u64 * FETCHED_BYTES, "{:?}", answer.usage);
    peak
}

#[tokio::test]
async fn listing_values_takes_a_batch_and_not_all_series() {
    for pushed in [false, true] {
        let (few, many) = (listed(FEW, pushed).await, listed(MANY, pushed).await);
        println!("{few} bytes for {FEW} values, {many} for {MANY}, pushed: {pushed}");
        let most = few + few / 2 + (MANY - FEW) * VALUE_BYTES;
        assert!(many <= most, "{few} bytes for {FEW} values, {many} for {MANY}: more than {most}");
    }
}
