//! PromQL on step functions: what was pushed holds from its push until something replaces or ends it.
//!
//! This follows the design of Mayfly (docs: "two streams of data"): nothing is scraped, so nothing is extrapolated. The
//! window of a range function at t is (a, t] with a = t - range, and its steps are those that hold somewhere in it or
//! at a.
//!
//! * Exact on the steps: `increase`, `rate`, `delta`, `irate`, `idelta`, `changes`, `resets`, `first`, `last`, `min`,
//!   `max`, `present`, `absent_over_time` and `ts_of_*` (the first or last millisecond at which the value holds in the
//!   window). An increase by 1 is 1 in every window that contains it; a value that is
//!   held is a rate of 0; a window in which the series holds nowhere has no result. A gap between two steps is no reset.
//! * What weights by number of samples (`avg`, `sum`, `count`, `stddev`, `stdvar`, `quantile_over_time` and the like,
//!   `deriv`, `predict_linear`, smoothing) sees *virtual samples*: the value at every multiple of the hold interval
//!   since the epoch, which is what scraping at that interval would have stored. `smoothed` interpolates between them, as
//!   it does between samples; `anchored` changes nothing, for the value at the start of a window is its base anyway.
//! * `timestamp` is the last virtual sample or the push, whichever is later; `start_timestamp` is when the epoch of added
//!   pushes began, and 0 of what was set.

mod exact;
mod scraped;
mod virtual_samples;

#[cfg(test)]
mod tests;

use model::Steps;

use crate::syntax::Function;

pub use scraped::Scrapes;
pub(crate) use virtual_samples::{bare, written_out};

/// A window over the steps of one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepWindow<'a> {
    pub(crate) steps: &'a Steps,
    /// The steps that hold at `start_ms` or in the window: `first..end`.
    pub(crate) first: usize,
    pub(crate) end: usize,
    /// The window is `(start_ms, end_ms]`.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The time of the evaluation, which `offset` and `@` may have moved away from the window.
    pub(crate) eval_ms: i64,
    pub(crate) hold_interval_ms: i64,
}

/// Moves a window over the steps of a series; its ends may only ascend.
#[derive(Debug)]
pub(crate) struct StepWindows<'a> {
    steps: &'a Steps,
    hold_interval_ms: i64,
    first: usize,
    end: usize,
}

impl<'a> StepWindows<'a> {
    pub(crate) fn over(steps: &'a Steps, hold_interval_ms: i64) -> Self {
        Self { steps, hold_interval_ms, first: 0, end: 0 }
    }

    /// The window `(start_ms, end_ms]`; `None` if the series holds nowhere in it.
    pub(crate) fn at(&mut self, start_ms: i64, end_ms: i64) -> Option<StepWindow<'a>> {
        let steps = self.steps;
        while steps.from_ms.get(self.end).is_some_and(|&from| from <= end_ms) {
            self.end += 1;
        }
        while steps.until_ms.get(self.first).is_some_and(|&until| until <= start_ms) {
            self.first += 1;
        }
        // a step that ends with the first millisecond of the window holds at its start, but nowhere inside
        let holds_inside = self.first < self.end
            && (self.end - self.first > 1 || steps.until_ms[self.first] > start_ms.saturating_add(1));
        holds_inside.then_some(StepWindow {
            steps,
            first: self.first,
            end: self.end,
            start_ms,
            end_ms,
            eval_ms: end_ms,
            hold_interval_ms: self.hold_interval_ms,
        })
    }
}

/// What a range function makes of a window; the outer `None` if it is none that knows steps.
pub(crate) fn evaluate(
    function: Function,
    window: StepWindow<'_>,
    parameters: [f64; 2],
) -> Option<Option<f64>> {
    exact::evaluate(function, window).or_else(|| virtual_samples::evaluate(function, window, parameters))
}

/// When a value that holds at `at_ms` was last seen: at the last virtual sample, or when its step began.
pub(crate) fn seen_ms(steps: &Steps, step: usize, at_ms: i64, hold_interval_ms: i64) -> i64 {
    let last_sample = at_ms.div_euclid(hold_interval_ms) * hold_interval_ms;
    last_sample.max(steps.from_ms[step])
}
