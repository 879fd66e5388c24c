//! What is known about counter resets of histograms of which only counts and sums are wanted.

use std::sync::Arc;

use model::{CounterReset, Histogram, Samples, is_stale_nan};

/// Compares each histogram that says nothing about a reset with the one before it, as Prometheus does where it reads
/// histograms without their buckets.
pub(crate) fn state_resets(samples: &mut Samples) {
    let mut before: Option<Arc<Histogram>> = None;
    for slot in samples.histograms.iter_mut().flatten() {
        let given = Arc::clone(slot);
        if is_stale_nan(given.sum) {
            before = None;
            continue;
        }
        if let (CounterReset::Unknown, Some(before)) = (given.counter_reset, &before) {
            let counter_reset =
                if given.has_shrunk_since(before) { CounterReset::Reset } else { CounterReset::NotReset };
            *slot = Arc::new(Histogram { counter_reset, ..(*given).clone() });
        }
        before = Some(given);
    }
}
