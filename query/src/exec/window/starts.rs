//! Start timestamps: since when a counter has counted, as its source tells. 0 means that it is not known.

/// Whether the sample at `index` counts anew although it need not be smaller: its start lies behind the sample before
/// it, or exactly there while the sample before had a start of its own (then each sample is a delta).
pub(super) fn begins_anew(times: &[i64], starts: &[i64], index: usize) -> bool {
    let (Some(&start), Some(&start_before)) = (starts.get(index), starts.get(index - 1)) else {
        return false;
    };
    let before = times[index - 1];
    let is_delta = start == before && start_before != 0 && start_before < before;
    start != 0 && start < times[index] && (start > before || is_delta)
}

/// When the first sample counted from zero, if that is inside of the window that begins behind `window_start_ms`.
pub(super) fn zero_inside(times: &[i64], starts: &[i64], window_start_ms: i64) -> Option<i64> {
    let (&first, &start) = (times.first()?, starts.first()?);
    (start != 0 && start > window_start_ms && start < first).then_some(start)
}

/// Whether a sample claims to count since before the one before it, with another start than that.
pub(super) fn overlap(times: &[i64], starts: &[i64]) -> bool {
    (1..starts.len()).any(|index| {
        let start = starts[index];
        start != 0 && start < times[index - 1] && start != starts[index - 1]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_behind_the_sample_before_is_a_reset() {
        let check = |starts: [i64; 2], expect: bool| {
            assert_eq!(begins_anew(&[100, 200], &starts, 1), expect, "{starts:?}");
        };
        check([0, 0], false);
        check([50, 50], false);
        check([50, 150], true);
        check([50, 100], true);
        check([0, 100], false);
        check([100, 100], false);
        check([50, 200], false);
        assert!(!begins_anew(&[100, 200], &[], 1));
    }
}
