//! `admin/tsdb/…`: what is deleted, where whoever runs it allows that.

use std::sync::Arc;

use access::Bounds;
use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::Matcher;

use super::answer::{ApiError, ApiErrorKind, Success};
use super::json::Fields;
use super::metadata::matchers;
use super::seen::Seen;
use super::time::TIME_MS_MAX;
use super::{Api, Parameters};
use crate::source::SourceError;

/// What is to be deleted of the series that match.
#[derive(Clone, Debug)]
pub struct SeriesDeletion {
    /// All must match; one at least matches no empty value.
    pub matchers: Vec<Matcher>,
    /// The first millisecond; `None`: the beginning.
    pub start_ms: Option<i64>,
    /// The last one; `None`: all that is there.
    pub end_ms: Option<i64>,
}

/// How much would be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionCount {
    /// Series of which something would go; one that several selectors match counts for each.
    pub series: u64,
    /// Their samples.
    pub samples: u64,
    /// Values that were pushed to them.
    pub pushed_values: u64,
}

/// Who can delete series.
#[async_trait]
pub trait SeriesDeleter: Send + Sync {
    /// Deletes what is there now. Whoever asks after the answer does not see it any more; to ask twice does no harm.
    ///
    /// # Errors
    /// If it cannot be done, or it is not known whether it was.
    async fn delete(&self, deletions: &[SeriesDeletion]) -> Result<(), SourceError>;

    /// What that would delete.
    ///
    /// # Errors
    /// If the data cannot be read, or are more than may be read.
    async fn count(&self, deletions: &[SeriesDeletion]) -> Result<DeletionCount, SourceError>;
}

fn deleter(api: &Api) -> Result<&dyn SeriesDeleter, ApiError> {
    api.deleter.as_deref().ok_or_else(|| ApiError::new(ApiErrorKind::Unavailable, "admin APIs disabled"))
}

pub(super) async fn delete_series(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let deleter = deleter(&api)?;
    let deletions = deletions(&parameters, &seen.grant.bounds())?;
    match parameters.get("dry_run") {
        "" | "false" => deleter.delete(&deletions).await?,
        "true" => return Ok(counted(deleter.count(&deletions).await?).into_response()),
        other => {
            let reason = format!("{other:?} is neither \"true\" nor \"false\"");
            return Err(ApiError::parameter("dry_run", reason));
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Nothing outside of `bounds` is deleted, whatever is asked for.
fn deletions(parameters: &Parameters, bounds: &Bounds) -> Result<Vec<SeriesDeletion>, ApiError> {
    let selectors: Vec<&str> = parameters.all("match[]").collect();
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let start_ms = parameters.time_ms_or("start", -TIME_MS_MAX)?;
    let end_ms = parameters.time_ms_or("end", TIME_MS_MAX)?;
    if end_ms < start_ms {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let (start_ms, end_ms) =
        (Some(start_ms).filter(|ms| *ms > -TIME_MS_MAX), Some(end_ms).filter(|ms| *ms < TIME_MS_MAX));
    let deletion = |text: &str| {
        let matchers = matchers(text).map_err(|reason| ApiError::parameter("match[]", reason))?;
        Ok(SeriesDeletion { matchers: bounds.and(&matchers), start_ms, end_ms })
    };
    selectors.into_iter().map(deletion).collect()
}

fn counted(count: DeletionCount) -> Success {
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        let DeletionCount { series, samples, pushed_values } = count;
        for (name, count) in [("series", series), ("samples", samples), ("pushedValues", pushed_values)] {
            fields.field(name).push_str(&count.to_string());
        }
    });
    Success::of(data)
}

/// Compaction takes out what is deleted, by itself.
pub(super) async fn clean_tombstones(State(api): State<Arc<Api>>) -> Result<StatusCode, ApiError> {
    deleter(&api).map(|_| StatusCode::NO_CONTENT)
}

pub(super) async fn snapshot(State(api): State<Arc<Api>>) -> Result<StatusCode, ApiError> {
    deleter(&api)?;
    let text = "there are no snapshots: copy the objects of the storage, the manifests first";
    Err(ApiError::new(ApiErrorKind::Unavailable, text))
}
