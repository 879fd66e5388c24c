//! Values between samples: `x smoothed`.

use std::sync::Arc;

use model::{CounterReset, Histogram, HistogramSum, Series, Value};

use super::instant::{is_stale, sample_value};
use super::points::Points;
use super::scalar::seconds;
use super::{Context, Result, remarks};
use crate::plan::InstantNode;

/// The value at a share of the way from one to another. A counter that is smaller at the end counts from zero.
pub(super) fn between(first: f64, second: f64, share: f64, counter: bool) -> f64 {
    if counter && second < first { second * share } else { first + (second - first) * share }
}

/// Like [`between`]; `None` if the buckets cannot be brought together.
pub(super) fn between_histograms(
    first: &Arc<Histogram>,
    second: &Arc<Histogram>,
    share: f64,
    counter: bool,
) -> Option<Arc<Histogram>> {
    if first.has_custom_bounds() != second.has_custom_bounds() {
        return None;
    }
    if counter && second.starts_anew_after(first) {
        return Some(Arc::new(second.scaled(share)));
    }
    let mut between = HistogramSum::of(second);
    between.subtract(first).ok()?;
    between.scale(share);
    between.add(first).ok()?;
    let gauge = [first, second].iter().any(|one| one.counter_reset == CounterReset::Gauge);
    let counter_reset = if gauge { CounterReset::Gauge } else { CounterReset::NotReset };
    Some(Arc::new(Histogram { counter_reset, ..between.value() }))
}

impl Context<'_> {
    /// The values of a series, interpolated between the samples around each time.
    pub(super) fn interpolated(
        &self,
        series: &Series,
        node: &InstantNode,
        points: &mut Points,
    ) -> Result<()> {
        if !series.steps.is_empty() {
            let lookback_ms = self.settings.lookback_ms;
            let first_ms = node.times.start_ms.saturating_sub(lookback_ms);
            let last_ms = node.times.end_ms().saturating_add(lookback_ms);
            let (sampled, _held) = self.with_virtual_samples(series, first_ms, last_ms)?;
            return self.interpolated(&sampled, node, points);
        }
        let samples = &series.samples;
        let seen: Vec<usize> = (0..samples.len()).filter(|&index| !is_stale(samples, index)).collect();
        let time = |place: usize| samples.timestamps_ms[seen[place]];
        let name = series.labels.metric_name();
        let lookback_ms = self.settings.lookback_ms;
        for (index, at_ms) in node.times.times().enumerate() {
            let first =
                seen.partition_point(|&i| samples.timestamps_ms[i] <= at_ms.saturating_sub(lookback_ms));
            let next = seen.partition_point(|&i| samples.timestamps_ms[i] <= at_ms);
            let end =
                seen.partition_point(|&i| samples.timestamps_ms[i] <= at_ms.saturating_add(lookback_ms));
            if first == next {
                continue;
            }
            let value = |place: usize| sample_value(samples, seen[place]);
            let histograms =
                (first..end).filter(|&place| matches!(value(place), Value::Histogram(_))).count();
            if histograms > 0 && histograms < end - first {
                self.notes.borrow_mut().warn(node.range, remarks::mixed_kinds(name));
                continue;
            }
            let before = next - 1;
            if time(before) == at_ms || next == end {
                points.push_value(index, value(before));
                continue;
            }
            let share = seconds(at_ms - time(before)) / seconds(time(next) - time(before));
            match (value(before), value(next)) {
                (Value::Float(a), Value::Float(b)) => points.push(index, between(a, b, share, false)),
                (Value::Histogram(a), Value::Histogram(b)) => {
                    let counter = [&a, &b].iter().all(|one| one.counter_reset != CounterReset::Gauge);
                    match between_histograms(&a, &b, share, counter) {
                        Some(histogram) => points.push_value(index, Value::Histogram(histogram)),
                        None => self.notes.borrow_mut().warn(node.range, remarks::mixed_buckets(name)),
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}
