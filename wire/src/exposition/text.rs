//! The text format 0.0.4, written.

use std::fmt::Write;
use std::sync::Arc;

use model::MetricType;
use model::float::shortest;
use model::name::{is_legacy_label_name, is_legacy_metric_name};

use crate::family::{Family, Histogram, Metric, MetricValue, Summary};
use crate::name_escaping::Escaping;

/// Writes families in the order given; those without metrics are left out. A native histogram without classic buckets
/// shows its count and sum.
pub fn write(families: &[Family], escaping: Escaping) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.metrics.is_empty()) {
        let mut writer = Writer { text: &mut text, name: &escaping.metric_name(&family.name), escaping };
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

struct Writer<'a> {
    text: &'a mut String,
    name: &'a str,
    escaping: Escaping,
}

/// A label that the metric itself does not have: `le` or `quantile`.
type Bound = Option<(&'static str, f64)>;

impl Writer<'_> {
    fn head(&mut self, family: &Family) {
        if !family.help.is_empty() {
            self.text.push_str("# HELP ");
            self.family_name();
            self.text.push(' ');
            escape(self.text, &family.help, false);
            self.text.push('\n');
        }
        self.text.push_str("# TYPE ");
        self.family_name();
        self.text.push(' ');
        self.text.push_str(type_word(family.r#type));
        self.text.push('\n');
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
        let is_plain = is_legacy_metric_name(self.name);
        if is_plain {
            self.text.push_str(self.name);
            self.text.push_str(suffix);
        }
        if !is_plain || !metric.labels.is_empty() || bound.is_some() {
            self.text.push('{');
            if !is_plain {
                self.text.push('"');
                escape(self.text, self.name, true);
                self.text.push_str(suffix);
                self.text.push('"');
            }
            self.labels(&metric.labels, bound, is_plain);
            self.text.push('}');
        }
        self.text.push(' ');
        self.text.push_str(&shortest(value));
        if let Some(timestamp_ms) = metric.timestamp_ms {
            // writing to a string cannot fail
            let _ = write!(self.text, " {timestamp_ms}");
        }
        self.text.push('\n');
    }

    fn labels(&mut self, labels: &[(Arc<str>, Arc<str>)], bound: Bound, mut is_first: bool) {
        let mut comma = |text: &mut String| {
            if !std::mem::take(&mut is_first) {
                text.push(',');
            }
        };
        for (name, value) in labels {
            comma(self.text);
            let name = self.escaping.label_name(name);
            if is_legacy_label_name(&name) {
                self.text.push_str(&name);
            } else {
                self.text.push('"');
                escape(self.text, &name, true);
                self.text.push('"');
            }
            self.text.push_str("=\"");
            escape(self.text, value, true);
            self.text.push('"');
        }
        if let Some((name, bound)) = bound {
            comma(self.text);
            // writing to a string cannot fail
            let _ = write!(self.text, "{name}=\"{}\"", shortest(bound));
        }
    }

    fn family_name(&mut self) {
        if is_legacy_metric_name(self.name) {
            self.text.push_str(self.name);
        } else {
            self.text.push('"');
            escape(self.text, self.name, true);
            self.text.push('"');
        }
    }
}

/// Backslashes and line feeds are escaped; double quotes only inside of quotes.
pub(super) fn escape(text: &mut String, plain: &str, quoted: bool) {
    let mut rest = plain;
    while let Some(at) = rest.find(|char| matches!(char, '\\' | '\n') || (char == '"' && quoted)) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}
