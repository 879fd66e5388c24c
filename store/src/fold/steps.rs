//! From stamps to the milliseconds of PromQL.

use model::{OPEN_END_MS, Stamp, Steps};

use super::epochs::{Growth, Interval};

/// The steps that touch [`start_ms`, `end_ms`]. Of several changes within one millisecond the last is seen, and what they
/// added counts all together.
pub(super) fn steps(intervals: &[Interval], start_ms: i64, end_ms: i64) -> Steps {
    let mut steps = Steps::default();
    let mut unseen: Option<Growth> = None;
    for interval in intervals {
        let (from_ms, until_ms) = (to_ms(interval.from), interval.until.map_or(OPEN_END_MS, to_ms));
        let growth = match (interval.growth, unseen) {
            (Growth::Continued, Some(unseen)) => unseen,
            (growth, _) => growth,
        };
        if from_ms == until_ms {
            unseen = Some(growth);
            continue;
        }
        unseen = None;
        if from_ms > end_ms || until_ms <= start_ms {
            continue;
        }
        let from_zero = match growth {
            Growth::FromZero => true,
            Growth::From { since, .. } => to_ms(since) == from_ms,
            Growth::Unknown | Growth::Continued => false,
        };
        if let Growth::From { value, .. } = growth
            && !from_zero
        {
            show_before(&mut steps, from_ms, value, start_ms);
        }
        steps.push_value(from_ms, until_ms, &interval.value);
        if let Some(last) = steps.from_zero.last_mut() {
            *last = from_zero;
        }
        if let Some(since) = interval.since {
            steps.started(to_ms(since));
        }
    }
    steps
}

/// Shows for one millisecond what the series would have been before it appeared, so that what it grows by is counted, and
/// no more than that.
fn show_before(steps: &mut Steps, from_ms: i64, value: f64, start_ms: i64) {
    let is_free = steps.until_ms.last().is_none_or(|until_ms| *until_ms < from_ms);
    if is_free && from_ms > start_ms {
        steps.push(from_ms - 1, from_ms, value);
    }
}

fn to_ms(stamp: Stamp) -> i64 {
    stamp.at_us.div_euclid(1_000)
}
