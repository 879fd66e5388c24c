//! Answers selections: which segments, what they hold, and the fold of it.

mod cache;
mod error;
mod expired;
mod failure;
mod gather;
mod groups;
mod samples;
mod unreadable;

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{Labels, Metadata, Push, RetryKey, Selection, Series, Stamp, Value};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use error::{ReadError, ReadErrorKind};
pub use groups::{HeldFamily, LiveGroup};
pub use unreadable::LeftOut;

use crate::entry::{Entry, SampleBatch};
use crate::layout::{SegmentName, Stream};
use crate::segment::{self, Segment, SegmentError};
use crate::settings::ReaderSettings;
use crate::stats::{ReaderStats, count};
use crate::tail::Tail;
use crate::writer::Writer;
use cache::Cache;
use gather::Gathered;
use unreadable::{Unreadable, Version};

/// Reads the pushes and samples of one tenant.
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    settings: ReaderSettings,
    pushes: Source<Push>,
    samples: Source<SampleBatch>,
    cache: Cache,
    unreadable: Unreadable,
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

/// What was read, and what could not be. An object that is damaged, foreign or of a later version does not keep others
/// from being read; a store that does not answer is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<T> {
    /// All that the readable objects say.
    pub found: T,
    /// The objects that could not be read, in order, each once. Where there are any, `found` may lack what was pushed,
    /// and may still show what has ended.
    pub left_out: Vec<LeftOut>,
}

/// A segment in the store.
#[derive(Clone, Debug)]
struct Found {
    object: Path,
    version: Version,
    name: SegmentName,
}

/// What one stream holds.
#[derive(Debug, Default)]
struct Segments {
    readable: Vec<Arc<Segment>>,
    left_out: Vec<LeftOut>,
}

impl Reader {
    /// A reader of two streams of one tenant: that of `pushes`. Of any other it reads nothing.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        pushes: Source<Push>,
        samples: Source<SampleBatch>,
        settings: ReaderSettings,
    ) -> Self {
        let (cache, store) = (Cache::new(settings.cache_bytes_max), pushes.stream.confine(store));
        let unreadable = Unreadable::default();
        Self { store, settings, pushes, samples, cache, unreadable, stats: ReaderStats::default() }
    }

    /// The series that match, each with what it held within the selection's time; in order of labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select(&self, selection: &Selection) -> Result<Answer<Vec<Series>>, ReadError> {
        count(&self.stats.selections, 1);
        let (start_ms, end_ms) = (selection.start_ms, selection.end_ms);
        // a push holds until something ends it, so what began long ago counts; a sample does not
        let (pushes, samples) = futures::try_join!(
            self.segments(&self.pushes, i64::MIN, end_ms),
            self.segments(&self.samples, start_ms, end_ms),
        )?;
        let left_out = self.told([pushes.left_out, samples.left_out].concat());
        let (pushes, samples) = (pushes.readable, samples.readable);
        let selection = selection.clone();
        let found = compute(move || {
            let mut stepped = Gathered::of(&pushes, &selection).into_series(start_ms, end_ms);
            if let Some(push_times) = failure::also_needed(&selection) {
                let groups = Gathered::of(&pushes, &push_times).into_series(start_ms, end_ms);
                failure::add_zeros(&mut stepped, &groups);
            }
            if let Some(push_times) = expired::needed(&selection) {
                stepped.extend(Gathered::of(&pushes, &push_times).into_expired(start_ms, end_ms));
            }
            join(stepped, samples::gather(&samples, &selection))
        });
        Ok(Answer { found: found.await?, left_out })
    }

    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Answer<Vec<LiveFamily>>, ReadError> {
        count(&self.stats.selections, 1);
        let segments = self.segments(&self.pushes, i64::MIN, at_ms).await?;
        let left_out = self.told(segments.left_out);
        let everything = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
        let found = compute(move || Gathered::of(&segments.readable, &everything).into_live(at_ms));
        Ok(Answer { found: found.await?, left_out })
    }

    /// Every group that is there at `at_ms` and what it holds, in order of labels. A series that two groups hold stands in
    /// both.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_groups(&self, at_ms: i64) -> Result<Answer<Vec<LiveGroup>>, ReadError> {
        count(&self.stats.selections, 1);
        let segments = self.segments(&self.pushes, i64::MIN, at_ms).await?;
        let left_out = self.told(segments.left_out);
        let everything = Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms };
        let found = compute(move || Gathered::of(&segments.readable, &everything).into_live_groups(at_ms));
        Ok(Answer { found: found.await?, left_out })
    }

    /// The retry keys of the pushes from `start_ms` to `end_ms`, with their stamps; in order of stamps.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn retry_keys(
        &self,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Answer<Vec<(Stamp, RetryKey)>>, ReadError> {
        let segments = self.segments(&self.pushes, start_ms, end_ms).await?;
        let left_out = self.told(segments.left_out);
        let mut keys = Vec::new();
        for segment in &segments.readable {
            let within = |at_us: i64| (start_ms..=end_ms).contains(&at_us.div_euclid(1_000));
            for push in segment.pushes.iter().filter(|push| within(push.at_us)) {
                let stamp = Stamp { at_us: push.at_us, writer: segment.writer };
                keys.extend(push.retry_key.map(|key| (stamp, key)));
            }
        }
        keys.sort_unstable();
        Ok(Answer { found: keys, left_out })
    }

    /// What it has counted.
    pub fn stats(&self) -> &ReaderStats {
        &self.stats
    }

    /// How many objects the last listings showed that cannot be read, foreign ones included.
    pub fn unreadable(&self) -> usize {
        self.unreadable.count()
    }

    /// What an answer goes without, in order. Counts the answer, if that is anything.
    fn told(&self, mut left_out: Vec<LeftOut>) -> Vec<LeftOut> {
        left_out.sort();
        left_out.dedup();
        count(&self.stats.incomplete, usize::from(!left_out.is_empty()));
        left_out
    }

    /// All segments with rows between two times, in the order of their names, the tail's last.
    async fn segments<E: Entry>(
        &self,
        source: &Source<E>,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Segments, ReadError> {
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
    ) -> Result<Segments, ReadError> {
        // the tail first: what leaves it between this line and the next is listed, and then left out again below
        let tail = source.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let (mut found, mut left_out) = self.list(&source.stream, start_ms, end_ms).await?;
        if let Some((writer, tail)) = &tail {
            found.retain(|found| found.name.writer != *writer || found.name.number < tail.first_number);
        }
        if found.len() > self.settings.segments_max {
            return Err(ReadError::TooManySegments { found: found.len(), max: self.settings.segments_max });
        }
        let fetched =
            stream::iter(found).map(|segment| self.fetch(segment)).buffered(self.settings.requests_max);
        let fetched: Vec<Result<Arc<Segment>, LeftOut>> = fetched.try_collect().await?;
        let mut segments = Segments::default();
        for segment in fetched {
            match segment {
                Ok(segment) => segments.readable.push(segment),
                Err(object) => left_out.push(object),
            }
        }
        segments.left_out = left_out;
        if let Some((writer, tail)) = tail {
            segments.readable.push(Arc::new(compute(move || E::segment(writer, &tail.entries)).await?));
        }
        Ok(segments)
    }

    /// The segments with rows between two times, and the objects that may be some but are not called so.
    async fn list(
        &self,
        stream: &Stream,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<(Vec<Found>, Vec<LeftOut>), ReadError> {
        let hot = stream.hot();
        let mut listing = self.store.list(Some(&hot));
        let (mut found, mut left_out, mut listed) = (Vec::new(), Vec::new(), HashSet::new());
        while let Some(entry) = listing.next().await {
            let entry = entry.map_err(|source| ReadError::Store { object: hot.clone(), source })?;
            let (version, object) = (Version::of(&entry), entry.location);
            if self.unreadable.knows(&object) {
                listed.insert(object.clone());
            }
            match SegmentName::parse(&object) {
                Ok(name) => found.push(Found { object, version, name }),
                Err(error) => {
                    let reason = self.unreadable.note(&object, &version, error);
                    listed.insert(object.clone());
                    // a later version may call its segments otherwise; what else lies here is none
                    if object.as_ref().ends_with(".parquet") {
                        left_out.push(LeftOut { object, reason });
                    }
                }
            }
        }
        self.unreadable.forget_unlisted(&hot, |object| listed.contains(object));
        drop_doubles(&mut found);
        found.retain(|Found { name, .. }| {
            name.from_us.div_euclid(1_000) <= end_ms && name.to_us.div_euclid(1_000) >= start_ms
        });
        Ok((found, left_out))
    }

    /// A segment, or what is wrong with it.
    async fn fetch(&self, found: Found) -> Result<Result<Arc<Segment>, LeftOut>, ReadError> {
        if let Some(segment) = self.cache.get(&found.object) {
            count(&self.stats.segments_cached, 1);
            return Ok(Ok(segment));
        }
        let Found { object, version, name } = found;
        if let Some(reason) = self.unreadable.reason(&object, &version) {
            return Ok(Err(LeftOut { object, reason }));
        }
        let mut read = self.try_fetch(&object, name.checksum).await?;
        if matches!(read, Err(SegmentError::Checksum { .. })) {
            // on the disk or on the way?
            read = self.try_fetch(&object, name.checksum).await?;
        }
        match read {
            Ok(segment) => {
                let segment = Arc::new(segment);
                self.unreadable.was_read(&object);
                self.cache.put(object, Arc::clone(&segment));
                Ok(Ok(segment))
            }
            Err(error) => {
                let reason = self.unreadable.note(&object, &version, error);
                Ok(Err(LeftOut { object, reason }))
            }
        }
    }

    async fn try_fetch(
        &self,
        object: &Path,
        checksum: u64,
    ) -> Result<Result<Segment, SegmentError>, ReadError> {
        count(&self.stats.segments_fetched, 1);
        let failed = |source| ReadError::Store { object: object.clone(), source };
        let answer = self.store.get(object).await.map_err(failed)?;
        let bytes = answer.bytes().await.map_err(failed)?;
        match tokio::task::spawn_blocking(move || segment::decode(bytes, checksum)).await {
            Ok(decoded) => Ok(decoded),
            Err(error) if error.is_panic() => Ok(Err(SegmentError::Panic)),
            Err(_) => Err(ReadError::Interrupted),
        }
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
