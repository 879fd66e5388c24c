//! Families to flat series, as Prometheus stores what it scrapes.

use std::collections::HashSet;
use std::sync::Arc;

use model::Value;
use model::float;

use crate::family::{Exemplar, Family, Histogram, Metric, MetricValue, Summary};

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
    /// Its exemplars: those of a classic histogram stand with the least of its buckets into which they fall.
    pub exemplars: Vec<Exemplar>,
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
                self.add_exemplars(metric.exemplars.iter());
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
                exemplars: Vec::new(),
            });
            if metric.exemplars.is_empty() {
                // as Prometheus takes them from buckets: with a time
                let of_buckets = histogram.buckets.iter().filter_map(|bucket| bucket.exemplar.as_deref());
                self.add_exemplars(of_buckets.filter(|exemplar| exemplar.timestamp_ms.is_some()));
            } else {
                self.add_exemplars(metric.exemplars.iter());
            }
            if histogram.buckets.is_empty() {
                return;
            }
        }
        let mut seen = HashSet::new();
        // of a histogram that is both, these are the native one's
        let of_metric = if histogram.native.is_some() { &[][..] } else { &metric.exemplars[..] };
        let buckets = histogram.buckets.iter();
        let buckets =
            buckets.map(|bucket| (bucket.upper_bound, bucket.cumulative_count, bucket.exemplar.as_deref()));
        let mut below = f64::NEG_INFINITY;
        for (upper_bound, count, exemplar) in buckets.chain([(f64::INFINITY, histogram.count, None)]) {
            let bound = float::bound(upper_bound);
            if seen.insert(bound.clone()) {
                let label = (Arc::clone(&self.le), bound.into());
                self.push(Arc::clone(&self.bucket), metric, Some(label), count);
                let falls = |exemplar: &&Exemplar| exemplar.value > below && exemplar.value <= upper_bound;
                self.add_exemplars(exemplar.into_iter().chain(of_metric.iter().filter(falls)));
                below = below.max(upper_bound);
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
        self.series.push(FlatSeries { name, labels, value, created_ms, exemplars: Vec::new() });
    }

    /// Those of the last series.
    fn add_exemplars<'a>(&mut self, exemplars: impl Iterator<Item = &'a Exemplar>) {
        if let Some(last) = self.series.last_mut() {
            last.exemplars.extend(exemplars.cloned());
        }
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

    #[test]
    fn exemplars_stand_where_they_fall() {
        let check = |value: MetricValue, of_metric: &[f64], expect: &[(&str, &[f64])]| {
            let exemplar =
                |value: &f64| Exemplar { value: *value, timestamp_ms: Some(1), ..Exemplar::default() };
            let exemplars = of_metric.iter().map(exemplar).collect();
            let metric = Metric { exemplars, ..Metric::new(vec![], value) };
            let family = Family { name: "h".into(), metrics: vec![metric], ..Family::default() };
            let found: Vec<(String, Vec<f64>)> = flatten(&family)
                .into_iter()
                .filter(|series| !series.exemplars.is_empty())
                .map(|series| {
                    let bound = series.labels.iter().map(|(_, bound)| &**bound).collect::<String>();
                    let values = series.exemplars.iter().map(|exemplar| exemplar.value).collect();
                    (format!("{}{bound}", series.name), values)
                })
                .collect();
            let expect: Vec<_> =
                expect.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect();
            assert_eq!(found, expect);
        };
        let bucket = |upper_bound: f64, exemplar: Option<f64>| crate::Bucket {
            upper_bound,
            cumulative_count: 2.0,
            exemplar: exemplar
                .map(|value| Box::new(Exemplar { value, timestamp_ms: Some(1), ..Exemplar::default() })),
        };
        let histogram = |buckets: Vec<crate::Bucket>, native: bool| {
            let native = native.then(|| Arc::new(model::Histogram::default()));
            MetricValue::Histogram(Histogram { count: 2.0, sum: 3.0, buckets, native })
        };
        check(MetricValue::Counter(1.0), &[0.5], &[("h", &[0.5])]);
        let own = vec![bucket(1.0, Some(0.5)), bucket(2.0, None)];
        check(histogram(own.clone(), false), &[], &[("h_bucket1.0", &[0.5])]);
        let falling: &[(&str, &[f64])] =
            &[("h_bucket1.0", &[0.5, 1.0]), ("h_bucket2.0", &[1.5]), ("h_bucket+Inf", &[9.0])];
        check(histogram(own.clone(), false), &[9.0, 1.5, 1.0], falling);
        check(histogram(own.clone(), true), &[7.0], &[("h", &[7.0]), ("h_bucket1.0", &[0.5])]);
        check(histogram(own, true), &[], &[("h", &[0.5]), ("h_bucket1.0", &[0.5])]);
    }
}
