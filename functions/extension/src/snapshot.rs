//! Sandboxes that are copies of one that has started, as SnapStart makes them: what came before the snapshot is not a copy's own.

/// Notices that a snapshot was taken between two things that came: at that time nothing moves, for seconds at least. After the first
/// invocation there is none any more.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// When something came last; `None`: none is expected.
    last_ms: Option<i64>,
}

impl Snapshot {
    /// What comes after a longer time is of a copy. If it is not, then of a start that goes on, of which nothing stays.
    const GAP_MS: i64 = 1_000;

    pub(crate) fn new(is_expected: bool) -> Self {
        Self { last_ms: is_expected.then_some(0) }
    }

    /// Takes note of something that comes: whether what came before is to be forgotten.
    pub(crate) fn is_behind(&mut self, now_ms: i64) -> bool {
        let Some(last_ms) = &mut self.last_ms else { return false };
        let last_ms = std::mem::replace(last_ms, now_ms);
        !(0..=Self::GAP_MS).contains(&(now_ms - last_ms))
    }

    /// The same for the first invocation.
    pub(crate) fn ends(&mut self, now_ms: i64) -> bool {
        let is_behind = self.is_behind(now_ms);
        self.last_ms = None;
        is_behind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_a_gap_is_forgotten_until_the_first_invocation() {
        let mut snapshot = Snapshot::new(true);
        snapshot.is_behind(100_000);
        assert!(!snapshot.is_behind(100_500));
        assert!(snapshot.is_behind(900_000));
        // the first invocation may have measured something already
        assert!(!snapshot.ends(900_010));
        assert!(!snapshot.is_behind(999_000));
        let mut quiet = Snapshot::new(true);
        quiet.is_behind(100_000);
        assert!(quiet.ends(200_000));
        let mut none = Snapshot::new(false);
        assert!(!none.is_behind(100_000) && !none.is_behind(900_000) && !none.ends(999_000));
    }
}
