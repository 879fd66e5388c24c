//! What is over a limit ends while it is read: no further batch is asked for, and what was read is gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use mayfly_query::{
    Engine, NeededLabels, QueryOptions, SeriesSource, Settings, SourceError, SourceErrorKind, SourceNotes,
    Times, Value,
};
use model::{Labels, Selection, Series};
use testkit::ManualClock;

/// Batches without end, each of 10 series of 100 samples. Nobody else holds the labels, so it can be told whether a batch is gone.
#[derive(Default)]
struct Endless {
    asked: AtomicUsize,
    given: Mutex<Vec<Weak<str>>>,
    /// How long a batch takes.
    batch_ms: i64,
    clock: Option<Arc<ManualClock>>,
    fails_after: Option<usize>,
}

impl Endless {
    fn batch(&self) -> Result<Vec<Series>, SourceError> {
        let nth = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.fails_after == Some(nth) {
            return Err(SourceError::new(SourceErrorKind::Unavailable, "the store is away"));
        }
        if let Some(clock) = &self.clock {
            clock.advance_ms(self.batch_ms);
        }
        let series = (0..10).map(|one| {
            let labels = Labels::from_pairs([("__name__", "x".to_owned()), ("n", format!("{nth:06}-{one}"))]);
            let mut series = Series { labels, ..Series::default() };
            (0..100).for_each(|at| series.samples.push(at * 1_000, 1.0));
            let text = series.labels.get_shared("n").expect("a label");
            self.given.lock().expect("no panic before").push(Arc::downgrade(text));
            series
        });
        Ok(series.collect())
    }

    fn held(&self) -> usize {
        self.given.lock().expect("no panic before").iter().filter(|text| text.strong_count() > 0).count()
    }
}

#[async_trait]
impl SeriesSource for Endless {
    async fn select(&self, _: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Err(SourceError::new(SourceErrorKind::Internal, "nobody can have all of it"))
    }

    fn batches<'a>(
        &'a self,
        _: &'a Selection,
        _: &'a NeededLabels,
        _: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        stream::repeat_with(|| self.batch()).boxed()
    }
}

const TIMES: Times = Times::Range { start_ms: 0, end_ms: 100_000, step_ms: 1_000 };

async fn check(settings: Settings, source: Endless, text: &str, batches_max: usize, expect: &str) {
    let clock = source.clock.clone().unwrap_or_else(|| Arc::new(ManualClock::at_ms(0)));
    let engine = Engine::new(settings, clock);
    let expr = engine.parse(text).expect(text);
    let error = engine.load(&source, &expr, TIMES, QueryOptions::default()).await.expect_err(text);
    assert_eq!(error.to_string(), expect, "{text}");
    let asked = source.asked.load(Ordering::Relaxed);
    assert!(asked <= batches_max, "{text}: {asked} batches were read");
    assert_eq!(source.held(), 0, "{text}: series stay");
    assert!(!source.given.lock().expect("no panic before").is_empty(), "{text}: nothing was read");
}

#[tokio::test]
async fn every_limit_ends_the_reading() {
    // a batch is 1,000 samples, so the fifth is the first beyond 4,000; two selections are read at the same time
    for (text, batches) in [("x", 5), ("x + sum(x offset 1h)", 5)] {
        let few_samples = Settings { samples_max: 4_000, ..Settings::default() };
        let expect = "query processing would load too many samples into memory in query execution";
        check(few_samples, Endless::default(), text, batches, expect).await;

        let few_series = Settings { series_max: 40, ..Settings::default() };
        let expect =
            "query would load too many series into memory in query execution: more than series_max, 40";
        check(few_series, Endless::default(), text, batches, expect).await;

        // a sample takes 16 bytes
        let few_bytes = Settings { bytes_max: 4 * 16_000, ..Settings::default() };
        let expect = "query processing would take too much memory in query execution: more than bytes_max, 64000 bytes";
        check(few_bytes, Endless::default(), text, batches, expect).await;

        let clock = Some(Arc::new(ManualClock::at_ms(0)));
        let slow = Endless { batch_ms: 30_000, clock, ..Endless::default() };
        let expect = "query timed out in expression evaluation";
        check(Settings { timeout_ms: 120_000, ..Settings::default() }, slow, text, batches, expect).await;

        let broken = Endless { fails_after: Some(4), ..Endless::default() };
        check(Settings::default(), broken, text, batches, "the store is away").await;
    }
}

/// The same series in one batch, or in many that come in another order.
struct Parts {
    series: usize,
    in_batches_of: usize,
    /// From which series on there is a type.
    typed_from: usize,
    asked: Mutex<Vec<bool>>,
}

impl Parts {
    fn all(&self) -> Vec<Series> {
        let one = |nth: usize| {
            let type_label = if nth >= self.typed_from { "gauge" } else { "" };
            let pairs = [
                ("__name__", "x".to_owned()),
                ("__type__", type_label.to_owned()),
                ("n", format!("{nth:03}")),
            ];
            let labels = Labels::from_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
            let mut series = Series { labels, ..Series::default() };
            series.samples.push(0, (nth as f64).powi(3) / 7.0);
            series
        };
        (0..self.series).map(one).collect()
    }
}

#[async_trait]
impl SeriesSource for Parts {
    async fn select(&self, _: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.all())
    }

    fn batches<'a>(
        &'a self,
        _: &'a Selection,
        needed: &'a NeededLabels,
        _: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        self.asked.lock().expect("no panic before").push(*needed == NeededLabels::All);
        let batches: Vec<_> =
            self.all().chunks(self.in_batches_of).rev().map(|batch| Ok(batch.to_vec())).collect();
        stream::iter(batches).boxed()
    }
}

#[tokio::test]
async fn batches_come_to_the_same_in_any_order() {
    let engine = Engine::new(Settings::default(), Arc::new(ManualClock::at_ms(0)));
    for text in ["x", "sum(x)", "limitk(3, x)", "topk(2, x * 0)", "stddev(x)"] {
        let expr = mayfly_query::syntax::parse(text, &mayfly_query::syntax::Options::all()).expect(text);
        let mut values: Vec<Value> = Vec::new();
        for in_batches_of in [1, 7, 100] {
            let asked = Mutex::default();
            let source = Parts { series: 50, in_batches_of, typed_from: usize::MAX, asked };
            values.push(engine.instant(&source, &expr, 0).await.expect(text).value);
        }
        assert!(values.iter().all(|value| *value == values[0]), "{text}: {values:?}");
    }
}

#[tokio::test]
async fn a_type_in_a_late_batch_asks_for_all_labels() {
    let samples_max = 50;
    let engine =
        Engine::new(Settings { samples_max, ..Settings::default() }, Arc::new(ManualClock::at_ms(0)));
    let expr = engine.parse("sum(x)").expect("an expression");
    let source = Parts { series: 50, in_batches_of: 7, typed_from: 49, asked: Mutex::default() };
    engine.load(&source, &expr, Times::At(0), QueryOptions::default()).await.expect("within the limit");
    assert_eq!(*source.asked.lock().expect("no panic before"), [false, true]);
    // batches come from the last to the first: the type is in the first here, and in the last there
    let source = Parts { series: 50, in_batches_of: 7, typed_from: 0, asked: Mutex::default() };
    engine.load(&source, &expr, Times::At(0), QueryOptions::default()).await.expect("within the limit");
}
