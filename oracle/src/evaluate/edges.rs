//! `anchored` and `smoothed`: the edges of a window have values of their own, and nothing is extrapolated.

use model::Series;
use query::syntax::Function;

use super::windows::{changes, resets};
use super::{Failed, Moment, Result, name_of, seconds};

/// The values of a window, its edges among them; none if nothing is known.
pub(super) struct Edged {
    pub(super) values: Vec<f64>,
}

impl Moment<'_> {
    /// The samples of the window, and before them the newest one that is not too old at its start.
    pub(super) fn anchored(&self, series: &Series, start_ms: i64, end_ms: i64) -> Edged {
        let inside = self.seen(series, start_ms, end_ms);
        let before = self.seen(series, start_ms - self.oracle.lookback_ms, start_ms);
        let anchor = before.last().filter(|_| !inside.is_empty());
        Edged { values: anchor.into_iter().chain(&inside).map(|(_, value)| *value).collect() }
    }

    /// The values at both edges, on the lines between the samples around them, and the samples between. Without a sample
    /// beyond an edge the sample nearest to it inside of the window stands for it; without that, too, nothing is known.
    pub(super) fn smoothed(&self, series: &Series, (start_ms, end_ms): (i64, i64), counter: bool) -> Edged {
        let lookback_ms = self.oracle.lookback_ms;
        let inside = self.seen(series, start_ms, end_ms);
        let before = self.seen(series, start_ms - lookback_ms, start_ms).last().copied();
        let after = self.seen(series, end_ms, end_ms + lookback_ms).first().copied();
        let mut around: Vec<(i64, f64)> = before.into_iter().chain(inside.clone()).collect();
        around.extend(after);
        if inside.is_empty() && (before.is_none() || after.is_none()) {
            return Edged { values: Vec::new() };
        }
        let edge = |at_ms: i64| {
            let pair = around.windows(2).find(|pair| pair[0].0 <= at_ms && at_ms < pair[1].0);
            pair.map(|pair| on_line(pair[0], pair[1], at_ms, counter))
        };
        let mut values: Vec<f64> = edge(start_ms).into_iter().collect();
        values.extend(inside.iter().map(|(_, value)| *value));
        if inside.last().is_none_or(|(at, _)| *at < end_ms) {
            values.extend(edge(end_ms));
        }
        Edged { values }
    }

    /// The value of a series at a time, on the line between the samples around it; what comes last holds.
    pub(super) fn between(&self, series: &Series, at_ms: i64) -> Option<f64> {
        let lookback_ms = self.oracle.lookback_ms;
        let before = *self.seen(series, at_ms - lookback_ms, at_ms).last()?;
        let after = self.seen(series, at_ms, at_ms + lookback_ms).first().copied();
        Some(after.map_or(before.1, |after| on_line(before, after, at_ms, false)))
    }

    /// What a function makes of such a window.
    pub(super) fn over_edges(function: Function, values: &[f64], range_ms: i64) -> Result<Option<f64>> {
        let grown = |counter: bool| {
            let drops = values.windows(2).filter(|pair| counter && pair[1] < pair[0]).map(|pair| pair[0]);
            values[values.len() - 1] - values[0] + drops.sum::<f64>()
        };
        Ok(Some(match function {
            Function::Rate => grown(true) / seconds(range_ms),
            Function::Increase => grown(true),
            Function::Delta => grown(false),
            Function::Changes => changes(values),
            Function::Resets => resets(values),
            other => return Err(Failed(format!("edges do not matter to {}", name_of(other)))),
        }))
    }
}

/// The value at a time between two samples. A counter that falls has started from zero at the first.
fn on_line(first: (i64, f64), second: (i64, f64), at_ms: i64, counter: bool) -> f64 {
    if at_ms == first.0 {
        return first.1;
    }
    let share = seconds(at_ms - first.0) / seconds(second.0 - first.0);
    match counter && second.1 < first.1 {
        true => second.1 * share,
        false => first.1 + (second.1 - first.1) * share,
    }
}
