//! Statistics of the samples in a window.

use std::ops::Range;
use std::sync::Arc;

use model::Value;

use super::RangeWindow;
use super::columns::Columns;
use crate::exec::order;
use crate::exec::scalar::seconds;
use crate::exec::{Mean, Sum};
use crate::syntax::Function;

/// Functions that take samples of either kind as they are.
pub(super) fn of_any_kind(
    function: Function,
    columns: &Columns<'_>,
    floats: &Range<usize>,
    histograms: &Range<usize>,
) -> Option<Value> {
    let count = floats.len() + histograms.len();
    if count == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    match function {
        Function::CountOverTime => Some(Value::Float(count as f64)),
        Function::LastOverTime => {
            let float = floats.clone().last().map(|index| (columns.times[index], index));
            let histogram = histograms.clone().last().map(|index| (columns.histogram_times[index], index));
            pick(columns, float, histogram, |float, histogram| float > histogram)
        }
        Function::FirstOverTime => {
            let float = floats.clone().next().map(|index| (columns.times[index], index));
            let histogram = histograms.clone().next().map(|index| (columns.histogram_times[index], index));
            pick(columns, float, histogram, |float, histogram| float < histogram)
        }
        _ => Some(Value::Float(1.0)),
    }
}

/// The float or the histogram, each given by time and index.
fn pick(
    columns: &Columns<'_>,
    float: Option<(i64, usize)>,
    histogram: Option<(i64, usize)>,
    float_wins: fn(i64, i64) -> bool,
) -> Option<Value> {
    let of_histogram = |index: usize| Value::Histogram(Arc::clone(&columns.histograms[index]));
    match (float, histogram) {
        (Some((at, index)), Some((other, _))) if float_wins(at, other) => {
            Some(Value::Float(columns.values[index]))
        }
        (_, Some((_, index))) => Some(of_histogram(index)),
        (Some((_, index)), None) => Some(Value::Float(columns.values[index])),
        (None, None) => None,
    }
}

#[expect(clippy::float_cmp, reason = "that is what a change is")]
pub(super) fn changes(window: &RangeWindow<'_>) -> Option<f64> {
    let changed = |pair: &&[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
    Some(count(window.values.windows(2).filter(changed).count()))
}

pub(super) fn resets(window: &RangeWindow<'_>) -> Option<f64> {
    let anew = |index: &usize| window.counts_anew(*index);
    Some(count((1..window.values.len()).filter(anew).count()))
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn count(count: usize) -> f64 {
    count as f64
}

pub(super) fn sum(window: &RangeWindow<'_>) -> Option<f64> {
    let mut sum = Sum::default();
    window.values.iter().for_each(|&value| sum.add(value));
    Some(sum.value())
}

pub(super) fn avg(window: &RangeWindow<'_>) -> Option<f64> {
    let (first, rest) = window.values.split_first()?;
    let mut sum = Sum::of(*first);
    rest.iter().for_each(|&value| sum.add(value));
    // what ends finite was never infinite
    if sum.is_finite() {
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        return Some(sum.divided(window.values.len() as f64).value());
    }
    let mut mean = Mean::default();
    window.values.iter().for_each(|&value| mean.add(value));
    Some(mean.value())
}

pub(super) fn min(window: &RangeWindow<'_>) -> Option<f64> {
    window
        .values
        .iter()
        .copied()
        .reduce(|least, value| if value < least || least.is_nan() { value } else { least })
}

pub(super) fn max(window: &RangeWindow<'_>) -> Option<f64> {
    window
        .values
        .iter()
        .copied()
        .reduce(|most, value| if value > most || most.is_nan() { value } else { most })
}

/// Welford's variance, compensated.
pub(super) fn stdvar(window: &RangeWindow<'_>) -> Option<f64> {
    let (mut mean, mut squares, mut seen) = (Sum::default(), Sum::default(), 0.0);
    for value in window.values {
        seen += 1.0;
        let distance = value - mean.value();
        mean.add(distance / seen);
        squares.add(distance * (value - mean.value()));
    }
    Some(squares.value() / seen)
}

pub(super) fn stddev(window: &RangeWindow<'_>) -> Option<f64> {
    stdvar(window).map(f64::sqrt)
}

pub(super) fn quantile(window: &RangeWindow<'_>) -> Option<f64> {
    Some(order::quantile(window.parameters[0], &mut window.values.to_vec()))
}

/// The median of the distances from the median.
pub(super) fn mad(window: &RangeWindow<'_>) -> Option<f64> {
    if window.values.is_empty() {
        return None;
    }
    if window.values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let mut values = window.values.to_vec();
    let median = order::quantile(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    Some(order::quantile(0.5, &mut values))
}

pub(super) fn ts_of_first(window: &RangeWindow<'_>) -> Option<f64> {
    window.times.first().copied().map(seconds)
}

pub(super) fn ts_of_last(window: &RangeWindow<'_>) -> Option<f64> {
    window.times.last().copied().map(seconds)
}

pub(super) fn ts_of_min(window: &RangeWindow<'_>) -> Option<f64> {
    time_of(window, |value, least| value <= least)
}

pub(super) fn ts_of_max(window: &RangeWindow<'_>) -> Option<f64> {
    time_of(window, |value, most| value >= most)
}

/// The time of the last sample that is as good as the best.
fn time_of(window: &RangeWindow<'_>, as_good: fn(f64, f64) -> bool) -> Option<f64> {
    let mut best = 0;
    for (index, &value) in window.values.iter().enumerate() {
        if as_good(value, window.values[best]) || window.values[best].is_nan() {
            best = index;
        }
    }
    window.times.get(best).copied().map(seconds)
}
