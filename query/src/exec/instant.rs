//! Instant selectors: the value that each series has at each time.

use std::sync::Arc;

use model::{Samples, Series, Steps, Value, is_stale_nan};

use super::points::{Line, Points};
use super::scalar::seconds;
use super::{ExecError, Executor, Result, Sink};
use crate::plan::{Asked, InstantNode};
use crate::steps;

impl Executor<'_> {
    pub(super) fn instant(&self, node: &InstantNode, sink: &mut Sink<'_>) -> Result<()> {
        for series in &self.data[node.selection] {
            if node.asked == Asked::Start && !series.steps.is_empty() {
                return Err(ExecError::not_supported("start_timestamp of pushed series"));
            }
            let points =
                if node.smoothed { self.interpolated(series, node)? } else { self.look_up(series, node) };
            let mut line = Line { labels: series.labels.clone(), drop_name: false, points };
            if node.asked != Asked::Value {
                self.drop_name(&mut line);
            }
            sink(line)?;
        }
        Ok(())
    }

    pub(super) fn look_up(&self, series: &Series, node: &InstantNode) -> Points {
        let mut points = Points::default();
        let mut samples =
            SampleCursor { samples: &series.samples, next: 0, lookback_ms: self.settings.lookback_ms };
        let mut steps = StepCursor { steps: &series.steps, next: 0 };
        for (index, at_ms) in node.times.times().enumerate() {
            let sample = samples.newest(at_ms);
            let step = steps.holding(at_ms);
            // what is newer counts; a sample and a step of the same time: the step
            let step = step.filter(|&step| {
                sample.is_none_or(|s| series.samples.timestamps_ms[s] <= series.steps.from_ms[step])
            });
            match (step, sample) {
                (Some(step), _) if node.asked != Asked::Value => {
                    let seen = steps::seen_ms(&series.steps, step, at_ms, self.settings.hold_interval_ms);
                    points.push(index, seconds(seen));
                }
                (Some(step), _) => points.push_value(index, step_value(&series.steps, step)),
                (None, Some(sample)) if is_stale(&series.samples, sample) => {}
                (None, Some(sample)) if node.asked == Asked::Start => {
                    let start_ms = series.samples.start_ms.get(sample).copied().unwrap_or(0);
                    points.push(index, seconds(start_ms));
                }
                (None, Some(sample)) if node.asked == Asked::Time => {
                    points.push(index, seconds(series.samples.timestamps_ms[sample]));
                }
                (None, Some(sample)) => points.push_value(index, sample_value(&series.samples, sample)),
                (None, None) => {}
            }
        }
        points
    }
}

/// The value of a sample.
pub(crate) fn sample_value(samples: &Samples, index: usize) -> Value {
    match samples.histograms.get(index) {
        Some(Some(histogram)) => Value::Histogram(Arc::clone(histogram)),
        _ => Value::Float(samples.values[index]),
    }
}

/// The value of a step.
pub(crate) fn step_value(steps: &Steps, index: usize) -> Value {
    match steps.histograms.get(index) {
        Some(Some(histogram)) => Value::Histogram(Arc::clone(histogram)),
        _ => Value::Float(steps.values[index]),
    }
}

/// Whether a sample says that the series has ended.
pub(super) fn is_stale(samples: &Samples, index: usize) -> bool {
    match samples.histograms.get(index) {
        Some(Some(histogram)) => is_stale_nan(histogram.sum),
        _ => is_stale_nan(samples.values[index]),
    }
}

/// Looks for samples at times that ascend.
struct SampleCursor<'a> {
    samples: &'a Samples,
    /// How many samples are not later than the last time asked for.
    next: usize,
    lookback_ms: i64,
}

impl SampleCursor<'_> {
    /// The newest sample that is not later than `at_ms` and not too old; it may be a stale marker.
    fn newest(&mut self, at_ms: i64) -> Option<usize> {
        let times = &self.samples.timestamps_ms;
        while times.get(self.next).is_some_and(|&time| time <= at_ms) {
            self.next += 1;
        }
        let newest = self.next.checked_sub(1)?;
        (times[newest] > at_ms.saturating_sub(self.lookback_ms)).then_some(newest)
    }
}

/// Looks for steps at times that ascend.
struct StepCursor<'a> {
    steps: &'a Steps,
    next: usize,
}

impl StepCursor<'_> {
    fn holding(&mut self, at_ms: i64) -> Option<usize> {
        while self.steps.from_ms.get(self.next).is_some_and(|&from| from <= at_ms) {
            self.next += 1;
        }
        let newest = self.next.checked_sub(1)?;
        (at_ms < self.steps.until_ms[newest]).then_some(newest)
    }
}
