//! When groups have expired: `push_expired_time_seconds`, which nobody pushes.
//!
//! An expired group is absent, so whoever wants to know of it asks for this name, and only then it is there: from the moment
//! at which the group expires until it is pushed to again, deleted or wiped.

use model::{GroupKey, Labels, Matcher, OPEN_END_MS, Selection, Series, Stamp, Steps};

use super::gather::{Gathered, Identified, Identity};
use crate::fold::{Ends, Expired, GroupEvents, PUSH_TIME_FAMILY};

const EXPIRED_FAMILY: &str = "push_expired_time_seconds";

/// What must be read instead of the selection; `None` if it does not ask for this name.
pub(super) fn needed(selection: &Selection) -> Option<Selection> {
    if selection.metric_name() != Some(EXPIRED_FAMILY) {
        return None;
    }
    let others = selection.matchers.iter().filter(|matcher| *matcher.name != *Labels::NAME).cloned();
    let matchers = [Matcher::equal(Labels::NAME, PUSH_TIME_FAMILY)].into_iter().chain(others).collect();
    Some(Selection { matchers, ..*selection })
}

impl Gathered {
    /// The expiries of the groups whose push times were gathered, as far as they lie in the time.
    pub(super) fn into_expired(self, start_ms: i64, end_ms: i64) -> Vec<Identified> {
        let mut expired = Vec::new();
        for (Identity { labels, .. }, groups) in &self.series {
            // one group per label set of push times: they are its grouping labels
            let mut steps =
                groups.iter().map(|(key, events)| steps(*key, events, &self.ends, start_ms, end_ms));
            if let Some(steps) = steps.find(|steps| !steps.is_empty()) {
                let labels = labels.to_builder().set(Labels::NAME, EXPIRED_FAMILY).build();
                let fingerprint = labels.fingerprint();
                let series = Series { labels, steps, ..Series::default() };
                expired.push(Identified { series, fingerprint });
            }
        }
        expired
    }
}

fn steps(group: GroupKey, events: &GroupEvents, ends: &Ends, start_ms: i64, end_ms: i64) -> Steps {
    let mut pushes: Vec<(Stamp, bool)> = events.stamps().collect();
    pushes.sort_unstable();
    let mut steps = Steps::default();
    for Expired { at: expiry, until } in ends.expiries(group) {
        let before = pushes.partition_point(|(push, _)| *push < expiry);
        // of a push that is deleted, or repeats another, nothing is known, not even that it expired
        let is_known = before.checked_sub(1).is_some_and(|last| pushes[last].1);
        if !is_known {
            continue;
        }
        let next = pushes.get(before).map(|(push, _)| *push);
        let until = next.into_iter().chain(until).min();
        let ms = |at_us: i64| at_us.div_euclid(1_000);
        let (from_ms, until_ms) = (ms(expiry.at_us), until.map_or(OPEN_END_MS, |until| ms(until.at_us)));
        if from_ms < until_ms && from_ms <= end_ms && until_ms > start_ms {
            #[expect(clippy::cast_precision_loss, reason = "exact to the microsecond until the year 2255")]
            steps.push(from_ms, until_ms, expiry.at_us as f64 / 1e6);
        }
    }
    steps
}
