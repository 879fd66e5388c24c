//! What compaction takes of memory does not grow with what is compacted. `make bench-store` measures the same on a large day.
//!
//! One test only, because memory of the whole process is counted.

use std::sync::Arc;
use std::time::Duration;

use mayfly_store::{CompactSettings, Compactor, Progress, Stream, Tenant, Writer, WriterSettings};
use model::{Change, GroupKey, Labels, MetricType, Push, PushedFamily, PushedSeries};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use peak_alloc::PeakAlloc;
use testkit::ManualClock;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The beginning of a UTC day, long after now, so that whatever the store has is old.
const START_MS: i64 = 1_921_622_400_000;
const DAY_MS: i64 = 86_400_000;

const GROUPS: u32 = 20;
const PUSHES_PER_SEGMENT: u32 = 60;

/// Five series of one of the groups.
fn push(number: u32) -> Push {
    let job = format!("job-{}", number % GROUPS);
    let series = |index: u32| {
        let name = format!("metric_{index}");
        let labels = Labels::from_pairs([("__name__", name.clone()), ("job", job.clone())]);
        let series = vec![PushedSeries::float(labels, f64::from(number * 7 + index) / 3.0)];
        PushedFamily { name: name.into(), r#type: MetricType::Gauge, series, ..PushedFamily::default() }
    };
    let group = GroupKey::of(&Labels::from_pairs([("job", job.clone())]));
    Push::new(group, Change::ReplaceGroup, (0..5).map(series).collect())
}

/// Compacts a day of so many segments; gives what was done, and what memory it took beyond what is in the store in the end.
async fn compacted(segments: u32) -> (Progress, usize) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let clock = Arc::new(ManualClock::at_ms(START_MS));
    let stream = Stream::pushes(&Path::default(), &Tenant::default());
    for segment in 0..segments {
        let settings = WriterSettings::of_writer(u64::from(segment) + 1);
        let writer = Writer::start(Arc::clone(&store), stream.clone(), Arc::clone(&clock) as _, settings);
        let pushes = (0..PUSHES_PER_SEGMENT).map(|push_| push(segment * PUSHES_PER_SEGMENT + push_));
        let pushes: Vec<_> = pushes.map(|push| writer.submit(push).expect("is taken")).collect();
        for push in pushes {
            push.durable().await.expect("is stored");
        }
        writer.close().await;
        clock.advance_ms(DAY_MS / i64::from(segments));
    }
    clock.advance_ms(DAY_MS / 24);
    let settings = CompactSettings {
        step_rows_max: 1_000,
        round_rows: 1_000,
        file_bytes_max: 32 << 10,
        sweep_interval: Duration::MAX,
        ..CompactSettings::of_holder(1)
    };
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let compactor = Compactor::of_pushes(store, stream, settings, clock);
    let mut done = Progress::default();
    loop {
        let progress = compactor.tick().await.expect("ticks");
        done.add(&progress);
        if !progress.is_behind {
            break;
        }
    }
    let stored = usize::try_from(done.written_bytes).expect("fits");
    (done, (MEMORY.peak_usage() - before).saturating_sub(stored))
}

#[tokio::test]
async fn memory_does_not_grow_with_the_day() {
    let (of_few, few) = compacted(96).await;
    let (of_many, many) = compacted(96 * 4).await;
    assert_eq!((of_few.segments, of_many.segments), (96, 96 * 4));
    assert!(of_many.rows >= 4 * of_few.rows * 9 / 10, "{of_few:?} {of_many:?}");
    assert!(of_few.frames == 1 && of_many.frames == 1, "{of_few:?} {of_many:?}");
    println!("{few} bytes for {} rows, {many} for {}", of_few.rows, of_many.rows);
    // held as a whole it would be four times as much
    assert!(many <= few + few / 2, "{few} bytes for {} rows, {many} for {}", of_few.rows, of_many.rows);
}
