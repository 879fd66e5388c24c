//! `/federate`: the last values of selected series, for a Prometheus that takes them over.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::Grant;
use alert::Evaluator;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use model::{Clock, Labels, Matcher, MetricType, Value as Sample};
use query::api::{Api, Parameters};
use query::syntax::{
    ByteRange, Duration, Edges, Expr, ExprKind, RangeSelector, Selector, Shift, parse_metric_selector,
};
use query::{Engine, QueryError, QueryOptions, SeriesSource, SourceError, SourceErrorKind, Times, Value};
use wire::exposition;
use wire::{Accepted, Family, Histogram, Metric, MetricValue, PageFormat};

/// What the route reads through.
struct Served {
    api: Arc<Api>,
    /// Configuration tells them the external labels.
    rules: Arc<Evaluator>,
}

/// What one request reads through.
struct Federation {
    engine: Engine,
    source: Arc<dyn SeriesSource>,
    clock: Arc<dyn Clock>,
}

/// Where it is.
pub const PATH: &str = "/federate";

/// The route, over what the query API reads.
pub(crate) fn router(api: Arc<Api>, rules: Arc<Evaluator>) -> Router {
    Router::new().route(PATH, get(federate)).with_state(Arc::new(Served { api, rules }))
}

/// The last sample of each series, and its time.
type Last = BTreeMap<Labels, (i64, Sample)>;

async fn federate(
    State(served): State<Arc<Served>>,
    grant: Option<Extension<Grant>>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Response {
    let grant = grant.map(|Extension(grant)| grant).unwrap_or_default();
    let api = &served.api;
    let (engine, source, clock) = (api.engine().clone(), api.source_for(&grant), api.clock());
    let federation = Federation { engine, source, clock };
    let mut last = Last::new();
    for text in parameters.all("match[]") {
        let matchers = match parse_metric_selector(text) {
            Ok(matchers) => matchers,
            Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
        };
        match federation.last(&matchers).await {
            Ok(found) => last.extend(found),
            Err(error) => return refused(StatusCode::INTERNAL_SERVER_ERROR, &error),
        }
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let accepted = Accepted::of_header(accept, false);
    let families = families(last, accepted.format, &served.rules.settings().external_labels);
    let body = match accepted.format {
        PageFormat::ProtobufDelimited => exposition::write_protobuf(&families, accepted.escaping),
        PageFormat::Text | PageFormat::OpenMetrics(_) => {
            exposition::write_text(&families, accepted.escaping).into_bytes()
        }
    };
    ([(header::CONTENT_TYPE, accepted.content_type())], body).into_response()
}

fn refused(status: StatusCode, error: &dyn std::error::Error) -> Response {
    (status, format!("{error}\n")).into_response()
}

impl Federation {
    /// What holds now, with the times of the samples: a value alone does not tell its time, and a last sample alone not
    /// whether a stale marker follows it.
    async fn last(&self, matchers: &[Matcher]) -> Result<Last, QueryError> {
        let now_ms = self.clock.now_ms();
        let lookback_ms = self.engine.settings().lookback_ms;
        let (held, samples) = (selected(matchers, None), selected(matchers, Some(lookback_ms)));
        let Value::Vector(held) = self.evaluate(&held, now_ms).await? else { return Ok(Last::new()) };
        let Value::Matrix(samples) = self.evaluate(&samples, now_ms).await? else { return Ok(Last::new()) };
        let times: BTreeMap<&Labels, i64> = samples
            .iter()
            .filter_map(|series| {
                let float = series.floats.last().map(|(at_ms, _)| *at_ms);
                let histogram = series.histograms.last().map(|(at_ms, _)| *at_ms);
                Some((&series.labels, float.max(histogram)?))
            })
            .collect();
        let last = held.into_iter().filter_map(|sample| {
            let at_ms = *times.get(&sample.labels)?;
            Some((sample.labels, (at_ms, sample.value)))
        });
        Ok(last.collect())
    }

    async fn evaluate(&self, expr: &Expr, at_ms: i64) -> Result<Value, QueryError> {
        let loaded = self.engine.load(&*self.source, expr, Times::At(at_ms), QueryOptions::default()).await?;
        let _canceled_with_the_request = loaded.cancel_on_drop();
        let executed = tokio::task::spawn_blocking(move || loaded.execute()).await;
        let broken =
            |error| SourceError::caused_by(SourceErrorKind::Internal, "the evaluation broke off", error);
        Ok(executed.map_err(broken)??.value)
    }
}

/// A selector, over a range if one is given.
fn selected(matchers: &[Matcher], range_ms: Option<i64>) -> Expr {
    let selector = Selector {
        name: None,
        matchers: matchers.to_vec(),
        shift: Shift::default(),
        edges: Edges::default(),
    };
    let range = ByteRange::default();
    let kind = match range_ms {
        None => ExprKind::Selector(Box::new(selector)),
        Some(ms) => ExprKind::Range(Box::new(RangeSelector {
            selector,
            selector_range: range,
            range: Duration::Ms(ms),
        })),
    };
    Expr { kind, range }
}

/// One family for each metric name, of no type, with the external labels that a series does not have itself. Native histograms are
/// for readers of protobuf only.
fn families(last: Last, format: PageFormat, external: &Labels) -> Vec<Family> {
    let mut added: BTreeMap<Arc<str>, Arc<str>> =
        external.iter().map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect();
    // or else the reader would put its own there
    added.entry("instance".into()).or_insert_with(|| "".into());
    let mut families: BTreeMap<Arc<str>, Family> = BTreeMap::new();
    for (labels, (at_ms, value)) in last {
        let (value, r#type) = match value {
            Sample::Float(value) => (MetricValue::Untyped(value), MetricType::Untyped),
            Sample::Histogram(_) if format != PageFormat::ProtobufDelimited => continue,
            Sample::Histogram(native) => {
                let (count, sum) = (native.count, native.sum);
                let histogram = Histogram { count, sum, buckets: Vec::new(), native: Some(native) };
                (MetricValue::Histogram(histogram), MetricType::Histogram)
            }
        };
        let Some(name) = labels.get_shared(Labels::NAME).cloned() else { continue };
        let pairs = labels.iter().filter(|label| *label.name != *Labels::NAME);
        let mut pairs: Vec<_> =
            pairs.map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect();
        let lacking = added.iter().filter(|(name, _)| labels.get(name).is_none());
        pairs.extend(lacking.map(|(name, value)| (Arc::clone(name), Arc::clone(value))));
        let metric = Metric { timestamp_ms: Some(at_ms), ..Metric::new(pairs, value) };
        let family =
            families.entry(Arc::clone(&name)).or_insert_with(|| Family { name, r#type, ..Family::default() });
        // what holds floats and histograms under one name is a family of what came first
        if family.r#type == r#type {
            family.metrics.push(metric);
        }
    }
    families.into_values().collect()
}
