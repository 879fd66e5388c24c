//! An evaluator with all that is around it: series, state, a receiver, a clock, and the rules API.

use std::sync::{Arc, Mutex};

use alert::{
    Alert, Components, Evaluator, LoadError, Loaded, Notifier, NotifyError, RuleSample, Rules, SampleSink,
    Settings, SinkError, StateStore, SwapError, Version, router,
};
use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use mayfly_ruletest::World;
use model::{Clock, Labels, Value};
use promqltest::Memory;
use query::Engine;
use query::syntax::parse_series;
use serde_json::Value as Json;
use testkit::ManualClock;
use tower::ServiceExt;

/// When stories begin: any time that no group's slots are aligned to.
pub(crate) const ZERO_MS: i64 = 1_790_000_003_000;

/// Everything.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) evaluator: Arc<Evaluator>,
    pub(crate) receiver: Arc<Receiver>,
    pub(crate) sink: Arc<Tee>,
    clock: Arc<ManualClock>,
    state: Arc<OneObject>,
    settings: Settings,
}

impl Stage {
    /// Rules, given as files with their paths, over series of one step, given as in unit tests of rules. They begin a step
    /// before the first tick may come, so that its slot sees them.
    pub(crate) fn new(files: &[(&str, &str)], series: &[(&str, &str)], step_ms: i64) -> Self {
        Self::beginning(ZERO_MS - step_ms, files, series, step_ms, Settings::default())
    }

    /// Likewise, with settings, and series that begin with the first tick.
    pub(crate) fn with(
        files: &[(&str, &str)],
        series: &[(&str, &str)],
        step_ms: i64,
        settings: Settings,
    ) -> Self {
        Self::beginning(ZERO_MS, files, series, step_ms, settings)
    }

    fn beginning(
        start_ms: i64,
        files: &[(&str, &str)],
        series: &[(&str, &str)],
        step_ms: i64,
        settings: Settings,
    ) -> Self {
        let clock = Arc::new(ManualClock::at_ms(ZERO_MS));
        let world = world(start_ms, series, step_ms, &clock);
        let sink = Arc::new(Tee { world: Arc::clone(&world), written: Mutex::default() });
        let (state, receiver) = (Arc::<OneObject>::default(), Arc::<Receiver>::default());
        let evaluator =
            Arc::new(evaluator(load(files, &world), &world, &receiver, &state, &sink, &clock, &settings));
        Self { world, evaluator, receiver, sink, clock, state, settings }
    }

    /// Another process in the place of this one: of what was, only the state is left.
    pub(crate) fn restart(&mut self, files: &[(&str, &str)]) {
        let Self { world, receiver, sink, clock, state, settings, .. } = self;
        self.evaluator =
            Arc::new(evaluator(load(files, world), world, receiver, state, sink, clock, settings));
    }

    /// Takes other rules.
    pub(crate) fn reload(&self, files: &[(&str, &str)]) {
        self.evaluator.replace_rules(load(files, &self.world));
    }

    /// Lets the time be so long after the beginning, and ticks.
    pub(crate) async fn tick(&self, after_ms: i64) {
        let now_ms = ZERO_MS + after_ms;
        self.clock.advance_ms(now_ms - self.clock.now_ms());
        self.world.advance(now_ms);
        *self.receiver.now_ms.lock().expect("lock") = after_ms;
        self.evaluator.tick(now_ms).await.expect("ticks");
    }

    /// The `data` of an answer of the rules API.
    pub(crate) async fn get(&self, path: &str) -> Json {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let routes = router(Arc::clone(&self.evaluator), |_| Err("no matchers here".to_owned()));
        let response = routes.oneshot(request).await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice::<Json>(&body).expect("JSON")["data"].take()
    }
}

/// Series that begin at a time, seen by an engine.
pub(crate) fn world(
    start_ms: i64,
    series: &[(&str, &str)],
    step_ms: i64,
    clock: &Arc<ManualClock>,
) -> Arc<World> {
    let mut memory = Memory::default();
    for (name, values) in series {
        let parsed = parse_series(&format!("{name} {values}")).expect("series");
        memory.load_from(start_ms, &parsed.labels, &parsed.items, step_ms);
    }
    World::new(Engine::new(query::Settings::default(), clock.clone()), memory)
}

/// Rules of files.
pub(crate) fn load(files: &[(&str, &str)], world: &World) -> Rules {
    Rules::load(files, world).expect("rules")
}

fn evaluator(
    rules: Rules,
    world: &Arc<World>,
    receiver: &Arc<Receiver>,
    state: &Arc<OneObject>,
    sink: &Arc<Tee>,
    clock: &Arc<ManualClock>,
    settings: &Settings,
) -> Evaluator {
    let components = Components {
        query: world.clone(),
        notifiers: vec![receiver.clone()],
        state: state.clone(),
        sink: Some(sink.clone()),
        clock: clock.clone(),
    };
    Evaluator::new(rules, components, settings.clone())
}

/// Takes every alert.
#[derive(Default)]
pub(crate) struct Receiver {
    now_ms: Mutex<i64>,
    heard: Mutex<Vec<(i64, Alert)>>,
}

impl Receiver {
    /// What came since the last call, with the time since the beginning.
    pub(crate) fn take(&self) -> Vec<(i64, Alert)> {
        std::mem::take(&mut *self.heard.lock().expect("lock"))
    }
}

#[async_trait]
impl Notifier for Receiver {
    fn name(&self) -> &'static str {
        "receiver"
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        let now_ms = *self.now_ms.lock().expect("lock");
        self.heard.lock().expect("lock").extend(batch.iter().map(|alert| (now_ms, alert.clone())));
        Ok(())
    }
}

/// Lets rules see what they write, and remembers it.
pub(crate) struct Tee {
    pub(crate) world: Arc<World>,
    pub(crate) written: Mutex<Vec<RuleSample>>,
}

impl Tee {
    /// What was written since the last call, sorted: series and value, or `stale`.
    pub(crate) fn take(&self) -> Vec<(Labels, String)> {
        let samples = std::mem::take(&mut *self.written.lock().expect("lock"));
        let mut shown: Vec<_> = samples
            .into_iter()
            .map(|sample| {
                let value = match sample.value {
                    Value::Float(value) if model::is_stale_nan(value) => "stale".to_owned(),
                    Value::Float(value) => value.to_string(),
                    Value::Histogram(_) => "histogram".to_owned(),
                };
                (sample.labels, value)
            })
            .collect();
        shown.sort();
        shown
    }

    /// The series that ended since the last call.
    pub(crate) fn ended(&self) -> Vec<String> {
        let ended = self.take().into_iter().filter(|(_, value)| value == "stale");
        ended.map(|(labels, _)| labels.to_string()).collect()
    }
}

#[async_trait]
impl SampleSink for Tee {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        self.written.lock().expect("lock").extend_from_slice(samples);
        self.world.write(samples).await
    }
}

#[derive(Default)]
struct OneObject(Mutex<Option<(Vec<u8>, u64)>>);

#[async_trait]
impl StateStore for OneObject {
    async fn load(&self, known: Option<&Version>) -> Result<Loaded, LoadError> {
        let state = self.0.lock().expect("lock").clone();
        let state = state.map(|(bytes, version)| (bytes, Version(version.to_string())));
        Ok(match state {
            None => Loaded::Nothing,
            Some((_, version)) if Some(&version) == known => Loaded::Same,
            Some((bytes, version)) => Loaded::State(bytes, version),
        })
    }

    async fn swap(&self, bytes: Vec<u8>, expected: Option<&Version>) -> Result<Version, SwapError> {
        let mut state = self.0.lock().expect("lock");
        let current = state.as_ref().map(|(_, version)| *version);
        if current.map(|version| Version(version.to_string())).as_ref() != expected {
            return Err(SwapError::Conflict);
        }
        let version = current.unwrap_or(0) + 1;
        *state = Some((bytes, version));
        Ok(Version(version.to_string()))
    }
}
