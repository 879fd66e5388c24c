//! Which segments there are.

use std::collections::HashSet;

use futures::StreamExt;
use object_store::path::Path;

use super::fetch::{Fetch, LIST_PAGE};
use super::unreadable::{LeftOut, Version};
use super::{ReadError, Reader};
use crate::layout::{SegmentName, Stream};

/// A segment in the store.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) object: Path,
    pub(super) version: Version,
    pub(super) name: SegmentName,
}

impl Reader {
    /// The segments with rows between two times, in the order of their names, and the objects that may be some but are not
    /// called so.
    pub(super) async fn list(
        &self,
        fetch: &Fetch,
        store: &dyn object_store::ObjectStore,
        stream: &Stream,
        (start_ms, end_ms): (i64, i64),
    ) -> Result<(Vec<Found>, Vec<LeftOut>), ReadError> {
        let hot = stream.hot();
        let mut listing = store.list(Some(&hot));
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        // only what was known before the listing can be missing from it: others find bad objects meanwhile
        let mut missing = self.unreadable.known_below(&hot);
        let mut entries = 0;
        while let Some(entry) = listing.next().await {
            let entry = entry.map_err(|source| ReadError::Store { object: hot.clone(), source })?;
            entries += 1;
            let (version, object) = (Version::of(&entry), entry.location);
            missing.remove(&object);
            match SegmentName::parse(&object) {
                Ok(name) => found.push(Found { object, version, name }),
                Err(error) => {
                    let reason = self.unreadable.note(&object, &version, error);
                    // a later version may call its segments otherwise; what else lies here is none
                    if object.as_ref().ends_with(".parquet") {
                        left_out.push(LeftOut { object, reason });
                    }
                }
            }
        }
        fetch.count_requests(u64::max(1, u64::div_ceil(entries, LIST_PAGE)));
        self.unreadable.forget(&missing);
        drop_doubles(&mut found);
        found.retain(|Found { name, .. }| {
            name.from_us.div_euclid(1_000) <= end_ms && name.to_us.div_euclid(1_000) >= start_ms
        });
        Ok((found, left_out))
    }
}

/// Of segments with the same writer and number, the one of the latest minute stays: the others came too late for theirs and
/// were never acknowledged. Sorts by name.
fn drop_doubles(found: &mut Vec<Found>) {
    found.sort_by(|a, b| a.object.cmp(&b.object));
    let mut seen = HashSet::with_capacity(found.len());
    found.reverse();
    found.retain(|Found { name, .. }| seen.insert((name.writer, name.number)));
    found.reverse();
}
