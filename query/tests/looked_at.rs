//! How many samples a query looks at, step by step, and the remarks that depend on what is there. All numbers and texts
//! about samples that are looked at are what a real Prometheus 3.5 answers for the same data; what is read, later ones tell.

use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::syntax::Options;
use mayfly_query::{
    Engine, Outcome, QueryError, QueryOptions, SeriesSource, Settings, Severity, SourceError, SourceNotes,
    Times,
};
use model::{Labels, OPEN_END_MS, Selection, Series};
use testkit::ManualClock;

/// `c_total` every 15 s, for 25 minutes and for half of that; `g` of a type; `p` pushed.
struct Data;

fn labelled(labels: &[(&str, &str)], samples: u32) -> Series {
    let labels = Labels::from_pairs(labels.iter().copied());
    let mut series = Series { labels, ..Series::default() };
    (0..samples).for_each(|nth| series.samples.push(i64::from(nth) * 15_000, f64::from(nth)));
    series
}

#[async_trait]
impl SeriesSource for Data {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let mut pushed = labelled(&[("__name__", "p")], 0);
        pushed.steps.push(0, 650_000, 1.0);
        pushed.steps.push(650_000, OPEN_END_MS, 2.0);
        let all = [
            labelled(&[("__name__", "c_total"), ("a", "1")], 100),
            labelled(&[("__name__", "c_total"), ("a", "2")], 50),
            labelled(&[("__name__", "g"), ("__type__", "gauge")], 100),
            labelled(&[("__name__", "t"), ("__type__", "counter")], 100),
            pushed,
        ];
        Ok(all.into_iter().filter(|series| selection.matches(&series.labels)).collect())
    }
}

async fn ask(settings: Settings, text: &str, times: Times, tallied: bool) -> Result<Outcome, QueryError> {
    let settings = Settings { syntax: Options::all(), ..settings };
    let engine = Engine::new(settings, Arc::new(ManualClock::at_ms(0)));
    let expr = engine.parse(text)?;
    let options = QueryOptions { tallied, ..QueryOptions::default() };
    engine.load(&Data, &expr, times, options).await?.execute()
}

const RANGE: Times = Times::Range { start_ms: 600_000, end_ms: 900_000, step_ms: 75_000 };

#[tokio::test]
async fn samples_count_for_every_step_that_looks_at_them_and_once_as_read() {
    let none = [0; 5];
    for (text, looked_at, read) in [
        ("c_total", [2, 2, 2, 2, 2], [2, 2, 2, 2, 2]),
        ("sum(c_total)", [2, 2, 2, 2, 2], [2, 2, 2, 2, 2]),
        ("topk(1, c_total)", [2, 2, 2, 2, 2], [2, 2, 2, 2, 2]),
        ("timestamp(c_total)", [2, 2, 2, 2, 2], [2, 2, 2, 2, 2]),
        ("info(c_total)", [2, 2, 2, 2, 2], [2, 2, 2, 2, 2]),
        ("scalar(g)", [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        ("rate(c_total[1m])", [8, 8, 7, 4, 4], [8, 8, 7, 4, 4]),
        ("sum(rate(c_total[1m]))", [8, 8, 7, 4, 4], [8, 8, 7, 4, 4]),
        ("absent_over_time(c_total[1m])", [8, 8, 7, 4, 4], [8, 8, 7, 4, 4]),
        // what windows share is read for the first of them
        ("rate(c_total[2m])", [16, 16, 15, 10, 8], [16, 10, 9, 5, 5]),
        ("sum(count_over_time(c_total[2m]))", [16, 16, 15, 10, 8], [16, 10, 9, 5, 5]),
        ("quantile_over_time(-1, c_total[1m]) + c_total", [10, 10, 9, 6, 6], [10, 10, 9, 6, 6]),
        ("c_total + c_total", [4, 4, 4, 4, 4], [4, 4, 4, 4, 4]),
        // what does not change with time is computed once and counts for every step
        ("c_total @ 300", [2, 2, 2, 2, 2], [2, 0, 0, 0, 0]),
        ("sum_over_time(c_total[1m] @ 300)", [8, 8, 8, 8, 8], [8, 0, 0, 0, 0]),
        ("predict_linear(c_total[1m] @ 300, 60)", [8, 8, 8, 8, 8], [8, 0, 0, 0, 0]),
        ("sum(max_over_time(c_total[1m:15s] @ 300))", [8, 8, 8, 8, 8], [8, 0, 0, 0, 0]),
        // of subqueries, their values count, and what they read counts for the first window that has them
        ("max_over_time(c_total[1m:15s])", [8, 8, 8, 8, 8], [8, 8, 8, 8, 8]),
        ("max_over_time(rate(c_total[1m])[1m:15s])", [8, 8, 8, 4, 4], [14, 8, 7, 4, 4]),
        ("max_over_time(sum_over_time(c_total[1m] @ 300)[1m:15s])", [8, 8, 8, 8, 8], [8, 0, 0, 0, 0]),
        ("vector(1)", none, none),
        ("time()", none, none),
        ("absent(nope)", none, none),
        // of what was pushed, the steps that hold in a window
        ("p", [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        ("increase(p[1m])", [1, 2, 1, 1, 1], [1, 1, 0, 0, 0]),
    ] {
        let by_time = |counts: [u64; 5]| {
            (0_i64..).map(|step| 600_000 + step * 75_000).zip(counts).collect::<Vec<(i64, u64)>>()
        };
        for threads in [1, 3] {
            let settings = Settings { threads, ..Settings::default() };
            let outcome = ask(settings, text, RANGE, true).await.expect(text);
            assert_eq!(outcome.usage.looked_at, by_time(looked_at), "{text}");
            assert_eq!(outcome.usage.read, by_time(read), "{text} reads");
        }
        let outcome = ask(Settings::default(), text, RANGE, false).await.expect(text);
        assert!(outcome.usage.looked_at.is_empty() && outcome.usage.read.is_empty(), "{text}: nobody asked");
    }
    for (text, read) in [
        ("c_total[1m]", 8),
        ("c_total[1m:15s]", 8),
        ("rate(c_total[1m])", 8),
        ("rate(c_total[1m])[1m:15s]", 14),
    ] {
        let outcome = ask(Settings::default(), text, Times::At(675_000), true).await.expect(text);
        assert_eq!(outcome.usage.looked_at, [(675_000, 8)], "{text}");
        assert_eq!(outcome.usage.read, [(675_000, read)], "{text}");
    }
}

#[tokio::test]
async fn a_label_says_what_a_counter_is() {
    let check = async |text: &str, type_labels: bool, expect: &[&str]| {
        let settings = Settings { type_labels, ..Settings::default() };
        let outcome = ask(settings, text, RANGE, false).await.expect(text);
        assert_eq!(outcome.annotations.texts(Severity::Info, text), expect, "{text}, {type_labels}");
    };
    let by_type = r#"PromQL info: metric might not be a counter, __type__ label is not set to "counter" or "histogram", got "#;
    check("rate(c_total[1m])", true, &[&format!(r#"{by_type}"": "c_total" (1:6)"#)]).await;
    check("rate(g[1m])", true, &[&format!(r#"{by_type}"gauge": "g" (1:6)"#)]).await;
    check("sum by (a) (increase(t[1m]))", true, &[]).await;
    check("rate(c_total[1m])", false, &[]).await;
    let by_name =
        "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ";
    check("rate(t[1m])", false, &[&format!(r#"{by_name}"t" (1:6)"#)]).await;
}

#[tokio::test]
async fn parameters_count_where_there_are_data() {
    let warnings = async |text: &str, at_ms: i64| {
        let outcome = ask(Settings::default(), text, Times::At(at_ms), false).await?;
        Ok::<_, QueryError>(outcome.annotations.texts(Severity::Warning, text))
    };
    let warning = ["PromQL warning: quantile value should be between 0 and 1, got -1 (1:20)"];
    for text in ["quantile_over_time(-1, c_total[1m])", "quantile_over_time(-1, p[1m])"] {
        assert_eq!(warnings(text, 700_000).await.expect(text), warning, "{text}");
    }
    let folded = "sum(quantile_over_time(-1, c_total[1m]))";
    let expect = warning[0].replace("1:20", "1:24");
    assert_eq!(warnings(folded, 700_000).await.expect(folded), [expect]);
    for text in ["quantile_over_time(-1, nope[1m])", "quantile_over_time(-1, c_total[1m])"] {
        assert!(warnings(text, 20_000_000).await.expect(text).is_empty(), "{text}");
    }
    let smoothed = "double_exponential_smoothing(c_total[1m], 2, 0.5)";
    let error = warnings(smoothed, 700_000).await.expect_err("no factor");
    let expect = "invalid smoothing factor. Expected: 0 < sf < 1, got: 2.000000";
    assert_eq!(error.to_string(), expect);
    assert!(warnings(smoothed, 20_000_000).await.expect("no data").is_empty());
}
