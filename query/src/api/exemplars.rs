//! `query_exemplars`: the series that an expression selects, with their exemplars.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{Exemplar, ExemplarSeries, Selection};

use super::answer::{ApiError, Success};
use super::json::{self, Fields};
use super::parameters::Parameters;
use super::seen::Seen;
use super::{Api, time};
use crate::source::SourceNotes;

pub(super) async fn exemplars(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Response, ApiError> {
    let start_ms = parameters.time_ms_or("start", -time::TIME_MS_MAX)?;
    let end_ms = parameters.time_ms_or("end", time::TIME_MS_MAX)?;
    if end_ms < start_ms {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let parsed = api.engine.parse(parameters.get("query"));
    let expr = parsed.map_err(|error| ApiError::bad_data(error.to_string()))?;
    let selectors = expr.selectors();
    if selectors.is_empty() {
        // as Prometheus answers
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let selection = |matchers| Selection { matchers, start_ms, end_ms };
    let selections: Vec<Selection> =
        selectors.into_iter().map(|selector| selection(selector.matchers.clone())).collect();
    let notes = SourceNotes::default();
    let _place = api.place(api.engine.settings().timeout_ms).await?;
    let found = seen.source.exemplars(&selections, &notes).await?;
    let mut success = Success { warnings: notes.into_texts(), ..Success::default() };
    json::list(&mut success.data, found.iter(), series);
    Ok(success.into_response())
}

fn series(out: &mut String, series: &ExemplarSeries) {
    Fields::object(out, |fields| {
        json::labels(fields.field("seriesLabels"), &series.labels);
        json::list(fields.field("exemplars"), series.exemplars.iter(), exemplar);
    });
}

fn exemplar(out: &mut String, exemplar: &Exemplar) {
    Fields::object(out, |fields| {
        json::labels(fields.field("labels"), &exemplar.labels);
        json::string(fields.field("value"), &model::float::api(exemplar.value));
        json::time(fields.field("timestamp"), exemplar.at_ms);
    });
}
