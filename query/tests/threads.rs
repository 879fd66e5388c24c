//! Queries computed by several threads.

use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::{Engine, ErrorKind, SeriesSource, Settings, SourceError, SourceNotes, Value};
use model::{Labels, Selection, Series};
use testkit::ManualClock;

/// 1,000 series of counters, every tenth with native histograms, and as many pushed ones.
struct Many(Vec<Series>);

impl Many {
    fn new() -> Self {
        let mut all = Vec::new();
        for nth in 0..1_000_i32 {
            let labels = |name: &str| {
                Labels::from_pairs([
                    ("__name__", name.to_owned()),
                    ("group", (nth % 7).to_string()),
                    ("instance", nth.to_string()),
                ])
            };
            let mut counter = Series { labels: labels("x_total"), ..Series::default() };
            let mut pushed = Series { labels: labels("pushed_total"), ..Series::default() };
            for at in 0..40_i32 {
                // sums of these depend on their order
                let value = f64::from((at % 23) * (nth + 1)).sqrt() * 10_f64.powi(nth % 19 - 9);
                let at_ms = i64::from(at) * 15_000;
                if nth % 10 == 3 && at > 20 {
                    counter.samples.push_value(at_ms, &histogram(f64::from(at)));
                } else {
                    counter.samples.push(at_ms, value);
                }
                pushed.steps.push(at_ms, at_ms + 15_000, value);
            }
            all.extend([counter, pushed]);
        }
        Self(all)
    }
}

fn histogram(count: f64) -> model::Value {
    model::Value::Histogram(Arc::new(model::Histogram {
        count,
        sum: count / 3.0,
        positive_spans: vec![model::Span { offset: 0, length: 1 }],
        positive_counts: vec![count],
        ..model::Histogram::default()
    }))
}

#[async_trait]
impl SeriesSource for Many {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.0.iter().filter(|series| selection.matches(&series.labels)).cloned().collect())
    }
}

const QUERIES: &[&str] = &[
    "x_total",
    "rate(x_total[1m])",
    "sum(x_total)",
    "sum by (group) (rate(x_total[1m]))",
    "avg without (instance) (x_total)",
    "avg(pushed_total)",
    "stddev by (group) (x_total)",
    "stdvar(rate(pushed_total[1m]))",
    "min by (group) (x_total)",
    "max(x_total)",
    "count by (group) (x_total)",
    "group(pushed_total)",
    "sum(sum by (instance) (rate(x_total[1m])) * 3)",
    "topk(3, x_total)",
    "quantile by (group) (0.3, pushed_total)",
    "sum(x_total) / count(pushed_total)",
    "max_over_time(sum by (group) (x_total)[2m:30s])",
    "absent_over_time(x_total{group=\"9\"}[1m])",
    "count(x_total and pushed_total)",
];

fn engine(settings: Settings) -> Engine {
    Engine::new(settings, Arc::new(ManualClock::at_ms(0)))
}

/// Everything that is said, floats to the last bit.
async fn answers(source: &Many, threads: usize) -> Vec<String> {
    let engine = engine(Settings { threads, ..Settings::default() });
    let mut answers = Vec::new();
    for text in QUERIES {
        let expr = engine.parse(text).expect(text);
        let outcome = engine.range(source, &expr, 0, 600_000, 20_000).await.expect(text);
        let Value::Matrix(series) = &outcome.value else { panic!("{text}: no matrix") };
        assert!(!series.is_empty(), "{text} finds nothing");
        answers.push(format!("{text}: {:?} {:?}", outcome.value, outcome.annotations));
    }
    answers
}

#[tokio::test]
async fn the_number_of_threads_changes_no_bit() {
    let source = Many::new();
    let with_one = answers(&source, 1).await;
    for threads in [2, 7] {
        for (found, expect) in answers(&source, threads).await.iter().zip(&with_one) {
            assert!(found == expect, "with {threads} threads: {found}\nwith one: {expect}");
        }
    }
}

/// Parts are added up in another order than the series would be one by one, but sums are compensated.
#[tokio::test]
async fn sums_of_parts_are_as_good_as_sums_of_all() {
    let source = Many::new();
    let engine = engine(Settings { threads: 2, ..Settings::default() });
    let check = async |folded: &str, apart: &str| {
        let value = async |text: &str| {
            let expr = engine.parse(text).expect(text);
            match engine.instant(&source, &expr, 290_000).await.expect(text).value {
                Value::Vector(samples) => match samples[0].value {
                    model::Value::Float(value) => value,
                    model::Value::Histogram(_) => panic!("{text}: a histogram"),
                },
                other => panic!("{text}: {other:?}"),
            }
        };
        let (folded, apart) = (value(folded).await, value(apart).await);
        assert!((folded - apart).abs() <= 1e-12 * apart.abs(), "{folded} and {apart}");
    };
    // what is multiplied first is not folded into the scan
    check("sum(x_total)", "sum(x_total * 1)").await;
    check("avg(x_total)", "avg(x_total * 1)").await;
    check("stddev(rate(x_total[1m]))", "stddev(rate(x_total[1m]) * 1)").await;
    check("max(x_total)", "max(x_total * 1)").await;
    check("count(x_total)", "count(x_total * 1)").await;
}

#[tokio::test]
async fn a_limit_stops_all_threads() {
    let source = Many::new();
    for threads in [1, 7] {
        let engine = engine(Settings { threads, samples_max: 45_000, ..Settings::default() });
        let expr = engine.parse("count_over_time(x_total[1m])").expect("parses");
        let error = engine.range(&source, &expr, 0, 600_000, 20_000).await.expect_err("too many samples");
        assert_eq!(error.kind(), ErrorKind::Execution, "{error}");
        assert!(error.to_string().contains("too many samples into memory"), "{error}");
    }
}
