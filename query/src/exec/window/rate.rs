//! How fast values change: `rate`, `increase`, `delta`, `irate`, `idelta`.

use super::RangeWindow;
use crate::exec::scalar::seconds;

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
    let (times, values) = (window.times, window.values);
    let [first, .., last] = values else { return None };
    let mut change = last - first;
    if counter {
        let lost = values.windows(2).filter(|pair| pair[1] < pair[0]);
        change = lost.fold(change, |change, pair| change + pair[0]);
    }
    let zero_share = (counter && change > 0.0 && *first >= 0.0).then(|| first / change);
    let mut factor = stretch(times, window.start_ms, window.end_ms, zero_share);
    if let Some(range_s) = per_s {
        factor /= range_s;
    }
    Some(change * factor)
}

/// By how much a change between the first and the last sample is stretched to the edges of the window. A counter was
/// zero once, `zero_share` of the time between the samples before the first: it is not stretched further back.
pub(super) fn stretch(times: &[i64], start_ms: i64, end_ms: i64, zero_share: Option<f64>) -> f64 {
    let [first_ms, .., last_ms] = times else { return 1.0 };
    let span_s = seconds(last_ms - first_ms);
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let average_gap_s = span_s / (times.len() - 1) as f64;
    let edge = |distance_s: f64| {
        if distance_s >= average_gap_s * EDGE_GAPS_MAX { average_gap_s / 2.0 } else { distance_s }
    };
    let mut before_s = edge(seconds(first_ms - start_ms));
    if let Some(share) = zero_share {
        before_s = before_s.min(span_s * share);
    }
    let after_s = edge(seconds(end_ms - last_ms));
    (span_s + before_s + after_s) / span_s
}

pub(super) fn irate(window: &RangeWindow<'_>) -> Option<f64> {
    let (previous, last, elapsed_ms) = last_two(window)?;
    let change = if last < previous { last } else { last - previous };
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
