//! The fold against a model that plays pushes one after the other: whatever the split into segments, the writers and the
//! order in which their segments are listed, and however many segments are there twice.

mod compacted;
mod increase;
mod pushes;
mod reference;
mod written;

use proptest::prelude::*;
use pushes::{show, story, widest_ms};
use reference::Reference;
use written::written;

/// A case writes and reads files, so there are fewer than usual; `PROPTEST_CASES=10000` takes its time.
pub(crate) fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases / 4, ..usual }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn equals_playing_the_pushes_in_order(
        story in story(), doubles in any::<u64>(), window in (0..400i64, 0..400i64)
    ) {
        let (found, stamped) = written(&story, doubles, (0, widest_ms(&story)));
        let reference = Reference::without(&stamped, &|_, _| false);
        for at_ms in 0..=widest_ms(&story) {
            let different = reference.different(&found.at(at_ms), at_ms);
            prop_assert_eq!(different, "", "at {} of {}", at_ms, show(&stamped));
        }
        // what is asked about less time is a part of the same
        let (start_ms, end_ms) = (window.0.min(window.1), window.0.max(window.1));
        let (part, _) = written(&story, doubles, (start_ms, end_ms));
        for at_ms in start_ms..=end_ms {
            let different = reference.different(&part.at(at_ms), at_ms);
            prop_assert_eq!(different, "", "at {} to {} of {}", at_ms, end_ms, show(&stamped));
        }
    }
}
