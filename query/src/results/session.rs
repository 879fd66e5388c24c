//! One query on its way, of which results may be known.

use std::sync::Arc;

use super::Read;
use super::memory::{Key, Results};
use super::stretch::{Mismatch, Patience, Stretch, are_apart, memory_bytes_of, within};
use super::taken::{Limits, Taken};
use crate::annotations::Annotation;
use crate::engine::{Outcome, QueryError, Settings};
use crate::exec::ExecError;
use crate::plan::{Grid, Reach};
use crate::source::Snapshot;
use crate::value::{MatrixSeries, Value};

/// Fewer steps are not worth it.
const STEPS_MIN: usize = 4;

/// If fewer than one of so many steps are known, all are evaluated.
const KNOWN_PART: usize = 4;

/// To copy no more values than this takes no time.
const QUICK_VALUES_MAX: usize = 10_000;

/// A range query that may be joined of what is known and what is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'q> {
    /// Whose results: see [`Results::scope`].
    pub(crate) scope: u64,
    /// As it was written.
    pub(crate) text: &'q str,
    pub(crate) grid: Grid,
    pub(crate) reach: Reach,
    pub(crate) lookback_ms: i64,
}

/// See the module.
pub(crate) struct Session {
    results: Arc<Results>,
    key: Key,
    grid: Grid,
    reach: Reach,
    limits: Limits,
    snapshot: Arc<dyn Snapshot>,
    known: Option<Arc<Stretch>>,
    reuse: Option<Reuse>,
    patience: Patience,
    /// Whether steps were known and could not be used.
    was_unfit: bool,
}

/// Steps that need not be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reuse {
    /// The first that is still true, perhaps of before the query.
    first_ms: i64,
    /// The last that is used. It is evaluated once more, with those behind it: so the times that are read for both meet, and it shows
    /// whether it is what it was.
    pub(crate) last_ms: i64,
}

impl Asked<'_> {
    /// Whether it is worth while to look.
    pub(crate) fn is_worth_it(&self) -> bool {
        self.grid.count >= STEPS_MIN && self.grid.step_ms > 0
    }
}

impl Session {
    /// Looks up what is known of a query, and of it what is true on the ground of a snapshot.
    pub(crate) fn open(
        results: &Arc<Results>,
        asked: &Asked<'_>,
        settings: &Settings,
        snapshot: Arc<dyn Snapshot>,
    ) -> Self {
        let Asked { scope, text, grid, reach, lookback_ms } = *asked;
        let (step_ms, phase_ms) = (grid.step_ms, grid.start_ms.rem_euclid(grid.step_ms));
        let key = Key { scope, text: text.into(), step_ms, phase_ms, lookback_ms };
        let limits = Limits {
            samples_max: settings.samples_max,
            bytes_max: settings.bytes_max,
            series_max: settings.series_max as u64,
        };
        let known = results.get(&key);
        let patience = known.as_ref().map(|known| known.patience).unwrap_or_default();
        let mut session = Self {
            results: Arc::clone(results),
            key,
            grid,
            reach,
            limits,
            snapshot,
            known,
            reuse: None,
            patience: patience.waited(),
            was_unfit: false,
        };
        if !patience.is_too_early() {
            session.reuse = session.usable();
        }
        session
    }

    fn usable(&self) -> Option<Reuse> {
        let Grid { start_ms, step_ms, count } = self.grid;
        // the newest step is always evaluated
        let until_ms = self.grid.end_ms() - step_ms;
        let known = self.known.as_ref()?;
        let (first_ms, last_ms) =
            known.still_true(self.snapshot.ground(), &self.reach, start_ms, until_ms)?;
        let reuse = Reuse { first_ms, last_ms };
        let reused = self.steps_between(start_ms, last_ms);
        (reused > 1 && reused * KNOWN_PART >= count).then_some(reuse)
    }

    fn steps_between(&self, first_ms: i64, last_ms: i64) -> usize {
        usize::try_from((last_ms - first_ms) / self.grid.step_ms + 1).unwrap_or(0)
    }

    /// Where everything is to be read.
    pub(crate) fn snapshot(&self) -> &Arc<dyn Snapshot> {
        &self.snapshot
    }

    /// What need not be evaluated; `None`: everything must be.
    pub(crate) fn reuse(&self) -> Option<Reuse> {
        self.reuse
    }

    /// Whether to put the outcome together takes no time.
    pub(crate) fn is_quick(&self) -> bool {
        let series =
            self.known.as_ref().filter(|_| self.reuse.is_some()).map_or(0, |known| known.series.len());
        series.saturating_mul(self.grid.count) <= QUICK_VALUES_MAX
    }

    /// How many steps are not evaluated, and how many are.
    pub(crate) fn steps(&self) -> (usize, usize) {
        let reused = self.reuse.map_or(0, |reuse| self.steps_between(self.grid.start_ms, reuse.last_ms));
        (reused, self.grid.count - reused)
    }

    /// The same query, which is evaluated as a whole since steps could not be joined.
    pub(crate) fn as_a_whole(&self) -> Self {
        self.results.count(|counts| &counts.unfit, 1);
        Self {
            results: Arc::clone(&self.results),
            key: self.key.clone(),
            snapshot: Arc::clone(&self.snapshot),
            known: self.known.clone(),
            reuse: None,
            patience: self.known.as_ref().map(|known| known.patience).unwrap_or_default().longer(),
            was_unfit: true,
            ..*self
        }
    }

    /// The outcome of the whole query, of that of what had to be evaluated and of what that read (`None`: it cannot be told what
    /// it rests on). `None`: it cannot be put together.
    ///
    /// # Errors
    /// That of the evaluation, where the whole would have it too.
    pub(crate) fn finish(
        &self,
        evaluated: Result<Outcome, QueryError>,
        reads: Option<Vec<Read>>,
    ) -> Result<Option<Outcome>, QueryError> {
        let Some(reuse) = self.reuse else {
            let outcome = evaluated?;
            if !self.was_unfit {
                self.results.count(|counts| &counts.misses, 1);
            }
            self.keep_whole(&outcome, reads);
            return Ok(Some(outcome));
        };
        match evaluated {
            Ok(outcome) => Ok(self.join(reuse, outcome, reads)),
            Err(error @ QueryError::Exec(ExecError::Timeout | ExecError::Canceled)) => Err(error),
            // of which step the whole would tell is not known
            Err(_) => Ok(None),
        }
    }

    fn join(&self, reuse: Reuse, outcome: Outcome, reads: Option<Vec<Read>>) -> Option<Outcome> {
        let known = self.known.as_ref()?;
        let Outcome { value: Value::Matrix(further), annotations, usage } = &outcome else { return None };
        let further_taken =
            Taken { reads: reads?, samples_most: usage.samples_most, bytes_most: usage.bytes_most };
        let taken = known.taken.and(&further_taken, &self.reach, &self.limits)?;
        // where both have the same remarks in the same order, so has the whole: what is evaluated first is the same in all of them
        let is_remarked_alike = annotations.lacking().is_empty() && annotations.iter().eq(&known.remarks);
        if !is_remarked_alike {
            return None;
        }
        let depth = known.depth.wanted(self.grid.count);
        let oldest_ms = self.grid.end_ms().saturating_sub(self.span_ms(depth.steps()));
        let from_ms = reuse.first_ms.max(oldest_ms).min(self.grid.start_ms);
        let joined = match known.joined(from_ms, reuse.last_ms, further) {
            Ok(joined) => joined,
            Err(Mismatch::SameLabels) => return None,
            Err(Mismatch::Contradiction) => {
                self.results.count(|counts| &counts.contradictions, 1);
                tracing::error!(
                    query = &*self.key.text,
                    "a result that was kept is not what it was: it is not used"
                );
                return None;
            }
        };
        let (reused, evaluated) = self.steps();
        self.results.count(|counts| &counts.hits, 1);
        self.results.count(|counts| &counts.steps_reused, reused);
        self.results.count(|counts| &counts.steps_evaluated, evaluated);
        let series = joined.iter().filter_map(|series| since(series, self.grid.start_ms)).collect();
        // who looks back does not take away what others wait for
        if known.last_ms <= self.grid.end_ms() {
            let stretch = Stretch {
                first_ms: from_ms,
                last_ms: self.grid.end_ms(),
                step_ms: self.grid.step_ms,
                series: joined,
                ground: Arc::clone(self.snapshot.ground()),
                taken,
                remarks: known.remarks.clone(),
                depth,
                patience: Patience::default(),
            };
            self.results.put(self.key.clone(), stretch);
        }
        Some(Outcome { value: Value::Matrix(series), ..outcome })
    }

    /// The time between the first and the last of so many steps.
    fn span_ms(&self, steps: usize) -> i64 {
        let between = i64::try_from(steps.saturating_sub(1)).unwrap_or(i64::MAX);
        self.grid.step_ms.saturating_mul(between)
    }

    fn keep_whole(&self, outcome: &Outcome, reads: Option<Vec<Read>>) {
        let Outcome { value: Value::Matrix(series), annotations, usage } = outcome else { return };
        let remarks: Vec<Annotation> = annotations.iter().cloned().collect();
        // a join that a remark is about may be a mistake as a whole
        let is_clear = remarks.is_empty() || !self.reach.joins_many;
        let Some(reads) = reads.filter(|_| is_clear && annotations.lacking().is_empty()) else { return };
        // what is too large is not even copied
        if !are_apart(series) || memory_bytes_of(series) > self.results.bytes_max() {
            return;
        }
        let depth = self.known.as_ref().map(|known| known.depth).unwrap_or_default();
        let stretch = Stretch {
            first_ms: self.grid.start_ms,
            last_ms: self.grid.end_ms(),
            step_ms: self.grid.step_ms,
            series: series.clone(),
            ground: Arc::clone(self.snapshot.ground()),
            taken: Taken { reads, samples_most: usage.samples_most, bytes_most: usage.bytes_most },
            remarks,
            depth: depth.wanted(self.grid.count),
            patience: self.patience,
        };
        self.results.put(self.key.clone(), stretch);
    }
}

/// What a series has from a time on; `None`: nothing.
fn since(series: &MatrixSeries, from_ms: i64) -> Option<MatrixSeries> {
    let floats = within(&series.floats, from_ms, i64::MAX);
    let histograms = within(&series.histograms, from_ms, i64::MAX);
    let has_any = !floats.is_empty() || !histograms.is_empty();
    let labels = || series.labels.clone();
    has_any.then(|| MatrixSeries {
        labels: labels(),
        floats: floats.to_vec(),
        histograms: histograms.to_vec(),
    })
}
