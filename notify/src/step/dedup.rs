//! Whether a receiver has to be told, given what it was told last.

use crate::state::{LogEntry, Reason};

/// What a group holds at a flush: fingerprints, in order.
pub(super) struct Now<'a> {
    pub(super) firing: &'a [u64],
    pub(super) resolved: &'a [u64],
    pub(super) at_ms: i64,
}

/// Why a receiver has to be told; `None` if it knows.
///
/// A notification is repeated as soon as the interval has passed, where Alertmanager waits until more than it has: its timers
/// run late by some milliseconds, so that it repeats at the interval or one flush later.
pub(super) fn reason(
    entry: Option<&LogEntry>,
    now: &Now<'_>,
    send_resolved: bool,
    repeat_interval_ms: i64,
) -> Option<Reason> {
    let Some(entry) = entry else {
        return (!now.firing.is_empty()).then_some(Reason::FirstNotification);
    };
    if !is_subset(now.firing, &entry.firing) {
        let first = entry.firing.is_empty();
        return Some(if first { Reason::FirstNotification } else { Reason::NewAlertsAdded });
    }
    if now.firing.is_empty() {
        // told even to those who hear nothing of what is over, so that the log says so
        return (!entry.firing.is_empty()).then_some(Reason::AllAlertsResolved);
    }
    if send_resolved && !is_subset(now.resolved, &entry.resolved) {
        return Some(Reason::SomeAlertsResolved);
    }
    (entry.at_ms + repeat_interval_ms <= now.at_ms).then_some(Reason::RepeatIntervalElapsed)
}

fn is_subset(some: &[u64], all: &[u64]) -> bool {
    some.iter().all(|one| all.binary_search(one).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_told_again() {
        let check = |entry: Option<(&[u64], &[u64])>, now: (&[u64], &[u64]), resolved: bool, expect| {
            let entry = entry.map(|(firing, resolved)| LogEntry {
                at_ms: 0,
                firing: firing.to_vec(),
                resolved: resolved.to_vec(),
                expires_at_ms: 1_000,
            });
            let now = Now { firing: now.0, resolved: now.1, at_ms: 9 };
            assert_eq!(reason(entry.as_ref(), &now, resolved, 10), expect, "{entry:?}");
        };
        check(None, (&[1], &[]), true, Some(Reason::FirstNotification));
        check(None, (&[], &[1]), true, None);
        check(Some((&[1], &[])), (&[1], &[]), true, None);
        check(Some((&[1], &[])), (&[1, 2], &[]), true, Some(Reason::NewAlertsAdded));
        check(Some((&[], &[1])), (&[1], &[]), true, Some(Reason::FirstNotification));
        check(Some((&[1], &[])), (&[], &[1]), true, Some(Reason::AllAlertsResolved));
        check(Some((&[1], &[])), (&[], &[1]), false, Some(Reason::AllAlertsResolved));
        check(Some((&[], &[1])), (&[], &[1]), true, None);
        check(Some((&[1, 2], &[])), (&[1], &[2]), true, Some(Reason::SomeAlertsResolved));
        check(Some((&[1, 2], &[])), (&[1], &[2]), false, None);
        check(Some((&[1], &[2])), (&[1], &[2]), true, None);
        check(Some((&[1, 2, 3], &[])), (&[1], &[]), true, None);
    }

    #[test]
    fn it_is_repeated_when_the_interval_has_passed() {
        let entry = LogEntry { at_ms: 0, firing: vec![1], resolved: vec![], expires_at_ms: 1_000 };
        let at = |at_ms| reason(Some(&entry), &Now { firing: &[1], resolved: &[], at_ms }, true, 10);
        assert_eq!((at(9), at(10)), (None, Some(Reason::RepeatIntervalElapsed)));
    }
}
