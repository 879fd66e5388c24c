//! `query`, `query_range`, `format_query`, `parse_query`.

use std::sync::Arc;

use axum::extract::State;

use super::Api;
use super::answer::{ApiError, ApiErrorKind, Success};
use super::json;
use super::parameters::Parameters;
use super::seen::Seen;
use super::stats::Stats;
use super::time::parse_step_ms;
use super::tree;
use crate::annotations::Severity;
use crate::engine::{Outcome, QueryOptions, Times};
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
struct Asked {
    /// At most so many series.
    limit: Option<usize>,
    /// Whether what the query took.
    stats: bool,
    /// Likewise, for each time, if that is switched on.
    all_stats: bool,
}

impl Asked {
    fn of(parameters: &Parameters) -> Result<Self, ApiError> {
        let stats = parameters.get("stats");
        Ok(Self { limit: parameters.limit()?, stats: !stats.is_empty(), all_stats: stats == "all" })
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
        let arrived_us = self.clock.now_us();
        let timeout_ms = options.timeout_ms.unwrap_or(i64::MAX).min(self.engine.settings().timeout_ms);
        let _place = self.queue.enter().await?;
        // waiting is part of the time that a query has
        let entered_us = self.clock.now_us();
        let left_ms = timeout_ms - (entered_us - arrived_us) / 1_000;
        if left_ms < 0 {
            return Err(ApiError::new(ApiErrorKind::Timeout, "query timed out in query queue"));
        }
        options.timeout_ms = Some(left_ms);
        let loaded = self.engine.load(source, expr, times, options).await?;
        let loaded_us = self.clock.now_us();
        let _canceled_with_the_request = loaded.cancel_on_drop();
        let clock = Arc::clone(&self.clock);
        let per_step = asked.all_stats && self.engine.settings().per_step_stats;
        let computed = tokio::task::spawn_blocking(move || {
            let mut outcome = loaded.execute()?;
            let evaluated_us = clock.now_us();
            let truncated = asked.limit.is_some_and(|limit| truncate(&mut outcome, limit));
            let mut data = json::query_data(&outcome.value);
            if asked.stats {
                let usage = std::mem::take(&mut outcome.usage);
                Stats { arrived_us, entered_us, loaded_us, evaluated_us, usage, per_step }.add_to(&mut data);
            }
            Ok::<_, ApiError>((data, outcome.annotations, truncated))
        });
        let broken = || ApiError::new(ApiErrorKind::Internal, "the evaluation broke off");
        let (data, annotations, truncated) = computed.await.map_err(|_| broken())??;
        let mut warnings = annotations.texts(Severity::Warning, text);
        if truncated {
            warnings.push(TRUNCATED.to_owned());
        }
        Ok(Success { data, warnings, infos: annotations.texts(Severity::Info, text) })
    }
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
