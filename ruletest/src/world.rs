//! What rules and expressions of a test see: its series up to now, and what rules have written.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alert::{InstantQuery, QueryError, QueryValue, RuleSample, SampleSink, SinkError};
use async_trait::async_trait;
use model::{Selection, Series};
use promqltest::Memory;
use query::{Engine, Outcome, SeriesSource, SourceError, SourceNotes};

/// Series, an engine over them, and a place for what rules write: everything that rules look at, in memory.
pub struct World {
    engine: Engine,
    memory: Mutex<Memory>,
    /// Values of series that lie behind this have not come yet.
    now_ms: AtomicI64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl World {
    /// These series, of which nothing is seen before [`World::advance`].
    pub fn new(engine: Engine, memory: Memory) -> Arc<Self> {
        Arc::new(Self { engine, memory: Mutex::new(memory), now_ms: AtomicI64::new(i64::MIN) })
    }

    /// Lets time pass: what lies at or before `now_ms`, in milliseconds since the Unix epoch, is seen from now on.
    pub fn advance(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The answer to an expression.
    ///
    /// # Errors
    /// Why there is none, in the words of the PromQL engine.
    pub async fn ask(&self, text: &str, at_ms: i64) -> Result<QueryValue, String> {
        let expr = self.engine.parse(text).map_err(|error| error.to_string())?;
        let outcome = self.engine.instant(self, &expr, at_ms).await.map_err(|error| error.to_string())?;
        Ok(value(outcome))
    }
}

fn value(outcome: Outcome) -> QueryValue {
    match outcome.value {
        query::Value::Scalar { value, .. } => QueryValue::Scalar(value),
        query::Value::String { value, .. } => QueryValue::String(value),
        query::Value::Vector(samples) => {
            QueryValue::Vector(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
        }
        query::Value::Matrix(_) => QueryValue::Matrix,
    }
}

#[async_trait]
impl InstantQuery for World {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.engine.parse(expr).map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn query(&self, expr: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        self.ask(expr, at_ms).await.map_err(|reason| QueryError::Expression { reason })
    }
}

#[async_trait]
impl SeriesSource for World {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let end_ms = selection.end_ms.min(self.now_ms.load(Ordering::Relaxed));
        if end_ms < selection.start_ms {
            return Ok(Vec::new());
        }
        let visible = Selection { end_ms, ..selection.clone() };
        Ok(self.memory.lock().unwrap_or_else(PoisonError::into_inner).selected(&visible))
    }
}

#[async_trait]
impl SampleSink for World {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for RuleSample { labels, timestamp_ms, value } in samples {
            memory.insert(labels.clone(), *timestamp_ms, value.clone());
        }
        Ok(())
    }
}
