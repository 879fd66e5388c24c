//! Instant selectors: the value that each series has at each time.

use std::sync::Arc;

use model::{Samples, Series, Steps, Value, is_stale_nan};

use super::points::{Line, Points};
use super::scalar::seconds;
use super::{Context, Result, Tally, of_histogram};
use crate::plan::{Asked, InstantNode};
use crate::steps;

impl Context<'_> {
    /// The line that a selector makes of a series.
    pub(super) fn instant_line(
        &self,
        series: &Series,
        node: &InstantNode,
        mut points: Points,
        tally: &mut Tally,
    ) -> Result<Line> {
        if node.smoothed {
            self.interpolated(series, node, &mut points)?;
        } else {
            self.look_up(series, node, &mut points)?;
        }
        if tally.is_wanted() {
            tally_points(&points, tally);
        }
        let mut line = Line { labels: series.labels.clone(), drop_name: false, points };
        if node.asked != Asked::Value {
            self.drop_name(&mut line);
        }
        Ok(line)
    }

    pub(super) fn look_up(&self, series: &Series, node: &InstantNode, points: &mut Points) -> Result<()> {
        let (samples, steps) = (&series.samples, &series.steps);
        let places = node.times.places(self.first_ms(series), self.last_ms(series));
        let _room = self.budget.room(places.len())?;
        points.reserve(places.clone());
        let lookback_ms = self.settings.lookback_ms;
        let mut newest_samples = SampleCursor { samples, next: 0, lookback_ms };
        if steps.is_empty() && samples.histograms.is_empty() && node.asked == Asked::Value {
            for index in places {
                match newest_samples.newest(node.times.at(index)).map(|sample| samples.values[sample]) {
                    Some(value) if !is_stale_nan(value) => points.push(index, value),
                    _ => {}
                }
            }
            return Ok(());
        }
        let mut holding_steps = StepCursor { steps, next: 0 };
        for index in places {
            let at_ms = node.times.at(index);
            let sample = newest_samples.newest(at_ms);
            // what is newer counts; a sample and a step of the same time: the step
            let step = holding_steps
                .holding(at_ms)
                .filter(|&step| sample.is_none_or(|s| samples.timestamps_ms[s] <= steps.from_ms[step]));
            match (step, sample) {
                (Some(step), _) if node.asked == Asked::Start => {
                    points.push(index, seconds(steps.start_ms.get(step).copied().unwrap_or(0)));
                }
                (Some(step), _) if node.asked == Asked::Time => {
                    let seen = steps::seen_ms(steps, step, at_ms, self.settings.hold_interval_ms);
                    points.push(index, seconds(seen));
                }
                (Some(step), _) => points.push_value(index, step_value(steps, step)),
                (None, Some(sample)) if is_stale(samples, sample) => {}
                (None, Some(sample)) if node.asked == Asked::Start => {
                    let start_ms = samples.start_ms.get(sample).copied().unwrap_or(0);
                    points.push(index, seconds(start_ms));
                }
                (None, Some(sample)) if node.asked == Asked::Time => {
                    points.push(index, seconds(samples.timestamps_ms[sample]));
                }
                (None, Some(sample)) => points.push_value(index, sample_value(samples, sample)),
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// The first time at which a series can have a value.
    fn first_ms(&self, series: &Series) -> i64 {
        let first = |times: &[i64]| times.first().copied().unwrap_or(i64::MAX);
        first(&series.samples.timestamps_ms).min(first(&series.steps.from_ms))
    }

    /// The last time at which a series can have a value.
    fn last_ms(&self, series: &Series) -> i64 {
        let sampled = series.samples.timestamps_ms.last();
        let sampled = sampled.map_or(i64::MIN, |last| last.saturating_add(self.settings.lookback_ms));
        sampled.max(series.steps.until_ms.last().copied().unwrap_or(i64::MIN))
    }
}

/// Every value was one sample.
pub(super) fn tally_points(points: &Points, tally: &mut Tally) {
    points.floats().for_each(|(index, _)| tally.add(index, 1, 1));
    points.histograms().for_each(|(index, histogram)| {
        let samples = of_histogram(histogram).samples;
        tally.add(index, samples, samples);
    });
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
