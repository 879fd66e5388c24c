//! What a segment costs, in small: bytes of the file, and memory while it is made. `make bench-store` measures the same on
//! large sets.
//!
//! One test only, because memory of the whole process is counted.

use std::sync::Arc;

use futures::StreamExt;
use mayfly_store::{Entry, SampleBatch, Stream, Tenant, Writer, WriterSettings};
use model::{Change, Clock, GroupKey, Labels, MetricType, Push, PushedFamily, PushedSeries, Samples};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use peak_alloc::PeakAlloc;
use testkit::ManualClock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Numbers that look drawn and are always the same: SplitMix64.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("less than a u32")
    }
}

const START_MS: i64 = 1_760_000_000_000;

/// Series that are constant, count, or wander, with a sample each 15 s.
fn scrape_like() -> SampleBatch {
    let mut drawn = Drawn(1);
    let series = (0..400_u32).map(|i| {
        let labels = Labels::from_pairs([
            ("__name__", format!("node_metric_{:03}_total", i / 100)),
            ("device", format!("dev{}", i % 7)),
            ("instance", format!("10.0.0.{}:9100", i % 256)),
            ("job", "node".to_owned()),
        ]);
        let offset = i64::from(drawn.below(15_000));
        let mut value = drawn.below(1_000_000);
        let mut samples = Samples::default();
        for step in 0..480 {
            value += if i % 3 == 0 { 0 } else { drawn.below(50) };
            let value = if i % 3 == 1 { f64::from(value) } else { f64::from(value) / 100.0 };
            samples.push(START_MS + offset + step * 15_000, value);
        }
        (labels, samples)
    });
    SampleBatch::of(series.collect())
}

/// Five series of three samples of each of many instances.
fn short_lived() -> SampleBatch {
    let mut drawn = Drawn(2);
    let mut series = Vec::new();
    for i in 0..8_000 {
        let instance = format!("{:016x}{:016x}", drawn.next(), drawn.next());
        let start_ms = START_MS + i64::from(drawn.below(7_200_000));
        for metric in ["duration_seconds", "invocations_total", "errors_total", "last_success", "rows_total"]
        {
            let labels = Labels::from_pairs([
                ("__name__", format!("lambda_{metric}")),
                ("function", format!("fn-{}", i % 50)),
                ("instance", instance.clone()),
                ("job", format!("etl-{}", i % 200)),
            ]);
            let mut samples = Samples::default();
            let first = f64::from(drawn.below(1_000));
            for (after_ms, more) in [(0, 0.0), (1_000, 3.0), (2_500, 10.0)] {
                samples.push(start_ms + after_ms, first + more);
            }
            series.push((labels, samples));
        }
    }
    SampleBatch::of(series)
}

/// One push of many series with one value each.
fn large_push() -> Push {
    let series = (0..40_000).map(|i| {
        let labels = [
            ("__name__", "rows_total".to_owned()),
            ("job", "etl".to_owned()),
            ("table", format!("table-{i}")),
        ];
        PushedSeries::float(Labels::from_pairs(labels), f64::from(i % 1_000))
    });
    let family = PushedFamily {
        name: "rows_total".into(),
        r#type: MetricType::Gauge,
        help: "Rows.".into(),
        unit: "".into(),
        replaces: false,
        series: series.collect(),
    };
    Push {
        group: GroupKey::of(&Labels::from_pairs([("job", "etl")])),
        change: Change::ReplaceGroup,
        families: vec![family],
        ttl_us: None,
        retry_key: None,
        told_by: None,
    }
}

/// Bytes of the file, and memory at the most as a multiple of what the rows take.
async fn written<E: Entry>(entry: impl FnOnce() -> E) -> (u64, f64) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at_ms(START_MS));
    let stream = Stream::samples(&Path::default(), &Tenant::default());
    let writer = Writer::start(Arc::clone(&store), stream, clock, WriterSettings::of_writer(1));
    let before = MEMORY.current_usage();
    let entry = entry();
    let rows = MEMORY.current_usage() - before;
    MEMORY.reset_peak_usage();
    writer.push(entry).await.expect("is written");
    let most = MEMORY.peak_usage() - before;
    let object = store.list(None).next().await.expect("there is one").expect("is listed");
    writer.close().await;
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    (object.size, most as f64 / rows as f64)
}

#[tokio::test]
async fn segments_are_small_and_so_is_the_memory_to_make_them() {
    let (bytes, memory) = written(scrape_like).await;
    let scrape_like = (bytes, 400 * 480, memory);
    let (bytes, memory) = written(short_lived).await;
    let short_lived = (bytes, 8_000 * 5 * 3, memory);
    let (bytes, memory) = written(large_push).await;
    let large_push = (bytes, 40_000, memory);
    for (what, (bytes, rows, memory), bytes_per_row_max) in
        [("scrape-like", scrape_like, 2.0), ("short-lived", short_lived, 8.3), ("push", large_push, 15.0)]
    {
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let bytes_per_row = bytes as f64 / f64::from(rows);
        println!("{what}: {bytes_per_row:.2} bytes per row, {memory:.2} times the memory of the rows");
        assert!(bytes_per_row <= bytes_per_row_max, "{what}: {bytes_per_row:.2} bytes per row");
        assert!(memory <= 3.0, "{what}: {memory:.2} times the memory of the rows");
    }
}
