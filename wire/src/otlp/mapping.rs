//! A message to families.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Labels, MetricType, Span, stale_nan};

use super::attributes::{self, LabelMap};
use super::exemplars;
use super::exponential;
use super::message::{
    Attribute, Common, Exponential, Histogram, Message, Metric, Number, Points, ScopeMetrics, Summary,
};
use super::names::{self, Kind};
use super::translation::Translation;
use crate::family::{self, Bucket, Family, MetricValue, Quantile};
use crate::remote_write::Faults;

/// What an export says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Export {
    /// By resource, in the order in which they were sent.
    pub resources: Vec<Resource>,
    /// What is wrong with some data points, and how many those are: one fault for each.
    pub faults: Faults,
}

/// What one resource has measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// `job` and `instance`, where the resource says what they are.
    pub identity: Labels,
    /// What else is known about it, for joins: `target_info`, without a time, which is that of the newest data point that is taken.
    pub info: Option<Family>,
    /// Gauges and what has been counted since a start, each with its time.
    pub cumulative: Vec<Family>,
    /// What has been counted since the last export.
    pub delta: Vec<Family>,
}

/// The attributes that say which resource it is, and become `job` and `instance`.
const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// Names and sorts what a message holds.
pub fn families(message: &Message, translation: &Translation) -> Export {
    let mut export = Export::default();
    for resource in &message.resource_metrics {
        let attributes = &resource.resource.attributes;
        let identity = identity(attributes);
        let promoted = attributes.iter().filter(|attribute| translation.promoted.has(&attribute.key));
        let mut mapper = Mapper {
            translation,
            promoted: promoted.collect(),
            scope: LabelMap::new(),
            identity: &identity,
            faults: &mut export.faults,
            sides: Default::default(),
        };
        mapper.promoted.sort_by(|a, b| a.key.cmp(&b.key));
        for scope in &resource.scope_metrics {
            mapper.scope = of_scope(scope, translation);
            scope.metrics.iter().for_each(|metric| mapper.metric(metric));
        }
        let [cumulative, delta] = mapper.sides;
        export.resources.push(Resource {
            info: target_info(attributes, &identity, translation),
            identity: Labels::from_pairs(identity),
            cumulative: cumulative.into_values().collect(),
            delta: delta.into_values().collect(),
        });
    }
    export
}

fn identity(attributes: &[Attribute]) -> LabelMap {
    let value = |key| attributes::value(attributes, key).map(attributes::text);
    let mut identity = LabelMap::new();
    if let Some(name) = value("service.name") {
        let job = match value("service.namespace") {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name,
        };
        identity.insert("job".to_owned(), job);
    }
    identity.extend(value("service.instance.id").map(|instance| ("instance".to_owned(), instance)));
    identity
}

/// What is known about the library that has measured, where that becomes labels. One without a name is not known.
fn of_scope(metrics: &ScopeMetrics, translation: &Translation) -> LabelMap {
    let scope = &metrics.scope;
    if !translation.scopes || scope.name.is_empty() {
        return LabelMap::new();
    }
    let own = [("name", &scope.name), ("version", &scope.version), ("schema_url", &metrics.schema_url)];
    let mut labels: LabelMap =
        own.into_iter().map(|(name, value)| (format!("otel_scope_{name}"), value.clone())).collect();
    labels.extend(scope.attributes.iter().map(|Attribute { key, value }| {
        (names::label(&format!("otel_scope_{key}"), translation.strategy), attributes::text(value))
    }));
    labels
}

/// What else is known about the resource.
fn target_info(attributes: &[Attribute], identity: &LabelMap, translation: &Translation) -> Option<Family> {
    let is_other = |attribute: &&Attribute| !IDENTIFYING.contains(&&*attribute.key);
    if identity.is_empty() || !attributes.iter().any(|attribute| is_other(&attribute)) {
        return None;
    }
    let shown = attributes.iter().filter(|attribute| translation.keeps_identifying || is_other(attribute));
    let mut labels = attributes::labels(shown, translation.strategy);
    labels.extend(identity.clone());
    Some(Family {
        name: "target_info".into(),
        help: "Target metadata".into(),
        unit: "".into(),
        r#type: MetricType::Gauge,
        metrics: vec![family::Metric::new(attributes::pairs(labels), MetricValue::Gauge(1.0))],
    })
}

struct Mapper<'a> {
    translation: &'a Translation,
    /// Of the resource, by name.
    promoted: Vec<&'a Attribute>,
    scope: LabelMap,
    identity: &'a LabelMap,
    faults: &'a mut Faults,
    /// Cumulative and delta, by name.
    sides: [BTreeMap<String, Family>; 2],
}

/// Where a data point belongs.
#[derive(Clone, Copy)]
enum Side {
    Cumulative = 0,
    Delta = 1,
}

impl Mapper<'_> {
    fn metric(&mut self, metric: &Metric) {
        if let Some(points) = &metric.gauge {
            let of = |mapper: &mut Self, point: &Number| mapper.number(point).map(MetricValue::Gauge);
            self.points(
                metric,
                Kind::Gauge,
                MetricType::Gauge,
                Some(Side::Cumulative),
                points,
                |p| &p.common,
                of,
            );
        }
        if let Some(points) = &metric.sum {
            let side = side(points);
            if points.is_monotonic {
                let of = |mapper: &mut Self, point: &Number| match mapper.number(point)? {
                    value if value < 0.0 => Err(format!("a monotonic sum of {value}")),
                    value => Ok(MetricValue::Counter(value)),
                };
                self.points(metric, Kind::Counter, MetricType::Counter, side, points, |p| &p.common, of);
            } else {
                let of = |mapper: &mut Self, point: &Number| mapper.number(point).map(MetricValue::Gauge);
                self.points(metric, Kind::Other, MetricType::Gauge, side, points, |p| &p.common, of);
            }
        }
        if let Some(points) = &metric.histogram {
            let is_native = self.translation.native_histograms;
            let of = |_: &mut Self, point: &Histogram| if is_native { custom(point) } else { classic(point) };
            self.points(metric, Kind::Other, MetricType::Histogram, side(points), points, |p| &p.common, of);
        }
        if let Some(points) = &metric.exponential_histogram {
            let of = |_: &mut Self, point: &Exponential| {
                let native = exponential::native(point)?;
                let (count, sum) = (native.count, native.sum);
                let native = Some(Arc::new(native));
                Ok(MetricValue::Histogram(family::Histogram { count, sum, buckets: Vec::new(), native }))
            };
            self.points(metric, Kind::Other, MetricType::Histogram, side(points), points, |p| &p.common, of);
        }
        if let Some(points) = &metric.summary {
            let of = |_: &mut Self, point: &Summary| Ok(summary(point));
            let side = Some(Side::Cumulative);
            self.points(metric, Kind::Other, MetricType::Summary, side, points, |p| &p.common, of);
        }
    }

    fn number(&mut self, point: &Number) -> Result<f64, String> {
        match (point.as_double, point.as_int) {
            _ if point.common.flags & 1 == 1 => Ok(stale_nan()),
            (Some(value), _) => Ok(value),
            (None, Some(value)) => Ok(value as f64),
            (None, None) => Err("a data point without a value".to_owned()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place where all kinds meet")]
    fn points<P>(
        &mut self,
        metric: &Metric,
        kind: Kind,
        r#type: MetricType,
        side: Option<Side>,
        points: &Points<P>,
        common: fn(&P) -> &Common,
        value: impl Fn(&mut Self, &P) -> Result<MetricValue, String>,
    ) {
        let name = names::metric(&metric.name, &metric.unit, kind, self.translation.strategy);
        for point in &points.data_points {
            let placed = self.place(&name, side, common(point)).and_then(|(side, metric)| {
                // Prometheus takes none of gauges and summaries
                let exemplars = match (kind, r#type) {
                    (Kind::Gauge, _) | (_, MetricType::Summary) => Vec::new(),
                    _ => exemplars::of(common(point)),
                };
                Ok((side, family::Metric { value: value(self, point)?, exemplars, ..metric }))
            });
            match placed {
                Ok((side, placed)) => {
                    let family = self.sides[side as usize].entry(name.clone()).or_insert_with(|| Family {
                        name: name.as_str().into(),
                        help: metric.description.as_str().into(),
                        unit: "".into(),
                        r#type,
                        metrics: Vec::new(),
                    });
                    family.metrics.push(placed);
                }
                Err(fault) => self.faults.add(|| format!("metric {:?}: {fault}", metric.name)),
            }
        }
    }

    /// A metric without its value, if it has a place.
    fn place(
        &mut self,
        name: &str,
        side: Option<Side>,
        common: &Common,
    ) -> Result<(Side, family::Metric), String> {
        let side = side.ok_or("neither cumulative nor delta")?;
        if name.is_empty() {
            return Err("no name is left of it".to_owned());
        }
        if common.time_unix_nano == 0 {
            return Err("a data point without a time".to_owned());
        }
        if matches!(side, Side::Delta) && common.flags & 1 == 1 {
            return Err("a delta of nothing".to_owned());
        }
        let ms = |nanos: u64| (nanos / 1_000_000) as i64;
        let at_ms = ms(common.time_unix_nano);
        let strategy = self.translation.strategy;
        let mut labels = attributes::labels(&common.attributes, strategy);
        for Attribute { key, value } in &self.promoted {
            labels.entry(names::label(key, strategy)).or_insert_with(|| attributes::text(value));
        }
        labels.extend(self.scope.clone());
        if let Some(name) = labels.keys().find(|name| name.is_empty() || *name == Labels::NAME) {
            return Err(format!("an attribute would become the label {name:?}"));
        }
        labels.extend(self.identity.clone());
        let created_ms = (common.start_time_unix_nano > 0).then(|| ms(common.start_time_unix_nano));
        let metric = family::Metric::new(attributes::pairs(labels), MetricValue::Absent);
        Ok((side, family::Metric { timestamp_ms: Some(at_ms), created_ms, ..metric }))
    }
}

fn side<P>(points: &Points<P>) -> Option<Side> {
    match points.aggregation_temporality {
        1 => Some(Side::Delta),
        2 => Some(Side::Cumulative),
        _ => None,
    }
}

fn classic(point: &Histogram) -> Result<MetricValue, String> {
    let Histogram { bucket_counts, explicit_bounds, .. } = point;
    if point.common.flags & 1 == 1 {
        let (count, sum) = (stale_nan(), stale_nan());
        let buckets = explicit_bounds.iter().map(|&upper_bound| Bucket {
            upper_bound,
            cumulative_count: stale_nan(),
            exemplar: None,
        });
        let buckets = buckets.collect();
        return Ok(MetricValue::Histogram(family::Histogram { count, sum, buckets, native: None }));
    }
    let has_buckets = !bucket_counts.is_empty() || !explicit_bounds.is_empty();
    if has_buckets && bucket_counts.len() != explicit_bounds.len() + 1 {
        let (counts, bounds) = (bucket_counts.len(), explicit_bounds.len());
        return Err(format!("{counts} bucket counts do not fit {bounds} bounds"));
    }
    if !explicit_bounds.is_sorted_by(|a, b| a < b) || explicit_bounds.iter().any(|bound| bound.is_nan()) {
        return Err("bounds are not in ascending order".to_owned());
    }
    let mut total = 0_u128;
    let mut buckets = Vec::with_capacity(explicit_bounds.len());
    for (upper_bound, count) in explicit_bounds.iter().zip(bucket_counts) {
        total += u128::from(*count);
        let bucket = Bucket { upper_bound: *upper_bound, cumulative_count: total as f64, exemplar: None };
        buckets.push(bucket);
    }
    total += bucket_counts.last().map_or(0, |count| u128::from(*count));
    if has_buckets && total != u128::from(point.count) {
        return Err(format!("{total} observations found in buckets, but the count is {}", point.count));
    }
    let (count, sum) = (point.count as f64, point.sum.unwrap_or(f64::NAN));
    Ok(MetricValue::Histogram(family::Histogram { count, sum, buckets, native: None }))
}

/// A histogram with explicit bounds as a native one with custom bounds.
fn custom(point: &Histogram) -> Result<MetricValue, String> {
    classic(point)?;
    let Histogram { bucket_counts, explicit_bounds, .. } = point;
    if explicit_bounds.last().is_some_and(|bound| bound.is_infinite()) {
        return Err("the last bound is infinite, behind which there is a bucket already".to_owned());
    }
    let is_absent = point.common.flags & 1 == 1;
    let (count, sum) = match is_absent {
        true => (stale_nan(), stale_nan()),
        false => (point.count as f64, point.sum.unwrap_or(0.0)),
    };
    let counts: Vec<f64> = match (is_absent, bucket_counts.is_empty()) {
        (true, _) => Vec::new(),
        // without bounds all of it is in the one bucket that there is
        (false, true) => vec![count],
        (false, false) => bucket_counts.iter().map(|count| *count as f64).collect(),
    };
    let length = counts.len() as u32;
    let native = model::Histogram {
        schema: CUSTOM_BOUNDS,
        count,
        sum,
        positive_spans: if length > 0 { vec![Span { offset: 0, length }] } else { Vec::new() },
        positive_counts: counts,
        custom_bounds: explicit_bounds.clone(),
        ..model::Histogram::default()
    };
    let native = Some(Arc::new(native.compacted()));
    Ok(MetricValue::Histogram(family::Histogram { count, sum, buckets: Vec::new(), native }))
}

/// The schema of native histograms with custom bounds.
const CUSTOM_BOUNDS: i8 = -53;

fn summary(point: &Summary) -> MetricValue {
    let quantile = |of: &super::message::Quantile| Quantile { quantile: of.quantile, value: of.value };
    let quantiles = point.quantile_values.iter().map(quantile).collect();
    MetricValue::Summary(family::Summary { count: point.count, sum: point.sum, quantiles })
}
