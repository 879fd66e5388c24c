//! Families to flat series, as Prometheus stores what it scrapes.

use std::collections::HashSet;
use std::sync::Arc;

use model::Value;
use model::float;

use crate::family::{Family, Histogram, Metric, MetricValue, Summary};

/// One series of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatSeries {
    /// The metric name: of a histogram `h` also `h_bucket`, `h_sum` and `h_count`.
    pub name: Arc<str>,
    /// The labels of the metric, and `le` or `quantile`. Without the name.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// The value.
    pub value: Value,
    /// When the metric began to count, if it says so.
    pub created_ms: Option<i64>,
}

/// The series of a family, in the order of its metrics.
///
/// A missing `+Inf` bucket is made from the count. Of two buckets (or quantiles) with the same bound the first counts,
/// as in a scrape. A histogram that is only native is one series with the family's own name; one that is both native and
/// classic is all of them.
pub fn flatten(family: &Family) -> Vec<FlatSeries> {
    let mut flattener = Flattener {
        plain: Arc::clone(&family.name),
        bucket: format!("{}_bucket", family.name).into(),
        sum: format!("{}_sum", family.name).into(),
        count: format!("{}_count", family.name).into(),
        le: "le".into(),
        quantile: "quantile".into(),
        series: Vec::with_capacity(family.metrics.len()),
    };
    for metric in &family.metrics {
        flattener.metric(metric);
    }
    flattener.series
}

struct Flattener {
    plain: Arc<str>,
    bucket: Arc<str>,
    sum: Arc<str>,
    count: Arc<str>,
    le: Arc<str>,
    quantile: Arc<str>,
    series: Vec<FlatSeries>,
}

impl Flattener {
    fn metric(&mut self, metric: &Metric) {
        match &metric.value {
            MetricValue::Absent => {}
            MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
                self.push(Arc::clone(&self.plain), metric, None, *value);
            }
            MetricValue::Summary(summary) => self.summary(metric, summary),
            MetricValue::Histogram(histogram) => self.histogram(metric, histogram),
        }
    }

    fn summary(&mut self, metric: &Metric, summary: &Summary) {
        let mut seen = HashSet::new();
        for quantile in &summary.quantiles {
            let bound = float::bound(quantile.quantile);
            if seen.insert(bound.clone()) {
                let label = (Arc::clone(&self.quantile), bound.into());
                self.push(Arc::clone(&self.plain), metric, Some(label), quantile.value);
            }
        }
        self.push(Arc::clone(&self.sum), metric, None, summary.sum);
        self.push(Arc::clone(&self.count), metric, None, summary.count as f64);
    }

    fn histogram(&mut self, metric: &Metric, histogram: &Histogram) {
        if let Some(native) = &histogram.native {
            self.series.push(FlatSeries {
                name: Arc::clone(&self.plain),
                labels: metric.labels.clone(),
                value: Value::Histogram(Arc::clone(native)),
                created_ms: metric.created_ms,
            });
            if histogram.buckets.is_empty() {
                return;
            }
        }
        let mut seen = HashSet::new();
        let buckets = histogram.buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count));
        for (upper_bound, count) in buckets.chain([(f64::INFINITY, histogram.count)]) {
            let bound = float::bound(upper_bound);
            if seen.insert(bound.clone()) {
                let label = (Arc::clone(&self.le), bound.into());
                self.push(Arc::clone(&self.bucket), metric, Some(label), count);
            }
        }
        self.push(Arc::clone(&self.sum), metric, None, histogram.sum);
        self.push(Arc::clone(&self.count), metric, None, histogram.count);
    }

    fn push(&mut self, name: Arc<str>, metric: &Metric, bound: Option<(Arc<str>, Arc<str>)>, value: f64) {
        let mut labels = Vec::with_capacity(metric.labels.len() + usize::from(bound.is_some()));
        labels.extend_from_slice(&metric.labels);
        labels.extend(bound);
        let (value, created_ms) = (Value::Float(value), metric.created_ms);
        self.series.push(FlatSeries { name, labels, value, created_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn check(body: &str, expect: &[&str]) {
        let families = text::parse(body.as_bytes(), &text::Options::default()).expect("parses");
        let show = |series: FlatSeries| {
            let labels = model::Labels::from_pairs(
                series.labels.into_iter().chain([("__name__".into(), series.name)]),
            );
            match series.value {
                Value::Float(value) => format!("{labels} {value}"),
                Value::Histogram(_) => format!("{labels} native"),
            }
        };
        let found: Vec<_> = families.iter().flat_map(flatten).map(show).collect();
        assert_eq!(found, expect, "{body}");
    }

    #[test]
    fn as_a_scrape_would_store_it() {
        check("a{x=\"1\"} 1\n", &[r#"a{x="1"} 1"#]);
        check(
            "# TYPE s summary\ns{quantile=\"0.50\"} 1\ns{quantile=\"0.5\"} 9\ns_sum 3\ns_count 2\n",
            &[r#"s{quantile="0.5"} 1"#, "s_sum 3", "s_count 2"],
        );
        check(
            "# TYPE h histogram\nh_bucket{le=\"1e3\"} 1\nh_bucket{le=\"1000\"} 9\nh_sum 3\nh_count 2\n",
            &[r#"h_bucket{le="1000.0"} 1"#, r#"h_bucket{le="+Inf"} 2"#, "h_sum 3", "h_count 2"],
        );
        check(
            "# TYPE h histogram\nh_bucket{x=\"y\",le=\"+Inf\"} 5\nh_count{x=\"y\"} 2\n",
            &[r#"h_bucket{le="+Inf", x="y"} 5"#, r#"h_sum{x="y"} 0"#, r#"h_count{x="y"} 2"#],
        );
    }

    #[test]
    fn native_histograms() {
        let check = |buckets: Vec<crate::Bucket>, expect: &[&str]| {
            let native = Some(Arc::new(model::Histogram::default()));
            let value = MetricValue::Histogram(Histogram { count: 2.0, sum: 3.0, buckets, native });
            let family =
                Family { name: "h".into(), metrics: vec![Metric::new(vec![], value)], ..Family::default() };
            let names: Vec<_> = flatten(&family).into_iter().map(|series| series.name).collect();
            assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), expect);
        };
        check(vec![], &["h"]);
        let bucket = crate::Bucket { upper_bound: 1.0, cumulative_count: 2.0, exemplar: None };
        check(vec![bucket], &["h", "h_bucket", "h_bucket", "h_sum", "h_count"]);
    }
}
