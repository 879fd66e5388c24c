//! Results of range queries that are kept: what is evaluated again, and what is never put together.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use mayfly_query::api::{Api, BuildInfo, router};
use mayfly_query::{Results, SeriesSource, Settings, Shown, Snapshot, SourceError, SourceNotes};
use model::{Ground, GroundPiece, Labels, Selection, Series, Value};
use serde_json::Value as Json;
use testkit::ManualClock;
use tower::ServiceExt;

/// Series in memory; every sample is a piece of the ground.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Series>>>);

impl Memory {
    fn add(&self, labels: &[(&str, &str)], at_s: i64, value: f64) {
        let labels = Labels::from_pairs(labels.iter().copied());
        let mut all = self.0.lock().expect("unpoisoned");
        let place = all.iter().position(|series| series.labels == labels).unwrap_or_else(|| {
            all.push(Series { labels, ..Series::default() });
            all.len() - 1
        });
        let samples = &mut all[place].samples;
        let index = samples.timestamps_ms.partition_point(|&at_ms| at_ms < at_s * 1_000);
        samples.timestamps_ms.insert(index, at_s * 1_000);
        samples.values.insert(index, value);
    }

    /// A sample every 15 s of an hour.
    fn add_hour(&self, labels: &[(&str, &str)], mut value: impl FnMut(i64) -> f64) {
        (0..=240).for_each(|number| self.add(labels, number * 15, value(number)));
    }
}

struct Moment {
    series: Vec<Series>,
    ground: Arc<Ground>,
}

impl Moment {
    fn matching(&self, selection: &Selection) -> Vec<Series> {
        let cut = |series: &Series| {
            let mut cut = Series { labels: series.labels.clone(), ..Series::default() };
            for (&at_ms, &value) in series.samples.timestamps_ms.iter().zip(&series.samples.values) {
                if (selection.start_ms..=selection.end_ms).contains(&at_ms) {
                    cut.samples.push_value(at_ms, &Value::Float(value));
                }
            }
            cut
        };
        let matching = self.series.iter().filter(|series| selection.matches(&series.labels)).map(cut);
        matching.filter(|series| !series.samples.is_empty()).collect()
    }
}

#[async_trait]
impl SeriesSource for Moment {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.matching(selection))
    }
}

impl Snapshot for Moment {
    fn ground(&self) -> &Arc<Ground> {
        &self.ground
    }

    fn shown(&self, selection: &Selection) -> Option<Shown> {
        let identities = self
            .matching(selection)
            .iter()
            .map(|series| u128::from(series.labels.fingerprint().cast_unsigned()))
            .sum();
        Some(Shown { identities, all_labels: true, is_of_times: true })
    }
}

#[async_trait]
impl SeriesSource for Memory {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        self.snapshot().await?.expect("tells").select(selection, notes).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>, SourceError> {
        let mut series = self.0.lock().expect("unpoisoned").clone();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        let pieces = series.iter().flat_map(|series| {
            let samples = series.samples.timestamps_ms.iter().zip(&series.samples.values);
            samples.map(|(&at_ms, value)| {
                let id = u128::from(series.labels.fingerprint().cast_unsigned()) << 64
                    | u128::from(value.to_bits());
                GroundPiece { id, from_ms: at_ms, until_ms: at_ms }
            })
        });
        let ground = Arc::new(Ground::new(0, pieces.collect()));
        Ok(Some(Arc::new(Moment { series, ground })))
    }
}

struct Both {
    memory: Memory,
    results: Arc<Results>,
    plain: Router,
    kept: Router,
}

impl Both {
    fn new(settings: &Settings) -> Self {
        let (memory, results) = (Memory::default(), Arc::new(Results::new(16 << 20)));
        let api = || {
            let clock = Arc::new(ManualClock::at_ms(0));
            Api::new(settings.clone(), Arc::new(memory.clone()), clock, BuildInfo::default())
        };
        let routes = |api: Api| router(Arc::new(api));
        let (plain, kept) = (routes(api()), routes(api().with_results(&results)));
        Self { plain, kept, results, memory }
    }

    fn experimental() -> Self {
        Self::new(&Settings { syntax: mayfly_query::syntax::Options::all(), ..Settings::default() })
    }

    /// Asks both, who agree. Gives the answer and how many steps were known, if that is told.
    async fn ask(&self, query: &str, start_s: i64, end_s: i64, step_s: i64) -> (Json, Option<u64>) {
        let query = testkit::server::escape(query);
        let target = format!("/api/v1/query_range?query={query}&start={start_s}&end={end_s}&step={step_s}");
        let (plain, kept) = (get(&self.plain, &target).await, get(&self.kept, &target).await);
        assert_eq!(plain, kept, "{target}");
        let explained = get(&self.kept, &format!("{target}&explain=1")).await;
        let mut explained: Json = serde_json::from_str(&explained).expect("is JSON");
        let data = explained.get_mut("data").and_then(Json::as_object_mut);
        let explain = data.and_then(|data| data.remove("explain"));
        assert_eq!(explained, serde_json::from_str::<Json>(&plain).expect("is JSON"), "{target}");
        (explained, explain.and_then(|explain| explain["results"]["reusedSteps"].as_u64()))
    }

    fn hits(&self) -> (u64, u64, u64) {
        let stats = self.results.stats();
        (stats.hits, stats.misses, stats.unfit)
    }
}

async fn get(routes: &Router, target: &str) -> String {
    let request = Request::get(target).body(Body::empty()).expect("a request");
    let response = routes.clone().oneshot(request).await.expect("an answer");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn rising(number: i64) -> f64 {
    number as f64 * 0.1
}

#[tokio::test]
async fn a_refresh_evaluates_what_is_new() {
    let both = Both::new(&Settings::default());
    both.memory.add_hour(&[("__name__", "rows_total"), ("job", "a")], rising);
    let query = "sum by (job) (rate(rows_total[2m]))";
    // the second question of the two is the one that is explained
    let (_, known) = both.ask(query, 0, 3_600, 15).await;
    assert_eq!((known, both.hits()), (Some(240), (1, 1, 0)), "all but the newest");
    both.memory.add(&[("__name__", "rows_total"), ("job", "a")], 3_615, 30.0);
    let (_, known) = both.ask(query, 15, 3_615, 15).await;
    assert_eq!((known, both.hits()), (Some(240), (3, 1, 0)));
    let stats = both.results.stats();
    assert_eq!((stats.steps_reused, stats.steps_evaluated), (240 * 3, 3), "{stats:?}");
    // a shorter one of the same, and one further back than anybody asked
    assert_eq!(both.ask(query, 3_000, 3_615, 15).await.1, Some(41));
    let (_, known) = both.ask(query, -60, 3_615, 15).await;
    assert_eq!(known, Some(245), "the first of the two was evaluated as a whole");
    // otherwise it is another query
    for (start_s, end_s, step_s) in [(7, 3_607, 15), (0, 3_600, 30)] {
        let before = both.results.stats().entries;
        both.ask(query, start_s, end_s, step_s).await;
        assert_eq!(both.results.stats().entries, before + 1, "{start_s} {step_s}");
    }
    assert_eq!(both.hits().2, 0);
}

#[tokio::test]
async fn what_comes_late_is_seen() {
    let both = Both::new(&Settings::default());
    let labels = [("__name__", "up"), ("job", "a")];
    both.memory.add_hour(&labels, rising);
    let queries =
        ["up", "max_over_time(up[1m])", "up offset 10m", "sum_over_time(max_over_time(up[1m])[3m:40s])"];
    for query in queries {
        both.ask(query, 0, 3_600, 60).await;
    }
    both.memory.add(&labels, 1_807, 1e6);
    for query in queries {
        let (answer, known) = both.ask(query, 0, 3_600, 60).await;
        // at steps there are samples that are newer
        assert_eq!(answer.to_string().contains("\"1000000\""), query.starts_with("max"), "{query}: {answer}");
        assert_eq!(known, Some(60), "{query}");
    }
    // as far as the sample was, it was true before
    let stats = both.results.stats();
    assert!(stats.steps_evaluated > 4 * 25 && stats.steps_evaluated < 4 * 40, "{stats:?}");
    assert_eq!(stats.contradictions, 0);
}

#[tokio::test]
async fn what_looks_at_the_times_of_the_query_is_not_kept() {
    let both = Both::experimental();
    both.memory.add_hour(&[("__name__", "up"), ("job", "a")], rising);
    for query in [
        "up @ 600",
        "up @ start()",
        "rate(up[1m] @ end())",
        "up + end()",
        "up * scalar(vector(range()))",
        "max_over_time(up[range()])",
        "max_over_time(up[1m:15s] offset range())",
        "time()",
        "vector(1)",
    ] {
        assert_eq!(both.ask(query, 0, 3_600, 60).await.1, None, "{query}");
    }
    assert_eq!(both.ask("up + step()", 0, 3_600, 60).await.1, Some(60));
    let stats = both.ask("up", 0, 3_600, 60).await.1;
    assert_eq!(stats, Some(60));
    // who wants to know what all of it takes gets all of it
    let before = both.hits();
    get(&both.kept, "/api/v1/query_range?query=up&start=0&end=3600&step=60&stats=1").await;
    get(&both.kept, "/api/v1/query_range?query=up&start=0&end=3600&step=60&as_scraped=15s").await;
    assert_eq!(both.hits(), before);
}

#[tokio::test]
async fn remarks_are_those_of_the_whole() {
    let both = Both::new(&Settings::default());
    both.memory.add_hour(&[("__name__", "rows"), ("job", "a")], rising);
    // rows does not look like a counter: said of each evaluation
    let (answer, known) = both.ask("rate(rows[1m])", 0, 3_600, 60).await;
    assert_eq!((answer["infos"].as_array().map(Vec::len), known), (Some(1), Some(60)));
    // two of them are told in their order
    both.memory.add_hour(&[("__name__", "lines"), ("job", "a")], rising);
    let (answer, known) = both.ask("rate(rows[1m]) / rate(lines[1m])", 0, 3_600, 60).await;
    assert_eq!((answer["infos"].as_array().map(Vec::len), known), (Some(2), Some(60)));
    // but for nothing but its first samples
    both.memory.add(&[("__name__", "few"), ("job", "a")], 5, 1.0);
    both.memory.add(&[("__name__", "few"), ("job", "a")], 20, 2.0);
    let (answer, known) = both.ask("rate(few[1m])", 0, 3_600, 60).await;
    assert_eq!((answer["infos"].as_array().map(Vec::len), known), (Some(1), Some(0)));
    assert!(both.hits().2 > 0);
    let (answer, _) = both.ask("rate(few[1m])", 120, 3_720, 60).await;
    assert_eq!(answer["infos"], Json::Null);
}

#[tokio::test]
async fn what_is_picked_by_the_order_of_groups_is_picked_as_in_the_whole() {
    let both = Both::experimental();
    // a group comes where its first series does: z first, as long as that series is there
    both.memory.add(&[("__name__", "up"), ("a", "0"), ("zone", "z")], 0, 1.0);
    for (a, zone) in [("1", "y"), ("2", "z"), ("3", "x")] {
        both.memory.add_hour(&[("__name__", "up"), ("a", a), ("zone", zone)], |_| 1.0);
    }
    let query = "limitk(1, sum by (zone) (up * 0 + 1))";
    let (answer, _) = both.ask(query, 0, 3_600, 60).await;
    assert_eq!(answer["data"]["result"][0]["metric"]["zone"], "z", "{answer}");
    assert!(both.hits().2 > 0);
    let (answer, _) = both.ask(query, 600, 4_200, 60).await;
    assert_eq!(answer["data"]["result"][0]["metric"]["zone"], "y", "{answer}");
}

#[tokio::test]
async fn limits_end_queries_that_they_would_end_without() {
    // an hour and what is computed of it fits, two hours do not
    let both = Both::new(&Settings { samples_max: 700, ..Settings::default() });
    let labels = [("__name__", "up"), ("job", "a")];
    (0..=480).for_each(|number| both.memory.add(&labels, number * 15, rising(number)));
    let failed = |answer: &Json| answer["error"].as_str().map(str::to_owned);
    for end_s in (3_600..=7_200).step_by(60) {
        let (answer, _) = both.ask("up", 0, end_s, 15).await;
        let is_over = failed(&answer).is_some_and(|error| error.contains("too many samples"));
        assert_eq!(is_over, failed(&answer).is_some(), "{answer}");
        assert!(end_s < 7_200 || is_over, "{answer}");
    }
    assert!(both.hits().0 > 20, "{:?}", both.results.stats());
}

#[tokio::test]
async fn nobody_is_given_the_results_of_another() {
    let (a, b) = (Memory::default(), Memory::default());
    a.add_hour(&[("__name__", "up"), ("job", "a")], rising);
    b.add_hour(&[("__name__", "up"), ("job", "b")], rising);
    let results = Arc::new(Results::new(16 << 20));
    let of = |memory: &Memory| {
        let clock = Arc::new(ManualClock::at_ms(0));
        let api = Api::new(Settings::default(), Arc::new(memory.clone()), clock, BuildInfo::default());
        router(Arc::new(api.with_results(&results)))
    };
    let (of_a, of_b) = (of(&a), of(&b));
    let target = "/api/v1/query_range?query=up&start=0&end=3600&step=60";
    for _ in 0..2 {
        assert!(get(&of_a, target).await.contains(r#""job":"a""#));
        assert!(get(&of_b, target).await.contains(r#""job":"b""#));
    }
    assert_eq!((results.stats().entries, results.stats().hits), (2, 2));
}
