//! What rules need from the outside: queries, a place for state, a way out for alerts and samples.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Labels, Value};

use crate::send::Alert;

/// The source of an error that comes from the other side of a port.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Checks and answers PromQL.
#[async_trait]
pub trait InstantQuery: Send + Sync {
    /// The expression as the PromQL printer writes it, or the parser's error.
    ///
    /// # Errors
    /// If `expr` is no PromQL; the text is shown to users as it is.
    fn check(&self, expr: &str) -> Result<String, String>;

    /// The answer at one point in time.
    ///
    /// # Errors
    /// If the expression fails, or storage does not answer.
    async fn query(&self, expr: &str, at_ms: i64) -> Result<QueryValue, QueryError>;

    /// What the rules of one tick ask instead, so that storage need not be looked at anew for each of them. `None`: each
    /// query looks for itself.
    fn of_tick(&self) -> Option<Arc<dyn TickQuery>> {
        None
    }
}

/// Answers the queries of one tick: from what was stored when the first of them came, and what the tick itself has written.
#[async_trait]
pub trait TickQuery: InstantQuery {
    /// Says what will be asked soon, so that what several queries need can be read at once. What was not said can be asked
    /// too, and mistakes in what was said are told to who asks.
    async fn prepare(&self, queries: &[(&str, i64)]) -> Box<dyn InstantQuery>;

    /// Says what the tick has written, or is about to write: later queries see it.
    async fn wrote(&self, samples: &[RuleSample]);
}

/// What an instant query answers.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// Series with their values at that time.
    Vector(Vec<(Labels, Value)>),
    /// One number without labels.
    Scalar(f64),
    /// A text, which no rule can use.
    String(String),
    /// A range vector, which no rule can use.
    Matrix,
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The expression fails over the data that it meets, or exceeds a limit; asking again will not help.
    #[error("{reason}")]
    Expression {
        /// In the words of the PromQL engine.
        reason: String,
    },
    /// Storage did not answer; asking again may help.
    #[error("query storage: {0}")]
    Storage(#[source] Cause),
}

/// One Alertmanager, or whatever else takes alerts.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Names the receiver in state and logs; stable over restarts and unique among the notifiers of an evaluator.
    fn name(&self) -> &str;

    /// Delivers one batch. Called at least once for each batch, so the receiver must bear repetition.
    ///
    /// # Errors
    /// If the receiver did not take the batch.
    async fn send(&self, batch: &[Alert]) -> Result<(), NotifyError>;
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The receiver answered that it will not take this; sending it again will not help.
    #[error("the receiver refused the alerts: {reason}")]
    Refused {
        /// In the words of the receiver.
        reason: String,
    },
    /// No answer, or one that says to try later.
    #[error("the receiver did not answer: {0}")]
    Unreachable(#[source] Cause),
}

/// Where the state of all rules lies: one object that is swapped whole.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The newest state, unless it is of the version that is known.
    ///
    /// # Errors
    /// If the store does not answer.
    async fn load(&self, known: Option<&Version>) -> Result<Loaded, LoadError>;

    /// Replaces the state of version `expected` (`None`: only if there is no state yet), and is durable when it
    /// returns. Of several writers that expect the same version, one wins.
    ///
    /// # Errors
    /// [`SwapError::Conflict`] if another version is there.
    async fn swap(&self, bytes: Vec<u8>, expected: Option<&Version>) -> Result<Version, SwapError>;
}

/// What a store of state answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// There never was a state.
    Nothing,
    /// It is still the one of the version that is known.
    Same,
    /// It is this one.
    State(Vec<u8>, Version),
}

/// Names one version of the state: an ETag, or whatever the store compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// Why there is no state to read.
#[derive(Debug, thiserror::Error)]
#[error("load rule state: {0}")]
pub struct LoadError(#[source] pub Cause);

/// Why a state was not written.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// Another version is there: nothing was written.
    #[error("another writer has replaced the rule state")]
    Conflict,
    /// Whether it was written is not known.
    #[error("write rule state: {0}")]
    Unknown(#[source] Cause),
}

/// Takes the samples that rules make: recordings, `ALERTS`, `ALERTS_FOR_STATE`, and stale markers.
#[async_trait]
pub trait SampleSink: Send + Sync {
    /// Writes the samples of one rule, or of several rules that come after each other: of two of one series and time the later
    /// counts. They must be visible to queries when this returns, because the next rule of the group may ask for them. The same samples may come again after a crash.
    ///
    /// # Errors
    /// If the samples were not written.
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError>;
}

/// One sample that a rule made.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSample {
    /// All labels, the metric name included.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value; [`model::stale_nan`] ends the series.
    pub value: Value,
}

/// Why samples were not written.
#[derive(Debug, thiserror::Error)]
#[error("write rule samples: {0}")]
pub struct SinkError(#[source] pub Cause);
