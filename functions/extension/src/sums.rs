//! What is to be added to one group, added up: however long it waits, it takes the memory of its series and is one push.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use model::{Histogram as Native, HistogramSum, Labels, MetricType};
use wire::{Bucket, Family, Histogram, Metric, MetricValue};

/// About what a metric takes beside its labels and buckets.
const METRIC_BYTES: usize = 200;
/// About what a family takes beside its texts.
const FAMILY_BYTES: usize = 150;
/// What a bucket of a native histogram takes, with its part of a span.
const NATIVE_BUCKET_BYTES: usize = 16;
const INFINITE: u64 = f64::INFINITY.to_bits();

/// Metrics by family and labels.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    families: BTreeMap<Arc<str>, Sum>,
    bytes: usize,
}

#[derive(Debug)]
struct Sum {
    head: Family,
    metrics: BTreeMap<Labels, Held>,
}

#[derive(Debug)]
struct Held {
    metric: Metric,
    /// When it came last.
    at_ms: i64,
}

/// What was added up, in order of names and labels.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) families: Vec<Family>,
    /// When the oldest of what sets came.
    pub(crate) set_ms: Option<i64>,
    /// How many metrics that set came too long ago, and are left out.
    pub(crate) late: usize,
}

/// Whether metrics of a type stand in the place of what was there; others add up.
pub(crate) fn sets(r#type: MetricType) -> bool {
    matches!(r#type, MetricType::Gauge | MetricType::GaugeHistogram | MetricType::Info | MetricType::StateSet)
}

impl Sums {
    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many metrics it holds.
    pub(crate) fn metrics(&self) -> usize {
        self.families.values().map(|sum| sum.metrics.len()).sum()
    }

    /// About how much these take by themselves.
    pub(crate) fn size(families: &[Family]) -> usize {
        families
            .iter()
            .map(|family| head_bytes(family) + family.metrics.iter().map(metric_bytes).sum::<usize>())
            .sum()
    }

    /// About how much more it will take, at the most, with these, which [`Sums::fits`].
    pub(crate) fn growth(&self, families: &[Family]) -> usize {
        let of_family = |family: &Family| {
            let Some(sum) = self.families.get(&family.name) else {
                return Self::size(std::slice::from_ref(family));
            };
            let of_metric = |metric: &Metric| match sum.metrics.get(&labels(metric)) {
                Some(held) => grows_by(&held.metric, metric),
                None => metric_bytes(metric),
            };
            family.metrics.iter().map(of_metric).sum()
        };
        families.iter().map(of_family).sum()
    }

    /// Whether these are of the same types as what is there: otherwise they cannot be one push.
    pub(crate) fn fits(&self, families: &[Family]) -> bool {
        families.iter().all(|family| {
            let Some(sum) = self.families.get(&family.name) else { return true };
            sum.head.r#type == family.r#type
                && family.metrics.iter().all(|metric| {
                    let held = sum.metrics.get(&labels(metric));
                    held.is_none_or(|held| fits(&held.metric.value, &metric.value))
                })
        })
    }

    /// Adds what [`Sums::fits`] and has come now. What is not added by its type replaces what is there.
    pub(crate) fn add(&mut self, families: Vec<Family>, now_ms: i64) {
        for mut family in families {
            let metrics = std::mem::take(&mut family.metrics);
            let bytes = &mut self.bytes;
            let sum = self.families.entry(Arc::clone(&family.name)).or_insert_with(|| {
                *bytes += head_bytes(&family);
                Sum { head: family, metrics: BTreeMap::new() }
            });
            for metric in metrics {
                let labels = labels(&metric);
                let metric = match sum.metrics.remove(&labels) {
                    Some(held) => {
                        *bytes = bytes.saturating_sub(metric_bytes(&held.metric));
                        together(sum.head.r#type, held.metric, metric)
                    }
                    None => metric,
                };
                *bytes += metric_bytes(&metric);
                sum.metrics.insert(labels, Held { metric, at_ms: now_ms });
            }
        }
    }

    /// The sums, without what sets and came before `since_ms`.
    pub(crate) fn into_parts(self, since_ms: i64) -> Parts {
        let mut parts = Parts::default();
        for Sum { head, mut metrics } in self.families.into_values() {
            if sets(head.r#type) {
                let before = metrics.len();
                metrics.retain(|_, held| held.at_ms >= since_ms);
                parts.late += before - metrics.len();
                let oldest_ms = metrics.values().map(|held| held.at_ms).min();
                parts.set_ms = [parts.set_ms, oldest_ms].into_iter().flatten().min();
            }
            if !metrics.is_empty() {
                let metrics = metrics.into_values().map(|held| held.metric).collect();
                parts.families.push(Family { metrics, ..head });
            }
        }
        parts
    }
}

fn labels(metric: &Metric) -> Labels {
    Labels::from_pairs(metric.labels.iter().cloned())
}

fn head_bytes(family: &Family) -> usize {
    FAMILY_BYTES + family.name.len() + family.help.len() + family.unit.len()
}

fn metric_bytes(metric: &Metric) -> usize {
    // names and values stand in the key and in the metric
    let labels = metric.labels.iter().map(|(name, value)| 64 + name.len() + value.len()).sum::<usize>();
    let of_value = match &metric.value {
        MetricValue::Histogram(histogram) => {
            let native = histogram.native.as_deref().map_or(0, native_bytes);
            native + histogram.buckets.len() * size_of::<Bucket>()
        }
        MetricValue::Summary(summary) => summary.quantiles.len() * 16,
        _ => 0,
    };
    METRIC_BYTES + labels + of_value + metric.exemplars.len() * 200
}

fn native_bytes(native: &Native) -> usize {
    let numbers = native.positive_counts.len() + native.negative_counts.len() + native.custom_bounds.len();
    200 + NATIVE_BUCKET_BYTES * numbers
}

/// About how much more a metric takes, at the most, when this one is added: labels are there, and buckets that it has already.
fn grows_by(held: &Metric, new: &Metric) -> usize {
    let of_value = match (&held.value, &new.value) {
        (MetricValue::Histogram(held), MetricValue::Histogram(new)) => {
            let bounds: HashSet<u64> =
                held.buckets.iter().map(|bucket| bucket.upper_bound.to_bits()).collect();
            let is_new = |bucket: &&Bucket| !bounds.contains(&bucket.upper_bound.to_bits());
            // the last bound may be one more
            let more = match new.buckets.is_empty() {
                true => 0,
                false => new.buckets.iter().filter(is_new).count() + usize::from(!bounds.contains(&INFINITE)),
            };
            let native = match (&held.native, &new.native) {
                (Some(held), Some(new)) => native_grows_by(held, new),
                (_, new) => new.as_deref().map_or(0, native_bytes),
            };
            more * size_of::<Bucket>() + native
        }
        _ => 0,
    };
    of_value + new.exemplars.len().saturating_sub(held.exemplars.len()) * 200
}

fn native_grows_by(held: &Native, new: &Native) -> usize {
    if held.schema != new.schema {
        return native_bytes(new);
    }
    let bounds = |bucket: &model::Bucket| (bucket.lower.to_bits(), bucket.upper.to_bits());
    let known: HashSet<_> = held.buckets().iter().map(bounds).collect();
    let more = new.buckets().iter().filter(|bucket| !known.contains(&bounds(bucket))).count();
    NATIVE_BUCKET_BYTES * (more + new.custom_bounds.len().saturating_sub(held.custom_bounds.len()))
}

fn fits(held: &MetricValue, new: &MetricValue) -> bool {
    match (held, new) {
        (MetricValue::Histogram(held), MetricValue::Histogram(new)) => {
            held.buckets.is_empty() == new.buckets.is_empty()
                && match (&held.native, &new.native) {
                    (Some(held), Some(new)) => (held.schema == CUSTOM) == (new.schema == CUSTOM),
                    (None, None) => true,
                    _ => false,
                }
        }
        (held, new) => std::mem::discriminant(held) == std::mem::discriminant(new),
    }
}

/// The schema of native histograms with bounds of their own.
const CUSTOM: i8 = -53;

/// What both are, one after the other.
fn together(r#type: MetricType, held: Metric, new: Metric) -> Metric {
    let value = match (held.value, new.value) {
        (MetricValue::Counter(held), MetricValue::Counter(new)) => MetricValue::Counter(held + new),
        (MetricValue::Untyped(held), MetricValue::Untyped(new)) => MetricValue::Untyped(held + new),
        (MetricValue::Summary(held), MetricValue::Summary(new)) => MetricValue::Summary(wire::Summary {
            count: held.count.saturating_add(new.count),
            sum: held.sum + new.sum,
            // those of two cannot be told from those of each
            quantiles: Vec::new(),
        }),
        (MetricValue::Histogram(held), MetricValue::Histogram(new)) if r#type == MetricType::Histogram => {
            MetricValue::Histogram(histograms(held, new))
        }
        (_, new) => new,
    };
    let created_ms = [held.created_ms, new.created_ms].into_iter().flatten().min();
    let exemplars = if new.exemplars.is_empty() { held.exemplars } else { new.exemplars };
    Metric { value, created_ms, exemplars, ..new }
}

fn histograms(held: Histogram, new: Histogram) -> Histogram {
    let native = match (held.native, new.native) {
        (Some(held), Some(new)) => Some(Arc::new(natives(&held, &new))),
        (held, new) => held.or(new),
    };
    let buckets = joined(&held.buckets, held.count, &new.buckets, new.count);
    Histogram { count: held.count + new.count, sum: held.sum + new.sum, buckets, native }
}

fn natives(held: &Native, new: &Native) -> Native {
    let mut sum = HistogramSum::of(held);
    // what does not fit was kept apart
    let _ = sum.add(new);
    sum.value()
}

/// Buckets on the bounds of both: where one has no such bound, it has counted as much as at its next lower one.
fn joined(held: &[Bucket], held_count: f64, new: &[Bucket], new_count: f64) -> Vec<Bucket> {
    let sorted = |buckets: &[Bucket], count: f64| {
        let mut counts: Vec<(f64, f64)> =
            buckets.iter().map(|bucket| (bucket.upper_bound, bucket.cumulative_count)).collect();
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        if counts.last().is_some_and(|(bound, _)| *bound != f64::INFINITY) {
            counts.push((f64::INFINITY, count));
        }
        counts
    };
    let at = |counts: &[(f64, f64)], bound: f64| {
        let above = counts.partition_point(|(own, _)| own.total_cmp(&bound).is_le());
        above.checked_sub(1).map_or(0.0, |index| counts[index].1)
    };
    let (held_counts, new_counts) = (sorted(held, held_count), sorted(new, new_count));
    let mut bounds: Vec<f64> = held_counts.iter().chain(&new_counts).map(|(bound, _)| *bound).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let exemplar = |bound: f64| {
        let with = |bucket: &&Bucket| bucket.upper_bound == bound && bucket.exemplar.is_some();
        new.iter().find(with).or_else(|| held.iter().find(with)).and_then(|bucket| bucket.exemplar.clone())
    };
    let bucket = |upper_bound| Bucket {
        upper_bound,
        cumulative_count: at(&held_counts, upper_bound) + at(&new_counts, upper_bound),
        exemplar: exemplar(upper_bound),
    };
    bounds.into_iter().map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use wire::name_escaping::Escaping;
    use wire::{exposition, text};

    use super::*;

    fn families(body: &str) -> Vec<Family> {
        text::parse(body.as_bytes(), &text::Options::default()).expect("parses")
    }

    fn shown(sums: Sums) -> String {
        exposition::write_text(&sums.into_parts(0).families, Escaping::AllowUtf8)
    }

    #[track_caller]
    fn check(bodies: &[&str], expect: &str) {
        let mut sums = Sums::default();
        for body in bodies {
            let families = families(body);
            assert!(sums.fits(&families), "{body}");
            sums.add(families, 1);
        }
        assert_eq!(shown(sums), expect);
    }

    #[test]
    fn each_type_in_its_own_way() {
        let counter = "# TYPE c counter\nc{a=\"1\"} 2\nc 1\n";
        check(&[counter, counter], "# TYPE c counter\nc 2\nc{a=\"1\"} 4\n");
        check(&["# TYPE g gauge\ng 2\n", "# TYPE g gauge\ng 3\n"], "# TYPE g gauge\ng 3\n");
        check(&["u 2\n", "u 3\n"], "# TYPE u untyped\nu 5\n");
        let summary = "# TYPE s summary\ns{quantile=\"0.5\"} 7\ns_sum 3\ns_count 2\n";
        check(&[summary, summary], "# TYPE s summary\ns_sum 6\ns_count 4\n");
    }

    #[test]
    fn histograms_meet_on_the_bounds_of_both() {
        let of = |bounds: &[(&str, u64)], sum: u64, count: u64| {
            let buckets: String =
                bounds.iter().map(|(le, count)| format!("h_bucket{{le=\"{le}\"}} {count}\n")).collect();
            format!("# TYPE h histogram\n{buckets}h_sum {sum}\nh_count {count}\n")
        };
        let (a, b) =
            (of(&[("1", 1), ("4", 3), ("+Inf", 4)], 9, 4), of(&[("2", 2), ("4", 2), ("+Inf", 5)], 1, 5));
        check(&[&a, &b], &of(&[("1", 1), ("2", 3), ("4", 5), ("+Inf", 9)], 10, 9));
    }

    #[test]
    fn what_cannot_be_one_push_does_not_fit() {
        let mut sums = Sums::default();
        sums.add(families("# TYPE a counter\na 1\n"), 1);
        assert!(!sums.fits(&families("# TYPE a gauge\na 1\n")));
        assert!(sums.fits(&families("# TYPE a counter\na{x=\"1\"} 1\n# TYPE b gauge\nb 1\n")));
    }

    #[test]
    fn what_comes_again_takes_no_more_memory() {
        let body =
            "# TYPE c counter\nc{a=\"1\"} 2\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n";
        let mut sums = Sums::default();
        sums.add(families(body), 1);
        let once = sums.bytes();
        assert!(once <= Sums::size(&families(body)));
        // the last bound is one more
        assert_eq!(sums.growth(&families(body)), size_of::<Bucket>());
        sums.add(families(body), 1);
        assert_eq!((sums.bytes(), sums.growth(&families(body))), (once + size_of::<Bucket>(), 0));
        (0..100).for_each(|_| sums.add(families(body), 1));
        assert_eq!(sums.bytes(), once + size_of::<Bucket>());
    }

    #[test]
    fn what_histograms_grow_by_is_known_before() {
        let classic = |le: u64| {
            families(&format!(
                "# TYPE h histogram\nh_bucket{{le=\"{le}\"}} 1\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 1\n"
            ))
        };
        let native = |bucket: i32| {
            let native = Native {
                schema: 3,
                count: 1.0,
                sum: 1.0,
                positive_spans: vec![model::Span { offset: bucket, length: 1 }],
                positive_counts: vec![1.0],
                ..Native::default()
            };
            let native = Some(Arc::new(native));
            let value =
                MetricValue::Histogram(Histogram { count: 1.0, sum: 1.0, buckets: Vec::new(), native });
            let metrics = vec![Metric::new(Vec::new(), value)];
            vec![Family { name: "n".into(), r#type: MetricType::Histogram, metrics, ..Family::default() }]
        };
        let mut sums = Sums::default();
        for step in 0..50 {
            for new in [classic(step), native(i32::try_from(step).expect("small")), classic(step / 2)] {
                let at_the_most = sums.bytes() + sums.growth(&new);
                sums.add(new, 1);
                assert!(sums.bytes() <= at_the_most, "{step}");
            }
        }
        assert_eq!((sums.growth(&native(7)), sums.growth(&classic(7))), (0, 0));
        assert!(sums.growth(&native(70)) > 0 && sums.growth(&classic(70)) > 0);
    }

    #[test]
    fn what_sets_may_be_too_late() {
        let mut sums = Sums::default();
        sums.add(families("# TYPE c counter\nc 1\n# TYPE g gauge\ng{a=\"1\"} 1\ng{a=\"2\"} 1\n"), 100);
        sums.add(families("# TYPE g gauge\ng{a=\"2\"} 2\n"), 300);
        let Parts { families, set_ms, late } = sums.into_parts(200);
        let page = exposition::write_text(&families, Escaping::AllowUtf8);
        assert_eq!(page, "# TYPE c counter\nc 1\n# TYPE g gauge\ng{a=\"2\"} 2\n");
        assert_eq!((set_ms, late), (Some(300), 1));
    }
}
