//! Windows over pushed series that hold native histograms.
//!
//! As for floats, what changed is exact on the steps, and what weights by number of samples sees the virtual samples.

use std::sync::Arc;

use model::{Histogram, HistogramSum, Steps, Value};

use super::histograms::Counting;
use crate::exec::scalar::seconds;
use crate::exec::{Context, ExecError, Result, remarks};
use crate::plan::Windows;
use crate::steps::{self, StepWindow, StepWindows};
use crate::syntax::Function;

/// Whether histograms are among the steps of a window.
pub(super) fn has_histograms(window: &StepWindow<'_>) -> bool {
    window.steps.histograms.get(window.first..window.end).unwrap_or(&[]).iter().any(Option::is_some)
}

impl Context<'_> {
    /// What a function makes of a window in which native histograms hold.
    pub(super) fn pushed_histograms(
        &self,
        node: &Windows,
        name: &str,
        window: StepWindow<'_>,
        parameters: [f64; 2],
    ) -> Result<Option<Value>> {
        let function = node.function;
        let all = &window.steps.histograms[window.first..window.end];
        let at = |step: usize| match &window.steps.histograms[step] {
            Some(histogram) => Value::Histogram(Arc::clone(histogram)),
            None => Value::Float(window.steps.values[step]),
        };
        match function {
            Function::LastOverTime => return Ok(Some(at(window.end - 1))),
            Function::FirstOverTime => return Ok(Some(at(window.first_inside()))),
            Function::CountOverTime
            | Function::PresentOverTime
            | Function::AbsentOverTime
            | Function::TsOfFirstOverTime
            | Function::TsOfLastOverTime => {
                return Ok(steps::evaluate(function, window, parameters).flatten().map(Value::Float));
            }
            Function::Rate
            | Function::Increase
            | Function::Delta
            | Function::Irate
            | Function::Idelta
            | Function::Resets
            | Function::Changes
            | Function::SumOverTime
            | Function::AvgOverTime => {}
            // all others look at floats only
            _ if all.iter().all(Option::is_some) => return Ok(None),
            _ => return self.floats_among(node, name, window, parameters),
        }
        // of more than the last two the last change knows nothing
        let (window, all) = match function {
            Function::Irate | Function::Idelta => last_two(window),
            _ => (window, all),
        };
        let histograms: Vec<Arc<Histogram>> = all.iter().flatten().cloned().collect();
        if histograms.is_empty() {
            return Ok(steps::evaluate(function, window, parameters).flatten().map(Value::Float));
        }
        if histograms.len() < all.len() {
            self.warn_or_info(true, node, remarks::mixed_kinds(name));
            return Ok(None);
        }
        let from_zero = |index: usize| window.steps.from_zero[window.first + index];
        let anew =
            |index: usize| from_zero(index) || histograms[index].starts_anew_after(&histograms[index - 1]);
        let value = match function {
            Function::Rate | Function::Increase | Function::Delta => {
                let counter = function != Function::Delta;
                let begins_inside = window.steps.from_ms[window.first] > window.start_ms;
                let from_zero = counter && begins_inside && from_zero(0);
                let counting = Counting { counter, from_zero, anew: &anew };
                let Some(mut change) = self.difference(node, name, &histograms, &counting) else {
                    return Ok(None);
                };
                if function == Function::Rate {
                    change.divide(window.range_s());
                }
                Value::Histogram(Arc::new(change.value()))
            }
            Function::Irate | Function::Idelta => {
                return Ok(self.last_step(node, name, window, &histograms, &anew));
            }
            Function::Resets => Value::Float(count((1..histograms.len()).filter(|&index| anew(index)))),
            Function::Changes => {
                let changed = |index: &usize| !histograms[*index].same_data(&histograms[index - 1]);
                Value::Float(count((1..histograms.len()).filter(changed)))
            }
            Function::SumOverTime | Function::AvgOverTime => {
                return Ok(self.sampled_together(node, name, window));
            }
            _ => return Err(ExecError::Internal { what: "a function of pushed histograms that is none" }),
        };
        Ok(Some(value))
    }

    /// What a function of floats makes of those that hold beside histograms.
    fn floats_among(
        &self,
        node: &Windows,
        name: &str,
        window: StepWindow<'_>,
        parameters: [f64; 2],
    ) -> Result<Option<Value>> {
        self.warn_or_info(false, node, remarks::ignored_in_range(name));
        let of = window.steps;
        let mut floats = Steps::default();
        for step in (window.first..window.end).filter(|&step| of.histograms[step].is_none()) {
            floats.push(of.from_ms[step], of.until_ms[step], of.values[step]);
        }
        let windows = StepWindows::over(&floats, window.hold_interval_ms).at(window.start_ms, window.end_ms);
        let Some(floats) = windows else { return Ok(None) };
        let floats = StepWindow { eval_ms: window.eval_ms, ..floats };
        Ok(self.of_float_steps(node, floats, parameters)?.map(Value::Float))
    }

    /// The change from the step before the last to the last; `irate` divides it by the time between their beginnings.
    fn last_step(
        &self,
        node: &Windows,
        name: &str,
        window: StepWindow<'_>,
        histograms: &[Arc<Histogram>],
        anew: &dyn Fn(usize) -> bool,
    ) -> Option<Value> {
        let per_s = node.function == Function::Irate;
        let counting = Counting { counter: per_s, from_zero: false, anew };
        let mut change = self.difference(node, name, histograms, &counting)?;
        if let (true, [before_ms, last_ms]) = (per_s, &window.steps.from_ms[window.first..window.end]) {
            let elapsed_ms = last_ms - before_ms;
            if elapsed_ms <= 0 {
                return None;
            }
            change.divide(seconds(elapsed_ms));
        }
        Some(Value::Histogram(Arc::new(change.value())))
    }

    /// The sum or the mean of the virtual samples.
    fn sampled_together(&self, node: &Windows, name: &str, window: StepWindow<'_>) -> Option<Value> {
        let mut sum: Option<HistogramSum> = None;
        let mut total = 0.0;
        for (step, count) in window.sampled_steps() {
            let histogram = window.steps.histograms[step].as_ref()?.scaled(count);
            total += count;
            match &mut sum {
                None => sum = Some(HistogramSum::of(&histogram)),
                Some(sum) => {
                    if sum.add(&histogram).is_err() {
                        self.warn_or_info(true, node, remarks::mixed_buckets(name));
                        return None;
                    }
                }
            }
        }
        let mut sum = sum?;
        if node.function == Function::AvgOverTime {
            sum.divide(total);
        }
        Some(Value::Histogram(Arc::new(sum.value())))
    }
}

/// The last two steps of a window.
fn last_two(window: StepWindow<'_>) -> (StepWindow<'_>, &[Option<Arc<Histogram>>]) {
    let first = window.first.max(window.end.saturating_sub(2));
    (StepWindow { first, ..window }, &window.steps.histograms[first..window.end])
}

#[expect(clippy::cast_precision_loss, reason = "a number of steps in memory")]
fn count(steps: impl Iterator<Item = usize>) -> f64 {
    steps.count() as f64
}
