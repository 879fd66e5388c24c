//! A store, who writes to it, and two who answer from it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use fastrand::Rng;
use http::Request;
use http_body_util::BodyExt;
use mayfly_edge::{
    Ack, CompactSettings, Compaction, Compactions, Retention, Storage, StoredDeletions, StoredSeries,
};
use model::{
    Change, Clock, GroupKey, Labels, Matcher, Merge, MetricType, Push, PushedFamily, PushedSeries, Samples,
    Series, Value, is_stale_nan,
};
use oracle::{Data, generate};
use query::api::{Api, BuildInfo, SeriesDeleter, SeriesDeletion};
use query::{Results, Settings};
use store::{SampleBatch, Tenant, Writer};
use tempfile::TempDir;
use testkit::ManualClock;
use tower::ServiceExt;

/// 2030-11-23T10:00:00Z.
pub(crate) const START_MS: i64 = 1_921_658_400_000;
pub(crate) const LENGTH_MS: i64 = 3 * 3_600_000;

/// Who writes: first to a log, of which a reader sees what is not written yet, then straight to the store.
struct Writers {
    pushes: Arc<Writer<Push>>,
    samples: Arc<Writer<SampleBatch>>,
}

impl Writers {
    async fn new(storage: &Storage, clock: &Arc<ManualClock>, ack: Ack) -> Self {
        let pushes = storage.push_writer(Arc::clone(clock) as _, ack).await.expect("writes");
        let samples = storage.sample_writer(Arc::clone(clock) as _, ack).await.expect("writes");
        Self { pushes: Arc::new(pushes), samples: Arc::new(samples) }
    }

    async fn close(&self) {
        futures::join!(self.pushes.close(), self.samples.close());
    }
}

pub(crate) struct World {
    clock: Arc<ManualClock>,
    storage: Storage,
    writers: Writers,
    is_logged: bool,
    compaction: Arc<Compaction>,
    deletions: StoredDeletions,
    /// What is still to be written, and how much of each is.
    series: Vec<(Series, usize)>,
    adds_up: bool,
    plain: Router,
    kept: Router,
    pub(crate) results: Arc<Results>,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new(seed: u64, native: bool) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(ManualClock::at_ms(START_MS));
        // every other seed begins with a log
        let is_logged = seed % 2 == 1;
        let (url, ack) = match is_logged {
            true => {
                let flush_interval = Duration::from_secs(3_600);
                (folder.path().to_str().expect("text"), Ack::Logged { flush_interval })
            }
            false => ("memory:", Ack::Stored),
        };
        let storage = Storage::open(url, None).await.expect("opens");
        let writers = Writers::new(&storage, &clock, ack).await;
        let reader = Arc::new(storage.reader(Some(&writers.pushes), Some(&writers.samples)));
        let compactions = Compactions::new(
            storage.clone(),
            CompactSettings::of_holder(0),
            Retention::default(),
            Arc::clone(&clock) as _,
        );
        let deletions = StoredDeletions::new(&storage, Arc::clone(&reader), Arc::clone(&clock) as _);
        let settings = Settings { syntax: query::syntax::Options::all(), threads: 2, ..Settings::default() };
        let stored = Arc::new(StoredSeries::new(reader));
        let api = || {
            Api::new(
                settings.clone(),
                Arc::clone(&stored) as _,
                Arc::clone(&clock) as _,
                BuildInfo::default(),
            )
        };
        // sometimes there is not room for all
        let results = Arc::new(Results::new(if seed % 4 == 3 { 300_000 } else { 64 << 20 }));
        let routes = |api: Api| query::api::router(Arc::new(api));
        Self {
            writers,
            is_logged,
            compaction: compactions.of(&Tenant::default()),
            deletions,
            series: data(&mut rng, native).into_iter().map(|series| (series, 0)).collect(),
            adds_up: seed % 3 == 2,
            plain: routes(api()),
            kept: routes(api().with_results(&results)),
            results,
            storage,
            clock,
            _folder: folder,
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Time goes on, and something happens. Gives what.
    pub(crate) async fn go_on(&mut self, rng: &mut Rng) -> String {
        let by_ms = match rng.u8(..20) {
            0 => rng.i64(300_000..1_200_000),
            1..4 => rng.i64(60_000..240_000),
            _ => rng.i64(5_000..60_000),
        };
        self.clock.advance_ms(by_ms);
        let mut done = Vec::new();
        self.write(rng).await;
        for _ in 0..rng.u8(..4) {
            done.push(self.push(rng).await);
        }
        if self.is_logged && rng.u8(..12) == 0 {
            self.writers.close().await;
            self.writers = Writers::new(&self.storage, &self.clock, Ack::Stored).await;
            self.is_logged = false;
            done.push("flushed".to_owned());
        }
        if rng.u8(..3) == 0 {
            for stream in &self.compaction.streams {
                stream.compactor.tick().await.expect("ticks");
            }
            done.push("merged".to_owned());
        }
        if rng.u8(..40) == 0 {
            done.push(self.delete(rng).await);
        }
        done.join(", ")
    }

    /// Writes what was measured until now; of some series later, and then perhaps not all.
    async fn write(&mut self, rng: &mut Rng) {
        let now_ms = self.clock.now_ms();
        let mut batch = Vec::new();
        for (series, written) in &mut self.series {
            let samples = &series.samples;
            let ready = samples.timestamps_ms.partition_point(|&at_ms| at_ms <= now_ms);
            if rng.u8(..8) == 0 || ready <= *written {
                continue;
            }
            let mut part = Samples::default();
            for index in *written..ready {
                part.push_value(samples.timestamps_ms[index], &value(samples, index));
            }
            batch.push((series.labels.clone(), part));
            *written = ready;
        }
        if !batch.is_empty() {
            self.writers.samples.push(SampleBatch::of(batch)).await.expect("written");
        }
    }

    async fn push(&self, rng: &mut Rng) -> String {
        let (job, instance) = (*rng.choice(&["a", "b"]).expect("some"), rng.u8(..3));
        let grouping = [("job", job.to_owned()), ("instance", instance.to_string())];
        let labels = |name: &str| {
            Labels::from_pairs([("__name__", name.to_owned())].into_iter().chain(grouping.clone()))
        };
        let adds = self.adds_up && rng.bool();
        let change = match rng.u8(..10) {
            0 => Change::Delete,
            1..4 => Change::ReplaceGroup,
            _ if adds => Change::Merge,
            _ => Change::ReplaceFamilies,
        };
        let mut family = |name: &str, r#type: MetricType| {
            let merge = if adds && r#type == MetricType::Counter { Merge::Add } else { Merge::Set };
            let value = f64::from(rng.i32(0..1_000)) * 0.1;
            let series = vec![PushedSeries::float(labels(name), value).merging(merge)];
            PushedFamily { name: name.into(), r#type, series, ..PushedFamily::default() }
        };
        let mut families = Vec::new();
        if change != Change::Delete {
            families = vec![
                family("p", MetricType::Gauge),
                family("p_total", MetricType::Counter),
                // as the gateway adds it
                family("push_time_seconds", MetricType::Gauge),
            ];
        }
        let mut push = Push::new(GroupKey::of(&Labels::from_pairs(grouping.clone())), change, families);
        push.ttl_us = (rng.u8(..4) == 0).then(|| rng.u64(10_000_000..600_000_000));
        self.writers.pushes.push(push).await.expect("written");
        format!("{change:?} {job}{instance}{}", if adds { " adding" } else { "" })
    }

    async fn delete(&self, rng: &mut Rng) -> String {
        let matchers: Vec<Matcher> = match rng.u8(..3) {
            0 => vec![Matcher::equal("job", "a")],
            1 => vec![Matcher::equal("__name__", "g"), Matcher::equal("instance", "1")],
            _ => vec![Matcher::equal("__name__", "wide"), Matcher::equal("zone", "z1")],
        };
        let now_ms = self.clock.now_ms();
        let start_ms = rng.bool().then(|| now_ms - rng.i64(60_000..3_000_000));
        let end_ms = rng.bool().then(|| now_ms - rng.i64(0..60_000));
        let told = format!("deleted {matchers:?} from {start_ms:?} to {end_ms:?}");
        self.deletions.delete(&[SeriesDeletion { matchers, start_ms, end_ms }]).await.expect("deleted");
        told
    }

    /// Status and body of an answer where no results are kept, and where some are.
    pub(crate) async fn ask(
        &self,
        query: &str,
        (start_ms, end_ms, step_ms): (i64, i64, i64),
        more: &str,
    ) -> ((u16, String), (u16, String)) {
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1_000, ms % 1_000);
        let query = testkit::server::escape(query);
        let (start, end, step) = (seconds(start_ms), seconds(end_ms), seconds(step_ms));
        let target = format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={step}{more}");
        let answer = async |routes: &Router| {
            let request = Request::get(&target).body(Body::empty()).expect("a request");
            let response = routes.clone().oneshot(request).await.expect("an answer");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            (status, String::from_utf8(body.to_vec()).expect("text"))
        };
        (answer(&self.plain).await, answer(&self.kept).await)
    }
}

fn value(samples: &Samples, index: usize) -> Value {
    match samples.histograms.get(index) {
        Some(Some(histogram)) => Value::Histogram(Arc::clone(histogram)),
        _ => Value::Float(samples.values[index]),
    }
}

/// What scrapes would have found, in numbers of which sums are not exact.
fn data(rng: &mut Rng, native: bool) -> Vec<Series> {
    let data = Data {
        start_ms: START_MS,
        length_ms: LENGTH_MS,
        stale_markers: true,
        pushed: false,
        native,
        infos: true,
    };
    let mut all = generate(rng, data);
    for series in &mut all {
        // versions and the like are no measurements
        let is_info = series.labels.metric_name().ends_with("_info");
        for value in series.samples.values.iter_mut().filter(|value| !is_stale_nan(**value) && !is_info) {
            *value *= 0.1;
        }
    }
    // some of these come and go
    for number in 0..200 {
        let (zone, host) = (format!("z{}", number % 3), format!("{:04}", (number * 7_919) % 1_000));
        let labels = Labels::from_pairs([
            ("__name__", "wide".to_owned()),
            ("zone", zone),
            ("host", host),
            ("instance", number.to_string()),
        ]);
        let (first_ms, last_ms) = match number % 10 {
            0 => (rng.i64(0..LENGTH_MS / 2), LENGTH_MS),
            1 => (0, rng.i64(LENGTH_MS / 4..LENGTH_MS)),
            _ => (0, LENGTH_MS),
        };
        let mut samples = Samples::default();
        let mut at_ms = START_MS + first_ms;
        while at_ms < START_MS + last_ms {
            samples.push(at_ms, rng.f64() * 10_f64.powi(rng.i32(-4..7)));
            at_ms += 30_000;
        }
        all.push(Series { labels, samples, ..Series::default() });
    }
    all
}
