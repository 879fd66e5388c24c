//! Answers selections: which segments, what they hold, and the fold of it.

mod descriptions;
mod error;
mod expired;
mod failure;
mod fetch;
mod gather;
mod groups;
mod kept;
mod labels;
mod listing;
mod lru;
mod open;
mod samples;
mod tail_segments;
mod unreadable;

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use model::{
    Labels, Metadata, NeededLabels, Push, RETRY_WINDOW_US, RetryKey, Selection, Series, Stamp, Value,
};
use object_store::ObjectStore;
use object_store::path::Path;

pub use error::{ReadError, ReadErrorKind};
pub use fetch::Usage;
pub use groups::{HeldFamily, LiveGroup};
pub use unreadable::LeftOut;

use crate::compact::keys::Counted;
use crate::compact::sealed_list;
use crate::entry::{Entry, SampleBatch};
use crate::fold::widened;
use crate::layout::{Minute, Stream};
use crate::manifest::{Object, Run};
use crate::segment::{Segment, SegmentError, Wanted};
use crate::settings::ReaderSettings;
use crate::stats::{ReaderStats, count};
use crate::tail::{Snapshot, Tail};
use crate::writer::Writer;
use fetch::Fetch;
pub(crate) use gather::{Gathered, Identified, Pushes};
use kept::KeptFrom;
use listing::{Found, KnownManifest};
use lru::Lru;
use open::{Kept, Key, Opened};
use tail_segments::TailSegments;
use unreadable::Unreadable;

/// Reads the pushes and samples of one tenant.
#[derive(Debug)]
pub struct Reader {
    store: Arc<dyn ObjectStore>,
    settings: ReaderSettings,
    pushes: Source<Push>,
    samples: Source<SampleBatch>,
    memory: Lru<Key, Kept>,
    unreadable: Unreadable,
    stats: ReaderStats,
}

/// What is read of one stream.
#[derive(Debug)]
pub struct Source<E> {
    stream: Stream,
    tail: Option<(u64, Arc<Tail<E>>)>,
    sorted: Arc<TailSegments>,
    manifest: KnownManifest,
}

impl<E: Entry> Source<E> {
    /// What is in the store, and what `writer` of the same process holds that is not written yet.
    pub fn new(stream: Stream, writer: Option<&Writer<E>>) -> Self {
        Self {
            stream,
            tail: writer.map(Writer::tail),
            sorted: Arc::default(),
            manifest: KnownManifest::default(),
        }
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
    /// What it took.
    pub usage: Usage,
}

/// What one stream holds of what is wanted.
#[derive(Debug, Default)]
struct Segments {
    frames: Vec<Arc<Segment>>,
    files: Vec<Arc<Segment>>,
    left_out: Vec<LeftOut>,
}

/// What is read for an answer.
#[derive(Clone, Debug)]
struct Request {
    /// Rows that match one of these, by name, over their time.
    matching: Vec<Selection>,
    labels: NeededLabels,
    values: bool,
    /// What was pushed before this is not asked for.
    pushed_from_ms: i64,
    start_ms: i64,
    end_ms: i64,
    /// Whether samples are asked for too, and not just what was pushed.
    samples: bool,
}

/// What was read of both streams.
#[derive(Debug)]
struct Streams {
    pushes: Pushes,
    samples: Vec<Arc<Segment>>,
    /// The labels that all rows have that have any.
    labels: NeededLabels,
    kept_from: KeptFrom,
}

impl Reader {
    /// A reader of two streams of one tenant: that of `pushes`. Of any other it reads nothing.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        pushes: Source<Push>,
        samples: Source<SampleBatch>,
        settings: ReaderSettings,
    ) -> Self {
        let (memory, store) = (Lru::new(settings.cache_bytes_max), pushes.stream.confine(store));
        let unreadable = Unreadable::default();
        Self { store, settings, pushes, samples, memory, unreadable, stats: ReaderStats::default() }
    }

    /// The series that match, each with what it held within the selection's time; in order of labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select(&self, selection: &Selection) -> Result<Answer<Vec<Series>>, ReadError> {
        self.select_labels(selection, &NeededLabels::All).await
    }

    /// Like [`Reader::select`], with the labels that are needed and no others; so several series may have equal labels.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn select_labels(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
    ) -> Result<Answer<Vec<Series>>, ReadError> {
        let found = self.identified(selection, needed, true).await?;
        let series = found.found.into_iter().map(|identified| identified.series).collect();
        Ok(Answer { found: series, left_out: found.left_out, usage: found.usage })
    }

    /// The series that match, with values or just with when they held some.
    async fn identified(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        values: bool,
    ) -> Result<Answer<Vec<Identified>>, ReadError> {
        let push_times = failure::also_needed(selection);
        let expired = expired::needed(selection);
        // what is added about groups has no fingerprint but that of its labels
        let is_about_groups = push_times.is_some() || expired.is_some();
        let request = Request {
            matching: [selection].into_iter().chain(&push_times).chain(&expired).cloned().collect(),
            labels: if is_about_groups { NeededLabels::All } else { needed.clone() },
            values,
            // a push holds until something ends it, so what began long ago counts; a sample does not
            pushed_from_ms: i64::MIN,
            start_ms: selection.start_ms,
            end_ms: selection.end_ms,
            samples: true,
        };
        let selection = selection.clone();
        self.answer(request, move |Streams { pushes, samples, labels, kept_from }| {
            let of_pushes = kept::seen(&selection, kept_from.pushes_ms);
            let of_samples = kept::seen(&selection, kept_from.samples_ms);
            let mut stepped = of_pushes.map(|seen| pushed(&pushes, &seen, &labels)).unwrap_or_default();
            kept::hide(&mut stepped, kept_from.pushes_ms);
            let sampled = of_samples.map(|seen| samples::gather(&samples, &seen, &labels));
            join(stepped, sampled.unwrap_or_default())
        })
        .await
    }

    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live(&self, at_ms: i64) -> Result<Answer<Vec<LiveFamily>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live(at_ms)
        })
        .await
    }

    /// Every group that is there at `at_ms` and what it holds, in order of labels. A series that two groups hold stands in
    /// both.
    ///
    /// # Errors
    /// [`ReadError::kind`] says what to do.
    pub async fn live_groups(&self, at_ms: i64) -> Result<Answer<Vec<LiveGroup>>, ReadError> {
        self.answer(Request::all_pushed(at_ms), move |Streams { pushes, labels, .. }| {
            Gathered::of(&pushes, &everything(at_ms), &labels).into_live_groups(at_ms)
        })
        .await
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
        // heads alone tell: no row is asked for
        let request = Request {
            matching: Vec::new(),
            pushed_from_ms: start_ms,
            values: false,
            ..Request::all_pushed(end_ms)
        };
        self.answer(request, move |Streams { pushes, .. }| {
            let within = |at_us: i64| (start_ms..=end_ms).contains(&at_us.div_euclid(1_000));
            let mut keys = pushes.counted;
            keys.retain(|(stamp, _)| within(stamp.at_us));
            for segment in &pushes.segments {
                for push in segment.pushes.iter().filter(|push| within(push.stamp.at_us)) {
                    keys.extend(push.retry_key.map(|key| (push.stamp, key)));
                }
            }
            keys.sort_unstable();
            keys.dedup();
            keys
        })
        .await
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

    /// Reads what is asked for, and makes an answer of it.
    async fn answer<T: Send + 'static>(
        &self,
        request: Request,
        of: impl FnOnce(Streams) -> T + Send + 'static,
    ) -> Result<Answer<T>, ReadError> {
        const ATTEMPTS: usize = 3;
        count(&self.stats.selections, 1);
        let fetch = Fetch::new(Arc::clone(&self.store), self.settings.requests_max);
        let mut attempt = 1;
        let read = loop {
            match self.read(&fetch, &request).await {
                // an object that is gone has been merged into another: list again
                Err(error) if error.is_gone() && attempt < ATTEMPTS => attempt += 1,
                result => break result,
            }
        };
        if read.is_err() {
            count(&self.stats.failures, 1);
        }
        let (streams, left_out) = read?;
        let left_out = self.told(left_out);
        Ok(Answer { found: compute(move || of(streams)).await?, left_out, usage: fetch.usage() })
    }

    async fn read(&self, fetch: &Fetch, request: &Request) -> Result<(Streams, Vec<LeftOut>), ReadError> {
        let of_pushes = (request.pushed_from_ms, request.end_ms);
        let of_samples = (request.start_ms, request.end_ms);
        let (pushes, samples) = futures::try_join!(self.open_pushes(fetch, request), async {
            match request.samples {
                true => self.open_samples(fetch, request).await,
                false => Ok(OpenedAll::default()),
            }
        },)?;
        let aggregates =
            pushes.files().any(Opened::aggregates) || pushes.tail.iter().any(|segment| segment.aggregates);
        let collides = pushes.files().chain(samples.files()).any(Opened::has_collision);
        // histograms that add up are told apart by their labels, and read with all of their buckets
        let labels = if aggregates || collides { NeededLabels::All } else { request.labels.clone() };
        let mut wanted = Wanted {
            matching: request.matching.clone(),
            labels: labels.clone(),
            values: request.values,
            times_us: micros(of_samples),
        };
        let of_samples = wanted.clone();
        wanted.times_us = micros(of_pushes);
        if aggregates {
            wanted.matching = wanted.matching.iter().map(widened).collect();
        }
        let keyed_runs = pushes.keyed_runs.clone();
        let kept_from = KeptFrom { pushes_ms: pushes.kept_from_ms, samples_ms: samples.kept_from_ms };
        let (of_pushes, of_samples) = futures::try_join!(
            self.rows_of_all(fetch, pushes, &wanted),
            self.rows_of_all(fetch, samples, &of_samples),
        )?;
        let left_out = [of_pushes.left_out, of_samples.left_out].concat();
        let counted = match request.keys_from_us() {
            Some(from_us) => self.counted(fetch, &keyed_runs, from_us, |_| true).await?,
            None => self.counted_before(fetch, &of_pushes.files, &keyed_runs).await?,
        };
        let pushes = Pushes { frames: of_pushes.frames, segments: of_pushes.files, counted };
        Ok((Streams { pushes, samples: of_samples.files, labels, kept_from }, left_out))
    }

    /// The frames before the time, the runs and segments since them, and the tail.
    async fn open_pushes(&self, fetch: &Fetch, request: &Request) -> Result<OpenedAll, ReadError> {
        let source = &self.pushes;
        // the tail first: what leaves it between this line and the next is listed, and then left out again below
        let tail = source.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let mut listed = self.list(fetch, &source.stream, &source.manifest).await?;
        let manifest = Arc::clone(&listed.manifest);
        let (from_us, to_us) = micros((request.pushed_from_ms, request.end_ms));
        let kept_from_ms = kept::from_ms(&manifest);
        let frames = match request.pushed_from_ms {
            i64::MIN => manifest.frames_before(request.start_ms.max(kept_from_ms).saturating_mul(1_000)),
            // what was held before is not asked for
            _ => Vec::new(),
        };
        let since = frames.last().map(|frame| frame.at);
        let is_after = |run: &&Run| since.is_none_or(|since| run.from >= since);
        let of_runs = manifest.runs.iter().filter(is_after).flat_map(|run| &run.objects);
        let is_wanted = |object: &&Object| {
            let is_in_time = object.times_us.0 <= to_us && object.times_us.1 >= from_us;
            // what a head says is for all names
            is_in_time && (object.head_rows > 0 || request.may_match(object))
        };
        let merged = |object: &Object| (Found::merged(&source.stream, object), None);
        let is_named = |object: &&Object| object.head_rows > 0 || request.may_match(object);
        let of_frames = frames.iter().flat_map(|frame| &frame.objects).filter(is_named).map(merged);
        let watermark_us = manifest.watermark.map(Minute::start_us);
        let reaching = listed.take_reaching().map(|found| (found, watermark_us));
        let mut files: Vec<Part> = of_runs.filter(is_wanted).map(merged).chain(reaching).collect();
        files.extend(listed.take_hot(&tail, (from_us, to_us)).map(|found| (found, None)));
        let keyed_runs = manifest.runs.iter().filter_map(|run| Some((run.to, run.keys.clone()?)));
        let keyed_runs = keyed_runs.map(|(to, keys)| (to, source.stream.below(&keys))).collect();
        let opened = self.open_all(fetch, source, of_frames.collect(), files, tail).await?;
        let left_out = [listed.left_out, opened.left_out].concat();
        Ok(OpenedAll { left_out, keyed_runs, kept_from_ms, ..opened })
    }

    /// The runs and segments with samples of the time, in the order in which they were written, and the tail.
    async fn open_samples(&self, fetch: &Fetch, request: &Request) -> Result<OpenedAll, ReadError> {
        let source = &self.samples;
        let tail = source.tail.as_ref().map(|(writer, tail)| (*writer, tail.snapshot()));
        let mut listed = self.list(fetch, &source.stream, &source.manifest).await?;
        let manifest = Arc::clone(&listed.manifest);
        let times_us = micros((request.start_ms, request.end_ms));
        let of_runs = manifest.runs.iter().flat_map(|run| &run.objects);
        let is_wanted = |object: &&Object| {
            let is_in_time = object.times_us.0 <= times_us.1 && object.times_us.1 >= times_us.0;
            is_in_time && request.may_match(object)
        };
        let merged = |object: &Object| (Found::merged(&source.stream, object), None);
        let mut files: Vec<Part> = of_runs.filter(is_wanted).map(merged).collect();
        files.extend(listed.take_hot(&tail, times_us).map(|found| (found, None)));
        let opened = self.open_all(fetch, source, Vec::new(), files, tail).await?;
        let left_out = [listed.left_out, opened.left_out].concat();
        Ok(OpenedAll { left_out, kept_from_ms: kept::from_ms(&manifest), ..opened })
    }

    /// Opens files, in their order.
    async fn open_all<E: Entry>(
        &self,
        fetch: &Fetch,
        source: &Source<E>,
        frames: Vec<Part>,
        files: Vec<Part>,
        tail: Option<(u64, Snapshot<E>)>,
    ) -> Result<OpenedAll, ReadError> {
        let found = frames.len() + files.len();
        if found > self.settings.segments_max {
            return Err(ReadError::TooManySegments { found, max: self.settings.segments_max });
        }
        let frame_count = frames.len();
        let mut all = OpenedAll::default();
        let opened = frames
            .into_iter()
            .chain(files)
            .map(async |(found, since_us)| Ok::<_, ReadError>((self.open(fetch, found).await?, since_us)));
        let opened = stream::iter(opened).buffered(self.settings.requests_max);
        let opened: Vec<(Result<Opened, LeftOut>, Option<i64>)> = opened.try_collect().await?;
        for (index, (file, since_us)) in opened.into_iter().enumerate() {
            match file {
                Ok(frame) if index < frame_count => all.frames.push(frame),
                Ok(file) => all.opened.push((file, since_us)),
                Err(object) => all.left_out.push(object),
            }
        }
        if let Some((writer, tail)) = tail {
            let sorted = Arc::clone(&source.sorted);
            all.tail = compute(move || sorted.of(writer, &tail.entries)).await?;
        }
        Ok(all)
    }

    /// What is wanted of open files; the tail's last.
    async fn rows_of_all(
        &self,
        fetch: &Fetch,
        all: OpenedAll,
        wanted: &Wanted,
    ) -> Result<Segments, ReadError> {
        let OpenedAll { frames, opened, tail, left_out, .. } = all;
        let mut segments = Segments { left_out, ..Segments::default() };
        let frame_count = frames.len();
        let files = frames.into_iter().map(|frame| (frame, None)).chain(opened);
        let rows = files.map(async |(file, since_us)| {
            Ok::<_, ReadError>((self.rows(fetch, file, wanted).await?, since_us))
        });
        let rows = stream::iter(rows).buffered(self.settings.requests_max);
        let rows: Vec<(Result<_, LeftOut>, Option<i64>)> = rows.try_collect().await?;
        for (index, (segment, since_us)) in rows.into_iter().enumerate() {
            match (segment, since_us) {
                (Ok(frame), _) if index < frame_count => segments.frames.push(frame),
                (Ok(segment), None) => segments.files.push(segment),
                // what it says of before is in a run
                (Ok(segment), Some(since_us)) => segments.files.push(Arc::new(segment.since(since_us))),
                (Err(object), _) => segments.left_out.push(object),
            }
        }
        segments.files.extend(tail);
        Ok(segments)
    }

    /// Of the retry keys of what is in no run those that counted in runs.
    async fn counted_before(
        &self,
        fetch: &Fetch,
        segments: &[Arc<Segment>],
        keyed_runs: &[(Minute, Path)],
    ) -> Result<Vec<(Stamp, RetryKey)>, ReadError> {
        let keyed = segments.iter().flat_map(|segment| &segment.pushes);
        let keyed: Vec<(u128, i64)> =
            keyed.filter_map(|push| Some((push.retry_key?.key, push.stamp.at_us))).collect();
        let Some(first_us) = keyed.iter().map(|(_, at_us)| *at_us).min() else { return Ok(Vec::new()) };
        let asked: HashSet<u128> = keyed.into_iter().map(|(key, _)| key).collect();
        let from_us = first_us.saturating_sub(RETRY_WINDOW_US);
        self.counted(fetch, keyed_runs, from_us, |key| asked.contains(&key)).await
    }

    /// The retry keys that counted in runs from a time on, as far as they are asked for.
    async fn counted(
        &self,
        fetch: &Fetch,
        keyed_runs: &[(Minute, Path)],
        from_us: i64,
        is_asked: impl Fn(u128) -> bool,
    ) -> Result<Vec<(Stamp, RetryKey)>, ReadError> {
        let objects = keyed_runs.iter().filter(|(to, _)| to.start_us() > from_us);
        let objects: Vec<Path> = objects.map(|(_, object)| object.clone()).collect();
        let lists = objects.into_iter().map(|object| self.keys(fetch, object));
        let lists: Vec<Arc<Vec<Counted>>> =
            stream::iter(lists).buffered(self.settings.requests_max).try_collect().await?;
        let counted = lists.iter().flat_map(|list| list.iter()).filter(|(retry, _)| is_asked(retry.key));
        Ok(counted.map(|(retry, stamp)| (*stamp, *retry)).collect())
    }

    /// The retry keys that stand beside a run.
    async fn keys(&self, fetch: &Fetch, object: Path) -> Result<Arc<Vec<Counted>>, ReadError> {
        let key = Key::Opened(object.clone());
        if let Some(Kept::Counted(counted)) = self.memory.get(&key) {
            return Ok(counted);
        }
        let bytes = fetch.whole(&object).await?;
        let counted = sealed_list::decode(&bytes).ok_or(ReadError::Keys { object })?;
        let counted = Arc::new(counted);
        self.memory.put(key, Kept::Counted(Arc::clone(&counted)), bytes.len());
        Ok(counted)
    }
}

impl Request {
    /// From when on retry keys are asked for, if all of them are.
    fn keys_from_us(&self) -> Option<i64> {
        (self.pushed_from_ms > i64::MIN).then(|| micros((self.pushed_from_ms, 0)).0)
    }

    /// Whether rows of a file may match, by what the manifest says of their names.
    fn may_match(&self, object: &Object) -> bool {
        let Some((first, last)) = &object.names else { return false };
        self.matching.iter().any(|selection| match selection.metric_name() {
            Some(name) => first.as_str() <= name && name <= last.as_str(),
            None => true,
        })
    }

    fn all_pushed(at_ms: i64) -> Self {
        Self {
            matching: vec![everything(at_ms)],
            labels: NeededLabels::All,
            values: true,
            pushed_from_ms: i64::MIN,
            start_ms: at_ms,
            end_ms: at_ms,
            samples: false,
        }
    }
}

fn everything(at_ms: i64) -> Selection {
    Selection { matchers: Vec::new(), start_ms: at_ms, end_ms: at_ms }
}

/// A file, of which perhaps only what it says of a time and later counts.
type Part = (Found, Option<i64>);

/// The files of one stream.
#[derive(Debug)]
struct OpenedAll {
    /// Oldest first.
    frames: Vec<Opened>,
    /// Of some only what they say of a time and later counts.
    opened: Vec<(Opened, Option<i64>)>,
    tail: Vec<Arc<Segment>>,
    left_out: Vec<LeftOut>,
    /// Where the retry keys of runs are, and where those runs end.
    keyed_runs: Vec<(Minute, Path)>,
    /// What was before this is not to be seen.
    kept_from_ms: i64,
}

impl Default for OpenedAll {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            opened: Vec::new(),
            tail: Vec::new(),
            left_out: Vec::new(),
            keyed_runs: Vec::new(),
            kept_from_ms: i64::MIN,
        }
    }
}

impl OpenedAll {
    fn files(&self) -> impl Iterator<Item = &Opened> {
        self.frames.iter().chain(self.opened.iter().map(|(file, _)| file))
    }
}

/// The microseconds of some milliseconds, the last one whole.
fn micros((start_ms, end_ms): (i64, i64)) -> (i64, i64) {
    (start_ms.saturating_mul(1_000), end_ms.saturating_mul(1_000).saturating_add(999))
}

/// The pushed series that match, with what is added about groups.
pub(crate) fn pushed(pushes: &Pushes, selection: &Selection, labels: &NeededLabels) -> Vec<Identified> {
    let Selection { start_ms, end_ms, .. } = *selection;
    let mut stepped = Gathered::of(pushes, selection, labels).into_series(start_ms, end_ms);
    if let Some(push_times) = failure::also_needed(selection) {
        let groups = Gathered::of(pushes, &push_times, labels).into_series(start_ms, end_ms);
        failure::add_zeros(&mut stepped, &groups);
    }
    if let Some(push_times) = expired::needed(selection) {
        let groups = Gathered::of(pushes, &push_times, labels);
        stepped.extend(groups.into_expired(start_ms, end_ms));
    }
    stepped
}

/// One list of both, in order of labels and fingerprints. A series that was pushed and has samples too is one series.
fn join(stepped: Vec<Identified>, sampled: Vec<Identified>) -> Vec<Identified> {
    let mut all = stepped;
    all.extend(sampled);
    all.sort_by(|a, b| a.series.labels.cmp(&b.series.labels).then(a.fingerprint.cmp(&b.fingerprint)));
    all.dedup_by(|later, earlier| {
        let same = later.fingerprint == earlier.fingerprint && later.series.labels == earlier.series.labels;
        if same {
            // the sort is stable: what has steps stands before what has samples
            earlier.series.samples = std::mem::take(&mut later.series.samples);
        }
        same
    });
    all
}

/// Runs what keeps a processor busy away from the threads that serve requests.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReadError::Interrupted)
}

/// Like [`compute`], for what decodes bytes: a decoder that panics is a file that cannot be read.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SegmentError> + Send + 'static,
) -> Result<Result<T, SegmentError>, ReadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(decoded) => Ok(decoded),
        Err(error) if error.is_panic() => Ok(Err(SegmentError::Panic)),
        Err(_) => Err(ReadError::Interrupted),
    }
}

#[cfg(test)]
mod tests;
