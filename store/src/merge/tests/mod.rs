//! Whatever is merged, and when, the answers stay those of the events: beside the fold over all segments, and beside the literal
//! model that plays pushes one after the other.

mod answers;
mod compacted;
#[path = "../../../tests/fold/pushes.rs"]
mod pushes;
#[path = "../../../tests/fold/reference.rs"]
mod reference;
mod sampled;
mod story;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::reader::Pushes;
use crate::segment::Segment;
use answers::{at, difference};
use compacted::{Step, World, step};
use pushes::show;
use reference::Reference;
use story::{T0, pushed, story, wild};

/// A case merges and reads many times, so there are fewer than usual.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, ..usual }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..9)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn runs_and_frames_answer_as_the_segments_do(
        story in wild(), steps in steps(), window in (0..400i64, 0..120i64)
    ) {
        let (segments, stamped) = pushed(&story);
        let mut world = World::new(segments.clone(), None);
        steps.iter().for_each(|step| world.take(step));
        let straight = Pushes { segments, ..Pushes::default() };
        let (start_ms, end_ms) = (T0 + window.0, T0 + window.0 + window.1);
        let different = difference(&straight, &world.readable(start_ms), (start_ms, end_ms), world.known_ms());
        prop_assert_eq!(different, "", "after {:?} in {:?} of {}", world, window, show(&stamped));
    }

    #[test]
    fn runs_and_frames_answer_as_playing_the_pushes_does(story in story(), steps in steps()) {
        let (segments, stamped) = pushed(&story);
        let mut world = World::new(segments, None);
        steps.iter().for_each(|step| world.take(step));
        let reference = Reference::new(&stamped);
        for at_ms in 0..pushes::widest_ms(&story) {
            let found = at(&world.readable(T0 + at_ms), at_ms);
            let different = reference.different(&found, at_ms);
            prop_assert_eq!(different, "", "at {} after {:?} of {}", at_ms, world, show(&stamped));
        }
    }

    #[test]
    fn at_the_end_of_each_cell_the_answers_are_the_same(story in story(), steps in steps()) {
        const CELL_MS: i64 = 8;
        let (segments, stamped) = pushed(&story);
        let mut world = World::new(segments.clone(), Some(CELL_MS));
        steps.iter().for_each(|step| world.take(step));
        let straight = Pushes { segments, ..Pushes::default() };
        let first_ms = CELL_MS - T0.rem_euclid(CELL_MS) - 1;
        for at_ms in (first_ms..pushes::widest_ms(&story)).step_by(8) {
            prop_assert_eq!(
                at(&world.readable(T0 + at_ms), at_ms), at(&straight, at_ms),
                "at {} after {:?} of {}", at_ms, world, show(&stamped)
            );
        }
    }

    #[test]
    fn the_order_of_segments_changes_no_byte(story in wild(), rotate in 0..9usize) {
        let (segments, _) = pushed(&story);
        let span = Span { from_us: T0 * 1_000, end_us: (T0 + 200) * 1_000 };
        let merged = |segments: &[Arc<Segment>]| {
            let merged = merge_pushes(segments, span, &[], MergeSettings::default());
            (crate::segment::encode(&merged.run).expect("encodes"), merged.keys)
        };
        let mut rotated = segments.clone();
        rotated.rotate_left(rotate % segments.len().max(1));
        prop_assert_eq!(merged(&rotated), merged(&segments));
    }
}
