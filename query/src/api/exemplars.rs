//! `query_exemplars`: the series that an expression selects, with their exemplars.
//!
//! No exemplars are stored, so none are found. The expression and the times are checked all the same.

use std::sync::Arc;

use axum::extract::State;

use super::answer::{ApiError, Success};
use super::parameters::Parameters;
use super::{Api, time};

pub(super) async fn exemplars(
    State(api): State<Arc<Api>>,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let start_ms = parameters.time_ms_or("start", -time::TIME_MS_MAX)?;
    let end_ms = parameters.time_ms_or("end", time::TIME_MS_MAX)?;
    if end_ms < start_ms {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    api.engine.parse(parameters.get("query")).map_err(|error| ApiError::bad_data(error.to_string()))?;
    Ok(Success::of("[]".to_owned()))
}
