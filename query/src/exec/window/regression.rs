//! Lines and curves through the samples of a window.

use super::RangeWindow;
use crate::exec::Sum;
use crate::exec::scalar::seconds;

pub(super) fn deriv(window: &RangeWindow<'_>) -> Option<f64> {
    // any time near the samples will do; far away, digits would be lost
    line(window, *window.times.first()?).map(|(slope, _)| slope)
}

pub(super) fn predict_linear(window: &RangeWindow<'_>) -> Option<f64> {
    let (slope, now) = line(window, window.eval_ms)?;
    Some(slope * window.parameters[0] + now)
}

/// The slope per second of the least-squares line, and its value at `origin_ms`.
#[expect(clippy::float_cmp, reason = "asks whether nothing changed at all")]
fn line(window: &RangeWindow<'_>, origin_ms: i64) -> Option<(f64, f64)> {
    let [first, rest @ ..] = window.values else { return None };
    if rest.is_empty() {
        return None;
    }
    if rest.iter().all(|value| value == first) {
        return Some(if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, *first) });
    }
    let (mut x, mut y, mut xy, mut xx) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (&time, &value) in window.times.iter().zip(window.values) {
        let at = seconds(time - origin_ms);
        x.add(at);
        y.add(value);
        xy.add(at * value);
        xx.add(at * at);
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let count = window.values.len() as f64;
    let (x, y) = (x.value(), y.value());
    let slope = (xy.value() - x * y / count) / (xx.value() - x * x / count);
    Some((slope, y / count - slope * x / count))
}

/// Double exponential smoothing; the parameters are the weights of new values and of new trends.
pub(super) fn smoothed(window: &RangeWindow<'_>) -> Option<f64> {
    let [first, second, ..] = window.values else { return None };
    let [value_weight, trend_weight] = window.parameters;
    let (mut before, mut smooth, mut trend) = (0.0, *first, second - first);
    for (index, value) in window.values.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trend_weight * (smooth - before) + (1.0 - trend_weight) * trend;
        }
        let next = value_weight * value + (1.0 - value_weight) * (smooth + trend);
        (before, smooth) = (smooth, next);
    }
    Some(smooth)
}
