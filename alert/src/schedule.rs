//! When a group is evaluated: at multiples of its interval, shifted by a hash of its name, as in Prometheus.

use xxhash_rust::xxh64::xxh64;

/// How many slots of one group a tick evaluates at most; what lies further back is skipped.
pub(crate) const CATCH_UP_SLOTS_MAX: usize = 10;

/// The evaluation times of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    interval_ns: i64,
    offset_ns: i64,
}

/// What a tick has to do for one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Milliseconds since the Unix epoch, in order.
    pub(crate) slots_ms: Vec<i64>,
    /// How many slots were given up because too many were due.
    pub(crate) skipped: i64,
}

impl Schedule {
    /// The schedule of a group; the interval must be positive.
    pub(crate) fn new(file: &str, group: &str, interval_ms: i64) -> Self {
        let interval_ns = interval_ms.max(1).saturating_mul(1_000_000);
        let offset = hash(file, group) % interval_ns.unsigned_abs();
        Self { interval_ns, offset_ns: i64::try_from(offset).unwrap_or(0) }
    }

    /// The last slot that is not after `now_ms`, in nanoseconds.
    fn slot_ns(self, now_ms: i64) -> i64 {
        let now_ns = now_ms.saturating_mul(1_000_000).saturating_add(999_999);
        let shifted = now_ns.saturating_sub(self.offset_ns);
        shifted - shifted.rem_euclid(self.interval_ns) + self.offset_ns
    }

    /// The first slot after `now_ms`.
    pub(crate) fn next_ms(self, now_ms: i64) -> i64 {
        to_ms(self.slot_ns(now_ms).saturating_add(self.interval_ns))
    }

    /// The slots after `last_ms` up to `now_ms`. A group that was never evaluated is due at the latest slot.
    pub(crate) fn due(self, last_ms: Option<i64>, now_ms: i64) -> Due {
        let newest_ns = self.slot_ns(now_ms);
        let Some(last_ms) = last_ms else {
            return Due { slots_ms: vec![to_ms(newest_ns)], skipped: 0 };
        };
        if to_ms(newest_ns) <= last_ms {
            return Due::default();
        }
        let last_ns = self.slot_ns(last_ms);
        let count = (newest_ns - last_ns) / self.interval_ns;
        let kept = count.min(CATCH_UP_SLOTS_MAX as i64);
        let slots = (0..kept).rev().map(|back| to_ms(newest_ns - back * self.interval_ns));
        Due { slots_ms: slots.collect(), skipped: count - kept }
    }
}

fn to_ms(ns: i64) -> i64 {
    ns.div_euclid(1_000_000)
}

/// XXH64 over the labels `file` and `name`, encoded as Prometheus 3 keeps labels: each text with its length before it.
fn hash(file: &str, group: &str) -> u64 {
    let mut bytes = Vec::with_capacity(file.len() + group.len() + 12);
    for text in ["file", file, "name", group] {
        match u8::try_from(text.len()) {
            Ok(length) if length < u8::MAX => bytes.push(length),
            _ => {
                bytes.push(u8::MAX);
                bytes.extend_from_slice(&text.len().to_le_bytes()[..3]);
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    xxh64(&bytes, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_prometheus() {
        assert_eq!(hash("rules.yml", "g1"), 332_418_554_891_472_798);
        assert_eq!(Schedule::new("rules.yml", "g1", 60_000).offset_ns, 14_891_472_798);
        assert_eq!(Schedule::new("/etc/prometheus/rules.yml", "g1", 60_000).offset_ns, 49_419_281_649);
    }

    #[test]
    fn slots() {
        let schedule = Schedule { interval_ns: 10_000_000_000, offset_ns: 1_500_500_000 };
        assert_eq!(
            [1_499, 1_500, 1_501, 11_500].map(|now| schedule.next_ms(now)),
            [1_500, 11_500, 11_500, 21_500]
        );
        let check = |last_ms: Option<i64>, now_ms: i64, slots_ms: &[i64], skipped: i64| {
            assert_eq!(schedule.due(last_ms, now_ms), Due { slots_ms: slots_ms.to_vec(), skipped });
        };
        check(None, 25_000, &[21_500], 0);
        check(None, 21_499, &[11_500], 0);
        check(None, 21_500, &[21_500], 0);
        check(Some(21_500), 25_000, &[], 0);
        check(Some(21_500), 31_500, &[31_500], 0);
        check(Some(21_500), 55_000, &[31_500, 41_500, 51_500], 0);
        // An interval that has changed since: the last slot lies beside the grid.
        check(Some(24_000), 45_000, &[31_500, 41_500], 0);
        let many = schedule.due(Some(21_500), 221_500);
        assert_eq!((many.slots_ms.len(), many.slots_ms[9], many.skipped), (10, 221_500, 10));
        check(Some(99_000), 50_000, &[], 0);
    }
}
