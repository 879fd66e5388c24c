//! `query`, `query_range`, `format_query`, `parse_query`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use tokio::time::timeout;

use super::Api;
use super::answer::{ApiError, ApiErrorKind, Success};
use super::explain;
use super::json;
use super::parameters::Parameters;
use super::queue::{Full, Place};
use super::seen::Seen;
use super::stats::Stats;
use super::time::parse_step_ms;
use super::tree;
use super::watch::{Ended, Moments, Watch};
use crate::annotations::Severity;
use crate::engine::{Outcome, Planned, QueryOptions, Times};
use crate::results::Session;
use crate::source::SeriesSource;
use crate::syntax::{Expr, pretty};
use crate::value::Value;

pub(super) async fn instant(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let asked = Asked::of(&parameters)?;
    let at_ms = parameters.time_ms_or("time", api.clock.now_ms())?;
    let options = options(&parameters)?;
    let expr = parse(&api, &parameters)?;
    let text = parameters.get("query");
    api.evaluate(&*seen.source, text, &expr, Times::At(at_ms), options, asked).await
}

pub(super) async fn range(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let asked = Asked::of(&parameters)?;
    let start_ms = parameters.time_ms("start")?;
    let end_ms = parameters.time_ms("end")?;
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = parameters.duration_ms("step")?;
    if step_ms <= 0 {
        let reason = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", reason));
    }
    let options = options(&parameters)?;
    let expr = parse(&api, &parameters)?;
    let times = Times::Range { start_ms, end_ms, step_ms };
    api.evaluate(&*seen.source, parameters.get("query"), &expr, times, options, asked).await
}

pub(super) async fn format(State(api): State<Arc<Api>>, parameters: Parameters) -> Result<Success, ApiError> {
    let expr = parse(&api, &parameters)?;
    let mut data = String::new();
    json::string(&mut data, &pretty(&expr));
    Ok(Success::of(data))
}

pub(super) async fn tree(State(api): State<Arc<Api>>, parameters: Parameters) -> Result<Success, ApiError> {
    let expr = parse(&api, &parameters)?;
    let mut data = String::new();
    tree::expression(&mut data, &expr);
    Ok(Success::of(data))
}

fn parse(api: &Api, parameters: &Parameters) -> Result<Expr, ApiError> {
    api.engine.parse(parameters.get("query")).map_err(|error| ApiError::parameter("query", error))
}

fn options(parameters: &Parameters) -> Result<QueryOptions, ApiError> {
    Ok(QueryOptions {
        timeout_ms: parameters.optional_duration_ms("timeout")?,
        lookback_ms: lookback_ms(parameters)?,
        as_scraped_ms: match parameters.optional_duration_ms("as_scraped")? {
            Some(..0) => {
                return Err(ApiError::parameter("as_scraped", "a scrape interval cannot be negative"));
            }
            other => other,
        },
        tallied: !parameters.get("stats").is_empty(),
        ..QueryOptions::default()
    })
}

fn lookback_ms(parameters: &Parameters) -> Result<Option<i64>, ApiError> {
    let text = parameters.get("lookback_delta");
    if text.is_empty() {
        return Ok(None);
    }
    let told = |reason| ApiError::bad_data(format!("error parsing lookback delta duration: {reason}"));
    parse_step_ms(text).map_err(told).map(|ms| Some(ms).filter(|&ms| ms > 0))
}

/// What the answer is to contain.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// At most so many series.
    limit: Option<usize>,
    /// Whether what the query took.
    pub(super) stats: bool,
    /// Likewise, for each time, if that is switched on.
    all_stats: bool,
    /// Whether what each piece of it did.
    explain: bool,
}

impl Asked {
    fn of(parameters: &Parameters) -> Result<Self, ApiError> {
        let stats = parameters.get("stats");
        let (stats, all_stats) = (!stats.is_empty(), stats == "all");
        Ok(Self { limit: parameters.limit()?, stats, all_stats, explain: parameters.flag("explain")? })
    }
}

impl Api {
    async fn evaluate(
        &self,
        source: &dyn SeriesSource,
        text: &str,
        expr: &Expr,
        times: Times,
        mut options: QueryOptions,
        asked: Asked,
    ) -> Result<Success, ApiError> {
        // what the tree counts of samples is counted with what is looked at
        options.tallied |= asked.explain;
        options.explained = asked.explain || self.log_slower_us.is_some();
        let mut watch = Watch {
            clock: &*self.clock,
            counters: &self.counters,
            tenant: &self.tenant,
            log_slower_us: self.log_slower_us,
            expression: text,
            times,
            moments: Moments { arrived: self.clock.now_us(), ..Moments::default() },
            explanation: None,
            steps: None,
            ended: None,
        };
        let result = self.watched(&mut watch, source, expr, options, asked).await;
        watch.ended = Some(Ended::with(&result));
        result
    }

    async fn watched(
        &self,
        watch: &mut Watch<'_>,
        source: &dyn SeriesSource,
        expr: &Expr,
        mut options: QueryOptions,
        asked: Asked,
    ) -> Result<Success, ApiError> {
        let timeout_ms = options.timeout_ms.unwrap_or(i64::MAX).min(self.engine.settings().timeout_ms);
        let _place = self.place(timeout_ms).await?;
        // waiting is part of the time that a query has
        let entered_us = watch.now_us();
        let left_ms = timeout_ms - (entered_us - watch.moments.arrived) / 1_000;
        if left_ms < 0 {
            return Err(late(IN_QUEUE));
        }
        watch.moments.entered = Some(entered_us);
        options.timeout_ms = Some(left_ms);
        let planned = self.engine.plan(expr, watch.times, options)?;
        watch.explanation = planned.explanation();
        // a store that does not answer keeps nobody longer than that either
        let session = timeout(milliseconds(left_ms), self.session(source, watch.expression, &planned, asked));
        let session = session.await.map_err(|_| late(IN_EVALUATION))??;
        let Some(session) = session else {
            return self.computed(watch, source, planned, asked, None).await.and_then(complete);
        };
        let session = Arc::new(session);
        watch.steps = Some(session.steps());
        let snapshot = Arc::clone(session.snapshot());
        let Some(reuse) = session.reuse() else {
            return self.computed(watch, &*snapshot, planned, asked, Some(session)).await.and_then(complete);
        };
        let rest = self.engine.plan(expr, from(watch.times, reuse.last_ms), options)?;
        watch.explanation = rest.explanation();
        let left_ms = |watch: &Watch<'_>| timeout_ms - (watch.now_us() - watch.moments.arrived) / 1_000;
        let rest = rest.within(left_ms(watch).max(0));
        let found = self.computed(watch, &*snapshot, rest, asked, Some(Arc::clone(&session))).await;
        match found {
            Ok(Some(success)) => return Ok(success),
            Err(error) if error.is_about_time() => return Err(error),
            // as a whole it may be otherwise
            Ok(None) | Err(_) => {}
        }
        let whole = Arc::new(session.as_a_whole());
        (watch.steps, watch.explanation) = (Some(whole.steps()), planned.explanation());
        (watch.moments.loaded, watch.moments.evaluated) = (None, None);
        let planned = planned.within(left_ms(watch).max(0));
        self.computed(watch, &*snapshot, planned, asked, Some(whole)).await.and_then(complete)
    }

    /// The answer; `None` if the rest of a query cannot be joined with what is known of it.
    async fn computed(
        &self,
        watch: &mut Watch<'_>,
        source: &dyn SeriesSource,
        planned: Planned,
        asked: Asked,
        session: Option<Arc<Session>>,
    ) -> Result<Option<Success>, ApiError> {
        let left_ms = planned.timeout_ms();
        let loaded = timeout(milliseconds(left_ms), self.engine.read(source, planned)).await;
        let loaded = loaded.map_err(|_| late(IN_EVALUATION))??;
        let loaded_us = watch.now_us();
        watch.moments.loaded = Some(loaded_us);
        self.counters.read(loaded.samples());
        let _canceled_with_the_request = loaded.cancel_on_drop();
        let Moments { arrived: arrived_us, entered, .. } = watch.moments;
        let entered_us = entered.unwrap_or(arrived_us);
        let clock = Arc::clone(&self.clock);
        let per_step = asked.all_stats && self.engine.settings().per_step_stats;
        let is_quick = loaded.is_quick() && session.as_ref().is_none_or(|session| session.is_quick());
        let compute = move || {
            let reads = session.as_ref().and_then(|session| loaded.reads(&**session.snapshot()));
            let outcome = match &session {
                Some(session) => session.finish(loaded.execute(), reads)?,
                None => Some(loaded.execute()?),
            };
            let Some(mut outcome) = outcome else { return Ok(None) };
            let evaluated_us = clock.now_us();
            let truncated = asked.limit.is_some_and(|limit| truncate(&mut outcome, limit));
            let mut data = json::query_data(&outcome.value);
            if asked.stats {
                let usage = std::mem::take(&mut outcome.usage);
                Stats { arrived_us, entered_us, loaded_us, evaluated_us, usage, per_step }.add_to(&mut data);
            }
            Ok::<_, ApiError>(Some((data, outcome.annotations, truncated, evaluated_us)))
        };
        let broken = || ApiError::new(ApiErrorKind::Internal, "the evaluation broke off");
        let computed = match is_quick {
            true => catch_unwind(AssertUnwindSafe(compute)).map_err(|_| broken())?,
            false => tokio::task::spawn_blocking(compute).await.map_err(|_| broken())?,
        };
        let Some((mut data, annotations, truncated, evaluated_us)) = computed? else { return Ok(None) };
        watch.moments.evaluated = Some(evaluated_us);
        if let Some(explanation) = watch.explanation.as_ref().filter(|_| asked.explain) {
            explain::add_to(&mut data, watch, explanation);
        }
        let text = watch.expression;
        let mut warnings = annotations.texts(Severity::Warning, text);
        if truncated {
            warnings.push(TRUNCATED.to_owned());
        }
        Ok(Some(Success { data, warnings, infos: annotations.texts(Severity::Info, text) }))
    }

    /// A place among the queries that are evaluated, at once or after waiting for it.
    pub(super) async fn place(&self, timeout_ms: i64) -> Result<Place, ApiError> {
        let entered = timeout(milliseconds(timeout_ms), self.door.enter()).await;
        entered.map_err(|_| late(IN_QUEUE))?.map_err(|Full| {
            let message = format!(
                "too many queries wait to be executed: more than queued_queries_max, {}",
                self.door.waiting_max()
            );
            ApiError::new(ApiErrorKind::Unavailable, message)
        })
    }
}

/// An answer that must be there.
fn complete(success: Option<Success>) -> Result<Success, ApiError> {
    success.ok_or_else(|| {
        ApiError::new(ApiErrorKind::Internal, "a query that was evaluated as a whole is incomplete")
    })
}

/// The same times from one of them on.
fn from(times: Times, start_ms: i64) -> Times {
    match times {
        Times::At(at_ms) => Times::At(at_ms),
        Times::Range { end_ms, step_ms, .. } => Times::Range { start_ms, end_ms, step_ms },
    }
}

fn late(what: &str) -> ApiError {
    ApiError::new(ApiErrorKind::Timeout, format!("query timed out in {what}"))
}

/// Where the time of a query may end, in the words of Prometheus.
const IN_QUEUE: &str = "query queue";
const IN_EVALUATION: &str = "expression evaluation";

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Said where `limit` left something out.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// Leaves the first series; whether there were more.
fn truncate(outcome: &mut Outcome, limit: usize) -> bool {
    let before = match &mut outcome.value {
        Value::Vector(samples) => {
            let before = samples.len();
            samples.truncate(limit);
            before
        }
        Value::Matrix(series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
        Value::Scalar { .. } | Value::String { .. } => 0,
    };
    before > limit
}
