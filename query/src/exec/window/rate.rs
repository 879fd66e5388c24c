//! How fast values change: `rate`, `increase`, `delta`, `irate`, `idelta`.

use std::ops::Range;

use super::columns::Columns;
use super::{RangeWindow, starts};
use crate::exec::scalar::seconds;
use crate::plan::Windows;
use crate::syntax::Function;

/// Gaps at the edges of a window up to this many average distances are bridged.
const EDGE_GAPS_MAX: f64 = 1.1;

pub(super) fn rate(window: &RangeWindow<'_>) -> Option<f64> {
    let range_s = seconds(window.end_ms - window.start_ms);
    extrapolated(window, true, Some(range_s))
}

pub(super) fn increase(window: &RangeWindow<'_>) -> Option<f64> {
    extrapolated(window, true, None)
}

pub(super) fn delta(window: &RangeWindow<'_>) -> Option<f64> {
    extrapolated(window, false, None)
}

/// The change between the first and the last sample, stretched to the edges of the window if they are near.
fn extrapolated(window: &RangeWindow<'_>, counter: bool, per_s: Option<f64>) -> Option<f64> {
    let anew = (1..window.values.len()).filter(|&index| counter && window.counts_anew(index));
    let lost = anew.map(|index| window.values[index - 1]);
    stretched_change(window, counter, per_s, lost)
}

/// Likewise, where it is known what a counter had counted before each time at which it started anew.
#[inline]
fn stretched_change(
    window: &RangeWindow<'_>,
    counter: bool,
    per_s: Option<f64>,
    lost: impl Iterator<Item = f64>,
) -> Option<f64> {
    let (times, values) = (window.times, window.values);
    let (first, last) = (values.first()?, values.last()?);
    let zero_ms = if counter { starts::zero_inside(times, window.starts, window.start_ms) } else { None };
    if values.len() < 2 && zero_ms.is_none() {
        return None;
    }
    let mut change = lost.fold(last - first, |change, lost| change + lost);
    if zero_ms.is_some() {
        change += first;
    }
    let zero_share = (counter && change > 0.0 && *first >= 0.0).then(|| first / change);
    let before = zero_ms.map_or(Before::Share(zero_share), Before::Zero);
    let mut factor = stretch(times, window.start_ms, window.end_ms, before);
    if let Some(range_s) = per_s {
        factor /= range_s;
    }
    Some(change * factor)
}

/// Rates, increases and deltas over the windows of one series: where its counter starts anew is found once, so a window
/// costs what lies at its edges, however many samples are inside.
pub(super) struct Changes<'a> {
    values: &'a [f64],
    counter: bool,
    per_s: Option<f64>,
    /// The samples that count anew, ascending.
    anew: Vec<usize>,
    /// Which of them are in the window: `first..end`.
    first: usize,
    end: usize,
}

impl<'a> Changes<'a> {
    /// `None` if the function is none of these.
    pub(super) fn of(node: &Windows, columns: &'a Columns<'a>) -> Option<Self> {
        let (counter, per_s) = match node.function {
            Function::Rate => (true, Some(seconds(node.range_ms))),
            Function::Increase => (true, None),
            Function::Delta => (false, None),
            _ => return None,
        };
        let (times, values, starts) = (&*columns.times, &*columns.values, &*columns.starts);
        let counts_anew =
            |&index: &usize| values[index] < values[index - 1] || starts::begins_anew(times, starts, index);
        let anew = if counter { (1..values.len()).filter(counts_anew).collect() } else { Vec::new() };
        Some(Self { values, counter, per_s, anew, first: 0, end: 0 })
    }

    /// What the function makes of the window over `inside`; windows may only move forward.
    pub(super) fn at(&mut self, window: &RangeWindow<'_>, inside: &Range<usize>) -> Option<f64> {
        while self.anew.get(self.end).is_some_and(|&index| index < inside.end) {
            self.end += 1;
        }
        while self.anew.get(self.first).is_some_and(|&index| index <= inside.start) {
            self.first += 1;
        }
        let anew = self.anew.get(self.first..self.end).unwrap_or(&[]);
        let lost = anew.iter().map(|&index| self.values[index - 1]);
        stretched_change(window, self.counter, self.per_s, lost)
    }
}

impl RangeWindow<'_> {
    /// Whether a counter started from zero between a sample and the one before.
    pub(super) fn counts_anew(&self, index: usize) -> bool {
        self.values[index] < self.values[index - 1] || starts::begins_anew(self.times, self.starts, index)
    }
}

/// What is known about a counter before its first sample.
#[derive(Clone, Copy)]
pub(super) enum Before {
    /// It was zero once, not further back than this share of the time between the samples.
    Share(Option<f64>),
    /// It was zero at this time, inside of the window.
    Zero(i64),
}

/// By how much a change between the first and the last sample is stretched to the edges of the window. Before the zero
/// of a counter it is not stretched.
pub(super) fn stretch(times: &[i64], start_ms: i64, end_ms: i64, before: Before) -> f64 {
    let (Some(&first_ms), Some(&last_ms)) = (times.first(), times.last()) else { return 1.0 };
    let between_s = seconds(last_ms - first_ms);
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let average_gap_s = if times.len() > 1 { between_s / (times.len() - 1) as f64 } else { 0.0 };
    let edge = |distance_s: f64| {
        if distance_s >= average_gap_s * EDGE_GAPS_MAX { average_gap_s / 2.0 } else { distance_s }
    };
    let (span_s, before_s) = match before {
        Before::Zero(zero_ms) => (seconds(last_ms - zero_ms), 0.0),
        Before::Share(share) => {
            let edge_s = edge(seconds(first_ms - start_ms));
            (between_s, share.map_or(edge_s, |share| edge_s.min(between_s * share)))
        }
    };
    let after_s = edge(seconds(end_ms - last_ms));
    (span_s + before_s + after_s) / span_s
}

pub(super) fn irate(window: &RangeWindow<'_>) -> Option<f64> {
    let (previous, last, elapsed_ms) = last_two(window)?;
    let change = if window.counts_anew(window.values.len() - 1) { last } else { last - previous };
    (elapsed_ms > 0).then(|| change / seconds(elapsed_ms))
}

pub(super) fn idelta(window: &RangeWindow<'_>) -> Option<f64> {
    let (previous, last, elapsed_ms) = last_two(window)?;
    (elapsed_ms > 0).then_some(last - previous)
}

fn last_two(window: &RangeWindow<'_>) -> Option<(f64, f64, i64)> {
    let ([.., previous, last], [.., previous_ms, last_ms]) = (window.values, window.times) else {
        return None;
    };
    Some((*previous, *last, last_ms - previous_ms))
}
