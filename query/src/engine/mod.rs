//! Runs queries: parse, plan, read, execute.
//!
//! Reading waits for the source; everything else is plain computation. [`Engine::instant`] does it all in one, for
//! callers whose queries are small; [`Engine::load`] stops after reading, so that [`Loaded::execute`] can run on a
//! thread of its own.

mod batches;
mod error;
mod loaded;
mod planned;
mod read;
mod settings;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::Clock;

use crate::annotations::Annotations;
use crate::exec::{Allowance, Budget, Common, ExecSettings};
use crate::explain::Explanation;
use crate::fragment;
use crate::plan::{self, Grid, Limits};
use crate::source::{SeriesSource, SourceNotes};
use crate::syntax::{self, Expr, ParseError, ValueType};
use crate::value::Value;

pub use error::{ErrorKind, QueryError};
pub use loaded::{CancelOnDrop, Loaded};
pub use planned::Planned;
pub use settings::{QueryOptions, Settings};

/// Evaluates expressions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    settings: Settings,
    clock: Arc<dyn Clock>,
}

/// What a query came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The result.
    pub value: Value,
    /// Remarks on it.
    pub annotations: Annotations,
    /// What it took.
    pub usage: Usage,
}

/// What a query took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most that were in memory at the same time, read or computed.
    pub samples_most: u64,
    /// The most bytes that these and all else that counts took at the same time.
    pub bytes_most: u64,
    /// For each time, by milliseconds, how many samples were looked at: one that is in the windows of several times
    /// counts for each. Empty unless [`QueryOptions::tallied`].
    pub looked_at: Vec<(i64, u64)>,
    /// Likewise, how many samples were read: one that is in the windows of several times counts for the first.
    pub read: Vec<(i64, u64)>,
}

/// The times for which a query asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// One time.
    At(i64),
    /// Evenly spaced times.
    Range {
        /// The first.
        start_ms: i64,
        /// No time is later.
        end_ms: i64,
        /// The distance.
        step_ms: i64,
    },
}

impl Engine {
    /// An engine; the clock is for timeouts only.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Parses an expression. Its `Display` is the normal form.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(&self, text: &str) -> Result<Expr, ParseError> {
        syntax::parse(text, &self.settings.syntax)
    }

    /// Evaluates an expression at one time.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub async fn instant(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        at_ms: i64,
    ) -> Result<Outcome, QueryError> {
        self.load(source, expr, Times::At(at_ms), QueryOptions::default()).await?.execute()
    }

    /// Evaluates an expression at evenly spaced times.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub async fn range(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Outcome, QueryError> {
        let times = Times::Range { start_ms, end_ms, step_ms };
        self.load(source, expr, times, QueryOptions::default()).await?.execute()
    }

    /// Plans a query and reads what it needs.
    ///
    /// # Errors
    /// If it cannot be evaluated, or the source does not answer.
    pub async fn load(
        &self,
        source: &dyn SeriesSource,
        expr: &Expr,
        times: Times,
        options: QueryOptions,
    ) -> Result<Loaded, QueryError> {
        self.read(source, self.plan(expr, times, options)?).await
    }

    /// Plans a query: after that, what it needs is known.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub fn plan(&self, expr: &Expr, times: Times, options: QueryOptions) -> Result<Planned, QueryError> {
        let grid = self.grid(expr, times)?;
        let lookback_ms = options.lookback_ms.unwrap_or(self.settings.lookback_ms);
        let limits = Limits {
            lookback_ms,
            subquery_step_ms: self.settings.subquery_step_ms,
            subquery_steps_max: usize::try_from(self.settings.samples_max).unwrap_or(usize::MAX),
        };
        let end_ms = match times {
            Times::At(at_ms) => at_ms,
            Times::Range { end_ms, .. } => end_ms,
        };
        let mut plan = plan::plan(expr, grid, end_ms, limits)?;
        let explanation = options.explained.then(|| Arc::new(Explanation::of(&mut plan)));
        Ok(Planned { plan, instant: matches!(times, Times::At(_)), lookback_ms, options, explanation })
    }

    /// Reads what a query needs.
    ///
    /// # Errors
    /// If the source does not answer, or it is more than may be read.
    pub async fn read(&self, source: &dyn SeriesSource, planned: Planned) -> Result<Loaded, QueryError> {
        let Planned { plan, instant, lookback_ms, options, explanation } = planned;
        let timeout_ms = options.timeout_ms.unwrap_or(i64::MAX).min(self.settings.timeout_ms);
        let deadline_ms = self.clock.now_ms().saturating_add(timeout_ms);
        let canceled = Arc::new(AtomicBool::new(false));
        let Settings { samples_max, bytes_max, series_max, .. } = self.settings;
        let allowance = Allowance { samples_max, bytes_max, deadline_ms };
        let mut budget = Budget::new(allowance, self.clock.clone(), canceled.clone());
        if let Some(explanation) = &explanation {
            budget = budget.telling(explanation.peaks());
        }
        let notes = SourceNotes::default();
        let read = read::Read::new(source, &notes, &budget, series_max).explained_in(explanation.as_deref());
        let read = read.all(&plan).await?;
        let as_scraped_ms = options.as_scraped_ms.or(self.settings.as_scraped_ms).filter(|&ms| ms > 0);
        let settings = ExecSettings {
            lookback_ms,
            hold_interval_ms: self.settings.hold_interval_ms.max(1),
            delayed_name_removal: self.settings.delayed_name_removal,
            start_timestamps: self.settings.start_timestamps,
            type_labels: self.settings.type_labels,
            tallied: options.tallied,
            instant,
        };
        let threads = self.settings.threads;
        let limits = fragment::Limits { samples_max, bytes_max, timeout_ms };
        let common = Common { settings, as_scraped_ms, limits };
        let lacking = notes.into_texts();
        Ok(Loaded { plan, read, data: Vec::new(), lacking, common, threads, budget, canceled, explanation })
    }

    fn grid(&self, expr: &Expr, times: Times) -> Result<Grid, QueryError> {
        let (start_ms, end_ms, step_ms) = match times {
            Times::At(at_ms) => return Ok(Grid::once(at_ms)),
            Times::Range { start_ms, end_ms, step_ms } => (start_ms, end_ms, step_ms),
        };
        match expr.value_type() {
            ValueType::Scalar | ValueType::Vector => {}
            other => return Err(QueryError::NotForRange { found: other.documented() }),
        }
        if step_ms <= 0 {
            return Err(QueryError::BadStep);
        }
        let grid = Grid::over(start_ms, end_ms, step_ms);
        if grid.count > self.settings.points_max {
            return Err(QueryError::TooManyPoints { points_max: self.settings.points_max });
        }
        Ok(grid)
    }
}
