//! Loops over time allocate nothing: how often a query asks for memory does not depend on how many times it asks for.
//!
//! One test only, because allocations of the whole process are counted.

use std::alloc::System;
use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::{Engine, QueryOptions, SeriesSource, Settings, SourceError, SourceNotes, Times, Value};
use model::{Labels, Selection, Series};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use testkit::ManualClock;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const END_MS: i64 = 6_000_000;

struct Fixed(Vec<Series>);

#[async_trait]
impl SeriesSource for Fixed {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.0.iter().filter(|series| selection.matches(&series.labels)).cloned().collect())
    }
}

/// Counters that are scraped and start anew now and then, and one that is pushed, each 20 times.
fn source() -> Fixed {
    let mut all = Vec::new();
    for nth in 0..20 {
        let labels = |name: &str| {
            let instance = format!("i{nth}");
            Labels::from_pairs([
                ("__name__", name),
                ("instance", instance.as_str()),
                ("job", if nth % 2 == 0 { "a" } else { "b" }),
            ])
        };
        for name in ["x_total", "y_total"] {
            let mut series = Series { labels: labels(name), ..Series::default() };
            (0..=END_MS / 10_000).for_each(|at| {
                let value = f64::from(i32::try_from(at * (nth + 1) % 97).expect("small"));
                series.samples.push(at * 10_000 + nth, value);
            });
            all.push(series);
        }
        let mut pushed = Series { labels: labels("pushed_total"), ..Series::default() };
        (0..10).for_each(|at| {
            pushed.steps.push(at * 600_000, (at + 1) * 600_000, f64::from(i32::try_from(at).expect("small")));
        });
        all.push(pushed);
    }
    Fixed(all)
}

/// How often evaluating a query at `steps` times asks for memory: the least of several rounds, because the threads of the
/// test harness ask too.
async fn allocations(engine: &Engine, source: &Fixed, text: &str, steps: i64) -> usize {
    let mut least = usize::MAX;
    for _ in 0..5 {
        least = least.min(one_round(engine, source, text, steps).await);
    }
    least
}

async fn one_round(engine: &Engine, source: &Fixed, text: &str, steps: i64) -> usize {
    let expr = engine.parse(text).expect(text);
    let step_ms = END_MS / steps;
    let times = Times::Range { start_ms: 300_000, end_ms: END_MS, step_ms };
    let loaded = engine.load(source, &expr, times, QueryOptions::default()).await.expect(text);
    let region = Region::new(ALLOCATOR);
    let outcome = loaded.execute().expect(text);
    let change = region.change();
    let Value::Matrix(series) = outcome.value else { panic!("{text}: no matrix") };
    let points = series.iter().map(|series| series.floats.len()).max();
    assert!(points >= usize::try_from(steps / 2).ok(), "{text} finds {points:?} points at {steps} times");
    change.allocations + change.reallocations
}

#[tokio::test]
async fn loops_over_time_allocate_nothing() {
    let engine = Engine::new(Settings::default(), Arc::new(ManualClock::at_ms(0)));
    let source = source();
    let mut worse = Vec::new();
    for text in [
        "x_total",
        "rate(x_total[5m])",
        "increase(x_total[5m])",
        "irate(x_total[5m])",
        "max_over_time(x_total[5m])",
        "avg_over_time(x_total[5m])",
        "sum(x_total)",
        "sum by (job) (rate(x_total[5m]))",
        "avg(x_total)",
        "max by (job) (x_total)",
        "count(x_total)",
        "stddev(x_total)",
        "x_total * 2 + 1",
        "x_total >= bool 0",
        "x_total >= 0",
        "-x_total",
        "abs(x_total)",
        "x_total + y_total",
        "x_total >= y_total - 1000",
        "x_total * on (instance) group_left () y_total",
        "x_total and y_total",
        "pushed_total",
        "increase(pushed_total[5m])",
        "avg_over_time(pushed_total[5m])",
        "sum by (job) (rate(pushed_total[5m]))",
    ] {
        let few = allocations(&engine, &source, text, 100).await;
        let many = allocations(&engine, &source, text, 5_000).await;
        println!("{text}: {few} at 100 times, {many} at 5,000");
        if many > few {
            worse.push(format!("{text}: {few} at 100 times, {many} at 5,000"));
        }
    }
    assert!(worse.is_empty(), "allocations grow with the number of times: {worse:#?}");
}
