//! Rules on a past range: what would have fired, and when.
//!
//! Each group is evaluated at its own slots of the range, in order of time, with nothing remembered from before it; receivers
//! and state are left alone.

use std::collections::BTreeSet;

use crate::rehearsal::{Rehearsal, RuleFailure};
use crate::send::Alert;

/// How many slots of groups one replay may evaluate.
pub const REPLAY_SLOTS_MAX: u64 = 10_000_000;

/// An alert that would have been sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedAlert {
    /// The slot at which it fired, or was over; milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// With its labels and annotations, as receivers would have got it.
    pub alert: Alert,
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Evaluations of rules.
    pub evaluations: u64,
    /// Those that failed.
    pub failures: u64,
    /// Alerts that fired.
    pub fired: u64,
    /// Those that still fired at the end.
    pub firing: u64,
}

/// A range that cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It ends before it begins.
    #[error("the range ends before it begins")]
    Backwards,
    /// It is too long for the intervals of the rules.
    #[error(
        "the range has {slots} evaluations of groups; the limit is {REPLAY_SLOTS_MAX}: take a shorter range, or longer intervals"
    )]
    TooLong {
        /// How many there are.
        slots: u64,
    },
}

impl Rehearsal {
    /// Evaluates every group at each of its slots in `[start_ms, end_ms]`, and tells what would have been sent: an alert once when
    /// it fires, and once when it is over. Rules that fail are told too, and do not end it.
    ///
    /// # Errors
    /// If the range is none, or too long; nothing was evaluated then.
    pub async fn replay(
        &mut self,
        start_ms: i64,
        end_ms: i64,
        tell: &mut (dyn FnMut(Result<ReplayedAlert, RuleFailure>) + Send),
    ) -> Result<ReplaySummary, ReplayError> {
        if end_ms < start_ms {
            return Err(ReplayError::Backwards);
        }
        let schedules = self.schedules();
        let first_ms: Vec<i64> =
            schedules.iter().map(|(s, _)| s.next_ms(start_ms.saturating_sub(1))).collect();
        let slots = schedules.iter().zip(&first_ms).map(|((_, interval_ms), first_ms)| {
            let length_ms = end_ms.saturating_sub(*first_ms);
            if length_ms < 0 { 0 } else { length_ms.unsigned_abs() / interval_ms.unsigned_abs().max(1) + 1 }
        });
        let slots = slots.fold(0_u64, u64::saturating_add);
        if slots > REPLAY_SLOTS_MAX {
            return Err(ReplayError::TooLong { slots });
        }
        // the next slot of each group; of groups with the same, in the order of the files
        let mut next: BTreeSet<(i64, usize)> = first_ms.into_iter().zip(0..).collect();
        let mut summary = ReplaySummary::default();
        while let Some((at_ms, group)) = next.pop_first().filter(|(at_ms, _)| *at_ms <= end_ms) {
            let (alerts, failures) = self.evaluate_group(group, at_ms).await;
            summary.evaluations += self.rule_count(group);
            summary.failures += failures.len() as u64;
            failures.into_iter().for_each(|failure| tell(Err(failure)));
            for alert in alerts {
                // what is sent again is no news
                let (is_news, time_ms) = match alert.resolved {
                    true => (true, alert.ends_at_ms),
                    false => (alert.starts_at_ms == at_ms, alert.starts_at_ms),
                };
                if is_news && time_ms == at_ms {
                    summary.fired += u64::from(!alert.resolved);
                    tell(Ok(ReplayedAlert { at_ms, alert }));
                }
            }
            next.insert((schedules[group].0.next_ms(at_ms), group));
        }
        summary.firing = self.firing_count();
        Ok(summary)
    }
}
