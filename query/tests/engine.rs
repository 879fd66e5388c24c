//! The engine as others use it: limits, deep and long queries, pushed series.

use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::syntax::DEPTH_MAX;
use mayfly_query::{
    Engine, ErrorKind, QueryError, QueryOptions, SeriesSource, Settings, SourceError, SourceNotes, Times,
    Value,
};
use model::{Labels, OPEN_END_MS, Selection, Series};
use testkit::ManualClock;

/// The same series for every selection that they match.
struct Fixed(Vec<Series>);

#[async_trait]
impl SeriesSource for Fixed {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.0.iter().filter(|series| selection.matches(&series.labels)).cloned().collect())
    }
}

fn series(name: &str) -> Series {
    Series { labels: Labels::from_pairs([("__name__", name)]), ..Series::default() }
}

fn sampled(name: &str, samples: &[(i64, f64)]) -> Series {
    let mut series = series(name);
    samples.iter().for_each(|&(at_s, value)| series.samples.push(at_s * 1_000, value));
    series
}

fn pushed(name: &str, steps: &[(i64, i64, f64)]) -> Series {
    let mut series = series(name);
    for &(from_s, until_s, value) in steps {
        let until_ms = if until_s == OPEN_END_MS { until_s } else { until_s * 1_000 };
        series.steps.push(from_s * 1_000, until_ms, value);
    }
    series
}

fn engine(settings: Settings) -> Engine {
    Engine::new(settings, Arc::new(ManualClock::at_ms(0)))
}

async fn instant(source: &Fixed, text: &str, at_s: i64) -> Result<Value, QueryError> {
    let engine = engine(Settings::default());
    let expr = engine.parse(text)?;
    Ok(engine.instant(source, &expr, at_s * 1_000).await?.value)
}

/// The only number of a result; `None` if it is empty.
async fn number(source: &Fixed, text: &str, at_s: i64) -> Option<f64> {
    match instant(source, text, at_s).await.unwrap_or_else(|error| panic!("{text}: {error}")) {
        Value::Scalar { value, .. } => Some(value),
        Value::Vector(samples) => {
            assert!(samples.len() <= 1, "{text}: {samples:?}");
            samples.first().map(|sample| match sample.value {
                model::Value::Float(value) => value,
                model::Value::Histogram(_) => panic!("{text}: a histogram"),
            })
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[tokio::test]
async fn pushed_series_hold_until_they_end() {
    let source =
        Fixed(vec![pushed("runs_total", &[(0, 600, 1.0), (600, 10_000, 2.0), (20_000, OPEN_END_MS, 5.0)])]);
    let check = async |text: &str, at_s: i64, expect: Option<f64>| {
        assert_eq!(number(&source, text, at_s).await, expect, "{text} at {at_s}");
    };
    check("runs_total", 599, Some(1.0)).await;
    check("runs_total", 9_999, Some(2.0)).await;
    check("runs_total", 10_000, None).await;
    check("runs_total", 1_000_000, Some(5.0)).await;
    check("runs_total offset 1h", 4_199, Some(1.0)).await;
    check("runs_total @ 700", 5, Some(2.0)).await;
    check("increase(runs_total[5m])", 600, Some(1.0)).await;
    check("increase(runs_total[5m])", 899, Some(1.0)).await;
    check("increase(runs_total[5m])", 900, Some(0.0)).await;
    check("increase(runs_total[1h] offset 1h)", 4_200, Some(1.0)).await;
    check("rate(runs_total[100s])", 650, Some(0.01)).await;
    check("sum(increase(runs_total[1d]))", 86_400, Some(4.0)).await;
    check("timestamp(runs_total)", 607, Some(600.0)).await;
    check("timestamp(runs_total)", 617, Some(615.0)).await;
    check("absent(runs_total)", 15_000, Some(1.0)).await;
    check("absent_over_time(runs_total[1h])", 12_000, None).await;
    check("absent_over_time(runs_total[1m])", 12_000, Some(1.0)).await;
    check("count_over_time(runs_total[1m])", 300, Some(4.0)).await;
    // a subquery gives samples, as everywhere
    check("max_over_time(runs_total[1h:10m])", 3_600, Some(2.0)).await;
}

#[tokio::test]
async fn the_newer_of_step_and_sample_counts() {
    let mut both = pushed("both", &[(100, 500, 1.0), (1_000, OPEN_END_MS, 2.0)]);
    both.samples = sampled("both", &[(50, 10.0), (200, 20.0), (1_000, 30.0)]).samples;
    let source = Fixed(vec![both]);
    let check = async |at_s: i64, expect: Option<f64>| {
        assert_eq!(number(&source, "both", at_s).await, expect, "at {at_s}");
    };
    check(60, Some(10.0)).await;
    check(100, Some(1.0)).await;
    check(199, Some(1.0)).await;
    check(200, Some(20.0)).await;
    // the sample is too old, the step still holds
    check(499, Some(20.0)).await;
    check(500, None).await;
    check(1_000, Some(2.0)).await;
}

#[tokio::test]
async fn a_bare_range_shows_beginnings_and_virtual_samples() {
    let source = Fixed(vec![pushed("x", &[(7, 20, 1.0), (20, OPEN_END_MS, 2.0)])]);
    let Value::Matrix(series) = instant(&source, "x[30s]", 32).await.expect("is evaluated") else {
        panic!("no range vector")
    };
    assert_eq!(series[0].floats, [(7_000, 1.0), (15_000, 1.0), (20_000, 2.0), (30_000, 2.0)]);
}

#[tokio::test]
async fn long_chains_and_deep_nests_are_evaluated() {
    let source = Fixed(vec![sampled("x", &[(0, 1.0)])]);
    let links = 20_000;
    let scalars = format!("1{}", "+1".repeat(links));
    assert_eq!(number(&source, &scalars, 0).await, Some((links + 1) as f64));
    let mixed = format!("x{}", "+1".repeat(links));
    assert_eq!(number(&source, &mixed, 0).await, Some((links + 1) as f64));
    let vectors = format!("x{}", "+x".repeat(links));
    assert_eq!(number(&source, &vectors, 0).await, Some((links + 1) as f64));
    let pinned = format!("x @ 0{} + time()", "+x @ 0".repeat(links));
    assert_eq!(number(&source, &pinned, 0).await, Some((links + 1) as f64));
    let depth = DEPTH_MAX - 1;
    for (open, close) in
        [("abs(", ")"), ("sum(", ")"), ("-(", ")"), ("(1+", ")"), ("sum_over_time(", "[1s:1s])")]
    {
        let levels = if ["sum_over_time(", "-(", "(1+"].contains(&open) { depth / 2 } else { depth };
        let nested = format!("{}x{}", open.repeat(levels), close.repeat(levels));
        assert!(number(&source, &nested, 0).await.is_some(), "{open}");
    }
}

#[tokio::test]
async fn too_many_samples_are_refused() {
    let source = Fixed(vec![sampled("x", &[(1, 1.0), (2, 1.0), (3, 1.0)])]);
    let check = async |samples_max: u64, text: &str, refused: bool| {
        let engine = engine(Settings { samples_max, ..Settings::default() });
        let expr = engine.parse(text).expect("parses");
        let result = engine.instant(&source, &expr, 3_000).await;
        let message = result.err().map(|error| (error.kind(), error.to_string()));
        let text_of_limit = "query processing would load too many samples into memory in query execution";
        let expect = refused.then(|| (ErrorKind::Execution, text_of_limit.to_owned()));
        assert_eq!(message, expect, "{text} with {samples_max}");
    };
    check(2, "count_over_time(x[1m])", true).await;
    check(5, "count_over_time(x[1m])", false).await;
    check(100, "count_over_time(vector(1)[100y:1ms])", true).await;
    check(100, "count_over_time(vector(1)[101s:1s])", true).await;
    // numbers along the way count as long as they are needed, however deep they stand
    check(220, "count_over_time(clamp_max(vector(1), time())[50s:1s])", false).await;
    check(220, "count_over_time(clamp_max(clamp_max(clamp_max(clamp_max(clamp_max(vector(1), time()), time()), time()), time()), time())[50s:1s])", true).await;
    check(
        220,
        "count_over_time(vector(time() - time() - time() - time() - time() - time() - time())[50s:1s])",
        false,
    )
    .await;
}

#[tokio::test]
async fn series_and_bytes_are_limited() {
    let source = Fixed((0..10).map(|nth| labelled("x", nth)).collect());
    let check = async |settings: Settings, expect: Option<&str>| {
        let engine = engine(settings);
        let expr = engine.parse("x + x").expect("parses");
        let result = engine.range(&source, &expr, 0, 100_000, 1_000).await;
        let message = result.err().map(|error| (error.kind(), error.to_string()));
        assert_eq!(message, expect.map(|text| (ErrorKind::Execution, text.to_owned())));
    };
    check(Settings { series_max: 10, ..Settings::default() }, None).await;
    let text = "query would load too many series into memory in query execution: more than series_max, 9";
    check(Settings { series_max: 9, ..Settings::default() }, Some(text)).await;
    check(Settings { bytes_max: 100_000, ..Settings::default() }, None).await;
    for bytes_max in [1_000, 10_000] {
        let text = format!(
            "query processing would take too much memory in query execution: more than bytes_max, {bytes_max} bytes"
        );
        check(Settings { bytes_max, ..Settings::default() }, Some(&text)).await;
    }
}

/// A pushed series may stand for any number of samples; they count before they are written out.
#[tokio::test]
async fn virtual_samples_are_limited() {
    let source = Fixed(vec![pushed("x", &[(0, OPEN_END_MS, 1.0)])]);
    let engine = engine(Settings { samples_max: 100_000, ..Settings::default() });
    let check = async |text: &str, refused: bool| {
        let expr = engine.parse(text).expect(text);
        let result = engine.instant(&source, &expr, 3_000_000_000_000).await;
        assert_eq!(result.is_err(), refused, "{text}: {result:?}");
        if let Err(error) = result {
            assert!(
                error.to_string().ends_with("too many samples into memory in query execution"),
                "{error}"
            );
        }
    };
    for text in ["x[50y]", "deriv(x[50y])", "predict_linear(x[50y], 5)"] {
        check(text, true).await;
        check(&text.replace("50y", "1d"), false).await;
    }
    // these need not write them out
    for text in ["sum_over_time(x[50y])", "avg_over_time(x[50y])", "count_over_time(x[50y])", "rate(x[50y])"]
    {
        check(text, false).await;
    }
}

/// Each level doubles a label: 2^40 bytes.
#[tokio::test]
async fn texts_of_labels_are_limited() {
    let source = Fixed(vec![labelled("x", 1)]);
    let mut text = "x".to_owned();
    for _ in 0..40 {
        text = format!(r#"label_join({text}, "nth", "", "nth", "nth")"#);
    }
    let engine = engine(Settings { bytes_max: 1_000_000, ..Settings::default() });
    let expr = engine.parse(&text).expect("parses");
    let error = engine.instant(&source, &expr, 0).await.expect_err("a long label");
    assert!(error.to_string().contains("more than bytes_max, 1000000 bytes"), "{error}");
}

fn labelled(name: &str, nth: usize) -> Series {
    let labels = Labels::from_pairs([("__name__", name.to_owned()), ("nth", nth.to_string())]);
    Series { labels, ..sampled(name, &[(0, 1.0)]) }
}

#[tokio::test]
async fn time_and_patience_end() {
    let clock = Arc::new(ManualClock::at_ms(0));
    let engine = Engine::new(Settings::default(), clock.clone());
    let source = Fixed(vec![sampled("x", &[(0, 1.0)])]);
    let expr = engine.parse("x + x").expect("parses");
    let loaded = engine.load(&source, &expr, Times::At(0), QueryOptions::default()).await.expect("loads");
    clock.advance_ms(Settings::default().timeout_ms + 1);
    let error = loaded.execute().expect_err("is too late");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Timeout, "query timed out in expression evaluation")
    );
    let loaded = engine.load(&source, &expr, Times::At(0), QueryOptions::default()).await.expect("loads");
    drop(loaded.cancel_on_drop());
    let error = loaded.execute().expect_err("nobody waits");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Canceled, "query was canceled in expression evaluation")
    );
}

#[tokio::test]
async fn points_of_range_queries_are_limited() {
    let engine = engine(Settings::default());
    let expr = engine.parse("1").expect("parses");
    let source = Fixed(Vec::new());
    assert!(engine.range(&source, &expr, 0, 10_999, 1).await.is_ok());
    let error = engine.range(&source, &expr, 0, 11_000, 1).await.expect_err("one too many");
    assert!(error.to_string().starts_with("exceeded maximum resolution of 11,000 points"), "{error}");
    let error = engine.range(&source, &expr, 0, 1, 0).await.expect_err("no step");
    assert_eq!(error.kind(), ErrorKind::BadData);
}

#[tokio::test]
async fn pushes_can_be_read_as_if_they_had_been_scraped() {
    let source = Fixed(vec![pushed("runs_total", &[(10, 130, 1.0), (130, 200, 4.0)])]);
    let by_flag = Settings { as_scraped_ms: Some(15_000), ..Settings::default() };
    let check = async |text: &str, at_s: i64, held: Option<f64>, scraped: Option<f64>| {
        assert_eq!(number(&source, text, at_s).await, held, "{text} at {at_s}, held");
        let by_query = QueryOptions { as_scraped_ms: Some(15_000), ..QueryOptions::default() };
        let back = QueryOptions { as_scraped_ms: Some(0), ..QueryOptions::default() };
        for (settings, options, expect) in [
            (by_flag.clone(), QueryOptions::default(), scraped),
            (Settings::default(), by_query, scraped),
            (by_flag.clone(), back, held),
        ] {
            let engine = engine(settings);
            let expr = engine.parse(text).expect(text);
            let loaded = engine.load(&source, &expr, Times::At(at_s * 1_000), options).await.expect(text);
            let value = loaded.execute().expect(text).value;
            let Value::Vector(samples) = value else { panic!("{text}: {value:?}") };
            let found = samples.first().map(|sample| sample.value.clone());
            assert_eq!(found, expect.map(model::Value::Float), "{text} at {at_s}, {options:?}");
        }
    };
    // not scraped yet; seen; gone, but only the scrape after that tells
    check("runs_total", 12, Some(1.0), None).await;
    check("runs_total", 131, Some(4.0), Some(1.0)).await;
    check("runs_total", 200, None, Some(4.0)).await;
    check("runs_total", 210, None, None).await;
    check("timestamp(runs_total)", 50, Some(45.0), Some(45.0)).await;
    check("count_over_time(runs_total[1m])", 165, Some(4.0), Some(4.0)).await;
    // the scrapes from 120 to 165 saw 1 1 4 4 from second 105 on: 3 in 45 s, stretched to both edges of 60 s
    check("increase(runs_total[1m])", 165, Some(3.0), Some(4.0)).await;
    check("changes(runs_total[5m])", 300, Some(1.0), Some(1.0)).await;
    let few = engine(Settings { samples_max: 10, ..by_flag });
    let expr = few.parse("count_over_time(runs_total[1m])").expect("parses");
    assert!(few.instant(&source, &expr, 100_000).await.is_ok());
    let expr = few.parse("count_over_time(runs_total[1h])").expect("parses");
    let error = few.instant(&source, &expr, 3_600_000).await.expect_err("too many scrapes");
    assert!(error.to_string().ends_with("too many samples into memory in query execution"), "{error}");
}

/// A histogram with this many observations in the bucket (1, 2], each of 2.
fn observed(count: f64) -> model::Value {
    model::Value::Histogram(Arc::new(model::Histogram {
        count,
        sum: 2.0 * count,
        positive_spans: vec![model::Span { offset: 1, length: 1 }],
        positive_counts: vec![count],
        ..model::Histogram::default()
    }))
}

#[tokio::test]
async fn pushed_histograms_are_exact_on_their_steps() {
    let mut histograms = series("h");
    for (from_s, until_s, count) in [(30, 90, 4.0), (90, 150, 6.0), (150, 210, 1.0)] {
        histograms.steps.push_value(from_s * 1_000, until_s * 1_000, &observed(count));
    }
    let source = Fixed(vec![histograms]);
    for (text, at_s, expect) in [
        ("histogram_count(h)", 60, Some(4.0)),
        ("histogram_count(h)", 210, None),
        ("histogram_count(increase(h[1m]))", 120, Some(2.0)),
        ("histogram_sum(increase(h[1m]))", 120, Some(4.0)),
        // a fall is a reset: all that is there is new
        ("histogram_count(increase(h[2m]))", 180, Some(3.0)),
        ("histogram_count(rate(h[100s]))", 120, Some(0.02)),
        // 2 more in the 60 s between the last two pushes; after the fall, all of the 1 is new; one step alone is no change
        ("histogram_count(irate(h[5m])) * 60", 120, Some(2.0)),
        ("histogram_sum(irate(h[5m])) * 60", 120, Some(4.0)),
        ("histogram_count(irate(h[5m])) * 60", 180, Some(1.0)),
        ("histogram_count(irate(h[10s]))", 120, Some(0.0)),
        ("histogram_count(irate(h[5m]))", 600, None),
        ("histogram_count(idelta(h[5m]))", 120, Some(2.0)),
        ("histogram_count(idelta(h[5m]))", 180, Some(-5.0)),
        ("resets(h[2m])", 180, Some(1.0)),
        ("changes(h[2m])", 180, Some(2.0)),
        ("histogram_count(last_over_time(h[5m]))", 240, Some(1.0)),
        ("histogram_count(first_over_time(h[5m]))", 240, Some(4.0)),
        ("max_over_time(h[5m])", 240, None),
        // four virtual samples of 4, two of 6
        ("count_over_time(h[90s])", 105, Some(6.0)),
        ("histogram_count(sum_over_time(h[90s]))", 105, Some(28.0)),
    ] {
        assert_eq!(number(&source, text, at_s).await, expect, "{text} at {at_s}");
    }
}

#[tokio::test]
async fn smoothing_and_starts_of_pushed_series() {
    let engine = engine(Settings { syntax: mayfly_query::syntax::Options::all(), ..Settings::default() });
    // it holds at the virtual sample at 0 only
    let mut series = sampled("x", &[]);
    series.steps.push(0, 10, 1.0);
    series.steps.started(-5_000);
    let source = Fixed(vec![series]);
    for (text, expect) in
        [("x smoothed", 1.0), ("start_timestamp(x)", -5.0), ("increase(x[5m] smoothed)", 0.0)]
    {
        let expr = engine.parse(text).expect("parses");
        let value = engine.instant(&source, &expr, 0).await.expect(text).value;
        let Value::Vector(samples) = value else { panic!("{text}: {value:?}") };
        assert_eq!(samples.len(), 1, "{text}");
        assert_eq!(samples[0].value, model::Value::Float(expect), "{text}");
    }
}
