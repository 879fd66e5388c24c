//! `make bench-promql`: how long expressions take to parse, and how many samples per second of processor time the
//! engine evaluates.
#![expect(clippy::print_stdout, reason = "figures are for people")]

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use mayfly_bench::measure::timed;
use mayfly_bench::queries::{EXPRESSIONS, INTERVAL_MS, InMemory, SAMPLES, SHAPES, START_MS};
use model::{Clock, Selection};
use query::{Engine, QueryOptions, SeriesSource, Settings, SourceNotes, Times, Value};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Nothing here may time out.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now_us(&self) -> i64 {
        0
    }
}

/// Instances, of which each has 22 series.
const INSTANCES: usize = 250;
const STEP_MS: i64 = 60_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| name.contains(wanted));
    let engine = Engine::new(Settings::default(), Arc::new(Stopped));
    if is_wanted("parse") {
        parsing(&engine)?;
    }
    println!(
        "\n| shape | query | samples read | M samples/s | points/s | allocations per series |\n|---|---|---|---|---|---|"
    );
    let source = InMemory::of_instances(INSTANCES);
    for shape in SHAPES.iter().filter(|shape| is_wanted(shape.name)) {
        evaluation(&engine, &source, shape.name, shape.text).await?;
    }
    Ok(())
}

/// The least of several times that `work` took, which is the one with the fewest interruptions.
fn least(rounds: usize, mut work: impl FnMut()) -> Duration {
    (0..rounds).map(|_| timed(&mut work).1).min().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn parsing(engine: &Engine) -> anyhow::Result<()> {
    const REPEATS: usize = 1_000;
    println!("| expression | µs to parse |\n|---|---|");
    let mut total = 0.0;
    for text in EXPRESSIONS {
        let time = least(9, || {
            for _ in 0..REPEATS {
                std::hint::black_box(engine.parse(std::hint::black_box(text))).ok();
            }
        });
        let us = time.as_secs_f64() * 1e6 / REPEATS as f64;
        total += us;
        println!("| `{text}` | {us:.2} |");
    }
    println!("| mean | {:.2} |", total / EXPRESSIONS.len() as f64);
    for terms in [1_000, 10_000, 100_000] {
        let chain = vec!["some_metric"; terms].join(" + ");
        engine.parse(&chain)?;
        let time = least(5, || {
            std::hint::black_box(engine.parse(std::hint::black_box(&chain))).ok();
        });
        let (ms, per_term) = (time.as_secs_f64() * 1e3, time.as_secs_f64() * 1e9 / terms as f64);
        println!("| a chain of {terms} terms | {:.0} ({ms:.1} ms, {per_term:.0} ns per term) |", ms * 1e3);
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn evaluation(engine: &Engine, source: &InMemory, name: &str, text: &str) -> anyhow::Result<()> {
    let expr = engine.parse(text)?;
    let times = Times::Range {
        start_ms: START_MS + 600_000,
        end_ms: START_MS + SAMPLES * INTERVAL_MS,
        step_ms: STEP_MS,
    };
    let mut best = Duration::MAX;
    let (mut points, mut allocations) = (0, 0);
    for _ in 0..5 {
        let loaded = engine.load(source, &expr, times, QueryOptions::default()).await?;
        let region = Region::new(ALLOCATOR);
        let (outcome, time) = timed(|| loaded.execute());
        let change = region.change();
        allocations = change.allocations + change.reallocations;
        best = best.min(time);
        points = match outcome?.value {
            Value::Matrix(series) => series.iter().map(|series| series.floats.len()).sum(),
            other => anyhow::bail!("{text} gives {other:?}"),
        };
    }
    let (series, samples) = read(source, text).await?;
    let per_s = |count: usize| count as f64 / best.as_secs_f64() / 1e6;
    println!(
        "| {name} | `{text}` | {:.2} M | {:.1} | {:.1} M | {:.1} |",
        samples as f64 / 1e6,
        per_s(samples),
        per_s(points),
        allocations as f64 / series as f64
    );
    Ok(())
}

/// How many series and samples a query reads.
async fn read(source: &InMemory, text: &str) -> anyhow::Result<(usize, usize)> {
    let (mut all, mut samples) = (0, 0);
    for name in ["requests_total", "errors_total", "latency_seconds_bucket", "build_info", "runs_total"] {
        if text.contains(name) {
            let matchers = vec![model::Matcher::equal("__name__", name)];
            let selection = Selection { matchers, start_ms: 0, end_ms: i64::MAX };
            let series = source.select(&selection, &SourceNotes::default()).await?;
            all += series.len();
            samples += series.iter().map(|series| series.samples.len() + series.steps.len()).sum::<usize>();
        }
    }
    Ok((all, samples))
}
