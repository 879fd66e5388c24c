//! A range vector as the result of a query.

use model::{Samples, Series};

use super::columns::{self, Columns, Cursor};
use crate::exec::{Executor, Result, Tally, Weight, of_histogram};
use crate::plan::{MatrixNode, Windowed};
use crate::steps::{self, StepWindows};
use crate::value::MatrixSeries;

impl Executor<'_> {
    /// The samples in the first window of each series.
    pub(in crate::exec) fn bare_windows(&self, matrix: &MatrixNode) -> Result<Vec<MatrixSeries>> {
        let mut result = Vec::new();
        let mut looked_at = 0_u64;
        let end_ms = matrix.times.at(0);
        let start_ms = end_ms.saturating_sub(matrix.range_ms);
        let inner = self.each_bare(matrix, &mut |series, drop_name| {
            let samples = series.samples.len() as u64;
            self.budget.hold(Weight { samples, bytes: samples * 16 })?;
            let mut found = of_samples(&series.samples, start_ms, end_ms);
            self.add_steps(series, start_ms, end_ms, &mut found)?;
            let histograms = found.histograms.iter().map(|(_, histogram)| of_histogram(histogram).samples);
            looked_at += found.floats.len() as u64 + histograms.sum::<u64>();
            if !found.floats.is_empty() || !found.histograms.is_empty() {
                found.labels = match drop_name {
                    true => crate::exec::names::without_metadata(&series.labels),
                    false => series.labels.clone(),
                };
                result.push(found);
            }
            Ok(())
        })?;
        let read = if inner.is_none() { looked_at } else { 0 };
        let mut tally = self.tally.borrow_mut();
        tally.add(0, looked_at, read);
        if let (Some(inner), Windowed::Subquery(node)) = (inner, &matrix.of) {
            tally.absorb_read(&inner, node.grid, matrix.times, matrix.range_ms);
        }
        Ok(result)
    }

    /// Hands over each series that the windows are laid over, and whether its name is to go. Gives what was counted for
    /// the steps of a subquery.
    fn each_bare(
        &self,
        matrix: &MatrixNode,
        each: &mut dyn FnMut(&Series, bool) -> Result<()>,
    ) -> Result<Option<Tally>> {
        match &matrix.of {
            Windowed::Selection(selection) => {
                for series in &self.data[*selection] {
                    self.budget.check_time()?;
                    each(series, false)?;
                }
                Ok(None)
            }
            Windowed::Subquery(inner) => {
                let ((), tally) = self.in_subquery(inner, &mut |line| {
                    each(&columns::as_series(&line, inner.grid), line.drop_name)
                })?;
                Ok(Some(tally))
            }
        }
    }

    /// Adds what was pushed. Where a sample has the same time, the sample stays.
    fn add_steps(&self, series: &Series, start_ms: i64, end_ms: i64, found: &mut MatrixSeries) -> Result<()> {
        let Some(window) =
            StepWindows::over(&series.steps, self.settings.hold_interval_ms).at(start_ms, end_ms)
        else {
            return Ok(());
        };
        let samples = window.sample_count().saturating_add(window.end - window.first) as u64;
        self.budget.hold(Weight { samples, bytes: samples.saturating_mul(16) })?;
        for (at_ms, step) in steps::bare(window) {
            match series.steps.histograms.get(step) {
                Some(Some(histogram)) => found.histograms.push((at_ms, histogram.clone())),
                _ => found.floats.push((at_ms, series.steps.values[step])),
            }
        }
        found.floats.sort_by_key(|(at_ms, _)| *at_ms);
        found.floats.dedup_by_key(|(at_ms, _)| *at_ms);
        found.histograms.sort_by_key(|(at_ms, _)| *at_ms);
        found.histograms.dedup_by_key(|(at_ms, _)| *at_ms);
        Ok(())
    }
}

fn of_samples(samples: &Samples, start_ms: i64, end_ms: i64) -> MatrixSeries {
    let columns = Columns::of(samples);
    let floats = Cursor::over(&columns.times).at(start_ms, end_ms);
    let histograms = Cursor::over(&columns.histogram_times).at(start_ms, end_ms);
    MatrixSeries {
        floats: floats.map(|index| (columns.times[index], columns.values[index])).collect(),
        histograms: histograms
            .map(|index| (columns.histogram_times[index], columns.histograms[index].clone()))
            .collect(),
        ..MatrixSeries::default()
    }
}
