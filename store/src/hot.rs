//! Segments that no run has, as readers and compactors find them: the same ones for both.

use std::collections::HashSet;

use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, Result};

use crate::layout::{Minute, SegmentName, Stream};
use crate::manifest::{Manifest, Reaching};

/// What lies among the segments of minutes from the watermark on.
pub(crate) fn list(
    store: &dyn ObjectStore,
    stream: &Stream,
    watermark: Option<Minute>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let hot = stream.hot();
    match watermark {
        Some(watermark) => store.list_with_offset(Some(&hot), &stream.hot_from(watermark)),
        None => store.list(Some(&hot)),
    }
}

/// Of segments with the same writer and number, the one of the latest minute stays: the others came too late for theirs and
/// were never acknowledged. Sorts by name; `told` gives the object and what its name tells.
pub(crate) fn drop_doubles<T>(found: &mut Vec<T>, told: impl Fn(&T) -> (&Path, &SegmentName)) {
    found.sort_by(|a, b| told(a).0.cmp(told(b).0));
    let mut seen = HashSet::with_capacity(found.len());
    found.reverse();
    found.retain(|segment| {
        let (_, name) = told(segment);
        seen.insert((name.writer, name.number))
    });
    found.reverse();
}

/// The segments that are in runs and go on after the watermark. Only segments are named there.
pub(crate) fn reaching(
    stream: &Stream,
    manifest: &Manifest,
) -> impl Iterator<Item = (Path, SegmentName, Reaching)> {
    manifest.reaching.iter().filter_map(|segment| {
        let object = stream.below(&segment.name);
        let name = SegmentName::parse(&object).ok()?;
        Some((object, name, segment.clone()))
    })
}
