//! Random queries over random data, by the engine and by a slow evaluator of the same meaning.
//!
//! `MAYFLY_ORACLE_SEED=N` repeats one seed and shows every query; `MAYFLY_ORACLE_SEEDS=N` asks more of them.

use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::syntax::Options;
use mayfly_query::{Engine, SeriesSource, Settings, SourceError, SourceNotes};
use model::{Selection, Series, Value};
use oracle::{Data, Dialect, Oracle, Queries, difference, generate, rows, scraped};
use testkit::ManualClock;

/// All data for every selection, cut to its time as a storage would.
struct Everything(Vec<Series>);

#[async_trait]
impl SeriesSource for Everything {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let matching = self.0.iter().filter(|series| selection.matches(&series.labels));
        let cut = matching.map(|series| {
            let mut cut = Series { labels: series.labels.clone(), ..Series::default() };
            let samples = &series.samples;
            for (index, &time) in samples.timestamps_ms.iter().enumerate() {
                if (selection.start_ms..=selection.end_ms).contains(&time) {
                    cut.samples.push_value(
                        time,
                        &match samples.histograms.get(index) {
                            Some(Some(histogram)) => Value::Histogram(Arc::clone(histogram)),
                            _ => Value::Float(samples.values[index]),
                        },
                    );
                }
            }
            let steps = &series.steps;
            for step in 0..steps.len() {
                if steps.from_ms[step] <= selection.end_ms && selection.start_ms < steps.until_ms[step] {
                    cut.steps.push(steps.from_ms[step], steps.until_ms[step], steps.values[step]);
                    *cut.steps.from_zero.last_mut().expect("one was pushed") = steps.from_zero[step];
                }
            }
            cut
        });
        Ok(cut.filter(|series| !series.samples.is_empty() || !series.steps.is_empty()).collect())
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

const START_MS: i64 = 1_700_000_000_000;
const LENGTH_MS: i64 = 30 * 60_000;
const QUERIES_PER_SEED: usize = 60;

/// What one seed came to.
#[derive(Default)]
struct Tally {
    values: usize,
    empty: usize,
    errors: usize,
    /// Queries with different results, and how they differ.
    wrong: Vec<String>,
}

async fn compare(seed: u64, tally: &mut Tally, shown: bool) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let data = Data {
        start_ms: START_MS,
        length_ms: LENGTH_MS,
        stale_markers: rng.bool(),
        pushed: true,
        native: seed % 2 == 1,
        infos: true,
    };
    let mut series = generate(&mut rng, data);
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    // every third seed reads pushes as if they had been scraped
    let as_scraped_ms = seed.is_multiple_of(3).then_some(15_000);
    // every fourth two look at names that go away late only
    let delayed_name_removal = seed % 4 > 1;
    let settings =
        Settings { as_scraped_ms, delayed_name_removal, syntax: Options::all(), ..Settings::default() };
    let seen = match as_scraped_ms {
        Some(interval_ms) => scraped(&series, interval_ms, START_MS + 3 * LENGTH_MS),
        None => series.clone(),
    };
    let slow = Oracle {
        series: &seen,
        lookback_ms: settings.lookback_ms,
        hold_interval_ms: settings.hold_interval_ms,
        subquery_step_ms: settings.subquery_step_ms,
        delayed_names: delayed_name_removal,
    };
    let engine = Engine::new(settings, Arc::new(ManualClock::at_ms(0)));
    let source = Everything(series);
    let dialect = Dialect {
        experimental: true,
        extended: true,
        pushed: true,
        native: data.native,
        start_ms: START_MS,
        length_ms: LENGTH_MS,
    };
    let mut queries = Queries::new(rng.u64(..), dialect);
    for number in 0..QUERIES_PER_SEED {
        let text = queries.query();
        let at_ms = START_MS + rng.i64(-60_000..LENGTH_MS + 600_000);
        let step_ms = *rng.choice(&[13_000, 30_000, 60_000]).expect("some");
        // a series that is grouped by its name, or comes from either side, loses the name at all times or at none, and the oracle
        // sees one time only
        let depends = delayed_name_removal && [" or ", "by (__name__"].iter().any(|part| text.contains(part));
        let range = number % 2 == 1 && !depends;
        if shown {
            eprintln!("{text} at {at_ms} step {step_ms} range {range}");
        }
        let expr = engine.parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {text}: {error}"));
        let end_ms = at_ms + 7 * step_ms;
        let (fast, slow) = if range {
            (
                engine.range(&source, &expr, at_ms, end_ms, step_ms).await,
                slow.range(&expr, at_ms, end_ms, step_ms),
            )
        } else {
            (engine.instant(&source, &expr, at_ms).await, slow.instant(&expr, at_ms))
        };
        let what = format!(
            "MAYFLY_ORACLE_SEED={seed}: query {number}, range {range}, at {at_ms}, step {step_ms}: {text}"
        );
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => {
                let fast = rows(&fast.value);
                tally
                    .wrong
                    .extend(difference(&fast, &slow).map(|difference| format!("{what}\n  {difference}")));
                if slow.is_empty() { tally.empty += 1 } else { tally.values += 1 }
            }
            (Err(_), Err(_)) => tally.errors += 1,
            (Ok(_), Err(error)) => tally.wrong.push(format!("{what}\n  only the oracle fails: {error:?}")),
            (Err(error), Ok(_)) => tally.wrong.push(format!("{what}\n  only the engine fails: {error}")),
        }
    }
}

#[tokio::test]
async fn the_engine_gives_what_the_oracle_gives() {
    let mut tally = Tally::default();
    if let Some(seed) = variable("MAYFLY_ORACLE_SEED") {
        compare(seed, &mut tally, true).await;
        assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
        return;
    }
    let seeds = variable("MAYFLY_ORACLE_SEEDS").unwrap_or(150);
    for seed in 0..seeds {
        compare(seed, &mut tally, false).await;
    }
    let shown: Vec<&str> = tally.wrong.iter().map(String::as_str).take(20).collect();
    assert!(shown.is_empty(), "{} differ, the first of them:\n{}", tally.wrong.len(), shown.join("\n"));
    // queries that mostly fail or find nothing would show little
    let Tally { values, empty, errors, .. } = tally;
    assert!(values > (values + empty + errors) / 2, "{values} with values, {empty} without, {errors} failed");
}
