//! One pushed series under windows.

use model::{Series, Value};

use super::pushed;
use super::series::{Found, WINDOWS_BETWEEN_CHECKS};
use crate::exec::tally::FirstSeen;
use crate::exec::{Context, ExecError, Result};
use crate::plan::Windows;
use crate::steps::{self, StepWindow, StepWindows};
use crate::syntax::Function;

impl Context<'_> {
    /// Windows over pushed floats alone.
    pub(super) fn over_steps(
        &self,
        series: &Series,
        node: &Windows,
        numbers: impl Fn(usize) -> Result<[f64; 2]>,
        Found { points, tally }: Found<'_>,
    ) -> Result<()> {
        let places = self.places_of(series, node);
        let _room = self.budget.room(places.len())?;
        points.reserve(places.clone());
        let mut windows = StepWindows::over(&series.steps, self.settings.hold_interval_ms);
        let mut first_seen = FirstSeen::default();
        for index in places {
            if index % WINDOWS_BETWEEN_CHECKS == 0 {
                self.budget.check_time()?;
            }
            let end_ms = node.times.at(index);
            let Some(steps) = windows.at(end_ms.saturating_sub(node.range_ms), end_ms) else { continue };
            let steps = StepWindow { eval_ms: node.grid.at(index), ..steps };
            let inside = steps.first..steps.end;
            tally.add(index, inside.len() as u64, first_seen.of(&inside).len() as u64);
            if let Some(value) = self.of_float_steps(node, steps, numbers(index)?)? {
                points.push(index, value);
            }
        }
        Ok(())
    }

    /// What was pushed, in one window.
    pub(super) fn of_steps(
        &self,
        node: &Windows,
        name: &str,
        steps: StepWindow<'_>,
        numbers: [f64; 2],
    ) -> Result<Option<Value>> {
        if pushed::has_histograms(&steps) {
            return self.pushed_histograms(node, name, steps, numbers);
        }
        Ok(self.of_float_steps(node, steps, numbers)?.map(Value::Float))
    }

    /// Likewise, where only floats were pushed.
    pub(super) fn of_float_steps(
        &self,
        node: &Windows,
        steps: StepWindow<'_>,
        numbers: [f64; 2],
    ) -> Result<Option<f64>> {
        // functions that need each virtual sample may need very many
        let written_out = steps::written_out(node.function, &steps);
        if written_out > 0 {
            self.budget.check_time()?;
        }
        let _room = self.budget.room(written_out.saturating_mul(2))?;
        steps::evaluate(node.function, steps, numbers).ok_or_else(|| not_on_steps(node.function))
    }
}

fn not_on_steps(function: Function) -> ExecError {
    ExecError::not_supported(format!("{} of pushed series", function.name()))
}
