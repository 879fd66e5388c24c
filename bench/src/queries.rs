//! The series in memory and the queries that figures of the query engine are quoted on.

use async_trait::async_trait;
use model::{Labels, Selection, Series};
use query::{SeriesSource, SourceError, SourceNotes};
use rand::prelude::*;

/// When the data begin.
pub const START_MS: i64 = 1_760_000_000_000;
/// How far apart samples are.
pub const INTERVAL_MS: i64 = 15_000;
/// Samples per series: six hours.
pub const SAMPLES: i64 = 1_440;

/// A query, and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The name of the row.
    pub name: &'static str,
    /// The query.
    pub text: &'static str,
}

/// The main shapes of queries.
pub const SHAPES: &[Shape] = &[
    Shape { name: "selector", text: "requests_total" },
    Shape { name: "rate", text: "rate(requests_total[5m])" },
    Shape { name: "sum by (rate)", text: "sum by (job) (rate(requests_total[5m]))" },
    Shape { name: "sum", text: "sum(requests_total)" },
    Shape { name: "max_over_time", text: "max_over_time(requests_total[5m])" },
    Shape { name: "avg_over_time", text: "avg_over_time(requests_total[5m])" },
    Shape {
        name: "histogram_quantile",
        text: "histogram_quantile(0.9, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
    },
    Shape { name: "topk", text: "topk(5, requests_total)" },
    Shape { name: "with a number", text: "requests_total * 8 > 100" },
    Shape { name: "join, one to one", text: "errors_total / requests_total" },
    Shape {
        name: "join, many to one",
        text: "requests_total * on (instance) group_left (version) build_info",
    },
    Shape { name: "and", text: "requests_total and on (instance) build_info" },
    Shape { name: "subquery", text: "max_over_time(rate(requests_total[5m])[30m:1m])" },
    Shape { name: "pushed: selector", text: "runs_total" },
    Shape { name: "pushed: increase", text: "increase(runs_total[5m])" },
    Shape { name: "pushed: avg_over_time", text: "avg_over_time(runs_total[5m])" },
];

/// Expressions as people write them.
pub const EXPRESSIONS: &[&str] = &[
    "up",
    "up{job=\"prometheus\"}",
    "rate(http_requests_total{job=\"api\", code=~\"5..\"}[5m])",
    "sum by (job, instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
    "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "100 - (avg by (instance) (irate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100)",
    "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1",
    "a * on (instance) group_left (version) build_info",
    "time() - job_last_success_timestamp_seconds > 3600",
    "max_over_time(rate(requests_total[5m])[1h:1m] offset 1d)",
];

/// Series in memory.
#[derive(Debug)]
pub struct InMemory(Vec<Series>);

impl InMemory {
    /// `instances` instances, each with 12 series of histogram buckets, 4 counters of requests, 4 of errors, an info
    /// metric, and one counter that is pushed every 10 minutes.
    pub fn of_instances(instances: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        let mut series = Vec::new();
        for instance in 0..instances {
            let with = |name: &str, more: &[(&str, String)]| {
                let own = [
                    ("__name__", name.to_owned()),
                    ("instance", format!("10.0.{}.{}:9100", instance / 256, instance % 256)),
                    ("job", format!("job-{}", instance % 10)),
                    ("region", "eu-west-1".to_owned()),
                ];
                let more = more.iter().map(|(name, value)| (*name, value.clone()));
                Labels::from_pairs(own.into_iter().chain(more))
            };
            for code in ["200", "404", "429", "500"] {
                for name in ["errors_total", "requests_total"] {
                    series.push(counter(with(name, &[("code", code.to_owned())]), &mut rng, 50.0));
                }
            }
            for (nth, bound) in BOUNDS.iter().enumerate() {
                let labels = with("latency_seconds_bucket", &[("le", (*bound).to_owned())]);
                #[expect(clippy::cast_precision_loss, reason = "one digit")]
                series.push(counter(labels, &mut rng, 5.0 * (nth + 1) as f64));
            }
            let version = format!("1.{}", instance % 3);
            let mut info =
                Series { labels: with("build_info", &[("version", version)]), ..Series::default() };
            (0..SAMPLES).for_each(|nth| info.samples.push(START_MS + nth * INTERVAL_MS, 1.0));
            series.push(info);
            series.push(pushed(with("runs_total", &[]), &mut rng));
        }
        Self(series)
    }
}

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"];

/// A counter that starts again about once in 500 samples.
fn counter(labels: Labels, rng: &mut StdRng, increment_max: f64) -> Series {
    let mut series = Series { labels, ..Series::default() };
    let shift_ms = rng.random_range(0..INTERVAL_MS);
    let mut value = 0.0;
    for nth in 0..SAMPLES {
        value = if rng.random_range(0..500) == 0 {
            0.0
        } else {
            value + (rng.random::<f64>() * increment_max).floor()
        };
        series.samples.push(START_MS + shift_ms + nth * INTERVAL_MS, value);
    }
    series
}

fn pushed(labels: Labels, rng: &mut StdRng) -> Series {
    let mut series = Series { labels, ..Series::default() };
    let shift_ms = rng.random_range(0..INTERVAL_MS);
    let mut value = 0.0;
    for nth in 0..36 {
        value += f64::from(rng.random_range(0..3));
        let from_ms = START_MS + shift_ms + nth * 600_000;
        series.steps.push(from_ms, from_ms + 600_000, value);
    }
    series
}

#[async_trait]
impl SeriesSource for InMemory {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let found = self.0.iter().filter(|series| selection.matches(&series.labels));
        Ok(found.cloned().collect())
    }
}
