//! The smallest unit of work of a query: everything that can be computed from the series of one selection alone.
//!
//! A [`Fragment`] is a plain value that says what is read, what is made of each series, and into which groups the results
//! are folded; it can be written as bytes and read back. Evaluating it is pure: the same fragment over the same series
//! gives the same [`Partial`], to the bit. So fragments can run on threads, as they do here, or elsewhere: whoever
//! implements [`FragmentRunner`] decides.

mod codec;
mod partial;
mod partial_wire;
mod runner;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use model::{Clock, Selection, Series};

use crate::exec::{Allowance, Budget, ExecError, ExecSettings, Scalar};
use crate::plan::{InstantNode, Windows};
use crate::steps::Scrapes;
use crate::syntax::{AggregateOp, ByteRange};

pub use codec::CodecError;
pub use partial::Partial;
pub(crate) use partial::{GroupState, HistogramSeries, Yield};
pub use runner::FragmentRunner;
pub(crate) use runner::{CHUNK_SAMPLES_MAX, CHUNK_SERIES_MAX, LocalRunner};

/// What is to be computed of the series of one selection.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// What is read.
    pub(crate) selection: Selection,
    /// Which of the query's selections that is.
    pub(crate) selected: usize,
    /// Where it lies, in words of the store alone.
    pub(crate) parts: Option<Vec<u8>>,
    /// How it is read.
    pub(crate) reading: Reading,
    /// What is made of each series.
    pub(crate) leaf: Leaf,
    /// How the results are brought together; without it they stay apart.
    pub(crate) fold: Option<Fold>,
    /// How the query is evaluated.
    pub(crate) settings: ExecSettings,
    /// What evaluating may use.
    pub(crate) limits: Limits,
}

/// What is done with series before they are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether pushed series are to be read as if they had been scraped, and how often.
    pub(crate) as_scraped_ms: Option<i64>,
    /// Whether only the counts and sums of histograms are asked for.
    pub(crate) totals_only: bool,
}

/// What evaluating may use. It stops an evaluation, and changes no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) samples_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) timeout_ms: i64,
}

/// What is made of one series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// Its value at single times.
    Instant(InstantNode),
    /// A function over windows, with its numbers.
    Windows(Windows, Vec<Scalar>),
}

/// A part of an aggregation: what the series of each group come to so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    pub(crate) op: AggregateOp,
    /// Whether `labels` are those that do not tell groups apart.
    pub(crate) without: bool,
    pub(crate) labels: Vec<Arc<str>>,
    /// The piece of the query that is aggregated.
    pub(crate) range: ByteRange,
}

impl Fragment {
    /// What must be read.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Where it lies, if somebody has said so: words of the store that nobody else understands.
    pub fn parts(&self) -> Option<&[u8]> {
        self.parts.as_deref()
    }

    /// The same, for a part of the data.
    #[must_use]
    pub fn with_parts(self, parts: Vec<u8>) -> Self {
        Self { parts: Some(parts), ..self }
    }

    /// What it makes of series that were read, in whatever order they come. This computes, and depends on nothing else;
    /// the clock can only stop it.
    ///
    /// # Errors
    /// If the evaluation stops.
    pub fn evaluate(&self, mut series: Vec<Series>, clock: Arc<dyn Clock>) -> Result<Partial, ExecError> {
        let Limits { samples_max, bytes_max, timeout_ms } = self.limits;
        let deadline_ms = clock.now_ms().saturating_add(timeout_ms);
        let allowance = Allowance { samples_max, bytes_max, deadline_ms };
        let budget = Budget::new(allowance, clock, Arc::new(AtomicBool::new(false)));
        self.reading.prepare(&mut series, &self.selection, &budget)?;
        crate::exec::evaluate(self, &series, &budget).map(|(partial, _)| partial)
    }

    /// As bytes; equal fragments have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::to_bytes(self)
    }

    /// Reads what [`Fragment::to_bytes`] wrote.
    ///
    /// # Errors
    /// If the bytes are no fragment, or one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::from_bytes(bytes)
    }
}

impl Reading {
    /// Brings what was read into the form and order in which it is evaluated.
    pub(crate) fn prepare(
        self,
        series: &mut [Series],
        selection: &Selection,
        budget: &Budget,
    ) -> Result<(), ExecError> {
        // the order in which everything is added
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        if let Some(interval_ms) = self.as_scraped_ms {
            let Selection { start_ms, end_ms, .. } = *selection;
            let scrapes = Scrapes { interval_ms, start_ms, end_ms };
            for series in series.iter_mut().filter(|series| !series.steps.is_empty()) {
                budget.check_time()?;
                budget.hold(scrapes.weight(&series.steps))?;
                series.samples = scrapes.of(&std::mem::take(&mut series.steps), &series.samples);
            }
        }
        if self.totals_only {
            series.iter_mut().for_each(|series| crate::exec::state_resets(&mut series.samples));
        }
        Ok(())
    }
}
