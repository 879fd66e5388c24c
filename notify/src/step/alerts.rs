//! Alerts that come in.

use model::Labels;
use serde::{Deserialize, Serialize};

use crate::state::StoredAlert;

/// An alert as somebody tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// What it is known by.
    #[serde(with = "crate::state::labels")]
    pub labels: Labels,
    /// What else is said of it.
    #[serde(with = "crate::state::labels")]
    pub annotations: Labels,
    /// Since when it fires, if that is said.
    pub starts_at_ms: Option<i64>,
    /// When it was over, or will be if nothing else is heard, if that is said.
    pub ends_at_ms: Option<i64>,
    /// A page that shows where it comes from.
    pub generator_url: String,
    /// When it is told of.
    pub at_ms: i64,
}

/// What an alert is known by: FNV-1a over names and values, as in Alertmanager. Shown as 16 hexadecimal digits.
pub fn fingerprint(labels: &Labels) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let add = |hash: u64, bytes: &[u8]| {
        bytes.iter().chain(&[0xff]).fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
    };
    labels.iter().fold(OFFSET, |hash, label| add(add(hash, label.name.as_bytes()), label.value.as_bytes()))
}

impl Received {
    /// Puts in what was not said.
    pub(super) fn stored(self, resolve_timeout_ms: i64) -> StoredAlert {
        let now_ms = self.at_ms;
        let starts_at_ms = self.starts_at_ms.or(self.ends_at_ms).unwrap_or(now_ms);
        StoredAlert {
            labels: self.labels,
            annotations: self.annotations,
            starts_at_ms,
            ends_at_ms: self.ends_at_ms.unwrap_or(now_ms + resolve_timeout_ms),
            updated_at_ms: now_ms,
            is_timeout: self.ends_at_ms.is_none(),
            generator_url: self.generator_url,
        }
    }
}

/// What becomes of an alert that is told of again: if the times overlap it is the same event, else a new one. Whichever was told
/// later is the newer one, in whatever order they come.
pub(super) fn merge(old: StoredAlert, new: StoredAlert, now_ms: i64) -> StoredAlert {
    if new.updated_at_ms < old.updated_at_ms {
        return merge_newer(&new, old, now_ms);
    }
    merge_newer(&old, new, now_ms)
}

fn merge_newer(old: &StoredAlert, mut new: StoredAlert, now_ms: i64) -> StoredAlert {
    let within = |at: i64| at > old.starts_at_ms && at < old.ends_at_ms;
    if !within(new.ends_at_ms) && !within(new.starts_at_ms) {
        return new;
    }
    new.starts_at_ms = new.starts_at_ms.min(old.starts_at_ms);
    let old_end_rules = if new.is_resolved_at(now_ms) { old.is_resolved_at(now_ms) } else { !old.is_timeout };
    if old_end_rules {
        new.ends_at_ms = new.ends_at_ms.max(old.ends_at_ms);
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_alertmanager() {
        let labels = Labels::from_pairs([("i", "1"), ("alertname", "OLD")]);
        assert_eq!(format!("{:016x}", fingerprint(&labels)), "321390d1e02fb1fd");
    }

    #[test]
    fn alerts_that_overlap_are_one() {
        let alert = |starts_at_ms, ends_at_ms: Option<i64>| {
            let labels = Labels::empty();
            let received = Received {
                labels: labels.clone(),
                annotations: labels,
                starts_at_ms: Some(starts_at_ms),
                ends_at_ms,
                generator_url: String::new(),
                at_ms: 100,
            };
            received.stored(300)
        };
        let check = |old: (i64, Option<i64>), new: (i64, Option<i64>), expect: (i64, i64)| {
            let merged = merge(alert(old.0, old.1), alert(new.0, new.1), 100);
            assert_eq!((merged.starts_at_ms, merged.ends_at_ms), expect, "{old:?} and {new:?}");
        };
        // the earlier start, and the later end unless nobody set it
        check((10, Some(500)), (20, Some(450)), (10, 500));
        check((10, None), (20, Some(150)), (10, 150));
        check((20, Some(200)), (10, None), (10, 400));
        // one that is over ends when it says
        check((10, Some(500)), (20, Some(90)), (10, 90));
        check((10, Some(95)), (20, Some(90)), (10, 95));
        // what begins after the end is another event
        check((10, Some(50)), (60, Some(500)), (60, 500));
    }
}
