//! What is to be added to one group, added up: however long it waits, it takes the memory of its series and is one push.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Histogram as Native, HistogramSum, Labels, MetricType};
use wire::{Bucket, Family, Histogram, Metric, MetricValue};

/// About what a metric takes beside its labels and buckets.
const METRIC_BYTES: usize = 200;
/// About what a family takes beside its texts.
const FAMILY_BYTES: usize = 150;

/// Metrics by family and labels.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    families: BTreeMap<Arc<str>, Sum>,
    bytes: usize,
}

#[derive(Debug)]
struct Sum {
    head: Family,
    metrics: BTreeMap<Labels, Metric>,
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

    /// About how much more it will take, at the most, with these.
    pub(crate) fn growth(families: &[Family]) -> usize {
        families
            .iter()
            .map(|family| head_bytes(family) + family.metrics.iter().map(metric_bytes).sum::<usize>())
            .sum()
    }

    /// Whether all of these are there, so that they take no more when they are added.
    pub(crate) fn has(&self, families: &[Family]) -> bool {
        families.iter().all(|family| {
            let known = self.families.get(&family.name);
            known.is_some_and(|sum| {
                family.metrics.iter().all(|metric| sum.metrics.contains_key(&labels(metric)))
            })
        })
    }

    /// Whether these are of the same types as what is there: otherwise they cannot be one push.
    pub(crate) fn fits(&self, families: &[Family]) -> bool {
        families.iter().all(|family| {
            let Some(sum) = self.families.get(&family.name) else { return true };
            sum.head.r#type == family.r#type
                && family.metrics.iter().all(|metric| {
                    sum.metrics.get(&labels(metric)).is_none_or(|held| fits(&held.value, &metric.value))
                })
        })
    }

    /// Adds what [`Sums::fits`]. What is not added by its type replaces what is there.
    pub(crate) fn add(&mut self, families: Vec<Family>) {
        for mut family in families {
            let metrics = std::mem::take(&mut family.metrics);
            let bytes = &mut self.bytes;
            let sum = self.families.entry(Arc::clone(&family.name)).or_insert_with(|| {
                *bytes += head_bytes(&family);
                Sum { head: family, metrics: BTreeMap::new() }
            });
            for metric in metrics {
                let labels = labels(&metric);
                let after = match sum.metrics.remove(&labels) {
                    Some(held) => {
                        *bytes = bytes.saturating_sub(metric_bytes(&held));
                        together(sum.head.r#type, held, metric)
                    }
                    None => metric,
                };
                *bytes += metric_bytes(&after);
                sum.metrics.insert(labels, after);
            }
        }
    }

    /// The sums, in order of names and labels.
    pub(crate) fn into_families(self) -> Vec<Family> {
        let family = |Sum { head, metrics }| Family { metrics: metrics.into_values().collect(), ..head };
        self.families.into_values().map(family).collect()
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
            let native = histogram.native.as_deref().map_or(0, |native| {
                200 + 16
                    * (native.positive_counts.len()
                        + native.negative_counts.len()
                        + native.custom_bounds.len())
            });
            native + histogram.buckets.len() * size_of::<Bucket>()
        }
        MetricValue::Summary(summary) => summary.quantiles.len() * 16,
        _ => 0,
    };
    METRIC_BYTES + labels + of_value + metric.exemplars.len() * 200
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
        exposition::write_text(&sums.into_families(), Escaping::AllowUtf8)
    }

    #[track_caller]
    fn check(bodies: &[&str], expect: &str) {
        let mut sums = Sums::default();
        for body in bodies {
            let families = families(body);
            assert!(sums.fits(&families), "{body}");
            sums.add(families);
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
        sums.add(families("# TYPE a counter\na 1\n"));
        assert!(!sums.fits(&families("# TYPE a gauge\na 1\n")));
        assert!(sums.fits(&families("# TYPE a counter\na{x=\"1\"} 1\n# TYPE b gauge\nb 1\n")));
    }

    #[test]
    fn what_comes_again_takes_no_more_memory() {
        let body =
            "# TYPE c counter\nc{a=\"1\"} 2\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n";
        let mut sums = Sums::default();
        sums.add(families(body));
        let once = sums.bytes();
        assert!(once <= Sums::growth(&families(body)));
        (0..100).for_each(|_| sums.add(families(body)));
        // the last bound is one more
        assert!(sums.bytes() <= once + size_of::<Bucket>(), "{once} {}", sums.bytes());
    }
}
