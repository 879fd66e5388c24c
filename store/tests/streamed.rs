//! A stream of series holds a batch in memory, and not all of them.
//!
//! One test only, because memory of the whole process is counted.

use std::sync::Arc;

use mayfly_store::{Reader, ReaderSettings, SampleBatch, Source, Stream, Tenant, Writer, WriterSettings};
use model::{Labels, NeededLabels, Samples, Selection};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use peak_alloc::PeakAlloc;
use testkit::ManualClock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const START_MS: i64 = 1_760_000_000_000;
const SAMPLES: i64 = 250;
const SERIES: usize = 500;
const METRICS: usize = 8;

fn batch() -> SampleBatch {
    let series = (0..METRICS * SERIES).map(|i| {
        let labels = Labels::from_pairs([
            ("__name__", format!("metric_{}", i % METRICS)),
            ("instance", format!("10.0.{}.{}", i / METRICS / 100, i / METRICS % 100)),
            ("job", "node".to_owned()),
        ]);
        let mut samples = Samples::default();
        (0..SAMPLES).for_each(|step| samples.push(START_MS + step * 15_000, step as f64));
        (labels, samples)
    });
    SampleBatch::of(series.collect())
}

#[tokio::test]
async fn a_stream_holds_a_batch_and_not_all() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (prefix, tenant) = (Path::default(), Tenant::default());
    let samples = Stream::samples(&prefix, &tenant);
    let clock = Arc::new(ManualClock::at_ms(START_MS));
    let writer = Writer::start(Arc::clone(&store), samples.clone(), clock, WriterSettings::of_writer(1));
    writer.push(batch()).await.expect("written");
    writer.close().await;
    drop(writer);
    let settings = ReaderSettings {
        cache_bytes_max: 0,
        whole_bytes_max: 0,
        batch_rows: 20_000,
        ..ReaderSettings::default()
    };
    let pushes = Source::new(Stream::pushes(&prefix, &tenant), None);
    let reader = Reader::new(store, pushes, Source::new(samples, None), settings);
    let selection = Selection { matchers: vec![], start_ms: 0, end_ms: START_MS * 2 };

    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let all = reader.select(&selection).await.expect("reads").found;
    let rows: usize = all.iter().map(|series| series.samples.len()).sum();
    assert_eq!((all.len(), rows), (METRICS * SERIES, METRICS * SERIES * SAMPLES as usize));
    let of_all = MEMORY.peak_usage() - before;
    drop(all);

    MEMORY.reset_peak_usage();
    let (mut stream, mut found, mut batches) = (reader.stream(&selection, &NeededLabels::All), 0, 0);
    while let Some(batch) = stream.next().await {
        found += batch.expect("reads").iter().map(|series| series.samples.len()).sum::<usize>();
        batches += 1;
    }
    let of_stream = MEMORY.peak_usage() - before;
    assert_eq!(found, rows);
    // pages are not divided, and one of names that are few has up to 131,072 rows
    assert!(batches >= 4, "{batches} batches");
    assert!(of_stream * 2 < of_all, "{of_stream} bytes at most, and {of_all} for all at once");
}
