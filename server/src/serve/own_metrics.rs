//! What Mayfly says about itself: `/metrics` of the query port, and health.

use std::sync::Arc;

use access::Quota;
use alert::Evaluator;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use edge::{Counts, DiskCache, Storage};
use gateway::Gateway;
use ingest::{Receiver, Statsd};
use model::{Clock, MetricType};
use query::api::LastReload;
use store::{Reader, Writer};
use wire::exposition;
use wire::{Family, Metric, MetricValue};

use super::admission::Access;
use super::compacting::Compacting;

/// Where the numbers come from.
pub(super) struct Sources {
    pub(super) storage: Storage,
    pub(super) writer: Arc<Writer>,
    pub(super) reader: Arc<Reader>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) receiver: Arc<Receiver>,
    /// `None`: nobody counts what comes.
    pub(super) quota: Option<Arc<Quota>>,
    /// `None`: nothing comes by StatsD.
    pub(super) statsd: Option<Arc<Statsd>>,
    pub(super) evaluator: Arc<Evaluator>,
    pub(super) last_reload: Arc<LastReload>,
    /// `None`: this process does not compact.
    pub(super) compacting: Option<Arc<Compacting>>,
    /// `None`: nothing is kept on disk.
    pub(super) disk: Option<Arc<DiskCache>>,
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
    match sources.writer.ready().await {
        Ok(()) => (StatusCode::OK, health("Mayfly is ready.", &sources)),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("Mayfly is not ready: {error}.\n")),
    }
}

/// What is said to whoever asks, and what is not as it should be.
fn health(text: &str, sources: &Arc<Sources>) -> String {
    let unreadable = match sources.reader.unreadable() {
        0 => String::new(),
        1 => "1 object in the storage cannot be read: see the log.\n".to_owned(),
        objects => format!("{objects} objects in the storage cannot be read: see the log.\n"),
    };
    let compacting = sources.compacting.as_ref().map(|compacting| compacting.health()).unwrap_or_default();
    format!("{text}\n{unreadable}{compacting}")
}

async fn metrics(State(sources): State<Arc<Sources>>) -> impl IntoResponse {
    let mut families = families(&sources);
    exposition::sort(&mut families);
    let text = exposition::write_text(&families, wire::name_escaping::Escaping::Underscores);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
fn families(sources: &Sources) -> Vec<Family> {
    let (written, read) = (sources.writer.stats(), sources.reader.stats());
    let (_, tail) = sources.writer.tail();
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
    let stored = sources.storage.counts();
    let storage = [
        (
            "mayfly_storage_retries_total",
            "Tries of requests to the storage beyond the first.",
            sources.storage.retries(),
        ),
        ("mayfly_storage_failures_total", "Requests to the storage that failed.", stored.failures),
        ("mayfly_storage_written_bytes_total", "Bytes put into the storage.", stored.bytes_put),
        ("mayfly_storage_read_bytes_total", "Bytes got from the storage.", stored.bytes_got),
    ];
    let (groups, metrics) = sources.gateway.known().unwrap_or_default();
    let gauges = [
        ("mayfly_known_groups", "Groups that pushes are compared with.", groups as f64),
        ("mayfly_known_metrics", "Metrics of these groups; a histogram is one.", metrics as f64),
        ("mayfly_tail_pushes", "Pushes that wait to be written.", tail.entries() as f64),
        ("mayfly_tail_bytes", "About how much memory they take.", tail.bytes() as f64),
        (
            "mayfly_unreadable_objects",
            "Objects among the segments that cannot be read, as of the last selections.",
            sources.reader.unreadable() as f64,
        ),
        (
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            sources.started_us as f64 / 1e6,
        ),
    ];
    let counter = |(name, help, value): (_, _, u64)| (name, help, MetricType::Counter, value as f64);
    let counters = counters.into_iter().chain(storage).map(counter);
    let active = sources.quota.as_ref().and_then(|quota| quota.active_series());
    let active = active
        .map(|series| ("mayfly_active_series", "Series that active_series_max is about.", series as f64));
    let gauges =
        gauges.into_iter().chain(active).map(|(name, help, value)| (name, help, MetricType::Gauge, value));
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
    let of_compaction = sources.compacting.iter().flat_map(|own| own.families(sources.clock.now_us()));
    let plain = counters.chain(gauges);
    plain
        .map(|(name, help, r#type, value)| family(name, help, r#type, Vec::new(), value))
        .chain([
            build,
            requests("mayfly_storage_requests_total", "Requests to the storage.", sources.storage.counts()),
        ])
        .chain(of_compaction)
        .chain(sources.disk.iter().flat_map(|disk| super::disk_cache::families(disk)))
        .chain(process)
        .chain(sources.gateway.stats().families())
        .chain(sources.receiver.stats().families())
        .chain(sources.statsd.iter().flat_map(|statsd| statsd.families()))
        .chain(sources.access.families())
        .chain(super::rules::families(&sources.evaluator, &sources.last_reload))
        .collect()
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
