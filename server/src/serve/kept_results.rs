//! Results of range queries, kept in memory.

use model::MetricType;
use query::{Results, ResultsStats};
use wire::Family;

use super::own_metrics::family;

/// What they say about themselves.
#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn families(results: &Results) -> Vec<Family> {
    let ResultsStats {
        hits,
        misses,
        unfit,
        contradictions,
        evictions,
        steps_reused,
        steps_evaluated,
        entries,
        bytes,
    } = results.stats();
    let counters = [
        ("hits_total", "Range queries of which steps were known.", hits),
        ("misses_total", "Range queries of which none were, although results of them are kept.", misses),
        (
            "unfit_total",
            "Range queries of which steps were known, and that had to be evaluated as a whole nevertheless.",
            unfit,
        ),
        ("contradictions_total", "Of these, those of which a known step was wrong.", contradictions),
        ("evictions_total", "Results that made room for others.", evictions),
        ("reused_steps_total", "Steps of hits that were known.", steps_reused),
        ("evaluated_steps_total", "Steps of hits that were evaluated.", steps_evaluated),
    ];
    let counters = counters.map(|(name, help, value)| (name, help, MetricType::Counter, value));
    let gauges = [
        ("entries", "Range queries of which results are kept.", MetricType::Gauge, entries),
        ("bytes", "Bytes of memory that results take.", MetricType::Gauge, bytes),
    ];
    let of_name = |(name, help, r#type, value): (&str, &str, MetricType, u64)| {
        family(&format!("mayfly_results_cache_{name}"), help, r#type, Vec::new(), value as f64)
    };
    counters.into_iter().chain(gauges).map(of_name).collect()
}
