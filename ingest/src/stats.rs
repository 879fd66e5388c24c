//! What a receiver counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::response::Response;
use model::MetricType;
use wire::{Family, Metric, MetricValue};

use crate::answer::Exceeded;

/// Counts requests by status, and samples.
#[derive(Debug, Default)]
pub struct IngestStats {
    requests: Mutex<Requests>,
    samples: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Requests {
    /// By protocol and status.
    requests: BTreeMap<(&'static str, u16), u64>,
    /// Those that exceed a limit, as a whole or in part, by protocol and limit.
    limits: BTreeMap<(&'static str, &'static str), u64>,
}

impl IngestStats {
    /// Counts a request that was answered.
    pub(crate) fn answered(&self, protocol: &'static str, response: &Response) {
        let mut counts = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((protocol, response.status().as_u16())).or_default() += 1;
        let exceeded = response.extensions().get::<Exceeded>();
        for limit in exceeded.iter().flat_map(|exceeded| &exceeded.0) {
            *counts.limits.entry((protocol, limit)).or_default() += 1;
        }
    }

    pub(crate) fn written(&self, samples: u64, refused: u64) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    /// As metric families.
    pub fn families(&self) -> Vec<Family> {
        let counts = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let of_protocol = |protocol: &str, name: &str, value: &str, count: u64| {
            let labels = vec![("protocol".into(), protocol.into()), (name.into(), value.into())];
            Metric::new(labels, MetricValue::Counter(count as f64))
        };
        let requests = counts
            .requests
            .iter()
            .map(|((protocol, status), count)| of_protocol(protocol, "status", &status.to_string(), *count));
        let limits = counts
            .limits
            .iter()
            .map(|((protocol, limit), count)| of_protocol(protocol, "limit", limit, *count));
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
            family("mayfly_write_requests_total", "Requests of senders of samples.", requests.collect()),
            family(
                "mayfly_write_limits_exceeded_total",
                "Requests of senders of samples that were refused, as a whole or in part, since they exceed a limit, by the name of its setting.",
                limits.collect(),
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
