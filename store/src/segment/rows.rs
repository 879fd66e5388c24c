//! Flat arrays of what was pushed or sampled.

use std::sync::Arc;

use model::{Histogram, Value};

/// Stands where it is not known when the client began to count.
pub(crate) const NO_START_US: i64 = i64::MIN;

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
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) at_us: i64,
    pub(super) value: &'a Value,
    /// [`NO_START_US`] if not known.
    pub(super) start_us: i64,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.at_us.len()
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
