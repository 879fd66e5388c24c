//! What Mayfly says about itself: `/metrics` of the query port, and health.

use std::sync::Arc;

use alert::Evaluator;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use courier::Courier;
use edge::{Counts, DiskCache, Storage};
use ingest::Statsd;
use model::{Clock, MetricType};
use query::Results;
use query::api::{LastReload, QueryCounts, SliceCounts, TenantQueries};
use scrape::Scraper;
use wire::exposition;
use wire::{Bucket, Family, Histogram, Metric, MetricValue, Summary};

use super::admission::Access;
use super::compacting::Compacting;
use super::tenants::{Roles, RolesOpener, Tenants};

/// Where the numbers come from.
pub(super) struct Sources {
    pub(super) storage: Storage,
    /// Of tenant `default`.
    pub(super) first: Arc<Roles>,
    pub(super) tenants: Arc<Tenants<RolesOpener>>,
    /// `None`: nothing comes by StatsD.
    pub(super) statsd: Option<Arc<Statsd>>,
    pub(super) evaluator: Arc<Evaluator>,
    /// `None`: this process notifies nobody itself.
    pub(super) courier: Option<Arc<Courier>>,
    /// `None`: nothing is scraped.
    pub(super) scraper: Option<Arc<Scraper>>,
    pub(super) last_reload: Arc<LastReload>,
    /// `None`: this process does not compact.
    pub(super) compacting: Option<Arc<Compacting>>,
    /// `None`: nothing is kept on disk.
    pub(super) disk: Option<Arc<DiskCache>>,
    /// `None`: results are not kept.
    pub(super) results: Option<Arc<Results>>,
    pub(super) access: Arc<Access>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started_us: i64,
}

/// The paths of [`router`].
#[cfg(test)]
pub(super) const PATHS: [&str; 3] = ["/metrics", "/-/healthy", "/-/ready"];

/// `/metrics`, `/-/healthy` and `/-/ready`. The storage was opened before anybody listened, so what keeps a server from being
/// ready is what would keep it from taking a push.
pub(super) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(async |State(sources)| health("Mayfly is healthy.", &sources)))
        .route("/-/ready", get(ready))
        .with_state(Arc::new(sources))
}

async fn ready(State(sources): State<Arc<Sources>>) -> (StatusCode, String) {
    // its clock is that of all writers
    match sources.first.writer.ready().await {
        Ok(()) => (StatusCode::OK, health("Mayfly is ready.", &sources)),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("Mayfly is not ready: {error}.\n")),
    }
}

/// What is said to whoever asks, and what is not as it should be. Names of other tenants are not.
fn health(text: &str, sources: &Arc<Sources>) -> String {
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => String::new(),
        1 => format!("1 {one}: see the log.\n"),
        many_of_them => format!("{many_of_them} {many}: see the log.\n"),
    };
    let others = sources.tenants.open_now();
    let of_others: usize = others.iter().map(|(_, kept)| kept.open.roles.reader.unreadable()).sum();
    let unreadable = counted(
        sources.first.reader.unreadable() + of_others,
        "object in the storage cannot be read",
        "objects in the storage cannot be read",
    );
    let owed = counted(
        sources.tenants.counts().owed,
        "tenant of whom the log has something cannot be opened",
        "tenants of whom the log has something cannot be opened",
    );
    let compacting = sources.compacting.as_ref().map(|compacting| compacting.health()).unwrap_or_default();
    format!("{text}\n{unreadable}{owed}{compacting}")
}

async fn metrics(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    let mut families = families(&sources);
    exposition::sort(&mut families);
    let text = exposition::write_text(&families, wire::name_escaping::Escaping::Underscores);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// What is of the server, and what is of each tenant: that of `default` as a server without others has it, and that of others with a
/// label `tenant`.
fn families(sources: &Sources) -> Vec<Family> {
    let mut families = of_server(sources);
    families.extend(of_tenant(&sources.first));
    for (tenant, kept) in sources.tenants.open_now() {
        let label: (Arc<str>, Arc<str>) = ("tenant".into(), tenant.to_string().into());
        for mut family in of_tenant(&kept.open.roles) {
            family.metrics.iter_mut().for_each(|metric| metric.labels.push(label.clone()));
            match families.iter_mut().find(|known| known.name == family.name) {
                Some(known) => known.metrics.append(&mut family.metrics),
                None => families.push(family),
            }
        }
    }
    families
}

type Number = (&'static str, &'static str, u64);
type Gauge = (&'static str, &'static str, f64);

/// Families of one metric each.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn plain(
    counters: impl IntoIterator<Item = Number>,
    gauges: impl IntoIterator<Item = Gauge>,
) -> impl Iterator<Item = Family> {
    let counter = |(name, help, value): Number| (name, help, MetricType::Counter, value as f64);
    let gauge = |(name, help, value): Gauge| (name, help, MetricType::Gauge, value);
    let all = counters.into_iter().map(counter).chain(gauges.into_iter().map(gauge));
    all.map(|(name, help, r#type, value)| family(name, help, r#type, Vec::new(), value))
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn of_server(sources: &Sources) -> Vec<Family> {
    let (stored, tenants) = (sources.storage.counts(), sources.tenants.counts());
    let counters = [
        (
            "mayfly_storage_retries_total",
            "Tries of requests to the storage beyond the first.",
            sources.storage.retries(),
        ),
        ("mayfly_storage_failures_total", "Requests to the storage that failed.", stored.failures),
        ("mayfly_storage_written_bytes_total", "Bytes put into the storage.", stored.bytes_put),
        ("mayfly_storage_read_bytes_total", "Bytes got from the storage.", stored.bytes_got),
        (
            "mayfly_tenants_refused_requests_total",
            "Requests that were refused since they would have opened one tenant too many.",
            tenants.refused,
        ),
        (
            "mayfly_tenant_open_failures_total",
            "Tenants that could not be opened, as often as that was tried.",
            tenants.failures,
        ),
    ];
    let gauges = [
        (
            "mayfly_open_tenants",
            "Tenants that are open beside default.",
            sources.tenants.open_now().len() as f64,
        ),
        (
            "mayfly_owed_tenants",
            "Tenants of whom the log has something that is not in the storage, and that could not be opened.",
            tenants.owed as f64,
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            sources.started_us as f64 / 1e6,
        ),
    ];
    let build = family(
        "mayfly_build_info",
        "1, labelled by the version.",
        MetricType::Gauge,
        vec![("version".into(), env!("CARGO_PKG_VERSION").into())],
        1.0,
    );
    let process = process_memory_bytes().map(|bytes| {
        family(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            MetricType::Gauge,
            Vec::new(),
            bytes as f64,
        )
    });
    plain(counters, gauges)
        .chain([build, requests("mayfly_storage_requests_total", "Requests to the storage.", stored)])
        .chain(sources.compacting.iter().flat_map(|own| own.families(sources.clock.now_us())))
        .chain(sources.disk.iter().flat_map(|disk| super::disk_cache::families(disk)))
        .chain(sources.results.iter().flat_map(|results| super::kept_results::families(results)))
        .chain(process)
        .chain(sources.statsd.iter().flat_map(|statsd| statsd.families()))
        .chain(sources.access.families())
        .chain(queries(&sources.first.api.counts()))
        .chain(super::rules::families(&sources.evaluator, &sources.last_reload))
        .chain(sources.courier.iter().flat_map(|courier| super::notifications::families(courier)))
        .chain(sources.scraper.iter().flat_map(|scraper| super::scraping::families(scraper)))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn of_tenant(roles: &Roles) -> Vec<Family> {
    let (written, read) = (roles.writer.stats(), roles.reader.stats());
    let (_, tail) = roles.writer.tail();
    let counters = [
        ("mayfly_pushes_total", "Pushes acknowledged.", written.pushes()),
        ("mayfly_pushes_refused_total", "Pushes refused because too much was waiting.", written.refused()),
        ("mayfly_segments_written_total", "Segments written.", written.segments()),
        ("mayfly_segment_bytes_written_total", "Bytes of segments written.", written.segment_bytes()),
        ("mayfly_rows_written_total", "Rows of segments written.", written.rows()),
        (
            "mayfly_segments_stamped_anew_total",
            "Segments whose entries were stamped anew, since they came too late for their minute.",
            written.stamped_anew(),
        ),
        ("mayfly_segment_write_failures_total", "Segments that could not be written.", written.failures()),
        ("mayfly_selections_total", "Selections of series, answered or failed.", read.selections()),
        ("mayfly_selection_failures_total", "Selections of series that failed.", read.failures()),
        (
            "mayfly_incomplete_selections_total",
            "Selections of series answered without objects that cannot be read.",
            read.incomplete(),
        ),
        ("mayfly_segments_fetched_total", "Segments read from the object store.", read.segments_fetched()),
        ("mayfly_segments_cached_total", "Segments found in memory instead.", read.segments_cached()),
        (
            "mayfly_segment_names_decoded_total",
            "Metric names of segments decoded for rules, to be kept in memory.",
            read.names_decoded(),
        ),
        (
            "mayfly_segment_names_cached_total",
            "Metric names of segments found decoded in memory instead.",
            read.names_cached(),
        ),
    ];
    let (groups, metrics) = roles.gateway.known().unwrap_or_default();
    let TenantQueries { evaluated, waiting, refused } = roles.api.own_queries();
    let refused =
        ("mayfly_queries_refused_total", "Queries that were refused since too many waited.", refused);
    let gauges = [
        ("mayfly_queries_evaluated", "Queries that are evaluated now.", evaluated as f64),
        ("mayfly_queries_waiting", "Queries that wait for their turn.", waiting as f64),
        ("mayfly_known_groups", "Groups that pushes are compared with.", groups as f64),
        ("mayfly_known_metrics", "Metrics of these groups; a histogram is one.", metrics as f64),
        ("mayfly_tail_pushes", "Pushes that wait to be written.", tail.entries() as f64),
        ("mayfly_tail_bytes", "About how much memory they take.", tail.bytes() as f64),
        (
            "mayfly_unreadable_objects",
            "Objects among the segments that cannot be read, as of the last selections.",
            roles.reader.unreadable() as f64,
        ),
    ];
    let active = roles.quota.as_ref().and_then(|quota| quota.active_series());
    let active = active
        .map(|series| ("mayfly_active_series", "Series that active_series_max is about.", series as f64));
    plain(counters.into_iter().chain([refused]), gauges.into_iter().chain(active))
        .chain(roles.gateway.stats().families())
        .chain(roles.receiver.stats().families())
        .collect()
}

/// What queries have come to, of all tenants together: as Prometheus calls it, where it has the same. It tells quantiles of times, these
/// are buckets.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn queries(counts: &QueryCounts) -> Vec<Family> {
    let counters = [
        (
            "prometheus_engine_query_samples_total",
            "The total number of samples loaded by all queries.",
            counts.samples,
        ),
        ("mayfly_slow_queries_total", "Queries that were logged since they were slow.", counts.logged),
    ];
    let gauges = [
        (
            "prometheus_engine_queries",
            "The current number of queries being executed or waiting.",
            counts.now as f64,
        ),
        (
            "prometheus_engine_queries_concurrent_max",
            "The max number of concurrent queries.",
            counts.concurrent_max as f64,
        ),
        (
            "prometheus_engine_query_log_enabled",
            "State of the query log.",
            f64::from(u8::from(counts.is_logging)),
        ),
    ];
    let of_slice = |slice: &SliceCounts, value| Metric::new(vec![("slice".into(), slice.name.into())], value);
    let summary = |slice: &SliceCounts| {
        let summary = Summary { count: slice.count, sum: slice.sum_s, ..Summary::default() };
        of_slice(slice, MetricValue::Summary(summary))
    };
    let histogram = |slice: &SliceCounts| {
        let bucket = |&(upper_bound, count): &(f64, u64)| Bucket {
            upper_bound,
            cumulative_count: count as f64,
            exemplar: None,
        };
        let infinite = (f64::INFINITY, slice.count);
        let buckets = slice.buckets.iter().chain([&infinite]).map(bucket).collect();
        let histogram =
            Histogram { count: slice.count as f64, sum: slice.sum_s, buckets, ..Histogram::default() };
        of_slice(slice, MetricValue::Histogram(histogram))
    };
    let times = [
        family_of(
            "prometheus_engine_query_duration_seconds",
            "Query timings",
            MetricType::Summary,
            counts.slices.iter().map(summary).collect(),
        ),
        family_of(
            "prometheus_engine_query_duration_histogram_seconds",
            "The duration of various parts of PromQL query execution.",
            MetricType::Histogram,
            counts.slices.iter().map(histogram).collect(),
        ),
    ];
    plain(counters, gauges).chain(times).collect()
}

/// What the storage was asked, as S3 bills it.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn requests(name: &str, help: &str, counts: Counts) -> Family {
    let kinds = [
        ("put", counts.puts),
        ("get", counts.gets),
        ("head", counts.heads),
        ("list", counts.lists),
        ("delete", counts.deletes),
        ("copy", counts.copies),
    ];
    let of_kind = |(kind, count): (&str, u64)| {
        Metric::new(vec![("kind".into(), kind.into())], MetricValue::Counter(count as f64))
    };
    Family {
        name: name.into(),
        help: help.into(),
        unit: "".into(),
        r#type: MetricType::Counter,
        metrics: kinds.map(of_kind).into(),
    }
}

/// A family of one metric.
pub(super) fn family(
    name: &str,
    help: &str,
    r#type: MetricType,
    labels: Vec<(Arc<str>, Arc<str>)>,
    value: f64,
) -> Family {
    family_of(name, help, r#type, vec![metric(labels, r#type, value)])
}

/// A metric of a counter or a gauge.
pub(super) fn metric(labels: Vec<(Arc<str>, Arc<str>)>, r#type: MetricType, value: f64) -> Metric {
    let value = match r#type {
        MetricType::Counter => MetricValue::Counter(value),
        _ => MetricValue::Gauge(value),
    };
    Metric::new(labels, value)
}

pub(super) fn family_of(name: &str, help: &str, r#type: MetricType, metrics: Vec<Metric>) -> Family {
    Family { name: name.into(), help: help.into(), unit: "".into(), r#type, metrics }
}

/// Resident memory, where the system tells it.
fn process_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
