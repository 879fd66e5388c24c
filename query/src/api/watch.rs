//! One query on its way, from its coming to its end: what it took is counted, and told in the log if it was slow.

use std::sync::Arc;

use model::Clock;

use super::answer::ApiError;
use super::counts::{Counters, Slice};
use crate::engine::Times;
use crate::explain::{ExplainedNode, Explanation, shortened};

/// Longer expressions are logged with their beginning only.
const EXPRESSION_BYTES_MAX: usize = 1_000;
/// Likewise plans.
const PLAN_BYTES_MAX: usize = 4_000;

/// See the module. A query whose future is dropped was canceled.
pub(super) struct Watch<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) counters: &'a Counters,
    pub(super) tenant: &'a str,
    /// What takes longer is logged; `None`: nothing.
    pub(super) log_slower_us: Option<i64>,
    pub(super) expression: &'a str,
    pub(super) times: Times,
    pub(super) moments: Moments,
    pub(super) explanation: Option<Arc<Explanation>>,
    /// Where results are kept, how many of its steps were known, and how many were evaluated.
    pub(super) steps: Option<(usize, usize)>,
    /// How it ended; `None`: nobody waits any more.
    pub(super) ended: Option<Ended>,
}

/// Points in time of one query, in microseconds; `None` if it did not come so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) arrived: i64,
    /// When it got its place.
    pub(super) entered: Option<i64>,
    /// When its data were in memory.
    pub(super) loaded: Option<i64>,
    pub(super) evaluated: Option<i64>,
}

/// How a query ended.
#[derive(Debug)]
pub(super) enum Ended {
    Well,
    /// With the type and the text of an error.
    Badly(&'static str, String),
}

impl Ended {
    /// How it ended for whoever asked.
    pub(super) fn with<T>(result: &Result<T, ApiError>) -> Self {
        match result {
            Ok(_) => Self::Well,
            Err(error) => Self::Badly(error.type_name(), error.message().to_owned()),
        }
    }
}

impl Moments {
    /// How long each part took, the last of them up to now if it did not end.
    fn slices(&self, now_us: i64) -> impl Iterator<Item = (Slice, i64)> {
        let bounds = [Some(self.arrived), self.entered, self.loaded, self.evaluated];
        let slices = [Slice::Queue, Slice::Prepare, Slice::Evaluate].into_iter().enumerate();
        slices.filter_map(move |(place, slice)| {
            let from = bounds[place]?;
            Some((slice, bounds[place + 1].unwrap_or(now_us).saturating_sub(from)))
        })
    }
}

impl Watch<'_> {
    pub(super) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let now_us = self.now_us();
        self.moments.slices(now_us).for_each(|(slice, time_us)| self.counters.time(slice, time_us));
        let taken_us = now_us.saturating_sub(self.moments.arrived);
        if self.log_slower_us.is_some_and(|slower_us| taken_us > slower_us) {
            self.counters.logged();
            self.log(now_us, taken_us);
        }
    }
}

impl Watch<'_> {
    fn log(&self, now_us: i64, taken_us: i64) {
        let (start_ms, end_ms, step_ms) = match self.times {
            Times::At(at_ms) => (at_ms, at_ms, 0),
            Times::Range { start_ms, end_ms, step_ms } => (start_ms, end_ms, step_ms),
        };
        let (outcome, error) = match &self.ended {
            Some(Ended::Well) => ("success", ""),
            Some(Ended::Badly(kind, text)) => (*kind, &**text),
            None => ("canceled", "nobody waits for the answer any more"),
        };
        let mut times_us = [0; 3];
        self.moments.slices(now_us).for_each(|(slice, time_us)| times_us[slice as usize] = time_us);
        let reading = self.explanation.as_ref().map(|explanation| explanation.reading()).unwrap_or_default();
        let usage = reading.usage.unwrap_or_default();
        let peaks = self.explanation.as_ref().map(|of| (of.samples_most(), of.bytes_most()));
        let (peak_samples, peak_bytes) = peaks.unwrap_or_default();
        let mut plan = String::new();
        if let Some(explanation) = &self.explanation {
            tell(&mut plan, self.expression, &explanation.tree());
        }
        tracing::info!(
            tenant = self.tenant,
            query = cut(self.expression, EXPRESSION_BYTES_MAX),
            start = seconds(start_ms.saturating_mul(1_000)),
            end = seconds(end_ms.saturating_mul(1_000)),
            step = seconds(step_ms.saturating_mul(1_000)),
            outcome,
            error = cut(error, EXPRESSION_BYTES_MAX),
            seconds = seconds(taken_us),
            queue_seconds = seconds(times_us[0]),
            read_seconds = seconds(times_us[1]),
            evaluate_seconds = seconds(times_us[2]),
            series = reading.series,
            samples = reading.samples,
            peak_samples,
            peak_bytes,
            files = usage.files,
            rows = usage.rows,
            requests = usage.requests,
            bytes = usage.bytes,
            plan = cut(&plan, PLAN_BYTES_MAX),
            "slow query"
        );
    }
}

/// A node and those below it on one line: `aggregation(2×1 0.31ms call(10×31 0.3ms matrixSelector(10×600)))`, each with how many
/// series and values it gave and how long it took, as far as that is known.
fn tell(out: &mut String, query: &str, node: &ExplainedNode) {
    if out.len() > PLAN_BYTES_MAX {
        return;
    }
    out.push_str(node.kind);
    out.push('(');
    let mut parts = Vec::new();
    if let Some((series, values)) = node.gave {
        parts.push(format!("{series}×{values}"));
    }
    if let Some(time_us) = node.time_us {
        parts.push(format!("{}ms", seconds(time_us) * 1e3));
    }
    if node.children.is_empty() {
        let (text, is_cut) = node.text(query);
        parts.push(format!("{text}{}", if is_cut { "…" } else { "" }));
    }
    out.push_str(&parts.join(" "));
    for child in &node.children {
        out.push(' ');
        tell(out, query, child);
    }
    out.push(')');
}

fn cut(text: &str, bytes_max: usize) -> String {
    let (begins, is_cut) = shortened(text, bytes_max);
    format!("{begins}{}", if is_cut { "…" } else { "" })
}

/// Microseconds as seconds.
pub(super) fn seconds(time_us: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 µs")]
    let seconds = time_us as f64 / 1e6;
    seconds
}
