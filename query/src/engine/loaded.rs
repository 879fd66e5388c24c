//! A query between reading and its result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Label, Series};

use super::batches::Batches;
use super::{Outcome, QueryError, Usage, read};
use crate::exec::{self, Budget, Common, Executor, Line, Weight, of_histogram};
use crate::explain::Explanation;
use crate::fragment::{FragmentRunner, LocalRunner, Reading};
use crate::plan::{NodeKind, Plan};
use crate::results::Read;
use crate::source::Snapshot;
use crate::syntax::ValueType;
use crate::value::{MatrixSeries, Value, VectorSample};

/// What a series that was read counts as.
pub(super) fn weight(series: &Series) -> Weight {
    let Series { labels, samples, steps } = series;
    let numbers = 8 * (2 * samples.len() + samples.start_ms.len() + 3 * steps.len() + steps.start_ms.len());
    // texts of labels are often shared, but nobody can be sure
    let texts: usize = labels.iter().map(|label| label.name.len() + label.value.len()).sum();
    let label_slots = size_of::<Label>() * labels.len();
    let own = Weight {
        samples: (samples.len() + steps.len()) as u64,
        bytes: (size_of::<Series>() + numbers + texts + label_slots) as u64,
    };
    let histograms = samples.histograms.iter().chain(&steps.histograms).flatten();
    own + histograms.map(|histogram| of_histogram(histogram)).sum()
}

/// A query whose data are in memory.
#[derive(Debug)]
pub struct Loaded {
    pub(super) plan: Plan,
    /// What was read of each selection, …
    pub(super) read: Vec<Batches>,
    /// … and the same as it is evaluated.
    pub(super) data: Vec<Vec<Series>>,
    /// What the data lack.
    pub(super) lacking: Vec<String>,
    pub(super) common: Common,
    /// How many threads compute at the same time.
    pub(super) threads: usize,
    pub(super) budget: Budget,
    pub(super) canceled: Arc<AtomicBool>,
    pub(super) explanation: Option<Arc<Explanation>>,
}

/// Stops an evaluation when it is dropped.
#[derive(Debug)]
pub struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A query over no more series and samples than these, each time that they are looked at, is evaluated in no time.
const QUICK_SERIES_MAX: usize = 1_000;
const QUICK_SAMPLES_MAX: u64 = 100_000;

impl Loaded {
    /// Whether evaluating it takes less than handing it to another thread would be worth.
    pub fn is_quick(&self) -> bool {
        let (series, times) =
            (self.read.iter().map(Batches::len).sum::<usize>(), self.plan.steps_most as u64);
        series <= QUICK_SERIES_MAX && self.samples().max(1).saturating_mul(times) <= QUICK_SAMPLES_MAX
    }

    /// How many samples were read; those of native histograms count as several.
    pub fn samples(&self) -> u64 {
        // nothing is computed yet
        self.budget.samples_most()
    }

    /// What was read of each selection; `None` where not all of it is as a part of a longer time would be.
    pub(crate) fn reads(&self, snapshot: &dyn Snapshot) -> Option<Vec<Read>> {
        let each = self.plan.selections.iter().zip(&self.read).map(|(selection, batches)| {
            let series = batches.series();
            let shown = snapshot.shown(selection).filter(|shown| shown.is_of_times)?;
            // types and units go away with names, so they make others ask for all labels
            if series.iter().any(read::is_typed) {
                return None;
            }
            let counts = || series.iter().map(|one| (one.samples.len() + one.steps.len()) as u64);
            let (samples, longest) = (counts().sum(), counts().max().unwrap_or(0));
            Some(Read::of(&shown, series.len() as u64, samples, longest))
        });
        each.collect()
    }

    /// Something to hold while the answer is wanted.
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Arc::clone(&self.canceled))
    }

    /// Evaluates the query. This computes, and does nothing else.
    ///
    /// # Errors
    /// If it cannot be evaluated.
    pub fn execute(mut self) -> Result<Outcome, QueryError> {
        self.prepare()?;
        self.evaluate(&LocalRunner { data: &self.data, budget: &self.budget, threads: self.threads })
    }

    /// Likewise, with its fragments run by another runner.
    ///
    /// # Errors
    /// If it cannot be evaluated, or the runner fails.
    pub fn execute_on(mut self, runner: &dyn FragmentRunner) -> Result<Outcome, QueryError> {
        self.prepare()?;
        self.evaluate(runner)
    }

    fn evaluate(&self, runner: &dyn FragmentRunner) -> Result<Outcome, QueryError> {
        let executor = Executor::new(&self.plan, &self.data, runner, self.common, &self.budget)
            .explained_in(self.explanation.as_deref());
        let root = &self.plan.root;
        let grid = root.grid;
        let value = match (&root.kind, root.value_type) {
            (NodeKind::String(text), _) => Value::String { at_ms: grid.start_ms, value: text.clone() },
            (_, ValueType::Scalar) => self.scalar(executor.root_scalar()?),
            (_, ValueType::Matrix) => Value::Matrix(in_order(executor.root_matrix()?)),
            _ if self.common.settings.instant => {
                let lines = executor.root_lines()?;
                Value::Vector(lines.iter().filter_map(|line| sample(line, grid.start_ms)).collect())
            }
            _ => {
                let lines = executor.root_lines()?;
                let series =
                    lines.into_iter().map(|line| exec::into_matrix_series(line, |index| grid.at(index)));
                Value::Matrix(in_order(series.collect()))
            }
        };
        let (mut annotations, tally) = executor.into_remains();
        let [looked_at, read] = tally.into_steps(grid);
        let (samples_most, bytes_most) = (self.budget.samples_most(), self.budget.bytes_most());
        let usage = Usage { samples_most, bytes_most, looked_at, read };
        annotations.set_lacking(self.lacking.clone());
        Ok(Outcome { value, annotations, usage })
    }

    /// Brings what was read into the form and order in which it is evaluated.
    fn prepare(&mut self) -> Result<(), QueryError> {
        let read = std::mem::take(&mut self.read).into_iter();
        self.data = read.map(|read| read.in_order(self.threads)).collect();
        for (index, series) in self.data.iter_mut().enumerate() {
            let totals_only = self.plan.totals_only[index];
            let reading = Reading { as_scraped_ms: self.common.as_scraped_ms, totals_only };
            reading.prepare(series, &self.plan.selections[index], &self.budget)?;
        }
        Ok(())
    }

    fn scalar(&self, values: Vec<f64>) -> Value {
        let grid = self.plan.root.grid;
        match values.as_slice() {
            [value] if self.common.settings.instant => Value::Scalar { at_ms: grid.start_ms, value: *value },
            _ => {
                let floats = grid.times().zip(values).collect();
                Value::Matrix(vec![MatrixSeries { floats, ..MatrixSeries::default() }])
            }
        }
    }
}

fn sample(line: &Line, at_ms: i64) -> Option<VectorSample> {
    exec::first_value(line).map(|value| VectorSample { labels: line.labels.clone(), at_ms, value })
}

fn in_order(mut series: Vec<MatrixSeries>) -> Vec<MatrixSeries> {
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series
}
