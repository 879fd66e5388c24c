//! A query that is stopped gives its memory back.
//!
//! One test only, because the memory of the whole process is counted.

use std::alloc::System;
use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::{Engine, QueryOptions, SeriesSource, Settings, SourceError, SourceNotes, Times};
use model::{Labels, Selection, Series};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use testkit::ManualClock;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// 500 series of 100 samples.
struct Many;

#[async_trait]
impl SeriesSource for Many {
    async fn select(&self, _selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let series = (0..500).map(|nth: i32| {
            let labels = Labels::from_pairs([("__name__", "x".to_owned()), ("nth", nth.to_string())]);
            let mut series = Series { labels, ..Series::default() };
            (0..100).for_each(|at| series.samples.push(at * 1_000, f64::from(nth)));
            series
        });
        Ok(series.collect())
    }
}

const TIMES: Times = Times::Range { start_ms: 0, end_ms: 100_000, step_ms: 250 };

/// Runs a query that is to fail while it is executed, and measures what stays in memory after it.
async fn stays(engine: &Engine, text: &str, stop: impl FnOnce(), expect: &str) -> usize {
    let expr = engine.parse(text).expect(text);
    let before = Region::new(ALLOCATOR);
    {
        let loaded = engine.load(&Many, &expr, TIMES, QueryOptions::default()).await.expect(text);
        assert!(before.change().bytes_allocated > 500_000, "the data are counted");
        stop();
        let error = loaded.execute().expect_err(text);
        assert!(error.to_string().contains(expect), "{text}: {error}");
    }
    let change = before.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

#[tokio::test]
async fn a_stopped_query_gives_its_memory_back() {
    for threads in [1, 3] {
        let clock = Arc::new(ManualClock::at_ms(0));
        let engine = |settings| Engine::new(Settings { threads, ..settings }, clock.clone());
        let few_samples = engine(Settings { samples_max: 150_000, ..Settings::default() });
        let few_bytes = engine(Settings { bytes_max: 2_000_000, ..Settings::default() });
        let any = engine(Settings::default());
        let advance = || clock.advance_ms(Settings::default().timeout_ms + 1);
        let late = "query timed out in expression evaluation";
        for text in ["x", "rate(x[10s])", "sort(x + x)", "topk(3, x)"] {
            // the least of several rounds: some things are made once, and the threads of the test harness allocate too
            let mut least = [usize::MAX; 3];
            for _ in 0..3 {
                let stay = [
                    stays(&few_samples, text, || {}, "too many samples").await,
                    stays(&few_bytes, text, || {}, "bytes_max, 2000000 bytes").await,
                    stays(&any, text, advance, late).await,
                ];
                least.iter_mut().zip(stay).for_each(|(least, stay)| *least = stay.min(*least));
            }
            assert!(
                least.iter().all(|&bytes| bytes < 1_000),
                "{text}, {threads} threads: {least:?} bytes stay"
            );
        }
    }
}
