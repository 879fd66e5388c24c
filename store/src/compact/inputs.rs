//! What is merged: listed, fetched, compared with its checksum, decoded.

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{CompactError, Compactor};
use crate::compute;
use crate::hot;
use crate::layout::{Minute, SegmentName, Stream};
use crate::manifest::{Manifest, Reaching};
use crate::segment::{self, Segment, SegmentError};

/// Requests to the store at once.
pub(super) const REQUESTS_MAX: usize = 16;

/// A segment that no run has yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HotSegment {
    pub(super) object: Path,
    /// Below the stream.
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) name: SegmentName,
}

impl HotSegment {
    /// The minute under which it is filed.
    pub(super) fn minute(&self) -> Minute {
        Minute::of(self.name.stamped_us)
    }
}

/// The segments at or after a watermark, in the order of their names. What is not called like a segment is no business of compaction: readers tell of it.
pub(super) async fn list_hot(
    store: &dyn ObjectStore,
    stream: &Stream,
    watermark: Option<Minute>,
) -> Result<Vec<HotSegment>, CompactError> {
    let mut listing = hot::list(store, stream, watermark);
    let mut found = Vec::new();
    while let Some(entry) = listing.next().await {
        let entry = entry.map_err(|source| CompactError::Store { object: stream.hot(), source })?;
        let (object, bytes) = (entry.location, entry.size);
        if let (Ok(name), Some(path)) = (SegmentName::parse(&object), stream.name_of(&object)) {
            found.push(HotSegment { object, path, bytes, name });
        }
    }
    hot::drop_doubles(&mut found, |segment| (&segment.object, &segment.name));
    Ok(found)
}

/// The segments that are in runs and go on after the watermark.
pub(super) fn reaching(stream: &Stream, manifest: &Manifest) -> Vec<HotSegment> {
    let segment = |(object, name, Reaching { name: path, bytes })| HotSegment { object, path, bytes, name };
    hot::reaching(stream, manifest).map(segment).collect()
}

/// A file that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) object: Path,
    pub(super) error: SegmentError,
}

impl Compactor {
    /// Reads a segment.
    pub(super) async fn read(
        &self,
        object: Path,
        checksum: u64,
    ) -> Result<Result<Read, Unreadable>, CompactError> {
        let failed = |source| CompactError::Store { object: object.clone(), source };
        let bytes = self.store.get(&object).await.map_err(failed)?.bytes().await.map_err(failed)?;
        let length = bytes.len() as u64;
        let decoded = compute::decoded(compute::merge(move || segment::decode(bytes, checksum)).await)?;
        Ok(match decoded {
            Ok(segment) => Ok(Read { segment, bytes: length }),
            Err(error) => Err(Unreadable { object, error }),
        })
    }
}

/// A decoded file, and how long it is.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) segment: Segment,
    pub(super) bytes: u64,
}
