//! Answers to range queries where results are kept, and where they are not: of dashboards that are refreshed over a store in which
//! samples come late, pushes come, are replaced and end, files are merged and series deleted.
//!
//! `MAYFLY_RESULTS_SEED=N` repeats one seed and shows what it does; `MAYFLY_RESULTS_SEEDS=N` plays more of them.

mod world;

use std::fmt::Write as _;

use fastrand::Rng;
use oracle::{Dialect, Queries};
use world::{LENGTH_MS, START_MS, World};

#[expect(clippy::disallowed_methods, reason = "a test is an edge")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// A panel of a dashboard.
struct Panel {
    query: String,
    step_ms: i64,
    /// How many steps it shows.
    steps: i64,
}

/// What groups, picks, joins and adds up is asked of many series in any case: there the order of sums shows, to the last bit.
const OF_MANY: [&str; 10] = [
    "sum(wide)",
    "sum by (zone) (rate(wide[2m]))",
    "avg by (zone) (wide)",
    "stddev(wide)",
    "topk(3, wide)",
    "topk(2, sum by (zone) (wide))",
    "count(wide > 0.5)",
    "sum(sum by (zone, host) (wide)) / count(wide)",
    "quantile by (zone) (0.9, wide)",
    "max_over_time(sum by (zone) (wide)[4m:30s])",
];

const OF_PUSHES: [&str; 8] = [
    "p",
    "sum by (job) (p)",
    "increase(p_total[5m])",
    "push_expired_time_seconds",
    "sum(rate(p_total[2m])) / count(p)",
    "timestamp(p)",
    "max_over_time(p[3m:20s])",
    "p * on (job, instance) group_left (mode) c_total",
];

fn panels(rng: &mut Rng, native: bool) -> Vec<Panel> {
    let dialect = Dialect {
        experimental: true,
        extended: true,
        pushed: true,
        native,
        start_ms: START_MS,
        length_ms: LENGTH_MS,
    };
    let mut queries = Queries::new(rng.u64(..), dialect);
    let panel = |query: String, rng: &mut Rng| {
        let step_ms = *rng.choice(&[15_000, 15_000, 30_000, 60_000, 240_000]).expect("some");
        Panel { query, step_ms, steps: rng.i64(3..80) }
    };
    let mut all: Vec<Panel> = Vec::new();
    for _ in 0..12 {
        all.push(panel(queries.query(), rng));
    }
    for of in [&OF_MANY[..], &OF_PUSHES[..]] {
        for _ in 0..3 {
            all.push(panel((*rng.choice(of).expect("some")).to_owned(), rng));
        }
    }
    all
}

/// What a seed came to.
#[derive(Default)]
struct Tally {
    answers: usize,
    errors: usize,
    hits: u64,
    misses: u64,
    unfit: u64,
    steps_reused: u64,
    steps_evaluated: u64,
}

async fn play(seed: u64, shown: bool, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let native = seed % 4 > 1;
    let mut world = World::new(seed, native).await;
    let panels = panels(&mut rng, native);
    let mut story = String::new();
    for round in 0..30 {
        let done = world.go_on(&mut rng).await;
        let now_ms = world.now_ms();
        let _ = writeln!(story, "{round}: at +{} s {done}", (now_ms - START_MS) / 1_000);
        for panel in &panels {
            if rng.u8(..4) == 0 {
                continue;
            }
            // most look at now, some a little back, and some ahead
            let ahead_ms = match rng.u8(..12) {
                0 => -rng.i64(0..600_000),
                1 => rng.i64(0..120_000),
                _ => 0,
            };
            let end_ms = (now_ms + ahead_ms).div_euclid(panel.step_ms) * panel.step_ms;
            let steps = if rng.u8(..10) == 0 { panel.steps + 20 } else { panel.steps };
            let start_ms = end_ms - (steps - 1) * panel.step_ms;
            let more = match rng.u8(..20) {
                0 => "&limit=2",
                1 => "&lookback_delta=1m",
                _ => "",
            };
            let (plain, kept) = world.ask(&panel.query, (start_ms, end_ms, panel.step_ms), more).await;
            let Panel { query, step_ms, .. } = panel;
            let what =
                format!("MAYFLY_RESULTS_SEED={seed}: {query} from {start_ms} to {end_ms} by {step_ms}{more}");
            if shown {
                eprintln!("{what}");
            }
            assert!(plain == kept, "{what}\n{}\n{story}", difference(&plain.1, &kept.1));
            tally.answers += 1;
            tally.errors += usize::from(plain.0 != 200);
        }
    }
    let stats = world.results.stats();
    assert_eq!(stats.contradictions, 0, "MAYFLY_RESULTS_SEED={seed}");
    tally.hits += stats.hits;
    tally.misses += stats.misses;
    tally.unfit += stats.unfit;
    tally.steps_reused += stats.steps_reused;
    tally.steps_evaluated += stats.steps_evaluated;
}

/// Where two answers begin to differ.
fn difference(plain: &str, kept: &str) -> String {
    let at = plain.bytes().zip(kept.bytes()).take_while(|(a, b)| a == b).count().saturating_sub(300);
    let from = |text: &str| text.chars().skip(at).take(900).collect::<String>();
    format!("without: …{}\nwith: …{}", from(plain), from(kept))
}

#[tokio::test]
async fn answers_are_those_without_results_kept() {
    let mut tally = Tally::default();
    if let Some(seed) = variable("MAYFLY_RESULTS_SEED") {
        play(seed, true, &mut tally).await;
        return;
    }
    for seed in 0..variable("MAYFLY_RESULTS_SEEDS").unwrap_or(4) {
        play(seed, false, &mut tally).await;
    }
    let Tally { answers, errors, hits, misses, unfit, steps_reused, steps_evaluated } = tally;
    eprintln!(
        "{answers} answers, {errors} errors; {hits} hits, {misses} misses, {unfit} unfit; {steps_reused} steps reused, \
         {steps_evaluated} evaluated"
    );
    // what is hardly ever used would show little
    assert!(hits * 4 > answers as u64 && unfit > 0 && steps_reused > 3 * steps_evaluated);
    assert!(errors * 10 < answers, "{errors} of {answers}");
}
