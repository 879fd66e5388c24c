//! For tests: inputs that are there as a whole, merged in small parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{RetryKey, Stamp};

use super::{
    Cells, Contested, FileLimits, FrameHeads, FrameMerge, Known, PushMerge, Round, Rounds, SampleMerge, Span,
    Stamps, Survey, Surveyed, Uneven,
};
use crate::layout::Day;
use crate::segment::Segment;

/// What becomes of what is merged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MergeSettings {
    /// Of what is added to one series within a stretch of so many µs, counted from 1970, one row is left; it must divide a
    /// minute. `None`: all rows are left.
    pub(crate) aggregate_resolution_us: Option<i64>,
}

/// What segments or runs of pushes have become.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) run: Segment,
    pub(crate) keys: Vec<(RetryKey, Stamp)>,
    pub(crate) repeated_rows: u64,
    pub(crate) joined_rows: u64,
}

const LIMITS: FileLimits = FileLimits { rows_max: usize::MAX, bytes_max: usize::MAX };

/// So many rows of an input come at a time.
const PART_ROWS: usize = 2;

/// And of a series so many wait for those to come.
const HELD_ROWS_MAX: usize = 3;

/// Merges segments, or runs, of pushes to one run of a span, of which they must hold all.
pub(crate) fn merge_pushes(
    inputs: &[Arc<Segment>],
    span: Span,
    counted: &[(RetryKey, Stamp)],
    settings: MergeSettings,
) -> Merged {
    let mut stamps = Stamps::default();
    inputs.iter().for_each(|input| stamps.add(input));
    let inputs: Vec<Segment> = inputs.iter().map(|input| Segment::clone(input)).collect();
    let cells = settings.aggregate_resolution_us.map(|by_us| Cells::of(&inputs, span, by_us));
    let contested = Contested::of(stamps);
    let known = Known { heads: &inputs, span, counted, contested, cells, limits: LIMITS };
    let mut merge = PushMerge::new(known).holding(HELD_ROWS_MAX);
    in_rounds(&inputs, |round| assert!(merge.take(&round).is_empty()));
    let (keys, repeated_rows, joined_rows) =
        (std::mem::take(&mut merge.keys), merge.repeated_rows, merge.joined_rows);
    let mut files = merge.finish();
    assert_eq!(files.len(), 1);
    Merged { run: files.remove(0), keys, repeated_rows, joined_rows }
}

/// The runs of samples, of which families were told on that day, and how many rows are in none of them.
pub(crate) fn merge_samples(inputs: &[Arc<Segment>], told: Day) -> (BTreeMap<Day, Segment>, u64) {
    let inputs: Vec<Segment> = inputs.iter().map(|input| Segment::clone(input)).collect();
    let heads: Vec<Segment> = inputs.iter().map(|input| input.clone().take_head()).collect();
    let mut merge = SampleMerge::new(LIMITS, &heads, told);
    in_rounds(&inputs, |round| assert!(merge.take(&round).is_empty()));
    let rows_dropped = merge.rows_dropped;
    (merge.finish().into_iter().collect(), rows_dropped)
}

/// The frame at `at_us`, before which everything is known: `base` are the frame that it goes on from and those which that one
/// builds on, oldest first; `runs` is what was pushed since.
pub(crate) fn frame(
    base: &[Arc<Segment>],
    runs: &[Arc<Segment>],
    at_us: i64,
    is_full: bool,
    expired_from_us: i64,
) -> Segment {
    let head = |input: &Arc<Segment>| Arc::new(Segment::clone(input).take_head());
    let heads = |inputs: &[Arc<Segment>]| inputs.iter().map(head).collect::<Vec<_>>();
    let inputs: Vec<Segment> = base.iter().chain(runs).map(|input| Segment::clone(input)).collect();
    let heads = FrameHeads::of(&heads(base), &heads(runs), at_us);
    let mut surveyed = Surveyed::default();
    if heads.needs_survey() {
        let mut survey = Survey::new(&heads);
        in_rounds(&inputs, |round| survey.take(&round));
        let uneven;
        (surveyed, uneven) = survey.finish();
        let mut uneven = Uneven::new(uneven, usize::MAX);
        in_rounds(&inputs, |round| assert!(uneven.take(&round)));
        uneven.finish(&heads, &mut surveyed);
    }
    let mut merge = FrameMerge::new(heads, surveyed, is_full, expired_from_us, LIMITS).holding(HELD_ROWS_MAX);
    in_rounds(&inputs, |round| assert!(merge.take(&round).is_empty()));
    let mut files = merge.finish();
    assert_eq!(files.len(), 1);
    files.remove(0)
}

fn in_rounds(inputs: &[Segment], mut take: impl FnMut(Round)) {
    let mut rounds = Rounds::new(inputs.len());
    let mut given = vec![0; inputs.len()];
    loop {
        while let Some(index) = rounds.wanting() {
            let (input, from) = (&inputs[index], given[index]);
            let to = (from + PART_ROWS).min(input.rows.len());
            given[index] = to;
            rounds.give(index, (from < to).then(|| input.part(from..to)));
        }
        let round = rounds.take();
        let is_last = round.is_last();
        take(round);
        if is_last {
            return;
        }
    }
}
