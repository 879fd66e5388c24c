//! What a gateway counts, under the names that the Pushgateway has for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::MetricType;
use wire::{Family, Metric, MetricValue, Quantile, Summary};

/// Counts requests, and how long pushes take and how large they are.
#[derive(Debug, Default)]
pub struct GatewayStats {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By handler, status and method.
    requests: BTreeMap<(&'static str, u16, &'static str), u64>,
    /// Requests that exceeded them.
    limits: BTreeMap<&'static str, u64>,
    /// By method.
    pushes: BTreeMap<&'static str, Pushes>,
}

#[derive(Debug, Default)]
struct Pushes {
    seconds: Recent,
    bytes: Recent,
}

/// All observations as sum and count, and the last of them for quantiles.
#[derive(Debug, Default)]
struct Recent {
    count: u64,
    sum: f64,
    last: Vec<f64>,
}

/// So many observations have a say in a quantile.
const RECENT_MAX: usize = 1_024;

const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];

impl GatewayStats {
    /// Counts a request that was answered.
    pub(crate) fn answered(&self, handler: &'static str, status: u16, method: &'static str) {
        *self.lock().requests.entry((handler, status, method)).or_default() += 1;
    }

    /// Counts a request that exceeded a limit.
    pub(crate) fn exceeded(&self, limit: &'static str) {
        *self.lock().limits.entry(limit).or_default() += 1;
    }

    /// Notes a push that was answered, well or not.
    pub(crate) fn pushed(&self, method: &'static str, took_us: i64, bytes: u64) {
        let mut counts = self.lock();
        let pushes = counts.pushes.entry(method).or_default();
        pushes.seconds.note(took_us as f64 / 1e6);
        pushes.bytes.note(bytes as f64);
    }

    /// As metric families.
    pub fn families(&self) -> Vec<Family> {
        let counts = self.lock();
        let request = |((handler, status, method), count): (&(&str, u16, &str), &u64)| {
            let status = status.to_string();
            let labels = [("code", &*status), ("handler", *handler), ("method", *method)];
            Metric::new(labels.map(|(name, value)| (name.into(), value.into())).into(), count_of(*count))
        };
        let summary = |of: fn(&Pushes) -> &Recent| -> Vec<Metric> {
            let metric = |(method, pushes): (&&str, &Pushes)| {
                let labels = vec![("method".into(), (**method).into())];
                Metric::new(labels, MetricValue::Summary(of(pushes).summary()))
            };
            counts.pushes.iter().map(metric).collect()
        };
        let exceeded = |(limit, count): (&&str, &u64)| {
            Metric::new(vec![("limit".into(), (**limit).into())], count_of(*count))
        };
        vec![
            family(
                "mayfly_gateway_limits_exceeded_total",
                "Requests that were refused since they exceed a limit, by the name of its setting.",
                MetricType::Counter,
                counts.limits.iter().map(exceeded).collect(),
            ),
            family(
                "pushgateway_http_requests_total",
                "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
                MetricType::Counter,
                counts.requests.iter().map(request).collect(),
            ),
            family(
                "pushgateway_http_push_duration_seconds",
                "HTTP request duration for pushes to the Pushgateway.",
                MetricType::Summary,
                summary(|pushes| &pushes.seconds),
            ),
            family(
                "pushgateway_http_push_size_bytes",
                "HTTP request size for pushes to the Pushgateway.",
                MetricType::Summary,
                summary(|pushes| &pushes.bytes),
            ),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // nothing in here panics between two changes that belong together
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_of(count: u64) -> MetricValue {
    MetricValue::Counter(count as f64)
}

fn family(name: &str, help: &str, r#type: MetricType, metrics: Vec<Metric>) -> Family {
    Family { name: name.into(), help: help.into(), unit: Arc::default(), r#type, metrics }
}

impl Recent {
    fn note(&mut self, value: f64) {
        if self.last.len() < RECENT_MAX {
            self.last.push(value);
        } else {
            // less than the maximum, so it fits
            self.last[(self.count % RECENT_MAX as u64) as usize] = value;
        }
        self.count += 1;
        self.sum += value;
    }

    fn summary(&self) -> Summary {
        let mut sorted = self.last.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            let rank = (quantile * sorted.len() as f64) as usize;
            let value = sorted.get(rank.min(sorted.len().saturating_sub(1))).copied();
            Quantile { quantile, value: value.unwrap_or(f64::NAN) }
        };
        Summary { count: self.count, sum: self.sum, quantiles: QUANTILES.map(at).into() }
    }
}

#[cfg(test)]
mod tests {
    use wire::exposition;
    use wire::name_escaping::Escaping;

    use super::*;

    #[test]
    fn requests_and_pushes() {
        let stats = GatewayStats::default();
        stats.answered("push", 200, "put");
        stats.answered("push", 200, "put");
        stats.answered("delete", 202, "delete");
        stats.exceeded("series_per_push_max");
        for index in 0..3 * RECENT_MAX as i64 {
            stats.pushed("put", index * 1_000_000, 7);
        }
        let text = exposition::write_text(&stats.families(), Escaping::default());
        for line in [
            r#"pushgateway_http_requests_total{code="200",handler="push",method="put"} 2"#,
            r#"pushgateway_http_requests_total{code="202",handler="delete",method="delete"} 1"#,
            r#"mayfly_gateway_limits_exceeded_total{limit="series_per_push_max"} 1"#,
            // only the last thousand count
            r#"pushgateway_http_push_duration_seconds{method="put",quantile="0.5"} 2560"#,
            r#"pushgateway_http_push_duration_seconds_count{method="put"} 3072"#,
            r#"pushgateway_http_push_size_bytes_sum{method="put"} 21504"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
