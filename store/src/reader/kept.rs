//! What retention has left is not seen before the time from which it is complete.

use model::Selection;

use super::gather::Identified;
use crate::manifest::Manifest;

/// From which millisecond on each stream is whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptFrom {
    pub(super) pushes_ms: i64,
    pub(super) samples_ms: i64,
}

/// From when on a stream is whole.
pub(super) fn from_ms(manifest: &Manifest) -> i64 {
    manifest.kept_from.map_or(i64::MIN, |kept| kept.start_us().div_euclid(1_000))
}

/// What of a selection is to be seen; `None`: nothing.
pub(super) fn seen(selection: &Selection, kept_ms: i64) -> Option<Selection> {
    let start_ms = selection.start_ms.max(kept_ms);
    (start_ms <= selection.end_ms).then(|| Selection { start_ms, ..selection.clone() })
}

/// Lets steps that began before it begin there: nobody can tell what they grew from.
pub(super) fn hide(found: &mut [Identified], kept_ms: i64) {
    if kept_ms == i64::MIN {
        return;
    }
    for steps in found.iter_mut().map(|identified| &mut identified.series.steps) {
        for (from_ms, from_zero) in steps.from_ms.iter_mut().zip(&mut steps.from_zero) {
            if *from_ms < kept_ms {
                (*from_ms, *from_zero) = (kept_ms, false);
            }
        }
    }
}
