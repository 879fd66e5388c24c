//! The text format 0.0.4, written.

use model::MetricType;
use model::float::shortest;

use super::line::{LineWriter, escape};
use crate::family::{Family, Histogram, Metric, MetricValue, Summary};
use crate::name_escaping::Escaping;

/// Writes families in the order given; those without metrics are left out. A native histogram without classic buckets
/// shows its count and sum.
pub fn write(families: &[Family], escaping: Escaping) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.metrics.is_empty()) {
        let mut writer =
            Writer(LineWriter { text: &mut text, name: &escaping.metric_name(&family.name), escaping });
        writer.head(family);
        for metric in &family.metrics {
            writer.metric(metric);
        }
    }
    text
}

/// The type as the format names it: it has no word for those of OpenMetrics.
fn type_word(r#type: MetricType) -> &'static str {
    match r#type {
        MetricType::GaugeHistogram => "histogram",
        MetricType::Info | MetricType::StateSet => "gauge",
        other => other.as_str(),
    }
}

struct Writer<'a>(LineWriter<'a>);

/// `le` or `quantile`.
type Bound = Option<(&'static str, f64)>;

impl Writer<'_> {
    fn head(&mut self, family: &Family) {
        if !family.help.is_empty() {
            self.0.comment("HELP", |text| escape(text, &family.help, false));
        }
        self.0.comment("TYPE", |text| text.push_str(type_word(family.r#type)));
    }

    fn metric(&mut self, metric: &Metric) {
        match &metric.value {
            MetricValue::Absent => {}
            MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
                self.sample("", metric, None, *value);
            }
            MetricValue::Summary(summary) => self.summary(metric, summary),
            MetricValue::Histogram(histogram) => self.histogram(metric, histogram),
        }
    }

    fn summary(&mut self, metric: &Metric, summary: &Summary) {
        for quantile in &summary.quantiles {
            self.sample("", metric, Some(("quantile", quantile.quantile)), quantile.value);
        }
        self.sample("_sum", metric, None, summary.sum);
        self.sample("_count", metric, None, summary.count as f64);
    }

    fn histogram(&mut self, metric: &Metric, histogram: &Histogram) {
        let mut has_infinity = false;
        for bucket in &histogram.buckets {
            has_infinity |= bucket.upper_bound == f64::INFINITY;
            self.sample("_bucket", metric, Some(("le", bucket.upper_bound)), bucket.cumulative_count);
        }
        if !has_infinity {
            self.sample("_bucket", metric, Some(("le", f64::INFINITY)), histogram.count);
        }
        self.sample("_sum", metric, None, histogram.sum);
        self.sample("_count", metric, None, histogram.count);
    }

    fn sample(&mut self, suffix: &str, metric: &Metric, bound: Bound, value: f64) {
        let bound = bound.map(|(name, bound)| (name, number(bound)));
        let timestamp = metric.timestamp_ms.map(|ms| ms.to_string());
        let bound = bound.as_ref().map(|(name, bound)| (*name, bound.as_str()));
        self.0.sample(suffix, metric, bound, &number(value), timestamp, None);
    }
}

/// As Go's writer of this format has it, which knows one zero.
fn number(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { shortest(value) }
}
