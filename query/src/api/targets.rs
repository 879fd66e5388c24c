//! Targets, of which there are none: what is stored here was pushed. Prometheus' answers of a server without any, so that
//! clients that list them go on.

use super::answer::{ApiError, Success};
use super::json::{self, Fields};
use super::parameters::Parameters;
use crate::syntax::parse_metric_selector;

pub(super) async fn targets(parameters: Parameters) -> Success {
    let state = parameters.get("state").to_lowercase();
    let wants_dropped = matches!(state.as_str(), "" | "any" | "dropped");
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        fields.field("activeTargets").push_str("[]");
        fields.field("droppedTargets").push_str("[]");
        fields.field("droppedTargetCounts").push_str(if wants_dropped { "{}" } else { "null" });
    });
    Success::of(data)
}

pub(super) async fn metadata(parameters: Parameters) -> Result<Success, ApiError> {
    parameters.count_or_all("limit")?;
    let text = parameters.get("match_target");
    if !text.is_empty() {
        parse_metric_selector(text).map_err(|error| ApiError::parameter("match_target", error))?;
    }
    Ok(Success::of("[]".to_owned()))
}

pub(super) async fn scrape_pools() -> Success {
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        json::list(fields.field("scrapePools"), std::iter::empty(), json::string);
    });
    Success::of(data)
}

/// The configuration of a pool.
pub(super) async fn scrape_pool_config(parameters: Parameters) -> ApiError {
    no_such_pool(&parameters)
}

/// What relabelling makes of labels in a pool.
pub(super) async fn relabel_steps(parameters: Parameters) -> ApiError {
    let is_without_labels = !parameters.get("scrapePool").is_empty() && parameters.get("labels").is_empty();
    if is_without_labels {
        ApiError::bad_data("no labels parameter provided")
    } else {
        no_such_pool(&parameters)
    }
}

/// Whichever pool it is.
fn no_such_pool(parameters: &Parameters) -> ApiError {
    match parameters.get("scrapePool") {
        "" => ApiError::bad_data("no scrapePool parameter provided"),
        pool => ApiError::bad_data(format!("error getting scrape config: scrape pool {pool:?} not found")),
    }
}
