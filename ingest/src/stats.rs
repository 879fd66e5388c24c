//! What a receiver counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use model::MetricType;
use wire::{Family, Metric, MetricValue};

/// Counts requests by status, and samples.
#[derive(Debug, Default)]
pub struct IngestStats {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    samples: AtomicU64,
    refused: AtomicU64,
}

impl IngestStats {
    pub(crate) fn answered(&self, protocol: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((protocol, status)).or_default() += 1;
    }

    pub(crate) fn written(&self, samples: u64, refused: u64) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    /// As metric families.
    pub fn families(&self) -> Vec<Family> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let request = |((protocol, status), count): (&(&str, u16), &u64)| {
            let labels =
                vec![("protocol".into(), (*protocol).into()), ("status".into(), status.to_string().into())];
            Metric::new(labels, MetricValue::Counter(*count as f64))
        };
        let plain = |counter: &AtomicU64| {
            vec![Metric::new(Vec::new(), MetricValue::Counter(counter.load(Ordering::Relaxed) as f64))]
        };
        let family = |name: &str, help: &str, metrics| Family {
            name: name.into(),
            help: help.into(),
            unit: "".into(),
            r#type: MetricType::Counter,
            metrics,
        };
        vec![
            family(
                "mayfly_write_requests_total",
                "Requests of senders of samples.",
                requests.iter().map(request).collect(),
            ),
            family(
                "mayfly_samples_written_total",
                "Samples that senders were told are durable.",
                plain(&self.samples),
            ),
            family(
                "mayfly_samples_refused_total",
                "Faults of samples and series in requests of which the rest was written.",
                plain(&self.refused),
            ),
        ]
    }
}
