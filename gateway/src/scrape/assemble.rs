//! Flat series back to histograms and summaries.

use std::collections::HashMap;
use std::sync::Arc;

use super::page::show_instance;
use model::{Labels, MetricType, TYPE_LABEL, UNIT_LABEL, Value};
use store::{HeldFamily, LiveFamily, PushedExemplar};
use wire::{Bucket, Exemplar, Family, Histogram, Metric, MetricValue, Quantile, Summary};

/// The exemplars that came with what is held, by series.
pub(crate) type HeldExemplars = HashMap<Labels, Vec<PushedExemplar>>;

/// The families of what one group holds, as a scraper sees them.
pub(crate) fn families_of(held: &HeldFamily) -> Vec<Family> {
    let (name, metadata) = (Arc::clone(&held.name), held.metadata.clone());
    let live = LiveFamily { name, metadata, series: held.series.clone(), pushed_ms: Vec::new() };
    let mut families = assemble(&live, &HeldExemplars::new());
    show_instance(&mut families);
    wire::exposition::sort(&mut families);
    families
}

/// The families of what the store holds. Usually one; but a family of which some series do not fit its type (two groups
/// may disagree, and neither can be refused any more) is shown flat and untyped, by the names of its series, so that
/// nothing is hidden.
pub(super) fn assemble(live: &LiveFamily, exemplars: &HeldExemplars) -> Vec<Family> {
    let head = Family {
        name: Arc::clone(&live.name),
        help: Arc::clone(&live.metadata.help),
        unit: Arc::clone(&live.metadata.unit),
        r#type: live.metadata.r#type,
        metrics: Vec::new(),
    };
    let metrics = match live.metadata.r#type {
        MetricType::Counter => plain(live, exemplars, MetricValue::Counter),
        MetricType::Gauge => plain(live, exemplars, MetricValue::Gauge),
        MetricType::Untyped | MetricType::Info | MetricType::StateSet => {
            plain(live, exemplars, MetricValue::Untyped)
        }
        MetricType::Summary => parts(live, exemplars, "quantile", summary_part),
        MetricType::Histogram | MetricType::GaugeHistogram => parts(live, exemplars, "le", histogram_part),
    };
    match metrics {
        Some(metrics) => vec![Family { metrics, ..head }],
        None => flat(live),
    }
}

/// `None` if any series does not fit.
fn plain(live: &LiveFamily, exemplars: &HeldExemplars, value: fn(f64) -> MetricValue) -> Option<Vec<Metric>> {
    let metric = |(labels, held): &(Labels, Value)| match held {
        Value::Float(float) if labels.metric_name() == &*live.name => {
            let exemplars = shown(exemplars, labels);
            Some(Metric { exemplars, ..Metric::new(pairs(labels, ""), value(*float)) })
        }
        _ => None,
    };
    live.series.iter().map(metric).collect()
}

type Pairs = Vec<(Arc<str>, Arc<str>)>;

/// What a series is of the histogram or summary that it belongs to.
struct Part<'a> {
    /// `_sum`, `_count`, `_bucket` or nothing.
    suffix: &'a str,
    /// The value of `le` or `quantile`.
    bound: Option<f64>,
    value: &'a Value,
    exemplars: Vec<Exemplar>,
}

/// The exemplars of a series as they came.
fn shown(exemplars: &HeldExemplars, labels: &Labels) -> Vec<Exemplar> {
    let shown = |PushedExemplar { exemplar, has_time }: &PushedExemplar| {
        let labels = exemplar.labels.iter();
        let labels = labels.map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect();
        Exemplar { labels, value: exemplar.value, timestamp_ms: has_time.then_some(exemplar.at_ms) }
    };
    exemplars.get(labels).into_iter().flatten().map(shown).collect()
}

/// `None` if any series does not fit.
fn parts(
    live: &LiveFamily,
    exemplars: &HeldExemplars,
    bound_label: &str,
    mut set: impl FnMut(&mut Metric, &mut Part<'_>) -> Option<()>,
) -> Option<Vec<Metric>> {
    let mut metrics: Vec<Metric> = Vec::new();
    let mut places: HashMap<Pairs, usize> = HashMap::new();
    for (labels, value) in &live.series {
        let suffix = labels.metric_name().strip_prefix(&*live.name)?;
        let is_bounded = matches!((bound_label, suffix), ("le", "_bucket") | ("quantile", ""));
        let bound = labels.get(bound_label).filter(|_| is_bounded);
        let bound = bound.and_then(|bound| bound.parse().ok());
        let rest = pairs(labels, if is_bounded { bound_label } else { "" });
        let place = *places.entry(rest).or_insert_with_key(|rest| {
            metrics.push(Metric::new(rest.clone(), MetricValue::Absent));
            metrics.len() - 1
        });
        set(&mut metrics[place], &mut Part { suffix, bound, value, exemplars: shown(exemplars, labels) })?;
    }
    for metric in &mut metrics {
        in_order_of_bounds(&mut metric.value);
    }
    Some(metrics)
}

fn summary_part(metric: &mut Metric, part: &mut Part<'_>) -> Option<()> {
    let held = &mut metric.value;
    if *held == MetricValue::Absent {
        *held = MetricValue::Summary(Summary::default());
    }
    let (MetricValue::Summary(summary), Value::Float(value)) = (held, part.value) else { return None };
    match (part.suffix, part.bound) {
        ("_sum", _) => summary.sum = *value,
        ("_count", _) => summary.count = *value as u64,
        ("", Some(quantile)) => summary.quantiles.push(Quantile { quantile, value: *value }),
        _ => return None,
    }
    Some(())
}

fn histogram_part(metric: &mut Metric, part: &mut Part<'_>) -> Option<()> {
    let held = &mut metric.value;
    if *held == MetricValue::Absent {
        *held = MetricValue::Histogram(Histogram::default());
    }
    let MetricValue::Histogram(histogram) = held else { return None };
    match (part.suffix, part.bound, part.value) {
        ("_sum", _, Value::Float(value)) => histogram.sum = *value,
        ("_count", _, Value::Float(value)) => histogram.count = *value,
        ("_bucket", Some(upper_bound), Value::Float(value)) => {
            let exemplar = part.exemplars.pop().map(Box::new);
            histogram.buckets.push(Bucket { upper_bound, cumulative_count: *value, exemplar });
        }
        ("", None, Value::Histogram(native)) => {
            (histogram.count, histogram.sum) = (native.count, native.sum);
            histogram.native = Some(Arc::clone(native));
            metric.exemplars = std::mem::take(&mut part.exemplars);
        }
        _ => return None,
    }
    Some(())
}

fn in_order_of_bounds(value: &mut MetricValue) {
    match value {
        MetricValue::Summary(summary) => summary.quantiles.sort_by(|a, b| a.quantile.total_cmp(&b.quantile)),
        MetricValue::Histogram(histogram) => {
            histogram.buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
        }
        _ => {}
    }
}

/// One untyped family per name of a series. Of a native histogram, count and sum.
fn flat(live: &LiveFamily) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    let mut push = |name: String, labels: &Labels, value: f64| {
        let metric = Metric::new(pairs(labels, ""), MetricValue::Untyped(value));
        match families.iter_mut().find(|family| *family.name == *name) {
            Some(family) => family.metrics.push(metric),
            None => families.push(Family { name: name.into(), metrics: vec![metric], ..Family::default() }),
        }
    };
    for (labels, value) in &live.series {
        let name = labels.metric_name();
        match value {
            Value::Float(value) => push(name.to_owned(), labels, *value),
            Value::Histogram(native) => {
                push(format!("{name}_count"), labels, native.count);
                push(format!("{name}_sum"), labels, native.sum);
            }
        }
    }
    families
}

/// Whether a label says of a series what its family is called or is.
pub(crate) fn tells_of_family(label: &str) -> bool {
    matches!(label, Labels::NAME | TYPE_LABEL | UNIT_LABEL)
}

/// The labels without those that say what their family says, and without one more.
fn pairs(labels: &Labels, without: &str) -> Pairs {
    let kept = labels.iter().filter(|label| !tells_of_family(&label.name) && &*label.name != without);
    kept.map(|label| (Arc::clone(&label.name), Arc::clone(&label.value))).collect()
}
