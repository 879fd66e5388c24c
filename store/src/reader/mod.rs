//! Answers selections: which segments, what they hold, and the fold of it.

mod cache;
mod error;
mod failure;
mod gather;
mod samples;

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Labels, Metadata, Push, Selection, Series, Value};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use error::{ReadError, ReadErrorKind};

use crate::entry::{Entry, SampleBatch};
use crate::layout::{SegmentName, Stream};
use crate::segment::{self, Segment};
use crate::settings::ReaderSettings;
use crate::stats::{ReaderStats, count};
use crate::tail::Tail;
use crate::writer::Writer;
use cache::Cache;
use gather::Gathered;

/// Reads the pushes and samples of one tenant.
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    settings: ReaderSettings,
    pushes: Source<Push>,
    samples: Source<SampleBatch>,
    cache: Cache,
    stats: ReaderStats,
}

/// What is read of one stream.
#[derive(Debug)]
pub struct Source<E> {
    stream: Stream,
    tail: Option<(u64, Arc<Tail<E>>)>,
}

impl<E: Entry> Source<E> {
    /// What is in the store, and what `writer` of the same process holds that is not written yet.
    pub fn new(stream: Stream, writer: Option<&Writer<E>>) -> Self {
        Self { stream, tail: writer.map(Writer::tail) }
    }
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
    /// A reader of two streams of one tenant.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        pushes: Source<Push>,
        samples: Source<SampleBatch>,
        settings: ReaderSettings,
    ) -> Self {
        let cache = Cache::new(settings.cache_bytes_max);
        Self { store, settings, pushes, samples, cache, stats: ReaderStats::default() }
    }

    /// The series that match, each with what it held within the selection's time; in order of labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select(&self, selection: &Selection) -> Result<Vec<Series>, ReadError> {
        count(&self.stats.selections, 1);
        let (start_ms, end_ms) = (selection.start_ms, selection.end_ms);
        // a push holds until something ends it, so what began long ago counts; a sample does not
        let (pushes, samples) = futures::try_join!(
            self.segments(&self.pushes, i64::MIN, end_ms),
            self.segments(&self.samples, start_ms, end_ms),
        )?;
        let selection = selection.clone();
        compute(move || {
            let mut stepped = Gathered::of(&pushes, &selection).into_series(start_ms, end_ms);
            if let Some(push_times) = failure::also_needed(&selection) {
                let groups = Gathered::of(&pushes, &push_times).into_series(start_ms, end_ms);
                failure::add_zeros(&mut stepped, &groups);
            }
            join(stepped, samples::gather(&samples, &selection))
        })
        .await
    }

    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Vec<LiveFamily>, ReadError> {
        count(&self.stats.selections, 1);
        let segments = self.segments(&self.pushes, i64::MIN, at_ms).await?;
        let everything = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
        compute(move || Gathered::of(&segments, &everything).into_live(at_ms)).await
    }

    /// What it has counted.
    pub fn stats(&self) -> &ReaderStats {
        &self.stats
    }

    /// All segments with rows between two times, in the order of their names, the tail's last.
    async fn segments<E: Entry>(
        &self,
        source: &Source<E>,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Arc<Segment>>, ReadError> {
        const ATTEMPTS: usize = 3;
        let mut attempt = 1;
        let result = loop {
            match self.try_segments(source, start_ms, end_ms).await {
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

    async fn try_segments<E: Entry>(
        &self,
        source: &Source<E>,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Arc<Segment>>, ReadError> {
        // the tail first: what leaves it between this line and the next is listed, and then left out again below
        let tail = source.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let mut found = self.list(&source.stream, start_ms, end_ms).await?;
        if let Some((writer, entries)) = &tail
            && E::TIMES_ARE_STAMPS
            && let Some(first) = entries.first()
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
        if let Some((writer, entries)) = tail {
            segments.push(Arc::new(compute(move || E::segment(writer, &entries)).await?));
        }
        Ok(segments)
    }

    async fn list(&self, stream: &Stream, start_ms: i64, end_ms: i64) -> Result<Vec<Found>, ReadError> {
        let hot = stream.hot();
        let mut listing = self.store.list(Some(&hot));
        let mut found = Vec::new();
        while let Some(entry) = listing.next().await {
            let object = entry.map_err(|source| ReadError::Store { object: hot.clone(), source })?.location;
            match SegmentName::parse(&object) {
                Ok(name) => {
                    let (from_ms, to_ms) = (name.from_us.div_euclid(1_000), name.to_us.div_euclid(1_000));
                    if from_ms <= end_ms && to_ms >= start_ms {
                        found.push(Found { object, name });
                    }
                }
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

/// One list of both, in order of labels. A series that was pushed and has samples too is one series.
fn join(stepped: Vec<Series>, sampled: Vec<Series>) -> Vec<Series> {
    let mut all = stepped;
    all.extend(sampled);
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    all.dedup_by(|later, earlier| {
        let same = later.labels == earlier.labels;
        if same {
            // the sort is stable: what has steps stands before what has samples
            earlier.samples = std::mem::take(&mut later.samples);
        }
        same
    });
    all
}

/// Runs what keeps a processor busy away from the threads that serve requests.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReadError::Interrupted)
}

#[cfg(test)]
mod tests;
