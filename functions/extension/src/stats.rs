//! What the extension counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use model::MetricType;
use wire::{Family, Metric, MetricValue};

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    no_room: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
    nowhere: AtomicU64,
    mistaken_settings: AtomicU64,
    taken_ports: AtomicU64,
    send_failures: AtomicU64,
    unreadable_reports: AtomicU64,
    lost_reports: AtomicU64,
}

impl Stats {
    /// Metrics that found no room.
    pub(crate) fn no_room(&self, metrics: usize) {
        self.no_room.fetch_add(metrics as u64, Ordering::Relaxed);
    }

    /// Metrics that the gateway will never take.
    pub(crate) fn refused(&self, metrics: usize) {
        self.refused.fetch_add(metrics as u64, Ordering::Relaxed);
    }

    /// Metrics that would set what others may have set since.
    pub(crate) fn late(&self, metrics: usize) {
        self.late.fetch_add(metrics as u64, Ordering::Relaxed);
    }

    /// Metrics that nobody has said where to send.
    pub(crate) fn nowhere(&self, metrics: usize) {
        self.nowhere.fetch_add(metrics as u64, Ordering::Relaxed);
    }

    /// This sandbox has started with settings that are mistaken.
    pub(crate) fn mistaken_settings(&self) {
        self.mistaken_settings.fetch_add(1, Ordering::Relaxed);
    }

    /// A port was not free.
    pub(crate) fn taken_port(&self) {
        self.taken_ports.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn send_failure(&self) {
        self.send_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports of the platform that nobody can read.
    pub(crate) fn unreadable_report(&self) {
        self.unreadable_reports.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports that the platform itself has dropped.
    pub(crate) fn lost_reports(&self, reports: u64) {
        self.lost_reports.fetch_add(reports, Ordering::Relaxed);
    }

    /// How many metrics were dropped, for whatever reason.
    pub(crate) fn dropped(&self) -> u64 {
        let all = [&self.no_room, &self.refused, &self.late, &self.nowhere];
        all.into_iter().map(|counter| counter.load(Ordering::Relaxed)).sum()
    }

    /// As metric families.
    pub(crate) fn families(&self) -> Vec<Family> {
        let metric = |labels: &[(&str, &str)], counter: &AtomicU64| {
            let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
            let value = counter.load(Ordering::Relaxed) as f64;
            Metric::new(labels, MetricValue::Counter(value))
        };
        let family = |name: &str, help: &str, metrics: Vec<Metric>| Family {
            name: name.into(),
            help: help.into(),
            r#type: MetricType::Counter,
            metrics,
            ..Family::default()
        };
        vec![
            family(
                "mayfly_extension_dropped_metrics_total",
                "Metrics that were dropped: there was no room to keep them (memory), the gateway refused them for good (refused), or they would set something and could not be sent for minutes (late).",
                vec![
                    metric(&[("reason", "memory")], &self.no_room),
                    metric(&[("reason", "refused")], &self.refused),
                    metric(&[("reason", "late")], &self.late),
                ],
            ),
            family(
                "mayfly_extension_start_faults_total",
                "Sandboxes that have started with mistaken settings (setting), and ports that were not free (port): what they are for is left out.",
                vec![
                    metric(&[("reason", "setting")], &self.mistaken_settings),
                    metric(&[("reason", "port")], &self.taken_ports),
                ],
            ),
            family(
                "mayfly_extension_send_failures_total",
                "Requests to the gateway or the storage that came to nothing; what was in them is sent again.",
                vec![metric(&[], &self.send_failures)],
            ),
            family(
                "mayfly_extension_unreadable_reports_total",
                "Reports of the platform that could not be read.",
                vec![metric(&[], &self.unreadable_reports)],
            ),
            family(
                "mayfly_extension_lost_reports_total",
                "Reports that the platform says it has dropped.",
                vec![metric(&[], &self.lost_reports)],
            ),
        ]
    }
}
