//! Reading what a query selects, batch by batch: limits are looked at before the next one is asked for.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use futures::future::try_join_all;
use model::{Selection, Series};

use super::batches::Batches;
use super::{QueryError, loaded};
use crate::exec::{Budget, ExecError, Weight};
use crate::explain::Explanation;
use crate::plan::Plan;
use crate::source::{NeededLabels, SeriesSource, SourceNotes};

/// The reading of one query, whose selections are read at the same time and share its limits.
pub(super) struct Read<'a> {
    source: &'a dyn SeriesSource,
    notes: &'a SourceNotes,
    budget: &'a Budget,
    series_max: usize,
    series: AtomicUsize,
    /// Where it is told what reading each selection took, if somebody wants to know.
    explanation: Option<&'a Explanation>,
}

impl<'a> Read<'a> {
    pub(super) fn new(
        source: &'a dyn SeriesSource,
        notes: &'a SourceNotes,
        budget: &'a Budget,
        series_max: usize,
    ) -> Self {
        Self { source, notes, budget, series_max, series: AtomicUsize::new(0), explanation: None }
    }

    /// The same, which tells there what reading each selection took.
    pub(super) fn explained_in(self, explanation: Option<&'a Explanation>) -> Self {
        Self { explanation, ..self }
    }

    /// The series of each selection. What is over a limit ends all of them, and nothing that was read stays.
    pub(super) async fn all(&self, plan: &Plan) -> Result<Vec<Batches>, QueryError> {
        let wanted = plan.selections.iter().zip(&plan.needed);
        try_join_all(wanted.enumerate().map(async |(place, (selection, needed))| {
            let Some(explanation) = self.explanation else {
                return self.one(selection, needed, self.notes, None).await;
            };
            // what is asked of the store is told for each by itself, also where the reading breaks off
            let told = Told {
                explanation,
                place,
                notes: SourceNotes::default(),
                began_us: self.budget.now_us(),
                into: self.notes,
                budget: self.budget,
            };
            self.one(selection, needed, &told.notes, Some(&told)).await
        }))
        .await
    }

    /// The series of a selection, with the labels that are needed.
    async fn one(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        notes: &SourceNotes,
        told: Option<&Told<'_>>,
    ) -> Result<Batches, QueryError> {
        if let Some(series) = self.batches(selection, needed, notes, told).await? {
            return Ok(series);
        }
        let series = self.batches(selection, &NeededLabels::All, notes, told).await?;
        series.ok_or(ExecError::Internal { what: "all labels are not enough" }.into())
    }

    /// `None` if there are types or units: they go away together with the name, and only all labels tell whether series
    /// are the same then.
    async fn batches(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        notes: &SourceNotes,
        told: Option<&Told<'_>>,
    ) -> Result<Option<Batches>, QueryError> {
        let mut stream = self.source.batches(selection, needed, notes);
        let mut read = Batches::default();
        let mut held = Weight::default();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if let Some(told) = told {
                told.count(&batch);
            }
            self.budget.check_time()?;
            held += self.hold(&batch)?;
            let any_typed = *needed != NeededLabels::All && batch.iter().any(is_typed);
            read.take(batch);
            if any_typed {
                self.release(read.len(), held);
                if let Some(told) = told {
                    told.forget();
                }
                return Ok(None);
            }
        }
        Ok(Some(read))
    }

    fn hold(&self, batch: &[Series]) -> Result<Weight, ExecError> {
        let before = self.series.fetch_add(batch.len(), Ordering::Relaxed);
        if before.saturating_add(batch.len()) > self.series_max {
            return Err(ExecError::TooManySeries { series_max: self.series_max });
        }
        let weight = batch.iter().map(loaded::weight).sum();
        self.budget.hold(weight)?;
        Ok(weight)
    }

    fn release(&self, series: usize, held: Weight) {
        self.series.fetch_sub(series, Ordering::Relaxed);
        self.budget.release(held);
    }
}

/// Tells what the reading of a selection took, when it is over, however it ends.
struct Told<'a> {
    explanation: &'a Explanation,
    place: usize,
    notes: SourceNotes,
    began_us: i64,
    /// Where its own notes belong.
    into: &'a SourceNotes,
    budget: &'a Budget,
}

impl Told<'_> {
    fn count(&self, batch: &[Series]) {
        let samples = batch.iter().map(|series| (series.samples.len() + series.steps.len()) as u64);
        self.explanation.read(self.place, |reading| {
            reading.series += batch.len() as u64;
            reading.samples += samples.sum::<u64>();
        });
    }

    /// All of it is read again.
    fn forget(&self) {
        self.explanation.read(self.place, |reading| (reading.series, reading.samples) = (0, 0));
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let time_us = (self.budget.now_us() - self.began_us).max(0);
        let usage = self.notes.usage();
        self.explanation.read(self.place, |reading| (reading.time_us, reading.usage) = (time_us, usage));
        self.into.append(std::mem::take(&mut self.notes));
    }
}

pub(super) fn is_typed(series: &Series) -> bool {
    series.labels.get("__type__").or(series.labels.get("__unit__")).is_some()
}
