//! Flat arrays of what was pushed or sampled.

use std::ops::Range;
use std::sync::Arc;

use model::{Histogram, Value};

/// Stands where it is not known when the client began to count.
pub(crate) const NO_START_US: i64 = i64::MIN;

/// Stands where nothing is known that ended the value before the next one came.
const NO_UNTIL_US: i64 = i64::MAX;

/// Stands where a value is no total of an epoch.
const NO_SINCE_US: i64 = i64::MIN;

/// Stands where the stamp is the writer's of the file.
const NO_WRITER: u64 = 0;

/// At `at_us[i]` the series has the value i, and if it was pushed, from then on; ascending within a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) at_us: Vec<i64>,
    /// 0 where a histogram stands.
    pub(crate) values: Vec<f64>,
    /// Empty if all values are floats, else as long as `values`.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
    /// When the client began to count; empty if none has said so.
    pub(super) start_us: Vec<i64>,
    /// Of runs and frames: when something ended the value, if that was before the next of its series and group. Empty if that
    /// is so of none.
    pub(super) until_us: Vec<i64>,
    /// Of runs and frames: whose stamps these are, where another writer stamped something in the same microsecond. Empty if
    /// that is so of none.
    pub(super) writers: Vec<u64>,
    /// Of frames: when the epoch began of which the value is the total. Empty in anything else.
    pub(super) since_us: Vec<i64>,
    /// What compensated sums have beyond the values; empty if none has.
    pub(super) lost: Vec<f64>,
    /// The same of native histograms.
    pub(super) lost_histograms: Vec<Option<Arc<Histogram>>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) at_us: i64,
    pub(super) value: &'a Value,
    /// [`NO_START_US`] if not known.
    pub(super) start_us: i64,
    pub(super) told: Told<'a>,
}

/// What runs and frames say of a row besides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Told<'a> {
    /// What ended the value before the next one came.
    pub(crate) until_us: Option<i64>,
    /// Whose stamp it is, if not the file's.
    pub(crate) writer: Option<u64>,
    /// The value is the total of an epoch that began there.
    pub(crate) since_us: Option<i64>,
    /// What the compensated sum has beyond the value.
    pub(crate) lost: Lost<'a>,
}

/// What a compensated sum has beyond its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lost<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

impl Default for Lost<'_> {
    fn default() -> Self {
        Self::Float(0.0)
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.at_us.len()
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        self.at_us.reserve(rows);
        self.values.reserve(rows);
    }

    pub(super) fn push(&mut self, row: Row<'_>) {
        let before = self.len();
        self.at_us.push(row.at_us);
        let (value, histogram) = match row.value {
            Value::Float(value) => (*value, None),
            Value::Histogram(histogram) => (0.0, Some(Arc::clone(histogram))),
        };
        self.values.push(value);
        push_seldom(&mut self.histograms, before, histogram, None);
        push_seldom(&mut self.start_us, before, row.start_us, NO_START_US);
        let Told { until_us, writer, since_us, lost } = row.told;
        push_seldom(&mut self.until_us, before, until_us.unwrap_or(NO_UNTIL_US), NO_UNTIL_US);
        push_seldom(&mut self.writers, before, writer.unwrap_or(NO_WRITER), NO_WRITER);
        push_seldom(&mut self.since_us, before, since_us.unwrap_or(NO_SINCE_US), NO_SINCE_US);
        let (lost, histogram) = match lost {
            Lost::Float(lost) => (lost, None),
            Lost::Histogram(histogram) => (0.0, Some(Arc::clone(histogram))),
        };
        push_seldom(&mut self.lost, before, lost, 0.0);
        push_seldom(&mut self.lost_histograms, before, histogram, None);
    }

    /// Adds rows of floats of which nothing is said besides.
    pub(super) fn extend_plain(&mut self, at_us: &[i64], values: &[f64]) {
        self.at_us.extend_from_slice(at_us);
        self.values.extend_from_slice(values);
        let rows = self.len();
        extend_seldom(&mut self.histograms, rows, None);
        extend_seldom(&mut self.start_us, rows, NO_START_US);
        extend_seldom(&mut self.until_us, rows, NO_UNTIL_US);
        extend_seldom(&mut self.writers, rows, NO_WRITER);
        extend_seldom(&mut self.since_us, rows, NO_SINCE_US);
        extend_seldom(&mut self.lost, rows, 0.0);
        extend_seldom(&mut self.lost_histograms, rows, None);
    }

    /// What ended the value of a row, if that was before the next of its series.
    pub(crate) fn until_us(&self, row: usize) -> Option<i64> {
        self.until_us.get(row).copied().filter(|until_us| *until_us != NO_UNTIL_US)
    }

    /// Whose stamp a row has, if not the file's.
    pub(crate) fn writer(&self, row: usize) -> Option<u64> {
        self.writers.get(row).copied().filter(|writer| *writer != NO_WRITER)
    }

    /// When the epoch began of which the value of a row is the total.
    pub(crate) fn since_us(&self, row: usize) -> Option<i64> {
        self.since_us.get(row).copied().filter(|since_us| *since_us != NO_SINCE_US)
    }

    /// What the sum of a row has beyond its value.
    pub(crate) fn lost(&self, row: usize) -> Lost<'_> {
        match self.lost_histograms.get(row).and_then(Option::as_ref) {
            Some(histogram) => Lost::Histogram(histogram),
            None => Lost::Float(self.lost.get(row).copied().unwrap_or(0.0)),
        }
    }

    /// What runs and frames say of a row besides.
    pub(crate) fn told(&self, row: usize) -> Told<'_> {
        let (until_us, writer) = (self.until_us(row), self.writer(row));
        Told { until_us, writer, since_us: self.since_us(row), lost: self.lost(row) }
    }

    /// When the client began to count, if it said so.
    pub(crate) fn start_us(&self, row: usize) -> Option<i64> {
        self.start_us.get(row).copied().filter(|start_us| *start_us != NO_START_US)
    }

    /// Whether a row says what only runs and frames say.
    pub(super) fn tells(&self) -> bool {
        let columns = [self.until_us.is_empty(), self.writers.is_empty(), self.since_us.is_empty()];
        let lost = [self.lost.is_empty(), self.lost_histograms.is_empty()];
        columns.into_iter().chain(lost).any(|is_empty| !is_empty)
    }

    /// Some of the rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            at_us: self.at_us[rows.clone()].to_vec(),
            values: self.values[rows.clone()].to_vec(),
            histograms: slice_seldom(&self.histograms, rows.clone()),
            start_us: slice_seldom(&self.start_us, rows.clone()),
            until_us: slice_seldom(&self.until_us, rows.clone()),
            writers: slice_seldom(&self.writers, rows.clone()),
            since_us: slice_seldom(&self.since_us, rows.clone()),
            lost: slice_seldom(&self.lost, rows.clone()),
            lost_histograms: slice_seldom(&self.lost_histograms, rows),
        }
    }

    /// Adds the rows of another behind these.
    pub(super) fn append(&mut self, next: Self) {
        let (before, after) = (self.len(), self.len() + next.len());
        self.at_us.extend(next.at_us);
        self.values.extend(next.values);
        append_seldom(&mut self.histograms, next.histograms, (before, after), None);
        append_seldom(&mut self.start_us, next.start_us, (before, after), NO_START_US);
        append_seldom(&mut self.until_us, next.until_us, (before, after), NO_UNTIL_US);
        append_seldom(&mut self.writers, next.writers, (before, after), NO_WRITER);
        append_seldom(&mut self.since_us, next.since_us, (before, after), NO_SINCE_US);
        append_seldom(&mut self.lost, next.lost, (before, after), 0.0);
        append_seldom(&mut self.lost_histograms, next.lost_histograms, (before, after), None);
    }

    pub(crate) fn histogram(&self, row: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(row)?.as_ref()
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.histogram(row).map_or(Value::Float(self.values[row]), |h| Value::Histogram(Arc::clone(h)))
    }
}

/// Adds to a column that stays empty as long as all of it is the usual.
fn push_seldom<T: Clone + PartialEq>(column: &mut Vec<T>, rows_before: usize, value: T, usual: T) {
    if column.is_empty() && value == usual {
        return;
    }
    column.resize(rows_before, usual);
    column.push(value);
}

/// Adds the usual to a column, unless it is empty because all of it is the usual.
fn extend_seldom<T: Clone>(column: &mut Vec<T>, rows: usize, usual: T) {
    if !column.is_empty() {
        column.resize(rows, usual);
    }
}

/// Some of a column that is empty if all of it is the usual.
fn slice_seldom<T: Clone>(column: &[T], rows: Range<usize>) -> Vec<T> {
    column.get(rows).map(<[T]>::to_vec).unwrap_or_default()
}

/// Puts columns that are empty if all of them is the usual behind each other; of so many rows, and together.
fn append_seldom<T: Clone>(column: &mut Vec<T>, next: Vec<T>, (before, after): (usize, usize), usual: T) {
    if column.is_empty() && next.is_empty() {
        return;
    }
    column.resize(before, usual.clone());
    column.extend(next);
    column.resize(after, usual);
}
