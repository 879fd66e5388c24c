//! Range functions that weight by number of samples, on virtual samples.

use super::StepWindow;
use crate::exec::{Mean, RangeWindow, Sum, over_samples};
use crate::syntax::Function;

/// What the function makes of a window; the outer `None` if it is none of these.
pub(super) fn evaluate(
    function: Function,
    window: StepWindow<'_>,
    parameters: [f64; 2],
) -> Option<Option<f64>> {
    let result = match function {
        Function::CountOverTime => {
            let count = window.sampled().map(|(_, count)| count).sum::<f64>();
            (count > 0.0).then_some(count)
        }
        Function::SumOverTime => sum(window),
        Function::AvgOverTime => mean(window),
        Function::StdvarOverTime => variance(window),
        Function::StddevOverTime => variance(window).map(f64::sqrt),
        Function::QuantileOverTime => quantile(window, parameters[0]),
        Function::MadOverTime
        | Function::Deriv
        | Function::PredictLinear
        | Function::DoubleExponentialSmoothing => return as_samples(function, window, parameters),
        _ => return None,
    };
    Some(result)
}

impl StepWindow<'_> {
    /// The values that have virtual samples in the window, and how many.
    fn sampled(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.sampled_steps().map(|(step, count)| (self.value(step), count))
    }

    /// The steps that have virtual samples in the window, and how many.
    pub(crate) fn sampled_steps(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        (self.first..self.end).filter_map(|step| {
            let (first, end) = self.multiples(step);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            (first < end).then(|| (step, (end - first) as f64))
        })
    }

    /// The multiples of the hold interval at which a step is seen in the window: `first..end`.
    fn multiples(&self, step: usize) -> (i64, i64) {
        let interval = self.hold_interval_ms;
        let from = self.steps.from_ms[step].max(self.start_ms.saturating_add(1));
        let last = (self.steps.until_ms[step] - 1).min(self.end_ms);
        // the first multiple that is not before `from`, and the first behind `last`
        ((from - 1).div_euclid(interval) + 1, last.div_euclid(interval) + 1)
    }

    /// How many virtual samples there are in the window.
    pub(crate) fn sample_count(&self) -> usize {
        let counts = (self.first..self.end).map(|step| {
            let (first, end) = self.multiples(step);
            usize::try_from(end.saturating_sub(first)).unwrap_or(0)
        });
        counts.fold(0, usize::saturating_add)
    }

    /// The times and values of all virtual samples in the window.
    fn samples(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        (self.first..self.end).flat_map(move |step| {
            let (first, end) = self.multiples(step);
            (first..end).map(move |multiple| (multiple * self.hold_interval_ms, self.value(step)))
        })
    }
}

fn sum(window: StepWindow<'_>) -> Option<f64> {
    let mut sum = Sum::default();
    let mut any = false;
    for (value, count) in window.sampled() {
        any = true;
        sum.add(value * count);
    }
    any.then(|| sum.value())
}

fn mean(window: StepWindow<'_>) -> Option<f64> {
    let total: f64 = window.sampled().map(|(_, count)| count).sum();
    let mean = sum(window)? / total;
    if mean.is_finite() || window.sampled().any(|(value, _)| !value.is_finite()) {
        return Some(mean);
    }
    // the sum overflows although the mean need not
    let mut mean = Mean::default();
    window.samples().for_each(|(_, value)| mean.add(value));
    Some(mean.value())
}

/// The mean square of the distances from the mean.
fn variance(window: StepWindow<'_>) -> Option<f64> {
    let total: f64 = window.sampled().map(|(_, count)| count).sum();
    let mean = mean(window)?;
    let mut squares = Sum::default();
    window.sampled().for_each(|(value, count)| squares.add(count * (value - mean) * (value - mean)));
    Some(squares.value() / total)
}

fn quantile(window: StepWindow<'_>, phi: f64) -> Option<f64> {
    let mut values: Vec<(f64, f64)> = window.sampled().collect();
    if values.is_empty() {
        return None;
    }
    if phi.is_nan() {
        return Some(f64::NAN);
    }
    if !(0.0..=1.0).contains(&phi) {
        return Some(if phi < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    values.sort_unstable_by(|a, b| crate::exec::nan_first(a.0, b.0));
    let total: f64 = values.iter().map(|(_, count)| count).sum();
    let rank = phi * (total - 1.0);
    let lower = rank.floor();
    let upper = (lower + 1.0).min(total - 1.0);
    let weight = rank - lower;
    let at = |rank: f64| {
        let mut before = 0.0;
        let found = values.iter().find(|(_, count)| {
            before += count;
            rank < before
        });
        found.map_or(f64::NAN, |(value, _)| *value)
    };
    Some(at(lower) * (1.0 - weight) + at(upper) * weight)
}

/// Writes the virtual samples out, for functions that need each.
fn as_samples(function: Function, window: StepWindow<'_>, parameters: [f64; 2]) -> Option<Option<f64>> {
    let (times, values): (Vec<i64>, Vec<f64>) = window.samples().unzip();
    let evaluate = over_samples(function)?;
    Some(evaluate(&RangeWindow {
        times: &times,
        values: &values,
        starts: &[],
        start_ms: window.start_ms,
        end_ms: window.end_ms,
        eval_ms: window.eval_ms,
        parameters,
    }))
}

/// How many virtual samples [`evaluate`] has to write out.
pub(crate) fn written_out(function: Function, window: &StepWindow<'_>) -> usize {
    match function {
        Function::MadOverTime
        | Function::Deriv
        | Function::PredictLinear
        | Function::DoubleExponentialSmoothing => window.sample_count(),
        _ => 0,
    }
}

/// A window as a result of its own: the beginnings of steps and the virtual samples, in the order of time.
pub(crate) fn bare(window: StepWindow<'_>) -> Vec<(i64, usize)> {
    let mut points = Vec::new();
    for step in window.first..window.end {
        let from = window.steps.from_ms[step];
        if from > window.start_ms {
            points.push((from, step));
        }
        let (first, end) = window.multiples(step);
        let times = (first..end).map(|multiple| multiple * window.hold_interval_ms);
        points.extend(times.filter(|&time| time > from).map(|time| (time, step)));
    }
    points
}
