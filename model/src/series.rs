//! What the store answers: series of samples, of steps, or of both.

use std::sync::Arc;

use crate::{Histogram, Labels, Value};

/// The end of a step that still holds.
pub const OPEN_END_MS: i64 = i64::MAX;

/// One series of an answer. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// All labels, the metric name as `__name__` included.
    pub labels: Labels,
    /// Points in time that carry their own timestamp.
    pub samples: Samples,
    /// What was pushed.
    pub steps: Steps,
}

/// Samples in ascending order of time, one per timestamp; stale markers included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// When.
    pub timestamps_ms: Vec<i64>,
    /// What; 0 where a histogram stands.
    pub values: Vec<f64>,
    /// Empty if all samples are floats, else as long as `values`.
    pub histograms: Vec<Option<Arc<Histogram>>>,
    /// Since when the counter has counted, 0 where that is not known; empty if it never is.
    pub start_ms: Vec<i64>,
}

/// A step function: `values[i]` holds at every t with `from_ms[i] <= t < until_ms[i]`.
///
/// Steps ascend and do not overlap: `until_ms[i] <= from_ms[i + 1]`. Between two steps, where `until_ms[i]` is smaller,
/// the series is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steps {
    /// First millisecond at which the value holds.
    pub from_ms: Vec<i64>,
    /// First millisecond at which it holds no longer; [`OPEN_END_MS`] if it still does.
    pub until_ms: Vec<i64>,
    /// The value; 0 where a histogram stands.
    pub values: Vec<f64>,
    /// Whether the value is known to have grown from zero at `from_ms`, so that a counter's first increment counts
    /// (the start of an epoch of added pushes). False for what was set.
    pub from_zero: Vec<bool>,
    /// Since when the counter has counted: the beginning of its epoch of added pushes, 0 for what was set. Empty if all
    /// was set.
    pub start_ms: Vec<i64>,
    /// Empty if all values are floats, else as long as `values`.
    pub histograms: Vec<Option<Arc<Histogram>>>,
}

impl Samples {
    /// How many samples.
    pub fn len(&self) -> usize {
        self.timestamps_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.timestamps_ms.is_empty()
    }

    /// Adds a float sample; `timestamp_ms` must be later than the last.
    pub fn push(&mut self, timestamp_ms: i64, value: f64) {
        debug_assert!(self.timestamps_ms.last().is_none_or(|&last| last < timestamp_ms));
        self.timestamps_ms.push(timestamp_ms);
        self.values.push(value);
        if !self.histograms.is_empty() {
            self.histograms.push(None);
        }
        if !self.start_ms.is_empty() {
            self.start_ms.push(0);
        }
    }
}

impl Samples {
    /// Adds a sample of either kind; `timestamp_ms` must be later than the last.
    pub fn push_value(&mut self, timestamp_ms: i64, value: &Value) {
        match value {
            Value::Float(value) => self.push(timestamp_ms, *value),
            Value::Histogram(histogram) => {
                self.histograms.resize(self.len(), None);
                self.push(timestamp_ms, 0.0);
                self.histograms.truncate(self.len() - 1);
                self.histograms.push(Some(Arc::clone(histogram)));
            }
        }
    }
}

impl Steps {
    /// How many steps.
    pub fn len(&self) -> usize {
        self.from_ms.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.from_ms.is_empty()
    }

    /// Adds a float step that was set; it must begin at or after the end of the last.
    pub fn push(&mut self, from_ms: i64, until_ms: i64, value: f64) {
        debug_assert!(from_ms < until_ms);
        debug_assert!(self.until_ms.last().is_none_or(|&last| last <= from_ms));
        self.from_ms.push(from_ms);
        self.until_ms.push(until_ms);
        self.values.push(value);
        self.from_zero.push(false);
        if !self.start_ms.is_empty() {
            self.start_ms.push(0);
        }
        if !self.histograms.is_empty() {
            self.histograms.push(None);
        }
    }

    /// Adds a step of either kind that was set; it must begin at or after the end of the last.
    pub fn push_value(&mut self, from_ms: i64, until_ms: i64, value: &Value) {
        match value {
            Value::Float(value) => self.push(from_ms, until_ms, *value),
            Value::Histogram(histogram) => {
                self.histograms.resize(self.len(), None);
                self.push(from_ms, until_ms, 0.0);
                self.histograms.truncate(self.len() - 1);
                self.histograms.push(Some(Arc::clone(histogram)));
            }
        }
    }

    /// Says of the last step since when its counter has counted.
    pub fn started(&mut self, start_ms: i64) {
        if let Some(before) = self.len().checked_sub(1) {
            self.start_ms.resize(before, 0);
            self.start_ms.push(start_ms);
        }
    }

    /// The index of the step that holds at `at_ms`.
    pub fn at(&self, at_ms: i64) -> Option<usize> {
        let index = self.from_ms.partition_point(|&from| from <= at_ms).checked_sub(1)?;
        (at_ms < self.until_ms[index]).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_from_its_first_to_before_its_last_millisecond() {
        let mut steps = Steps::default();
        steps.push(10, 20, 1.0);
        steps.push(20, 30, 2.0);
        steps.push(40, OPEN_END_MS, 3.0);
        let found: Vec<_> = [9, 10, 19, 20, 29, 30, 39, 40, 1 << 50].map(|t| steps.at(t)).to_vec();
        assert_eq!(found, [None, Some(0), Some(0), Some(1), Some(1), None, None, Some(2), Some(2)]);
    }
}
