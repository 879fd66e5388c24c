//! The two data sets that storage figures are quoted on. Seeds and order of draws are fixed, so that figures compare.

use model::{Labels, Samples};
use rand::prelude::*;
use rand_distr::{Exp, Poisson, StandardNormal};

const START_MS: i64 = 1_760_000_000_000;

/// Between two scrapes.
pub const STEP_MS: i64 = 15_000;

/// Series in order of labels.
pub type Dataset = Vec<(Labels, Samples)>;

/// Like scrapes: 20,000 series of 100 metrics, 480 samples at 15 s. Of 20 series 6 are constant, 7 are integer counters
/// with Poisson increments, 3 counters of hundredths, 3 byte gauges on a random walk, and 1 has full entropy in [0, 1).
pub fn scrape_like() -> Dataset {
    scrape_like_of(20_000, 480, START_MS)
}

/// The same with so many series (a multiple of 100) and samples of each, from a time on.
pub fn scrape_like_of(count: usize, scrapes: usize, start_ms: i64) -> Dataset {
    let mut rng = StdRng::seed_from_u64(1);
    let series = (0..count).map(|i| {
        let labels = Labels::from_pairs([
            ("__name__", format!("node_metric_{:03}_total", i / (count / 100))),
            ("cluster", "prod-eu".to_owned()),
            ("device", format!("dev{}", i % 7)),
            ("instance", format!("10.0.{}.{}:9100", (i / 256) % 256, i % 256)),
            ("job", "node".to_owned()),
            ("mode", format!("m{}", i % 5)),
            ("region", "eu-west-1".to_owned()),
        ]);
        let offset = rng.random_range(0..STEP_MS);
        let values = scraped_values(&mut rng, i % 20, scrapes);
        let mut samples = Samples::default();
        let times = (0i64..).map(|j| start_ms + offset + j * STEP_MS);
        times.zip(values).for_each(|(at_ms, value)| samples.push(at_ms, value));
        (labels, samples)
    });
    sorted(series.collect())
}

fn scraped_values(rng: &mut StdRng, kind: usize, count: usize) -> Vec<f64> {
    let repeat = |next: &mut dyn FnMut(&mut StdRng) -> f64, rng: &mut StdRng| -> Vec<f64> {
        (0..count).map(|_| next(rng)).collect()
    };
    match kind {
        0..6 => vec![f64::from(rng.random_range(0..100_000)); count],
        6..13 => {
            let mean = Exp::new(0.02).map_or(0.0, |exp| exp.sample(rng)) + 0.1;
            let mut counter = f64::from(rng.random_range(0..1_000_000));
            let increments = Poisson::new(mean).ok();
            let mut next = |rng: &mut StdRng| {
                counter += increments.map_or(0.0, |poisson| poisson.sample(rng));
                counter
            };
            repeat(&mut next, rng)
        }
        13..16 => {
            let mut counter = f64::from(rng.random_range(0..100_000));
            let mut next = |rng: &mut StdRng| {
                counter += (rng.random::<f64>() * 1500.0).round();
                counter / 100.0
            };
            repeat(&mut next, rng)
        }
        16..19 => {
            let mut bytes: f64 = rng.random_range(1e9..8e9);
            let mut next = |rng: &mut StdRng| {
                bytes += rng.sample::<f64, _>(StandardNormal) * 1e6;
                (bytes / 4096.0).round() * 4096.0
            };
            repeat(&mut next, rng)
        }
        _ => repeat(&mut |rng: &mut StdRng| rng.random::<f64>(), rng),
    }
}

/// Short-lived: 200,000 instances of functions, each with the same 5 metrics, each series 3 samples within 2.5 s.
pub fn short_lived() -> Dataset {
    short_lived_of(200_000, START_MS)
}

/// The same with so many instances, within two hours from a time on.
pub fn short_lived_of(instances: usize, first_ms: i64) -> Dataset {
    const NAMES: [&str; 5] = [
        "lambda_duration_seconds",
        "lambda_invocations_total",
        "lambda_errors_total",
        "job_last_success_timestamp_seconds",
        "job_rows_processed_total",
    ];
    let mut rng = StdRng::seed_from_u64(2);
    let mut all = Vec::with_capacity(5 * instances);
    for i in 0..instances {
        let id: u128 = rng.random();
        let start_ms = first_ms + rng.random_range(0..7_200_000);
        for name in NAMES {
            let labels = Labels::from_pairs([
                ("__name__", name.to_owned()),
                ("function", format!("fn-{}", i % 50)),
                ("instance", format!("{id:032x}")),
                ("job", format!("etl-{}", i % 200)),
                ("region", "eu-west-1".to_owned()),
            ]);
            let values = match name {
                "lambda_duration_seconds" => [(); 3].map(|()| (rng.random::<f64>() * 1e6).round() / 1e6),
                #[expect(clippy::cast_precision_loss, reason = "milliseconds fit")]
                "job_last_success_timestamp_seconds" => [start_ms as f64 / 1000.0; 3],
                _ => {
                    let first = f64::from(rng.random_range(0..1000));
                    [first, first + 3.0, first + 10.0]
                }
            };
            let mut samples = Samples::default();
            [0, 1000, 2500]
                .iter()
                .zip(values)
                .for_each(|(after, value)| samples.push(start_ms + after, value));
            all.push((labels, samples));
        }
    }
    sorted(all)
}

fn sorted(mut dataset: Dataset) -> Dataset {
    dataset.sort_by(|a, b| (a.0.metric_name(), &a.0).cmp(&(b.0.metric_name(), &b.0)));
    dataset
}
