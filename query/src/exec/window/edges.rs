//! Windows whose edges count: `anchored` begins with the sample before the window, `smoothed` interpolates at both
//! edges. Nothing is extrapolated.

use std::ops::Range;
use std::sync::Arc;

use model::{CounterReset, Histogram, Value};

use super::columns::Columns;
use super::histograms::Counting;
use crate::exec::interpolation::{self, between};
use crate::exec::scalar::seconds;
use crate::exec::{Context, remarks};
use crate::plan::Windows;
use crate::syntax::Function;

/// The samples inside of a window, with those around it within reach.
pub(super) struct EdgeWindow<'a> {
    pub(super) name: &'a str,
    pub(super) columns: &'a Columns<'a>,
    pub(super) floats: Range<usize>,
    pub(super) histograms: Range<usize>,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) lookback_ms: i64,
}

/// Whether a function tells how much a value changed.
pub(super) fn changes_value(function: Function) -> bool {
    matches!(function, Function::Rate | Function::Increase | Function::Delta)
}

/// The samples of a window and the newest one before it, of whatever kind, if it is newer than `oldest_ms`.
pub(super) fn with_anchor(
    columns: &Columns<'_>,
    mut floats: Range<usize>,
    mut histograms: Range<usize>,
    oldest_ms: i64,
) -> (Range<usize>, Range<usize>) {
    if floats.is_empty() && histograms.is_empty() {
        return (floats, histograms);
    }
    let before = |times: &[i64], range: &Range<usize>| {
        range.start.checked_sub(1).map(|index| times[index]).filter(|&at| at > oldest_ms)
    };
    let float = before(&columns.times, &floats);
    let histogram = before(&columns.histogram_times, &histograms);
    if float.is_some() && float > histogram {
        floats.start -= 1;
    } else if histogram.is_some() {
        histograms.start -= 1;
    }
    (floats, histograms)
}

impl EdgeWindow<'_> {
    /// The samples inside of the window, and those before and behind it that are within reach.
    fn around(&self, times: &[i64], inside: &Range<usize>) -> (Option<usize>, Option<usize>) {
        let oldest_ms = self.start_ms.saturating_sub(self.lookback_ms);
        let newest_ms = self.end_ms.saturating_add(self.lookback_ms);
        let before = inside.start.checked_sub(1).filter(|&index| times[index] > oldest_ms);
        let after = Some(inside.end).filter(|&index| times.get(index).is_some_and(|&at| at <= newest_ms));
        (before, after)
    }

    /// The values along the window, interpolated at its edges, and whether the first is; `None` if all samples lie on
    /// one side of it.
    fn smoothed<V: Clone>(
        &self,
        times: &[i64],
        values: &[V],
        inside: &Range<usize>,
        interpolate: impl Fn(&V, &V, f64) -> Option<V>,
    ) -> Option<(Vec<V>, bool)> {
        let (before, after) = self.around(times, inside);
        let at = |first: usize, second: usize, at_ms: i64| {
            let share = seconds(at_ms - times[first]) / seconds(times[second] - times[first]);
            interpolate(&values[first], &values[second], share)
        };
        let mut list = Vec::with_capacity(inside.len() + 2);
        let mut interpolated = false;
        match before {
            Some(before) if times[before] == self.start_ms => list.push(values[before].clone()),
            Some(before) => {
                let next = if inside.is_empty() { after? } else { inside.start };
                list.push(at(before, next, self.start_ms)?);
                interpolated = true;
            }
            None if inside.is_empty() => return None,
            None => {}
        }
        list.extend_from_slice(&values[inside.clone()]);
        let last = if inside.is_empty() { before } else { Some(inside.end - 1) };
        match (last, after) {
            (Some(last), _) if times[last] == self.end_ms => {}
            (Some(last), Some(after)) => list.push(at(last, after, self.end_ms)?),
            _ if inside.is_empty() => return None,
            _ => {}
        }
        Some((list, interpolated))
    }
}

impl Context<'_> {
    /// The change between the interpolated values at the edges of a window.
    pub(super) fn smoothed(&self, node: &Windows, window: &EdgeWindow<'_>) -> Option<Value> {
        let columns = window.columns;
        let counter = node.function != Function::Delta;
        let range_s = seconds(window.end_ms - window.start_ms);
        let is_near = |times: &[i64], inside: &Range<usize>| {
            let (before, after) = window.around(times, inside);
            !inside.is_empty() || before.is_some() || after.is_some()
        };
        let any_floats = is_near(&columns.times, &window.floats);
        if any_floats && is_near(&columns.histogram_times, &window.histograms) {
            self.warn_or_info(true, node, remarks::mixed_kinds(window.name));
            return None;
        }
        if any_floats {
            let (values, _) =
                window.smoothed(&columns.times, &columns.values, &window.floats, |a, b, share| {
                    Some(between(*a, *b, share, counter))
                })?;
            return self.unstretched(node, window.name, &values, &[], range_s);
        }
        let (times, histograms) = (&columns.histogram_times, &columns.histograms);
        let (mut values, interpolated) =
            window.smoothed(times, histograms, &window.histograms, |a, b, share| {
                let found = interpolation::between_histograms(a, b, share, counter);
                if found.is_none() {
                    self.warn_or_info(true, node, remarks::mixed_buckets(window.name));
                }
                found
            })?;
        // what was interpolated towards a reset lies behind that reset already
        if let (true, Some(second)) = (interpolated, values.get_mut(1))
            && second.counter_reset != CounterReset::Gauge
        {
            let counter_reset = CounterReset::NotReset;
            *second = Arc::new(Histogram { counter_reset, ..(**second).clone() });
        }
        self.unstretched(node, window.name, &[], &values, range_s)
    }

    /// The change between the first and the last value, by the width of the window if a rate is asked for.
    pub(super) fn unstretched(
        &self,
        node: &Windows,
        name: &str,
        floats: &[f64],
        histograms: &[Arc<Histogram>],
        range_s: f64,
    ) -> Option<Value> {
        let counter = node.function != Function::Delta;
        let divisor = if node.function == Function::Rate { range_s } else { 1.0 };
        match (floats, histograms) {
            ([], []) => None,
            ([first, ..], []) => {
                let mut change = floats[floats.len() - 1] - first;
                if counter {
                    let drops = floats.windows(2).filter(|pair| pair[1] < pair[0]);
                    change = drops.fold(change, |change, pair| change + pair[0]);
                }
                Some(Value::Float(change / divisor))
            }
            ([], _) => {
                let mut change = {
                    let anew = |index: usize| histograms[index].starts_anew_after(&histograms[index - 1]);
                    let counting = Counting { counter, from_zero: false, anew: &anew };
                    self.difference(node, name, histograms, &counting)?
                };
                change.divide(divisor);
                Some(Value::Histogram(Arc::new(change.value())))
            }
            _ => {
                self.warn_or_info(true, node, remarks::mixed_kinds(name));
                None
            }
        }
    }
}
