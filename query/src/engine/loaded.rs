//! A query between reading and its result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Label, Selection, Series};

use super::{Outcome, QueryError, Usage, resets};
use crate::exec::{self, Budget, ExecSettings, Executor, Line, Weight, of_histogram};
use crate::fragment::LocalRunner;
use crate::plan::{NodeKind, Plan};
use crate::steps::Scrapes;
use crate::syntax::ValueType;
use crate::value::{MatrixSeries, Value, VectorSample};

/// What a series that was read counts as.
pub(super) fn weight(series: &Series) -> Weight {
    let Series { labels, samples, steps } = series;
    let numbers = 8 * (2 * samples.len() + samples.start_ms.len() + 3 * steps.len());
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
    pub(super) data: Vec<Vec<Series>>,
    /// What the data lack.
    pub(super) lacking: Vec<String>,
    pub(super) settings: ExecSettings,
    /// Whether pushed series are to be read as if they had been scraped, and how often.
    pub(super) as_scraped_ms: Option<i64>,
    /// How many threads compute at the same time.
    pub(super) threads: usize,
    pub(super) samples_read: u64,
    pub(super) budget: Budget,
    pub(super) canceled: Arc<AtomicBool>,
}

/// Stops an evaluation when it is dropped.
#[derive(Debug)]
pub struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Loaded {
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
        let runner = LocalRunner { data: &self.data, budget: &self.budget, threads: self.threads };
        let executor = Executor::new(&self.plan, &self.data, &runner, self.settings, &self.budget);
        let root = &self.plan.root;
        let grid = root.grid;
        let value = match (&root.kind, root.value_type) {
            (NodeKind::String(text), _) => Value::String { at_ms: grid.start_ms, value: text.clone() },
            (_, ValueType::Scalar) => self.scalar(executor.root_scalar()?),
            (_, ValueType::Matrix) => Value::Matrix(in_order(executor.root_matrix()?)),
            _ if self.settings.instant => {
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
        let usage = Usage { samples_read: self.samples_read, samples_most: self.budget.samples_most() };
        let mut annotations = executor.into_annotations();
        annotations.set_lacking(std::mem::take(&mut self.lacking));
        Ok(Outcome { value, annotations, usage })
    }

    /// Brings what was read into the form and order in which it is evaluated.
    fn prepare(&mut self) -> Result<(), QueryError> {
        for (index, series) in self.data.iter_mut().enumerate() {
            // the order in which everything is added
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            if let Some(interval_ms) = self.as_scraped_ms {
                let Selection { start_ms, end_ms, .. } = self.plan.selections[index];
                let scrapes = Scrapes { interval_ms, start_ms, end_ms };
                for series in series.iter_mut().filter(|series| !series.steps.is_empty()) {
                    self.budget.check_time()?;
                    let samples = scrapes.count(&series.steps);
                    self.budget.hold(Weight { samples, bytes: samples.saturating_mul(16) })?;
                    series.samples = scrapes.of(&std::mem::take(&mut series.steps), &series.samples);
                }
            }
            if self.plan.totals_only[index] {
                series.iter_mut().for_each(|series| resets::state(&mut series.samples));
            }
        }
        Ok(())
    }

    fn scalar(&self, values: Vec<f64>) -> Value {
        let grid = self.plan.root.grid;
        match values.as_slice() {
            [value] if self.settings.instant => Value::Scalar { at_ms: grid.start_ms, value: *value },
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
