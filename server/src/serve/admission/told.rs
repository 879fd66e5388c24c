//! What is counted about access, as metrics.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use model::MetricType;
use wire::Family;

use super::Access;
use crate::serve::own_metrics::{family, family_of, metric};

impl Access {
    #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
    pub(in crate::serve) fn families(&self) -> Vec<Family> {
        let of_reason = |reason: &str, count: u64| {
            let labels = vec![("reason".into(), reason.into())];
            metric(labels, MetricType::Counter, count as f64)
        };
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let refused = vec![
            of_reason("unauthorized", count(&self.refused.unauthorized)),
            of_reason("forbidden", count(&self.refused.forbidden)),
            of_reason("unavailable", count(&self.refused.unavailable)),
        ];
        let mut families = vec![family_of(
            "mayfly_access_refused_requests_total",
            "Requests without a token that is good (unauthorized), with one that does not allow the route or is for another tenant \
             than they ask for (forbidden), or with a password while too many wait to be compared (unavailable).",
            MetricType::Counter,
            refused,
        )];
        if let Some(file) = &self.file {
            let is_good = file.seen.lock().unwrap_or_else(PoisonError::into_inner).bad.is_none();
            let tokens = file.in_force.read().unwrap_or_else(PoisonError::into_inner).len();
            let good_s = file.good_ms.load(Ordering::Relaxed) as f64 / 1e3;
            let gauges = [
                ("mayfly_access_tokens", "Tokens that are in force.", tokens as f64),
                (
                    "mayfly_access_last_reload_successful",
                    "Whether the file of tokens was well when it was read last.",
                    f64::from(u8::from(is_good)),
                ),
                (
                    "mayfly_access_last_reload_success_timestamp_seconds",
                    "When the file of tokens was well last.",
                    good_s,
                ),
            ];
            families.extend(
                gauges.map(|(name, help, value)| family(name, help, MetricType::Gauge, vec![], value)),
            );
        }
        families
    }
}

#[cfg(test)]
mod tests {
    use wire::MetricValue;

    #[test]
    fn refused_requests_are_counted() {
        let access = crate::serve::admission::tests::access("", false);
        let families = access.families();
        assert_eq!(families[0].metrics.len(), 3);
        assert!(families[0].metrics.iter().all(|metric| metric.value == MetricValue::Counter(0.0)));
    }
}
