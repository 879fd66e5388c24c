//! Which files there are: the runs of the manifest, and the segments that are in none yet.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use object_store::path::Path;

use super::fetch::{Fetch, LIST_PAGE};
use super::unreadable::{LeftOut, Version};
use super::{ReadError, Reader};
use crate::compact::{ids, sealed_list};
use crate::hot;
use crate::layout::{Minute, SegmentName, Stream};
use crate::manifest::{Loaded, Manifest, Manifests, Object, Reaching};

/// A file in the store.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) object: Path,
    pub(super) version: Version,
    /// XXH3-64 of it.
    pub(super) checksum: u64,
}

/// A segment that no run has.
#[derive(Clone, Debug)]
pub(super) struct Hot {
    pub(super) found: Found,
    pub(super) name: SegmentName,
}

/// What was told of a family of samples is known for a week, until the same or something else is told: senders repeat it.
const FAMILIES_TOLD_MINUTES: i64 = 7 * 24 * 60;

/// What a stream consists of.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) manifest: Arc<Manifest>,
    /// Segments of which what they say of the watermark and later is in no run.
    pub(super) reaching: Vec<Found>,
    /// In the order of their names.
    pub(super) hot: Vec<Hot>,
    /// Objects that may be segments but are not called so.
    pub(super) left_out: Vec<LeftOut>,
}

impl Listed {
    /// The segments with rows of a time that are in no run.
    pub(super) fn hot(&self, (from_us, to_us): (i64, i64)) -> impl Iterator<Item = Found> {
        let is_wanted = move |hot: &&Hot| hot.name.from_us <= to_us && hot.name.to_us >= from_us;
        self.hot.iter().filter(is_wanted).map(|hot| hot.found.clone())
    }

    /// How many files there are.
    pub(super) fn file_count(&self) -> usize {
        let Manifest { runs, frames, .. } = &*self.manifest;
        let objects =
            runs.iter().map(|run| run.objects.len()).chain(frames.iter().map(|frame| frame.objects.len()));
        objects.sum::<usize>() + self.reaching.len() + self.hot.len()
    }

    /// From when on it counts what was told of the families of samples.
    pub(super) fn lately(&self) -> Minute {
        let last = self.hot.iter().map(|hot| Minute::of(hot.name.stamped_us)).max();
        last.max(self.manifest.watermark).unwrap_or(Minute::of(0)).plus(-FAMILIES_TOLD_MINUTES)
    }

    /// Leaves out the segments that the tail of this process holds: those of its writer from a number on.
    pub(super) fn leave_out(&mut self, writer: u64, first_number: u32) {
        self.hot.retain(|Hot { name, .. }| name.writer != writer || name.number < first_number);
    }
}

/// The manifest that was read last, so that it is not read again and what it has told to be merged is not listed.
#[derive(Debug, Default)]
pub(super) struct KnownManifest(Mutex<Option<Loaded>>);

impl KnownManifest {
    fn get(&self) -> Option<Loaded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, loaded: &Loaded) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded.clone());
    }
}

impl Reader {
    /// The manifest of a stream, and the segments that are in none of its runs. Both are asked for at once: what is in a run is
    /// deleted from among the segments long after a manifest says so.
    pub(super) async fn list(
        &self,
        fetch: &Fetch,
        stream: &Stream,
        known: &KnownManifest,
    ) -> Result<Listed, ReadError> {
        let manifests = Manifests::new(Arc::clone(&self.store), stream.manifest());
        let last = known.get();
        let watermark = last.as_ref().and_then(|last| last.manifest.watermark);
        let load = async {
            fetch.count_requests(1);
            manifests.load(last.as_ref()).await.map_err(ReadError::from)
        };
        let (loaded, (mut hot, left_out)) =
            futures::try_join!(load, self.list_hot(fetch, stream, watermark))?;
        self.forget_deleted(fetch, stream, last.as_ref().map(|last| &*last.manifest), &loaded.manifest).await;
        known.set(&loaded);
        let manifest = loaded.manifest;
        if let Some(watermark) = manifest.watermark {
            hot.retain(|hot| Minute::of(hot.name.stamped_us) >= watermark);
        }
        hot::drop_doubles(&mut hot, |hot| (&hot.found.object, &hot.name));
        hot.retain(|hot| !hot.name.is_too_late(manifest.kept_from));
        if hot.iter().any(|hot| hot.name.again_since.is_some()) {
            let sealed = self.ids(fetch, stream, &manifest).await?;
            let id = |name: &SegmentName| (name.writer, name.number, Minute::of(name.stamped_us));
            hot.retain(|Hot { name, .. }| name.again_since.is_none() || !ids::is_sealed(&sealed, id(name)));
        }
        let reaching = hot::reaching(stream, &manifest).map(|(object, name, Reaching { bytes, .. })| Found {
            object,
            version: Version::of_size(bytes),
            checksum: name.checksum,
        });
        let reaching = reaching.collect();
        Ok(Listed { reaching, manifest, hot, left_out })
    }

    async fn list_hot(
        &self,
        fetch: &Fetch,
        stream: &Stream,
        watermark: Option<Minute>,
    ) -> Result<(Vec<Hot>, Vec<LeftOut>), ReadError> {
        let folder = stream.hot();
        let mut listing = hot::list(&*self.store, stream, watermark);
        let (mut hot, mut left_out) = (Vec::new(), Vec::new());
        // only what was known before the listing can be missing from it: others find bad objects meanwhile
        let mut missing = self.unreadable.known_below(&folder);
        let mut entries = 0;
        while let Some(entry) = listing.next().await {
            let entry = entry.map_err(|source| ReadError::Store { object: folder.clone(), source })?;
            entries += 1;
            let (version, object) = (Version::of(&entry), entry.location);
            missing.remove(&object);
            match SegmentName::parse(&object) {
                Ok(name) => {
                    let checksum = name.checksum;
                    hot.push(Hot { found: Found { object, version, checksum }, name });
                }
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
        Ok((hot, left_out))
    }

    /// The ids of all segments that are in runs. Few segments are put a second time, so this is seldom asked.
    async fn ids(
        &self,
        fetch: &Fetch,
        stream: &Stream,
        manifest: &Manifest,
    ) -> Result<Vec<ids::Id>, ReadError> {
        let mut all = Vec::new();
        for name in manifest.runs.iter().filter_map(|run| run.ids.as_ref()) {
            let object = stream.below(name);
            let bytes = fetch.whole(&object).await?;
            all.extend(sealed_list::decode::<ids::Id>(&bytes).ok_or(ReadError::Ids { object })?);
        }
        all.sort_unstable();
        Ok(all)
    }
}

impl Found {
    /// A file that a manifest names.
    pub(super) fn merged(stream: &Stream, object: &Object) -> Self {
        Self {
            object: stream.below(&object.name),
            version: Version::of_size(object.bytes),
            checksum: object.checksum,
        }
    }
}
