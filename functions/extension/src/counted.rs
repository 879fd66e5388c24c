//! What has been counted since a start, to what has been counted since it came last.
//!
//! Each sandbox has counters of its own that begin at zero. Under the labels of their function they would be one series that jumps
//! between them; what each of them grows by can be added up. The first value counts in full: the sandbox, and this program in it, are
//! older than any counter.

use std::collections::HashMap;
use std::sync::Arc;

use model::{HistogramSum, Labels};
use wire::{Bucket, Family, Histogram, MetricValue, Summary};

use crate::sums::sets;

/// Values as they came last, by family and by group and labels.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    last: HashMap<Arc<str>, HashMap<Stream, MetricValue>>,
    series: usize,
    series_max: usize,
}

/// One of the counters that are the same series: labels say nothing of the scope that counts, nor of which of several meter providers
/// of a process it is. They begin at times of their own, and scopes come in the same order in each export.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stream {
    labels: Labels,
    since_ms: Option<i64>,
    /// Of those of one export, in their order.
    place: usize,
}

/// Values as they have come, which are remembered when what they have grown by was taken: what was not is in what they grow by the
/// next time.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    values: Vec<(Arc<str>, Stream, MetricValue)>,
    /// How many of them are new.
    new: usize,
}

impl Seen {
    /// How many metrics.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

impl Counted {
    /// Remembers at most so many metrics.
    pub(crate) fn new(series_max: usize) -> Self {
        Self { series_max, ..Self::default() }
    }

    /// Makes increments of the metrics of a family of this group since what is remembered, and notes their values; gauges stay as they
    /// are, and what is no value goes. Gives the number of metrics that were left out since too many are remembered.
    pub(crate) fn increments(&self, group: &Labels, family: &mut Family, seen: &mut Seen) -> usize {
        if sets(family.r#type) {
            return 0;
        }
        let (mut left_out, mut places) = (0, HashMap::new());
        let known = self.last.get(&family.name);
        family.metrics.retain_mut(|metric| {
            if !is_number(&metric.value) {
                return false;
            }
            let own = metric.labels.iter().map(|(name, value)| (Arc::clone(name), Arc::clone(value)));
            let of_group = group.iter().map(|label| (Arc::clone(&label.name), Arc::clone(&label.value)));
            let mut stream = Stream {
                labels: Labels::from_pairs(own.chain(of_group)),
                since_ms: metric.created_ms,
                place: 0,
            };
            let next: &mut usize = places.entry(stream.clone()).or_default();
            stream.place = std::mem::replace(next, *next + 1);
            let now = metric.value.clone();
            match known.and_then(|known| known.get(&stream)) {
                Some(last) => {
                    if let Some(grown) = grown(last, &now) {
                        metric.value = grown;
                    }
                }
                None if self.series + seen.new >= self.series_max => {
                    left_out += 1;
                    return false;
                }
                None => seen.new += 1,
            }
            seen.values.push((Arc::clone(&family.name), stream, now));
            // what is added up has begun before
            metric.created_ms = None;
            true
        });
        left_out
    }

    /// What is seen from now on is what has come since these.
    pub(crate) fn remember(&mut self, seen: Seen) {
        for (name, stream, value) in seen.values {
            let is_new = self.last.entry(name).or_default().insert(stream, value).is_none();
            self.series += usize::from(is_new);
        }
    }
}

/// Whether it has a value that can be added.
fn is_number(value: &MetricValue) -> bool {
    match value {
        MetricValue::Absent => false,
        MetricValue::Counter(value) | MetricValue::Gauge(value) | MetricValue::Untyped(value) => {
            value.is_finite()
        }
        MetricValue::Summary(summary) => !summary.sum.is_nan(),
        MetricValue::Histogram(histogram) => !histogram.count.is_nan(),
    }
}

/// What it has grown by; `None`: it has begun anew.
fn grown(last: &MetricValue, now: &MetricValue) -> Option<MetricValue> {
    Some(match (last, now) {
        (MetricValue::Counter(last), MetricValue::Counter(now)) if now >= last => {
            MetricValue::Counter(now - last)
        }
        (MetricValue::Untyped(last), MetricValue::Untyped(now)) if now >= last => {
            MetricValue::Untyped(now - last)
        }
        (MetricValue::Summary(last), MetricValue::Summary(now)) => MetricValue::Summary(Summary {
            count: now.count.checked_sub(last.count)?,
            sum: now.sum - last.sum,
            quantiles: Vec::new(),
        }),
        (MetricValue::Histogram(last), MetricValue::Histogram(now)) => {
            MetricValue::Histogram(grown_histogram(last, now)?)
        }
        _ => return None,
    })
}

fn grown_histogram(last: &Histogram, now: &Histogram) -> Option<Histogram> {
    let count = Some(now.count - last.count).filter(|count| *count >= 0.0)?;
    let native = match (&last.native, &now.native) {
        (None, None) => None,
        (Some(last), Some(now)) => {
            let mut grown = HistogramSum::of(now);
            grown.subtract(last).ok()?;
            let grown = grown.value();
            let counts =
                grown.positive_counts.iter().chain(&grown.negative_counts).chain([&grown.zero_count]);
            if counts.into_iter().any(|count| *count < 0.0) {
                return None;
            }
            Some(Arc::new(grown))
        }
        _ => return None,
    };
    if last.buckets.len() != now.buckets.len() {
        return None;
    }
    let buckets = last.buckets.iter().zip(&now.buckets).map(|(last, now)| {
        let grown = now.cumulative_count - last.cumulative_count;
        let is_same = last.upper_bound.total_cmp(&now.upper_bound).is_eq();
        (is_same && grown >= 0.0).then(|| Bucket { cumulative_count: grown, ..now.clone() })
    });
    Some(Histogram { count, sum: now.sum - last.sum, buckets: buckets.collect::<Option<_>>()?, native })
}

#[cfg(test)]
mod tests {
    use model::MetricType;
    use wire::name_escaping::Escaping;
    use wire::{Metric, exposition, text};

    use super::*;

    fn family(body: &str) -> Family {
        text::parse(body.as_bytes(), &text::Options::default()).expect("parses").remove(0)
    }

    /// Increments that are taken, and how many were left out.
    fn taken(counted: &mut Counted, family: &mut Family) -> usize {
        let mut seen = Seen::default();
        let left_out = counted.increments(&Labels::empty(), family, &mut seen);
        counted.remember(seen);
        left_out
    }

    #[track_caller]
    fn check(bodies: &[(&str, &str)]) {
        let mut counted = Counted::new(100);
        for (body, expect) in bodies {
            let mut family = family(body);
            assert_eq!(taken(&mut counted, &mut family), 0);
            assert_eq!(exposition::write_text(&[family], Escaping::AllowUtf8), *expect);
        }
    }

    #[test]
    fn the_first_value_counts_and_then_what_it_grows_by() {
        let of = |value: u64| format!("# TYPE c counter\nc{{a=\"1\"}} {value}\n");
        check(&[(&of(5), &of(5)), (&of(7), &of(2)), (&of(7), &of(0)), (&of(3), &of(3)), (&of(4), &of(1))]);
        let gauge = "# TYPE g gauge\ng 4\n";
        check(&[(gauge, gauge), (gauge, gauge)]);
    }

    #[test]
    fn histograms_grow_bucket_by_bucket() {
        let of = |le: &str, first: u64, count: u64| {
            format!(
                "# TYPE h histogram\nh_bucket{{le=\"{le}\"}} {first}\nh_bucket{{le=\"+Inf\"}} {count}\nh_sum {count}\nh_count {count}\n"
            )
        };
        check(&[
            (&of("1", 1, 3), &of("1", 1, 3)),
            (&of("1", 2, 5), &of("1", 1, 2)),
            // it began anew, though it counts more
            (&of("1", 1, 6), &of("1", 1, 6)),
            (&of("2", 3, 7), &of("2", 3, 7)),
        ]);
    }

    #[test]
    fn a_new_start_is_one_whatever_the_value() {
        let mut counted = Counted::new(100);
        let mut of = |since_ms, value| {
            let metric =
                Metric { created_ms: Some(since_ms), ..Metric::new(Vec::new(), MetricValue::Counter(value)) };
            let mut family = Family {
                name: "c".into(),
                r#type: MetricType::Counter,
                metrics: vec![metric],
                ..Family::default()
            };
            taken(&mut counted, &mut family);
            family.metrics.remove(0).value
        };
        assert_eq!(of(1, 5.0), MetricValue::Counter(5.0));
        assert_eq!(of(1, 6.0), MetricValue::Counter(1.0));
        assert_eq!(of(2, 9.0), MetricValue::Counter(9.0));
    }

    #[test]
    fn counters_of_two_scopes_that_are_one_series_grow_each_for_itself() {
        let mut counted = Counted::new(100);
        let mut of = |values: [f64; 2]| {
            let metric = |value| Metric::new(Vec::new(), MetricValue::Counter(value));
            let mut family = Family {
                name: "c".into(),
                r#type: MetricType::Counter,
                metrics: values.map(metric).to_vec(),
                ..Family::default()
            };
            assert_eq!(taken(&mut counted, &mut family), 0);
            family.metrics.into_iter().map(|metric| metric.value).collect::<Vec<_>>()
        };
        assert_eq!(of([100.0, 3.0]), [100.0, 3.0].map(MetricValue::Counter));
        assert_eq!(of([101.0, 4.0]), [1.0, 1.0].map(MetricValue::Counter));
        assert_eq!(of([101.0, 1.0]), [0.0, 1.0].map(MetricValue::Counter));
    }

    #[test]
    fn what_was_not_taken_is_in_what_comes_next() {
        let mut counted = Counted::new(100);
        let mut grown_by = |value: u64, is_taken: bool| {
            let (mut family, mut seen) = (family(&format!("# TYPE c counter\nc {value}\n")), Seen::default());
            counted.increments(&Labels::empty(), &mut family, &mut seen);
            assert_eq!(seen.len(), 1);
            if is_taken {
                counted.remember(seen);
            }
            family.metrics.remove(0).value
        };
        assert_eq!(grown_by(5, false), MetricValue::Counter(5.0));
        assert_eq!(grown_by(6, true), MetricValue::Counter(6.0));
        assert_eq!(grown_by(9, false), MetricValue::Counter(3.0));
        assert_eq!(grown_by(9, true), MetricValue::Counter(3.0));
        assert_eq!(grown_by(9, true), MetricValue::Counter(0.0));
    }

    #[test]
    fn no_more_is_remembered_than_allowed() {
        let mut counted = Counted::new(2);
        let mut many = family("# TYPE c counter\nc{a=\"1\"} 1\nc{a=\"2\"} 1\nc{a=\"3\"} 1\n");
        assert_eq!(taken(&mut counted, &mut many), 1);
        assert_eq!(many.metrics.len(), 2);
        let mut gone = family("# TYPE c counter\nc{a=\"1\"} NaN\n");
        assert_eq!(taken(&mut counted, &mut gone), 0);
        assert!(gone.metrics.is_empty());
    }
}
