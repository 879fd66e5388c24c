//! What is counted about packets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::MetricType;
use wire::{Family, Metric, MetricValue};

#[derive(Debug, Default)]
pub(super) struct Stats {
    packets: AtomicU64,
    lines: AtomicU64,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    ignored: Mutex<BTreeMap<&'static str, u64>>,
    bad_tags: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
}

impl Stats {
    pub(super) fn packet(&self) {
        self.packets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn line(&self) {
        self.lines.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, reason: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    pub(super) fn ignored(&self, kind: &'static str) {
        *self.ignored.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }

    pub(super) fn bad_tags(&self, tags: u64) {
        self.bad_tags.fetch_add(tags, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, series: u64) {
        self.lost.fetch_add(series, Ordering::Relaxed);
    }

    /// As metric families; `series` are those of the interval so far.
    #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
    pub(super) fn families(&self, series: usize) -> Vec<Family> {
        let plain = |counter: &AtomicU64| {
            vec![Metric::new(Vec::new(), MetricValue::Counter(counter.load(Ordering::Relaxed) as f64))]
        };
        let by = |label: &str, counts: &Mutex<BTreeMap<&'static str, u64>>| {
            let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            let metric = |(value, count): (&&str, &u64)| {
                Metric::new(vec![(label.into(), (*value).into())], MetricValue::Counter(*count as f64))
            };
            counts.iter().map(metric).collect::<Vec<_>>()
        };
        let series = vec![Metric::new(Vec::new(), MetricValue::Gauge(series as f64))];
        vec![
            counter("mayfly_statsd_packets_total", "Packets of StatsD.", plain(&self.packets)),
            counter("mayfly_statsd_lines_total", "Lines of StatsD that were taken.", plain(&self.lines)),
            counter(
                "mayfly_statsd_lines_refused_total",
                "Lines of StatsD that were not taken, by reason.",
                by("reason", &self.refused),
            ),
            counter(
                "mayfly_statsd_ignored_total",
                "Events and service checks of DogStatsD, which are left out.",
                by("kind", &self.ignored),
            ),
            counter(
                "mayfly_statsd_bad_tags_total",
                "Tags that can be no labels and were left out.",
                plain(&self.bad_tags),
            ),
            counter(
                "mayfly_statsd_push_failures_total",
                "Pushes of what came by StatsD that were not acknowledged; each is tried again at the next flush.",
                plain(&self.failed),
            ),
            counter(
                "mayfly_statsd_series_lost_total",
                "Series of pushes that the storage will never take.",
                plain(&self.lost),
            ),
            Family {
                r#type: MetricType::Gauge,
                ..counter("mayfly_statsd_series", "Series that wait for the next flush.", series)
            },
        ]
    }
}

fn counter(name: &str, help: &str, metrics: Vec<Metric>) -> Family {
    Family { name: name.into(), help: help.into(), unit: "".into(), r#type: MetricType::Counter, metrics }
}
