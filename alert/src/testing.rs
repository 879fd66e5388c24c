//! Stand-ins for what is on the other side of the ports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use model::{Labels, Value};
use testkit::ManualClock;

use crate::ports::{
    InstantQuery, LoadError, Loaded, Notifier, NotifyError, QueryError, QueryValue, RuleSample, SampleSink,
    SinkError, StateStore, SwapError, Version,
};
use crate::send::Alert;
use crate::tick::Components;

/// Answers each expression as it was told to; others with nothing. Expressions with `!!` are no PromQL.
#[derive(Default)]
pub(crate) struct FakeQuery {
    pub(crate) answers: Mutex<BTreeMap<String, Result<QueryValue, String>>>,
    pub(crate) asked: Mutex<Vec<(String, i64)>>,
}

/// A vector of floats, each with its labels.
pub(crate) fn vector(elements: &[(&[(&str, &str)], f64)]) -> QueryValue {
    let element = |(labels, value): &(&[(&str, &str)], f64)| {
        (Labels::from_pairs(labels.iter().copied()), Value::Float(*value))
    };
    QueryValue::Vector(elements.iter().map(element).collect())
}

impl FakeQuery {
    pub(crate) fn answer(&self, expr: &str, answer: QueryValue) {
        self.answers.lock().expect("lock").insert(expr.to_owned(), Ok(answer));
    }

    pub(crate) fn fail(&self, expr: &str, reason: &str) {
        self.answers.lock().expect("lock").insert(expr.to_owned(), Err(reason.to_owned()));
    }
}

#[async_trait]
impl InstantQuery for FakeQuery {
    fn check(&self, expr: &str) -> Result<String, String> {
        if expr.contains("!!") {
            return Err("1:1: parse error: unexpected character: '!'".to_owned());
        }
        Ok(expr.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    async fn query(&self, expr: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        self.asked.lock().expect("lock").push((expr.to_owned(), at_ms));
        // Let others run meanwhile, as a query over a network would.
        tokio::task::yield_now().await;
        match self.answers.lock().expect("lock").get(expr) {
            Some(Ok(answer)) => Ok(answer.clone()),
            Some(Err(reason)) => Err(QueryError::Expression { reason: reason.clone() }),
            None => Ok(QueryValue::Vector(Vec::new())),
        }
    }
}

/// Keeps the state in memory.
#[derive(Default)]
pub(crate) struct MemoryState {
    state: Mutex<Option<(Vec<u8>, u64)>>,
    /// How many writes may still pass; then the store fails.
    pub(crate) writes_left: Mutex<Option<usize>>,
    pub(crate) writes: Mutex<usize>,
}

#[async_trait]
impl StateStore for MemoryState {
    async fn load(&self, known: Option<&Version>) -> Result<Loaded, LoadError> {
        let state = self.state.lock().expect("lock").clone();
        let state = state.map(|(bytes, version)| (bytes, Version(version.to_string())));
        Ok(match state {
            None => Loaded::Nothing,
            Some((_, version)) if Some(&version) == known => Loaded::Same,
            Some((bytes, version)) => Loaded::State(bytes, version),
        })
    }

    async fn swap(&self, bytes: Vec<u8>, expected: Option<&Version>) -> Result<Version, SwapError> {
        let mut state = self.state.lock().expect("lock");
        let current = state.as_ref().map(|(_, version)| *version);
        if current.map(|version| Version(version.to_string())).as_ref() != expected {
            return Err(SwapError::Conflict);
        }
        if let Some(left) = self.writes_left.lock().expect("lock").as_mut() {
            *left = left.checked_sub(1).ok_or_else(|| SwapError::Unknown("the store is down".into()))?;
        }
        *self.writes.lock().expect("lock") += 1;
        let version = current.unwrap_or(0) + 1;
        *state = Some((bytes, version));
        Ok(Version(version.to_string()))
    }
}

/// What a receiver does with alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    Silent,
}

/// Remembers what it was sent.
pub(crate) struct Receiver {
    name: String,
    pub(crate) mood: Mutex<Mood>,
    pub(crate) got: Mutex<Vec<Alert>>,
    pub(crate) batches: Mutex<Vec<usize>>,
}

impl Receiver {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            mood: Mutex::new(Mood::Takes),
            got: Mutex::default(),
            batches: Mutex::default(),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().expect("lock") = mood;
    }

    /// What came since the last call.
    pub(crate) fn take(&self) -> Vec<Alert> {
        std::mem::take(&mut *self.got.lock().expect("lock"))
    }
}

#[async_trait]
impl Notifier for Receiver {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError> {
        let mood = *self.mood.lock().expect("lock");
        match mood {
            Mood::Refuses => return Err(NotifyError::Refused { reason: "bad labels".to_owned() }),
            Mood::Silent => return Err(NotifyError::Unreachable("timeout".into())),
            Mood::Takes => {}
        }
        self.batches.lock().expect("lock").push(batch.len());
        self.got.lock().expect("lock").extend_from_slice(batch);
        Ok(())
    }
}

/// Remembers what it was given.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) written: Mutex<Vec<RuleSample>>,
    pub(crate) writes: Mutex<usize>,
    pub(crate) fails: Mutex<bool>,
}

impl Samples {
    /// What came since the last call: series, time and value.
    pub(crate) fn take(&self) -> Vec<(String, i64, String)> {
        let samples = std::mem::take(&mut *self.written.lock().expect("lock"));
        let shown = samples.into_iter().map(|sample| {
            let value = match sample.value {
                Value::Float(value) if model::is_stale_nan(value) => "stale".to_owned(),
                Value::Float(value) => value.to_string(),
                Value::Histogram(_) => "histogram".to_owned(),
            };
            (sample.labels.to_string(), sample.timestamp_ms, value)
        });
        shown.collect()
    }
}

#[async_trait]
impl SampleSink for Samples {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        if *self.fails.lock().expect("lock") {
            return Err(SinkError("disk full".into()));
        }
        self.written.lock().expect("lock").extend_from_slice(samples);
        *self.writes.lock().expect("lock") += 1;
        Ok(())
    }
}

/// Everything that an evaluator needs.
pub(crate) struct World {
    pub(crate) query: Arc<FakeQuery>,
    pub(crate) receivers: Vec<Arc<Receiver>>,
    pub(crate) state: Arc<MemoryState>,
    pub(crate) samples: Arc<Samples>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            query: Arc::default(),
            receivers: vec![Receiver::new("am")],
            state: Arc::default(),
            samples: Arc::default(),
            clock: Arc::new(ManualClock::at_ms(0)),
        }
    }

    pub(crate) fn components(&self) -> Components {
        Components {
            query: self.query.clone(),
            notifiers: self.receivers.iter().map(|receiver| receiver.clone() as Arc<dyn Notifier>).collect(),
            state: self.state.clone(),
            sink: Some(self.samples.clone()),
            clock: self.clock.clone(),
        }
    }
}

/// A folder of the shared conformance data, or `None` with a word about why the test is skipped.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where shared data lies")]
pub(crate) fn conformance(folder: &str) -> Option<PathBuf> {
    if let Ok(root) = std::env::var("MAYFLY_CONFORMANCE") {
        return Some(PathBuf::from(root).join(folder));
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must set MAYFLY_CONFORMANCE");
    eprintln!("skipped: MAYFLY_CONFORMANCE does not name the folder with `{folder}`");
    None
}
