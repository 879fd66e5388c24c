//! Targets that are scraped, where any are. Without, these are Prometheus' answers of a server that has none, so that clients that list
//! them go on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use access::Grant;
use axum::extract::State;
use model::{Labels, Metadata};

use super::Api;
use super::answer::{ApiError, Success};
use super::json::{self, Fields};
use super::metadata::type_name;
use super::parameters::Parameters;
use super::seen::Seen;
use crate::calendar::rfc3339;
use crate::syntax::parse_metric_selector;

/// Whoever scrapes, as far as it is shown.
pub trait ScrapeTargets: fmt::Debug + Send + Sync {
    /// The names of the jobs.
    fn pools(&self) -> Vec<String>;
    /// The targets of a job, or of all of them.
    fn active(&self, pool: Option<&str>) -> Vec<ActiveTarget>;
    /// What relabelling dropped, of a job or of all of them, as far as it is shown.
    fn dropped(&self, pool: Option<&str>) -> Vec<(String, Labels)>;
    /// How many relabelling dropped of each job.
    fn dropped_counts(&self) -> BTreeMap<String, usize>;
}

/// A target that is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveTarget {
    /// What was discovered.
    pub discovered: Labels,
    /// What its samples are given.
    pub labels: Labels,
    /// The name of its job.
    pub pool: String,
    /// What is asked.
    pub url: String,
    /// The same, as others reach it.
    pub global_url: String,
    /// Why the last scrape failed, or empty.
    pub last_error: String,
    /// When that was; `None` before the first.
    pub last_scrape_ms: Option<i64>,
    /// How long it took.
    pub last_duration_us: i64,
    /// `up`, `down` or `unknown`.
    pub health: &'static str,
    /// From one scrape to the next.
    pub interval_ms: i64,
    /// How long one may take.
    pub timeout_ms: i64,
    /// What its last page told of families.
    pub families: Arc<Vec<(Arc<str>, Metadata)>>,
}

/// Those that a request may see: of a job whose name it has, and with labels that its series may have.
fn active(api: &Api, grant: &Grant, pool: Option<&str>) -> Vec<ActiveTarget> {
    let mut targets = api.targets.as_ref().map(|targets| targets.active(pool)).unwrap_or_default();
    targets.retain(|target| is_shown(grant, &target.labels));
    targets
}

/// Who may see some series only sees targets all of whose series those are, as far as their labels tell.
fn is_shown(grant: &Grant, labels: &Labels) -> bool {
    !grant.is_bounded() || grant.admits(labels)
}

pub(super) async fn targets(State(api): State<Arc<Api>>, seen: Seen, parameters: Parameters) -> Success {
    let state = parameters.get("state").to_lowercase();
    let wants = |kind: &str| matches!(state.as_str(), "" | "any") || state == kind;
    let pool = Some(parameters.get("scrapePool")).filter(|pool| !pool.is_empty());
    let (wants_active, wants_dropped) = (wants("active"), wants("dropped"));
    let (mut found, mut dropped, mut counts) = (Vec::new(), Vec::new(), BTreeMap::new());
    if wants_active {
        found = active(&api, &seen.grant, pool);
    }
    // what was dropped has labels that no series has
    if let Some(targets) = api.targets.as_ref().filter(|_| wants_dropped && !seen.grant.is_bounded()) {
        (dropped, counts) = (targets.dropped(pool), targets.dropped_counts());
    }
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        json::list(fields.field("activeTargets"), found.iter(), active_target);
        json::list(fields.field("droppedTargets"), dropped.iter(), |out, (pool, labels)| {
            Fields::object(out, |fields| {
                json::labels(fields.field("discoveredLabels"), labels);
                json::string(fields.field("scrapePool"), pool);
            });
        });
        let out = fields.field("droppedTargetCounts");
        match wants_dropped {
            true => Fields::object(out, |fields| {
                for (pool, count) in &counts {
                    fields.field(pool).push_str(&count.to_string());
                }
            }),
            false => out.push_str("null"),
        }
    });
    Success::of(data)
}

fn active_target(out: &mut String, target: &ActiveTarget) {
    Fields::object(out, |fields| {
        json::labels(fields.field("discoveredLabels"), &target.discovered);
        json::labels(fields.field("labels"), &target.labels);
        json::string(fields.field("scrapePool"), &target.pool);
        json::string(fields.field("scrapeUrl"), &target.url);
        json::string(fields.field("globalUrl"), &target.global_url);
        json::string(fields.field("lastError"), &target.last_error);
        // Go's zero time
        let last = target.last_scrape_ms.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339);
        json::string(fields.field("lastScrape"), &last);
        let seconds = target.last_duration_us as f64 / 1_000_000.0;
        fields.field("lastScrapeDuration").push_str(&seconds.to_string());
        json::string(fields.field("health"), target.health);
        json::string(fields.field("scrapeInterval"), &model::duration::format(target.interval_ms));
        json::string(fields.field("scrapeTimeout"), &model::duration::format(target.timeout_ms));
    });
}

pub(super) async fn metadata(
    State(api): State<Arc<Api>>,
    seen: Seen,
    parameters: Parameters,
) -> Result<Success, ApiError> {
    let limit = parameters.count_or_all("limit")?.unwrap_or(usize::MAX);
    let text = parameters.get("match_target");
    let matchers = match text {
        "" => Vec::new(),
        text => parse_metric_selector(text).map_err(|error| ApiError::parameter("match_target", error))?,
    };
    let metric = parameters.get("metric");
    let targets = active(&api, &seen.grant, None);
    let matching = targets.iter().filter(|target| {
        matchers.iter().all(|matcher| matcher.matches(target.labels.get(&matcher.name).unwrap_or("")))
    });
    let told = matching.flat_map(|target| target.families.iter().map(move |family| (target, family)));
    let told = told.filter(|(_, (name, _))| metric.is_empty() || **name == *metric).take(limit);
    let mut data = String::new();
    json::list(&mut data, told, |out, (target, (name, metadata))| {
        Fields::object(out, |fields| {
            json::labels(fields.field("target"), &target.labels);
            // who asks for a metric knows its name
            if metric.is_empty() {
                json::string(fields.field("metric"), name);
            }
            json::string(fields.field("type"), type_name(metadata.r#type));
            json::string(fields.field("help"), &metadata.help);
            json::string(fields.field("unit"), &metadata.unit);
        });
    });
    Ok(Success::of(data))
}

pub(super) async fn scrape_pools(State(api): State<Arc<Api>>, seen: Seen) -> Success {
    let mut pools = pools(&api);
    if seen.grant.is_bounded() {
        // those of which it sees a target
        let shown = active(&api, &seen.grant, None);
        pools.retain(|pool| shown.iter().any(|target| target.pool == *pool));
    }
    let mut data = String::new();
    Fields::object(&mut data, |fields| {
        json::list(fields.field("scrapePools"), pools.iter(), |out, name| json::string(out, name));
    });
    Success::of(data)
}

/// The configuration of a pool.
pub(super) async fn scrape_pool_config(State(api): State<Arc<Api>>, parameters: Parameters) -> ApiError {
    not_shown(&api, &parameters)
}

/// What relabelling makes of labels in a pool.
pub(super) async fn relabel_steps(State(api): State<Arc<Api>>, parameters: Parameters) -> ApiError {
    let is_without_labels = !parameters.get("scrapePool").is_empty() && parameters.get("labels").is_empty();
    if is_without_labels {
        ApiError::bad_data("no labels parameter provided")
    } else {
        not_shown(&api, &parameters)
    }
}

fn pools(api: &Api) -> Vec<String> {
    api.targets.as_ref().map(|targets| targets.pools()).unwrap_or_default()
}

fn not_shown(api: &Api, parameters: &Parameters) -> ApiError {
    match parameters.get("scrapePool") {
        "" => ApiError::bad_data("no scrapePool parameter provided"),
        pool if pools(api).iter().any(|known| known == pool) => ApiError::bad_data(
            "Mayfly shows targets, and neither the configuration of jobs nor the steps of relabelling",
        ),
        pool => ApiError::bad_data(format!("error getting scrape config: scrape pool {pool:?} not found")),
    }
}
