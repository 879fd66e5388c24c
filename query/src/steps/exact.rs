//! Range functions that are exact on steps.

use super::StepWindow;
use crate::syntax::Function;

/// What the function makes of a window; the outer `None` if it weights by number of samples.
pub(super) fn evaluate(function: Function, window: StepWindow<'_>) -> Option<Option<f64>> {
    let result = match function {
        Function::Increase => Some(increase(window)),
        Function::Rate => Some(increase(window) / window.range_s()),
        Function::Delta => Some(window.last() - window.value(window.first)),
        Function::Irate => irate(window),
        Function::Idelta => Some(idelta(window)),
        Function::Changes => Some(changes(window)),
        Function::Resets => Some(resets(window)),
        Function::FirstOverTime => Some(window.value(window.first_inside())),
        Function::LastOverTime => Some(window.last()),
        Function::MinOverTime => {
            window.inside().reduce(|least, value| if value < least || least.is_nan() { value } else { least })
        }
        Function::MaxOverTime => {
            window.inside().reduce(|most, value| if value > most || most.is_nan() { value } else { most })
        }
        Function::PresentOverTime | Function::AbsentOverTime => Some(1.0),
        Function::TsOfFirstOverTime => Some(seconds(window.first_ms_inside())),
        Function::TsOfLastOverTime => Some(seconds(window.last_ms(window.end - 1))),
        Function::TsOfMinOverTime => Some(time_of(window, |value, least| value <= least)),
        Function::TsOfMaxOverTime => Some(time_of(window, |value, most| value >= most)),
        _ => return None,
    };
    Some(result)
}

impl StepWindow<'_> {
    pub(super) fn value(&self, step: usize) -> f64 {
        self.steps.values[step]
    }

    fn last(&self) -> f64 {
        self.value(self.end - 1)
    }

    #[expect(clippy::cast_precision_loss, reason = "ranges are far below 2^53 ms")]
    pub(crate) fn range_s(&self) -> f64 {
        (self.end_ms - self.start_ms) as f64 / 1_000.0
    }

    /// The first step that holds inside of the window, and not only at its start.
    pub(crate) fn first_inside(&self) -> usize {
        let ends_at_start = self.steps.until_ms[self.first] <= self.start_ms.saturating_add(1);
        self.first + usize::from(ends_at_start)
    }

    /// The first millisecond of the window in which the series holds.
    fn first_ms_inside(&self) -> i64 {
        self.steps.from_ms[self.first_inside()].max(self.start_ms.saturating_add(1))
    }

    /// The last millisecond of the window in which a step holds.
    fn last_ms(&self, step: usize) -> i64 {
        (self.steps.until_ms[step] - 1).min(self.end_ms)
    }

    /// The values of the steps that hold inside of the window.
    fn inside(&self) -> impl Iterator<Item = f64> + '_ {
        (self.first_inside()..self.end).map(|step| self.value(step))
    }

    /// Whether the value grew from zero where this step begins, or fell: then all of it is new.
    fn starts_anew(&self, step: usize) -> bool {
        self.steps.from_zero[step] || self.value(step) < self.value(step - 1)
    }

    fn grew_by(&self, step: usize) -> f64 {
        if self.starts_anew(step) { self.value(step) } else { self.value(step) - self.value(step - 1) }
    }
}

/// How much a counter grew. What holds at the start of the window is the base; without it the first step is, unless it
/// is known to have grown from zero.
fn increase(window: StepWindow<'_>) -> f64 {
    let first = window.first;
    let begins_inside = window.steps.from_ms[first] > window.start_ms;
    let from_nothing = if begins_inside && window.steps.from_zero[first] { window.value(first) } else { 0.0 };
    (first + 1..window.end).fold(from_nothing, |sum, step| sum + window.grew_by(step))
}

/// The last change in the window by the time between the beginnings of its two steps; 0 if nothing changed.
fn irate(window: StepWindow<'_>) -> Option<f64> {
    if window.end - window.first < 2 {
        return Some(0.0);
    }
    let last = window.end - 1;
    let elapsed_ms = window.steps.from_ms[last] - window.steps.from_ms[last - 1];
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 ms")]
    (elapsed_ms > 0).then(|| window.grew_by(last) / (elapsed_ms as f64 / 1_000.0))
}

fn idelta(window: StepWindow<'_>) -> f64 {
    let last = window.end - 1;
    if last == window.first { 0.0 } else { window.value(last) - window.value(last - 1) }
}

#[expect(clippy::float_cmp, reason = "that is what a change is")]
fn changes(window: StepWindow<'_>) -> f64 {
    let changed = |step: &usize| {
        let (before, after) = (window.value(step - 1), window.value(*step));
        before != after && !(before.is_nan() && after.is_nan())
    };
    count((window.first + 1..window.end).filter(changed).count())
}

fn resets(window: StepWindow<'_>) -> f64 {
    count((window.first + 1..window.end).filter(|&step| window.starts_anew(step)).count())
}

/// The last time at which the value is as good as the best in the window, in seconds.
fn time_of(window: StepWindow<'_>, as_good: fn(f64, f64) -> bool) -> f64 {
    let first = window.first_inside();
    let mut best = first;
    for step in first..window.end {
        if as_good(window.value(step), window.value(best)) || window.value(best).is_nan() {
            best = step;
        }
    }
    seconds(window.last_ms(best))
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a number of steps in memory")]
fn count(count: usize) -> f64 {
    count as f64
}
