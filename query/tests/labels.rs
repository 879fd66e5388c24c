//! Labels that a query does not look at need not be read.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mayfly_query::{Engine, NeededLabels, SeriesSource, Settings, SourceError, SourceNotes, Value};
use model::{Labels, Selection, Series};
use testkit::ManualClock;

/// Leaves out what is not needed, and notes what is.
struct Sparing {
    series: Vec<Series>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl SeriesSource for Sparing {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.series.iter().filter(|series| selection.matches(&series.labels)).cloned().collect())
    }

    async fn select_labels(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        notes: &SourceNotes,
    ) -> Result<Vec<Series>, SourceError> {
        let asked = match needed {
            NeededLabels::All => "all".to_owned(),
            NeededLabels::These(names) => names.iter().map(|name| &**name).collect::<Vec<_>>().join(" "),
        };
        self.asked.lock().expect("is whole").push(asked);
        let mut found = self.select(selection, notes).await?;
        for series in &mut found {
            series.labels = series.labels.to_builder().retain(|name| needed.includes(name)).build();
        }
        Ok(found)
    }
}

/// 12 series of `x_total` and 12 of `y_total`, the latter with a type if that is wanted.
fn source(typed: bool) -> Sparing {
    let of = |nth: usize| {
        let name = if nth < 12 { "x_total" } else { "y_total" };
        let labels = Labels::from_pairs([
            ("__name__", name.to_owned()),
            ("__type__", if typed && nth >= 12 { "counter".to_owned() } else { String::new() }),
            ("instance", (nth % 12).to_string()),
            ("job", (nth % 3).to_string()),
        ]);
        let mut series = Series { labels, ..Series::default() };
        #[expect(clippy::cast_precision_loss, reason = "small")]
        (0..10_i64).for_each(|at| series.samples.push(at * 30_000, (at * (nth as i64 + 1)) as f64));
        series
    };
    Sparing { series: (0..24).map(of).collect(), asked: Mutex::default() }
}

async fn answer(source: &Sparing, text: &str) -> Result<Value, String> {
    let engine = Engine::new(Settings::default(), Arc::new(ManualClock::at_ms(0)));
    let expr = engine.parse(text).expect(text);
    let outcome = engine.instant(source, &expr, 270_000).await;
    outcome.map(|outcome| outcome.value).map_err(|error| error.to_string())
}

/// What is asked for in which order, and that the answer is the one of `same`, which reads all labels.
async fn check(text: &str, expect: &[&str], same: &str) {
    let source = source(false);
    let found = answer(&source, text).await.expect(text);
    assert_eq!(*source.asked.lock().expect("is whole"), expect, "{text}");
    assert_eq!(found, answer(&source, same).await.expect(same), "{text} and {same}");
    let Value::Vector(samples) = found else { panic!("{text}: no vector") };
    assert!(!samples.is_empty(), "{text} finds nothing");
}

const OF_JOB: &str = "__name__ __type__ __unit__ job";
const OF_NONE: &str = "__name__ __type__ __unit__";

#[tokio::test]
async fn only_labels_that_matter_are_asked_for() {
    check("sum by (job) (x_total)", &[OF_JOB], "sum by (job) (x_total * 1)").await;
    check(
        "sum(rate(x_total{instance=~\"1.*\"}[5m]))",
        &[OF_NONE],
        "sum(rate(x_total{instance=~\"1.*\"}[5m]) * 1)",
    )
    .await;
    check("count(x_total)", &[OF_NONE], "count(x_total * 1)").await;
    check("quantile by (job) (0.5, x_total)", &[OF_JOB], "quantile by (job) (0.5, x_total * 1)").await;
    check("max(last_over_time({job=\"1\"}[5m]))", &[OF_NONE], "max(last_over_time({job=\"1\"}[5m]) >= 0)")
        .await;
    check(
        "sum by (job) (x_total) / on () group_left () count(y_total)",
        &[OF_JOB, OF_NONE],
        "sum by (job) (x_total * 1) / on () group_left () count(y_total * 1)",
    )
    .await;
}

#[tokio::test]
async fn where_labels_matter_all_are_asked_for() {
    let both = "sum by (job) (x_total) + on (job) group_right () topk by (job) (1, x_total)";
    for text in [
        "x_total",
        "sum without (job) (x_total)",
        "topk(2, x_total)",
        "sum by (job) (x_total * 1)",
        "count by (job) (rate({__name__=~\"x_.*\"}[5m]))",
        "sum by (job) (max_over_time(x_total[5m:1m]))",
        "absent_over_time(x_total{instance=\"nobody\"}[5m])",
        // the same is selected for something else
        both,
    ] {
        check(text, &["all"], text).await;
    }
    // the number of a quantile looks at series of its own
    let text = "sum by (job) (quantile_over_time(scalar(sum(y_total)), x_total[5m]))";
    let asked = source(false);
    answer(&asked, text).await.expect(text);
    assert_eq!(*asked.asked.lock().expect("is whole"), [OF_JOB, OF_NONE]);
}

/// Without their names they are the same, which only all labels can tell.
#[tokio::test]
async fn what_would_be_the_same_is_told_apart() {
    let text = "sum(rate({__name__=~\".*_total\"}[5m]))";
    let error = answer(&source(false), text).await.expect_err("are the same");
    assert_eq!(error, "vector cannot contain metrics with the same labelset");
    // a type goes away too: so all is asked for once one is seen
    let typed = source(true);
    let text = "sum by (job) (rate(y_total[5m]))";
    let expect = answer(&source(false), text).await.expect(text);
    assert_eq!(answer(&typed, text).await, Ok(expect));
    assert_eq!(*typed.asked.lock().expect("is whole"), [OF_JOB, "all"]);
}
