//! Answers selections: which segments, what they hold, and the fold of it.

mod cache;
mod error;
mod gather;

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Labels, Metadata, Selection, Series, Value};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use error::{ReadError, ReadErrorKind};

use crate::layout::{SegmentName, Stream};
use crate::segment::{self, Segment};
use crate::settings::ReaderSettings;
use crate::stats::{ReaderStats, count};
use crate::tail::Tail;
use cache::Cache;
use gather::Gathered;

/// Reads the pushes of one tenant.
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    stream: Stream,
    settings: ReaderSettings,
    tail: Option<(u64, Arc<Tail>)>,
    cache: Cache,
    stats: ReaderStats,
}

/// A metric family of which at least one pushed series holds a value.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFamily {
    /// The family's name.
    pub name: Arc<str>,
    /// Its type and help, as last pushed.
    pub metadata: Metadata,
    /// Its series (flat: a histogram's buckets, sum and count are series of their own) with the values that hold, in
    /// order of labels.
    pub series: Vec<(Labels, Value)>,
}

/// A segment in the store.
#[derive(Clone, Debug)]
struct Found {
    object: Path,
    name: SegmentName,
}

impl Reader {
    /// A reader of what is in the store, and of what the writer with this tail has not written yet.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        tail: Option<(u64, Arc<Tail>)>,
        settings: ReaderSettings,
    ) -> Self {
        let cache = Cache::new(settings.cache_bytes_max);
        Self { store, stream, settings, tail, cache, stats: ReaderStats::default() }
    }

    /// The series that match, each with what it held within the selection's time; in order of labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select(&self, selection: &Selection) -> Result<Vec<Series>, ReadError> {
        let segments = self.segments(selection.end_ms).await?;
        let selection = selection.clone();
        compute(move || Gathered::of(&segments, &selection).into_series(selection.start_ms, selection.end_ms))
            .await
    }

    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Vec<LiveFamily>, ReadError> {
        let segments = self.segments(at_ms).await?;
        let everything = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
        compute(move || Gathered::of(&segments, &everything).into_live(at_ms)).await
    }

    /// What it has counted.
    pub fn stats(&self) -> &ReaderStats {
        &self.stats
    }

    /// All segments that hold something up to `end_ms`, the tail's last.
    async fn segments(&self, end_ms: i64) -> Result<Vec<Arc<Segment>>, ReadError> {
        const ATTEMPTS: usize = 3;
        count(&self.stats.selections, 1);
        let mut attempt = 1;
        let result = loop {
            match self.try_segments(end_ms).await {
                // an object that is gone has been merged into another: list again
                Err(error) if error.is_gone() && attempt < ATTEMPTS => attempt += 1,
                result => break result,
            }
        };
        if result.is_err() {
            count(&self.stats.failures, 1);
        }
        result
    }

    async fn try_segments(&self, end_ms: i64) -> Result<Vec<Arc<Segment>>, ReadError> {
        // the tail first: what leaves it between this line and the next is listed, and then left out again below
        let tail = self.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let mut found = self.list(end_ms).await?;
        if let Some((writer, pushes)) = &tail
            && let Some(first) = pushes.first()
        {
            found
                .retain(|segment| segment.name.writer != *writer || segment.name.from_us < first.stamp.at_us);
        }
        if found.len() > self.settings.segments_max {
            return Err(ReadError::TooManySegments { found: found.len(), max: self.settings.segments_max });
        }
        let mut segments: Vec<Arc<Segment>> = stream::iter(found)
            .map(|segment| self.fetch(segment))
            .buffered(self.settings.requests_max)
            .try_collect()
            .await?;
        if let Some((writer, pushes)) = tail {
            segments.push(Arc::new(Segment::from_pushes(writer, pushes.iter().map(|push| &**push))));
        }
        Ok(segments)
    }

    async fn list(&self, end_ms: i64) -> Result<Vec<Found>, ReadError> {
        let hot = self.stream.hot();
        let mut listing = self.store.list(Some(&hot));
        let mut found = Vec::new();
        while let Some(entry) = listing.next().await {
            let object = entry.map_err(|source| ReadError::Store { object: hot.clone(), source })?.location;
            match SegmentName::parse(&object) {
                Ok(name) if name.from_us.div_euclid(1_000) <= end_ms => found.push(Found { object, name }),
                Ok(_) => {}
                Err(error) => tracing::warn!(%object, %error, "ignored"),
            }
        }
        found.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(found)
    }

    async fn fetch(&self, found: Found) -> Result<Arc<Segment>, ReadError> {
        if let Some(segment) = self.cache.get(&found.object) {
            count(&self.stats.segments_cached, 1);
            return Ok(segment);
        }
        count(&self.stats.segments_fetched, 1);
        let failed = |source| ReadError::Store { object: found.object.clone(), source };
        let answer = self.store.get(&found.object).await.map_err(failed)?;
        let bytes = answer.bytes().await.map_err(failed)?;
        let checksum = found.name.checksum;
        let decoded = compute(move || segment::decode(bytes, checksum)).await?;
        let segment =
            decoded.map_err(|source| ReadError::Segment { object: found.object.clone(), source })?;
        let segment = Arc::new(segment);
        self.cache.put(found.object, Arc::clone(&segment));
        Ok(segment)
    }
}

/// Runs what keeps a processor busy away from the threads that serve requests.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReadError::Interrupted)
}

#[cfg(test)]
mod tests;
