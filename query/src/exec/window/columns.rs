//! The samples of a series as flat columns, and windows over them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use model::{CounterReset, Histogram, Samples, Series};

use crate::exec::instant::is_stale;
use crate::exec::points::Line;
use crate::plan::Grid;

/// Floats and native histograms apart, without stale markers.
#[derive(Debug)]
pub(super) struct Columns<'a> {
    pub(super) times: Cow<'a, [i64]>,
    pub(super) values: Cow<'a, [f64]>,
    pub(super) histogram_times: Vec<i64>,
    pub(super) histograms: Vec<Arc<Histogram>>,
    /// Start timestamps of the floats and of the histograms; empty if none is known.
    pub(super) starts: Cow<'a, [i64]>,
    pub(super) histogram_starts: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(samples: &'a Samples) -> Self {
        let plain = samples.histograms.iter().all(Option::is_none)
            && samples.values.iter().all(|&value| !model::is_stale_nan(value));
        if plain {
            return Self {
                times: Cow::Borrowed(&samples.timestamps_ms),
                values: Cow::Borrowed(&samples.values),
                histogram_times: Vec::new(),
                histograms: Vec::new(),
                starts: Cow::Borrowed(&samples.start_ms),
                histogram_starts: Vec::new(),
            };
        }
        let (mut times, mut values) = (Vec::new(), Vec::new());
        let (mut histogram_times, mut histograms) = (Vec::new(), Vec::new());
        let (mut starts, mut histogram_starts) = (Vec::new(), Vec::new());
        for (index, &time) in samples.timestamps_ms.iter().enumerate() {
            if is_stale(samples, index) {
                continue;
            }
            match samples.histograms.get(index) {
                Some(Some(histogram)) => {
                    histogram_times.push(time);
                    histograms.push(Arc::clone(histogram));
                    histogram_starts.extend(samples.start_ms.get(index));
                }
                _ => {
                    times.push(time);
                    values.push(samples.values[index]);
                    starts.extend(samples.start_ms.get(index));
                }
            }
        }
        Self {
            times: Cow::Owned(times),
            values: Cow::Owned(values),
            histogram_times,
            histograms,
            starts: Cow::Owned(starts),
            histogram_starts,
        }
    }

    /// Forgets since when samples count, unless that is heeded.
    pub(super) fn with_starts(mut self, heeded: bool) -> Self {
        if !heeded {
            self.starts = Cow::Borrowed(&[]);
            self.histogram_starts.clear();
        }
        self
    }

    /// The time of the last sample of either kind in a window.
    pub(super) fn newest(&self, floats: &Range<usize>, histograms: &Range<usize>) -> Option<i64> {
        let float = floats.clone().last().map(|index| self.times[index]);
        let histogram = histograms.clone().last().map(|index| self.histogram_times[index]);
        float.max(histogram)
    }
}

/// A window that moves forward over ascending times.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    times: &'a [i64],
    first: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn over(times: &'a [i64]) -> Self {
        Self { times, first: 0, end: 0 }
    }

    /// The samples in `(start_ms, end_ms]`.
    pub(super) fn at(&mut self, start_ms: i64, end_ms: i64) -> Range<usize> {
        while self.times.get(self.end).is_some_and(|&time| time <= end_ms) {
            self.end += 1;
        }
        while self.times.get(self.first).is_some_and(|&time| time <= start_ms) {
            self.first += 1;
        }
        // a gap that is wider than the window leaves the first behind the end
        self.first.min(self.end)..self.end
    }
}

/// The values of a subquery as samples.
pub(super) fn as_series(line: &Line, grid: Grid) -> Series {
    let mut samples = Samples::default();
    for index in line.points.places() {
        if let Some(value) = line.points.float(index) {
            samples.push(grid.at(index), value);
        } else if let Some(histogram) = line.points.histogram(index) {
            samples.timestamps_ms.push(grid.at(index));
            samples.values.push(0.0);
            let known = samples.values.len() - 1;
            samples.histograms.resize(known, None);
            samples.histograms.push(Some(without_reset(histogram)));
        }
    }
    Series { labels: line.labels.clone(), samples, ..Series::default() }
}

/// Between the steps of a subquery there may be resets of which its histograms say nothing.
fn without_reset(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    match histogram.counter_reset {
        CounterReset::Reset | CounterReset::NotReset => {
            Arc::new(Histogram { counter_reset: CounterReset::Unknown, ..(**histogram).clone() })
        }
        CounterReset::Unknown | CounterReset::Gauge => Arc::clone(histogram),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_open_on_the_left() {
        let times = [10, 20, 30, 40];
        let mut cursor = Cursor::over(&times);
        assert_eq!(cursor.at(-5, 5), 0..0);
        assert_eq!(cursor.at(0, 10), 0..1);
        assert_eq!(cursor.at(10, 20), 1..2);
        assert_eq!(cursor.at(10, 40), 1..4);
        assert_eq!(cursor.at(50, 60), 4..4);
    }

    #[test]
    fn stale_markers_are_left_out() {
        let mut samples = Samples::default();
        samples.push(1, 1.0);
        samples.push(2, model::stale_nan());
        samples.push(3, f64::NAN);
        assert_eq!(&*Columns::of(&samples).times, [1, 3]);
    }
}
