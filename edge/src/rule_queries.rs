//! What rules ask: the query engine over the store.

use std::sync::Arc;

use alert::{InstantQuery, QueryError, QueryValue};
use async_trait::async_trait;
use query::{Engine, ErrorKind, QueryOptions, SeriesSource, Times, Value};

/// Answers the queries of rules.
pub struct RuleQueries {
    engine: Engine,
    source: Arc<dyn SeriesSource>,
}

impl RuleQueries {
    /// An engine and what it reads from.
    pub fn new(engine: Engine, source: Arc<dyn SeriesSource>) -> Self {
        Self { engine, source }
    }
}

impl std::fmt::Debug for RuleQueries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleQueries").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[async_trait]
impl InstantQuery for RuleQueries {
    fn check(&self, expr: &str) -> Result<String, String> {
        self.engine.parse(expr).map(|expr| expr.to_string()).map_err(|error| error.to_string())
    }

    async fn query(&self, text: &str, at_ms: i64) -> Result<QueryValue, QueryError> {
        let expr = self.engine.parse(text).map_err(|error| expression(&error.into()))?;
        let times = Times::At(at_ms);
        let loaded = self.engine.load(&*self.source, &expr, times, QueryOptions::default()).await;
        let loaded = loaded.map_err(told)?;
        // an error means that the process is going down
        let executed = tokio::task::spawn_blocking(move || loaded.execute()).await;
        let outcome = executed.map_err(|error| QueryError::Storage(error.into()))?.map_err(told)?;
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
