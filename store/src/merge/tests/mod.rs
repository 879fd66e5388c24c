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

use model::{MatchOp, Matcher};
use proptest::prelude::*;

use super::*;
use crate::deletion::{Condition, Mask, Recorded};
use crate::layout::Minute;
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

/// Whether a value of what is deleted stands in a file.
fn has_some(file: &Segment, deletion: &Recorded) -> bool {
    let selection = deletion.selection();
    let rows =
        file.series.iter().filter(|series| selection.matches(&series.labels)).flat_map(|s| s.range.clone());
    rows.into_iter().any(|row| {
        let (at_us, value) = (file.rows.at_us[row], file.rows.value(row));
        let is_end = file.rows.until_us(row) == Some(at_us) && value == model::Value::Float(0.0);
        deletion.touches(at_us, at_us) && (deletion.from_us.is_none() || !is_end)
    })
}

/// Of some series, some time or all until then.
fn deletion() -> impl Strategy<Value = Recorded> {
    let regex = |name, value| Matcher::new(name, MatchOp::Regex, value).expect("a pattern");
    let matcher = prop_oneof![
        Just(Matcher::equal("__name__", "c")),
        Just(regex("__name__", "h_.*")),
        Just(Matcher::equal("le", "2.0")),
        Just(regex("__name__", ".+")),
        Just(Matcher::equal("x", "a")),
        Just(regex("job", ".+")),
    ];
    (matcher, prop::option::of(0..200i64), 0..200i64).prop_map(|(matcher, from_ms, length_ms)| {
        let us = |ms: i64| (T0 + ms) * 1_000;
        Recorded {
            number: 1,
            through: Minute::of(i64::MAX),
            matchers: vec![Condition(matcher)],
            from_us: from_ms.map(us),
            to_us: us(from_ms.unwrap_or(0) + length_ms),
        }
    })
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
        let reference = Reference::without(&stamped, &|_, _| false);
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
    fn what_is_deleted_is_gone_from_segments_runs_and_frames_alike(
        story in wild(), steps in steps(), later in steps(), deletion in deletion(), window in (0..400i64, 0..120i64)
    ) {
        let (segments, stamped) = pushed(&story);
        let mut world = World::new(segments.clone(), None);
        steps.iter().for_each(|step| world.take(step));
        let mask = Mask::new([&deletion].into_iter());
        let left: Vec<_> = segments.iter().map(|s| mask.apply(s).map_or_else(|| Arc::clone(s), Arc::new)).collect();
        let straight = Pushes { segments: left, ..Pushes::default() };
        world.delete(&deletion);
        let (start_ms, end_ms) = (T0 + window.0, T0 + window.0 + window.1);
        for steps in [&[][..], &later] {
            steps.iter().for_each(|step| world.take(step));
            let read = world.readable(start_ms);
            let different = difference(&straight, &read, (start_ms, end_ms), world.known_ms());
            prop_assert_eq!(
                different, "", "after {:?} in {:?} without {:?} of {}", world, window, deletion, show(&stamped)
            );
            prop_assert!(!read.segments.iter().any(|file| has_some(file, &deletion)), "of {:?}", deletion);
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
