//! What rules ask: the query engine over the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alert::{InstantQuery, QueryError, QueryValue, RuleSample, TickQuery};
use async_trait::async_trait;
use query::{Engine, ErrorKind, Planned, QueryOptions, SeriesSource, Times, Value};

use crate::rule_samples::batch;
use crate::stored_series::{StoredSeries, ViewedSeries};

/// Answers the queries of rules.
#[derive(Clone)]
pub struct RuleQueries {
    engine: Engine,
    source: Arc<dyn SeriesSource>,
    /// What the source reads, if that can be looked at once for all queries of a tick.
    stored: Option<Arc<StoredSeries>>,
}

impl std::fmt::Debug for RuleQueries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleQueries").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl RuleQueries {
    /// An engine and what it reads from, for each query anew.
    pub fn new(engine: Engine, source: Arc<dyn SeriesSource>) -> Self {
        Self { engine, source, stored: None }
    }

    /// An engine over what is stored, which the queries of a tick look at once.
    pub fn of_stored(engine: Engine, stored: Arc<StoredSeries>) -> Self {
        Self { engine, source: Arc::clone(&stored) as _, stored: Some(stored) }
    }

    fn check(&self, expr: &str) -> Result<String, String> {
        self.engine.parse(expr).map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    fn plan(&self, text: &str, at_ms: i64) -> Result<Planned, QueryError> {
        let expr = self.engine.parse(text).map_err(|error| expression(&error.into()))?;
        self.engine.plan(&expr, Times::At(at_ms), QueryOptions::default()).map_err(told)
    }

    async fn answer(
        &self,
        source: &dyn SeriesSource,
        text: &str,
        planned: Planned,
    ) -> Result<QueryValue, QueryError> {
        let loaded = self.engine.read(source, planned).await.map_err(told)?;
        let executed = if loaded.is_quick() {
            loaded.execute()
        } else {
            // an error means that the process is going down
            let executed = tokio::task::spawn_blocking(move || loaded.execute()).await;
            executed.map_err(|error| QueryError::Storage(error.into()))?
        };
        let outcome = executed.map_err(told)?;
        // a rule goes on with what is readable: one bad object is no reason to have no alerts at all
        for lacking in outcome.annotations.lacking() {
            tracing::warn!(expr = text, lacking, "rule evaluated");
        }
        Ok(match outcome.value {
            Value::Scalar { value, .. } => QueryValue::Scalar(value),
            Value::String { value, .. } => QueryValue::String(value),
            Value::Vector(samples) => {
                QueryValue::Vector(samples.into_iter().map(|sample| (sample.labels, sample.value)).collect())
            }
            Value::Matrix(_) => QueryValue::Matrix,
        })
    }
}

#[async_trait]
impl InstantQuery for RuleQueries {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.check(expr)
    }

    async fn query(&self, text: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        self.answer(&*self.source, text, self.plan(text, at_ms)?).await
    }

    fn of_tick(&self) -> Option<Arc<dyn TickQuery>> {
        let source = ViewedSeries { view: Arc::new(self.stored.as_ref()?.view()), prepared: Arc::default() };
        Some(Arc::new(TickQueries { queries: self.clone(), source, planned: Mutex::default() }))
    }
}

/// Answers the queries of one tick: the store is listed once, and what some of them need is read at once.
struct TickQueries {
    queries: RuleQueries,
    source: ViewedSeries,
    /// Queries that will be asked.
    planned: Mutex<HashMap<(String, i64), Planned>>,
}

#[async_trait]
impl InstantQuery for TickQueries {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.queries.check(expr)
    }

    async fn query(&self, text: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        let known =
            self.planned.lock().unwrap_or_else(PoisonError::into_inner).remove(&(text.to_owned(), at_ms));
        let planned = match known {
            Some(planned) => planned,
            None => self.queries.plan(text, at_ms)?,
        };
        self.queries.answer(&self.source, text, planned).await
    }
}

#[async_trait]
impl TickQuery for TickQueries {
    async fn prepare(&self, queries: &[(&str, i64)]) -> Box<dyn InstantQuery> {
        let planned = queries.iter().filter_map(|&(text, at_ms)| {
            Some(((text.to_owned(), at_ms), self.queries.plan(text, at_ms).ok()?))
        });
        let planned: HashMap<(String, i64), Planned> = planned.collect();
        let asked = planned.values().flat_map(Planned::selections);
        let asked: Vec<_> = asked.map(|(selection, needed)| (selection.clone(), needed.clone())).collect();
        let view = Arc::clone(&self.source.view);
        let source = ViewedSeries { prepared: Arc::new(view.prepare(asked).await), view };
        Box::new(Self { queries: self.queries.clone(), source, planned: Mutex::new(planned) })
    }

    async fn wrote(&self, samples: &[RuleSample]) {
        self.source.view.add(batch(samples));
    }
}

/// Whether the expression or the storage is to blame.
fn told(error: query::QueryError) -> QueryError {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Internal => QueryError::Storage(error.into()),
        ErrorKind::BadData | ErrorKind::Execution | ErrorKind::Timeout | ErrorKind::Canceled => {
            expression(&error)
        }
    }
}

fn expression(error: &query::QueryError) -> QueryError {
    QueryError::Expression { reason: error.to_string() }
}
