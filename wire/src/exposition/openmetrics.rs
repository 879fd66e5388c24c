//! OpenMetrics 1.0.0, written.

use model::MetricType;
use model::float::bound;

use super::line::{LineWriter, escape};
use crate::family::{Exemplar, Family, Histogram, Metric, MetricValue, Summary};
use crate::name_escaping::Escaping;

/// Writes families in the order given; those without metrics are left out. The sample of a counter `a` is called `a_total`,
/// and that of an info `a_info`, whatever it was called before. A native histogram without classic buckets shows its count and sum.
pub fn write(families: &[Family], escaping: Escaping) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.metrics.is_empty()) {
        let name = escaping.metric_name(&family.name);
        let name = name.strip_suffix(suffix(family.r#type)).unwrap_or(&name);
        let mut writer = Writer(LineWriter { text: &mut text, name, escaping });
        writer.head(family);
        for metric in &family.metrics {
            writer.metric(family.r#type, metric);
        }
    }
    text.push_str("# EOF\n");
    text
}

/// What the samples of a family of this type are called beyond its name.
fn suffix(r#type: MetricType) -> &'static str {
    match r#type {
        MetricType::Counter => "_total",
        MetricType::Info => "_info",
        _ => "",
    }
}

fn type_word(r#type: MetricType) -> &'static str {
    match r#type {
        MetricType::Untyped => "unknown",
        other => other.as_str(),
    }
}

struct Writer<'a>(LineWriter<'a>);

/// `le` or `quantile`.
type Bound = Option<(&'static str, f64)>;

impl Writer<'_> {
    fn head(&mut self, family: &Family) {
        // unlike in the older format, double quotes are escaped everywhere
        if !family.help.is_empty() {
            self.0.comment("HELP", |text| escape(text, &family.help, true));
        }
        self.0.comment("TYPE", |text| text.push_str(type_word(family.r#type)));
        // a unit must be the end of the name
        if !family.unit.is_empty() && self.0.name.ends_with(&*family.unit) {
            self.0.comment("UNIT", |text| escape(text, &family.unit, true));
        }
    }

    fn metric(&mut self, r#type: MetricType, metric: &Metric) {
        match &metric.value {
            MetricValue::Absent => {}
            MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
                let exemplar = metric.exemplars.last().filter(|_| r#type == MetricType::Counter);
                self.sample(suffix(r#type), metric, None, &bound(*value), exemplar);
            }
            MetricValue::Summary(summary) => self.summary(metric, summary),
            MetricValue::Histogram(histogram) => self.histogram(metric, histogram),
        }
    }

    fn summary(&mut self, metric: &Metric, summary: &Summary) {
        for quantile in &summary.quantiles {
            self.sample("", metric, Some(("quantile", quantile.quantile)), &bound(quantile.value), None);
        }
        self.sample("_sum", metric, None, &bound(summary.sum), None);
        self.sample("_count", metric, None, &summary.count.to_string(), None);
    }

    fn histogram(&mut self, metric: &Metric, histogram: &Histogram) {
        let mut has_infinity = false;
        for bucket in &histogram.buckets {
            has_infinity |= bucket.upper_bound == f64::INFINITY;
            let count = count(bucket.cumulative_count);
            let exemplar = bucket.exemplar.as_deref();
            self.sample("_bucket", metric, Some(("le", bucket.upper_bound)), &count, exemplar);
        }
        if !has_infinity {
            self.sample("_bucket", metric, Some(("le", f64::INFINITY)), &count(histogram.count), None);
        }
        self.sample("_sum", metric, None, &bound(histogram.sum), None);
        self.sample("_count", metric, None, &count(histogram.count), None);
    }

    fn sample(
        &mut self,
        suffix: &str,
        metric: &Metric,
        label: Bound,
        value: &str,
        exemplar: Option<&Exemplar>,
    ) {
        // labels that are too long are none of this format
        let exemplar = exemplar.filter(|exemplar| exemplar.stored(0).is_some());
        let label = label.map(|(name, value)| (name, bound(value)));
        let timestamp = metric.timestamp_ms.map(|ms| (ms as f64 / 1e3).to_string());
        let label = label.as_ref().map(|(name, value)| (*name, value.as_str()));
        self.0.sample(suffix, metric, label, value, timestamp, exemplar);
    }
}

/// A whole count is an integer.
fn count(count: f64) -> String {
    if count.fract() == 0.0 && (0.0..1e15).contains(&count) {
        (count as u64).to_string()
    } else {
        bound(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn as_the_standard_says() {
        let body = "# HELP a A \"counter\".\\nTwo lines.\n# TYPE a counter\na{x=\"q\\\"\"} 1\n# TYPE b_total counter\nb_total 2.5\n\
            # TYPE g gauge\ng 1e+06\nu NaN\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 3\nh_sum 5\n\
            # TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 8\ns_count 2\n";
        let families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
        let expect = "# HELP a A \\\"counter\\\".\\nTwo lines.\n# TYPE a counter\na_total{x=\"q\\\"\"} 1.0\n\
            # TYPE b counter\nb_total 2.5\n# TYPE g gauge\ng 1e+06\n# TYPE u unknown\nu NaN\n\
            # TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 5.0\nh_count 3\n\
            # TYPE s summary\ns{quantile=\"0.5\"} 7.0\ns_sum 8.0\ns_count 2\n# EOF\n";
        assert_eq!(
            write(&families[..2], Escaping::default()) + &write(&families[2..], Escaping::default()),
            {
                let (first, rest) = expect.split_at(expect.find("# TYPE g").expect("is there"));
                format!("{first}# EOF\n{rest}")
            }
        );
        assert_eq!(write(&[], Escaping::default()), "# EOF\n");
        let body = "# TYPE build info\nbuild_info{v=\"1\"} 1.0\n# TYPE a counter\na_total 2.0\n\
            # TYPE s stateset\ns{s=\"up\"} 1.0\n# EOF\n";
        let families = crate::openmetrics::parse(body.as_bytes(), &text::Options::default()).expect("parses");
        assert_eq!(write(&families, Escaping::default()), body);
    }

    #[test]
    fn exemplars_are_read_as_they_are_written() {
        let body = "# TYPE a counter\na_total 2.0 # {trace_id=\"t\\n\"} 0.5 1700000000.25\n\
            # TYPE h histogram\nh_bucket{le=\"1.0\"} 1 # {} 0.25\nh_bucket{le=\"+Inf\"} 3\nh_sum 5.0\nh_count 3\n# EOF\n";
        let families = crate::openmetrics::parse(body.as_bytes(), &text::Options::default()).expect("parses");
        assert_eq!(write(&families, Escaping::default()), body);
    }
}
