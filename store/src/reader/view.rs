//! The store as it was at one moment, for who asks many things at once, like the rules of a tick: it is listed once, and what many
//! selections ask for of one metric is read once.
//!
//! What is written after that moment is not seen, except what [`View::add`] is told of.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use futures::stream;
use model::{Ground, Labels, Matcher, NeededLabels, Selection, Series, Stamp};
use tokio::sync::OnceCell;

use super::fetch::{Fetch, Usage};
use super::files::{Plan, Streams};
use super::gather::{Gathered, Identified};
use super::known::Lists;
use super::look::Looks;
use super::request::{Asks, Request};
use super::stream::join;
use super::tail_segments::TailSegments;
use super::unreadable::LeftOut;
use super::{ReadError, Reader, expired, failure, kept, samples};
use crate::compute::compute;
use crate::entry::SampleBatch;
use crate::fold::Ends;
use crate::segment::{Segment, Span};
use crate::stats::count;
use crate::tail::Stamped;

/// With more selections than this, all series of their metric are read instead of those that match one of them.
const SELECTIONS_MAX: usize = 16;

/// So many metrics are read at once.
const PARTS_AT_ONCE: usize = 8;

/// If more series than this have to be looked at for an answer, it is put together by the threads that compute.
const AT_ONCE_MAX: usize = 1_000;

/// See the module.
pub struct View {
    reader: Arc<Reader>,
    looks: OnceCell<Looks>,
    added: Mutex<Added>,
}

/// What was written since.
#[derive(Default)]
struct Added {
    entries: Vec<Arc<Stamped<SampleBatch>>>,
    sorted: TailSegments,
    segments: Vec<Arc<Segment>>,
}

/// What many selections ask for, in memory.
#[derive(Default)]
pub struct Prepared {
    parts: HashMap<PartKey, Part>,
}

/// A metric name, and the first and last millisecond that is asked for.
type PartKey = (Arc<str>, i64, i64);

/// What there is of a metric in a time.
struct Part {
    streams: Streams,
    /// What ends pushed series, for all selections of that time.
    ends: Arc<Ends>,
    /// The selections whose series were read; `None`: all of the metric.
    matching: Option<Vec<Selection>>,
    /// The labels of which series were read.
    read: NeededLabels,
    /// Whether series are told apart by all of their labels, whatever is asked for.
    all_labels: bool,
    left_out: Vec<LeftOut>,
}

/// What a query finds prepared.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// In order of labels.
    pub series: Vec<Series>,
    /// The objects that could not be read.
    pub left_out: Vec<LeftOut>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("is_listed", &self.looks.initialized()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("parts", &self.parts.len()).finish()
    }
}

impl View {
    /// A view of what `reader` reads. The store is listed at the first question.
    pub fn new(reader: Arc<Reader>) -> Self {
        Self { reader, looks: OnceCell::new(), added: Mutex::default() }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Lets samples be seen that were written after what is seen otherwise; of two of one series and time these count.
    pub fn add(&self, batch: SampleBatch) {
        let mut added = self.added();
        let sequence = added.entries.len() as u64;
        let stamp = Stamp { at_us: sequence.cast_signed(), writer: 0 };
        added.entries.push(Arc::new(Stamped { sequence, stamp, entry: Arc::new(batch), bytes: 0 }));
        added.segments = added.sorted.of(0, &added.entries);
    }

    fn added(&self) -> MutexGuard<'_, Added> {
        // nothing in here panics between two changes that belong together
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn added_segments(&self) -> Vec<Arc<Segment>> {
        self.added().segments.clone()
    }

    /// What the answers of [`View::stream`] rest on, and what it took to find out; `None` if that cannot be told: something cannot
    /// be read, or files are more than may be read.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn ground(&self) -> Result<(Option<Ground>, Usage), ReadError> {
        let fetch = self.reader.fetch();
        let looks = self.looks.get_or_try_init(|| self.reader.looks(&fetch)).await?;
        Ok((self.reader.ground(looks), fetch.usage()))
    }

    /// Opens the files of a request.
    pub(super) async fn plan(&self, fetch: &Fetch, request: &Request) -> Result<Plan, ReadError> {
        self.plan_with(fetch, request, &self.added_segments()).await
    }

    async fn plan_with(
        &self,
        fetch: &Fetch,
        request: &Request,
        added: &[Arc<Segment>],
    ) -> Result<Plan, ReadError> {
        let looks = self.looks.get_or_try_init(|| self.reader.looks(fetch)).await?;
        self.reader.plan_of(fetch, request, looks, added).await
    }

    /// Reads what these ask for, as far as they pin a metric name and that is worth while. Whatever cannot be read now, and
    /// whatever is more than the rows of one batch of a stream ([`ReaderSettings::batch_rows`](crate::ReaderSettings)), all metrics
    /// together, is not prepared: who asks for it then reads it, or is told why not.
    pub async fn prepare(&self, asked: impl IntoIterator<Item = (Selection, NeededLabels)>) -> Prepared {
        let mut by_part: HashMap<PartKey, Asked> = HashMap::new();
        for (selection, needed) in asked {
            let Some(name) = selection.metric_name() else { continue };
            // these are made of others
            if failure::also_needed(&selection).is_some() || expired::needed(&selection).is_some() {
                continue;
            }
            let part = by_part.entry((name.into(), selection.start_ms, selection.end_ms)).or_default();
            part.add(selection, needed);
        }
        let room = Room(AtomicUsize::new(self.reader.settings.batch_rows));
        // an error is told to who asks
        let parts = by_part
            .into_iter()
            .map(async |(key, asked)| Some((self.read(&key, asked, &room).await.ok()??, key)));
        let parts: Vec<_> = stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).collect().await;
        Prepared { parts: parts.into_iter().flatten().map(|(part, key)| (key, part)).collect() }
    }

    async fn read(&self, key: &PartKey, asked: Asked, room: &Room) -> Result<Option<Part>, ReadError> {
        let (name, start_ms, end_ms) = key;
        let matching = (asked.selections.len() <= SELECTIONS_MAX).then_some(asked.selections);
        let all_of_name = || {
            let matchers = vec![Matcher::equal(Labels::NAME, &**name)];
            vec![Selection { matchers, start_ms: *start_ms, end_ms: *end_ms }]
        };
        let request = Request {
            matching: matching.clone().unwrap_or_else(all_of_name),
            labels: asked.needed,
            values: true,
            pushed_from_ms: i64::MIN,
            start_ms: *start_ms,
            end_ms: *end_ms,
            asks: Asks::Series,
            whole_name: Some(Arc::clone(name)),
            by_list: Some(&Lists),
        };
        let fetch = self.reader.fetch();
        let plan = self.plan_with(&fetch, &request, &[]).await?;
        if !room.take(plan.rows_to_decode()) {
            return Ok(None);
        }
        let (streams, left_out) = self.reader.read(&fetch, &request, &plan, Span::default()).await?;
        let left_out = [plan.left_out(), left_out].concat();
        let all_labels = plan.all_labels;
        let (matching_first, many, end_ms) = (request.matching, asked.many, *end_ms);
        let (streams, ends) = compute(move || {
            if many {
                streams.segments().for_each(|segment| segment.expect_many(&matching_first));
            }
            let ends = Gathered::heads_of(&streams.pushes, end_ms).ends;
            (streams, ends)
        })
        .await?;
        Ok(Some(Part { streams, ends, matching, read: request.labels, all_labels, left_out }))
    }

    /// The series of a selection, if they were prepared: those that [`View::stream`] gives.
    ///
    /// # Errors
    /// If they cannot be put together.
    pub async fn find(
        &self,
        prepared: &Arc<Prepared>,
        selection: &Selection,
        needed: &NeededLabels,
    ) -> Result<Option<Found>, ReadError> {
        let Some(key) = prepared.key(selection, needed) else { return Ok(None) };
        let Some(part) = prepared.parts.get(&key) else { return Ok(None) };
        count(&self.reader.stats.selections, 1);
        let left_out = self.reader.told(part.left_out.clone());
        let added = self.added_segments();
        let candidates =
            part.streams.segments().chain(&added).map(|segment| segment.candidate_count(selection));
        let found = if candidates.sum::<usize>() <= AT_ONCE_MAX {
            part.series(selection, needed, &added)
        } else {
            let (prepared, selection, needed) = (Arc::clone(prepared), selection.clone(), needed.clone());
            let part = move || Some(prepared.parts.get(&key)?.series(&selection, &needed, &added));
            compute(part).await?.unwrap_or_default()
        };
        let series = found.into_iter().map(|identified| identified.series).collect();
        Ok(Some(Found { series, left_out }))
    }
}

/// How many more rows may be held.
struct Room(AtomicUsize);

impl Room {
    /// Takes so many, if they are there.
    fn take(&self, rows: usize) -> bool {
        let less = |left: usize| left.checked_sub(rows);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// What is asked for of a metric.
struct Asked {
    selections: Vec<Selection>,
    needed: NeededLabels,
    many: bool,
}

impl Default for Asked {
    fn default() -> Self {
        let needed = NeededLabels::These(BTreeSet::new());
        Self { selections: Vec::new(), needed, many: false }
    }
}

impl Asked {
    fn add(&mut self, selection: Selection, needed: NeededLabels) {
        // also the labels by which series are told to match
        let matched = selection.matchers.iter().map(|matcher| Arc::clone(&matcher.name)).collect();
        let needed = needed.and(NeededLabels::These(matched));
        self.needed = std::mem::replace(&mut self.needed, NeededLabels::All).and(needed);
        self.many |= !self.selections.is_empty();
        // beyond that they are not told apart
        if self.selections.len() <= SELECTIONS_MAX && !self.selections.contains(&selection) {
            self.selections.push(selection);
        }
    }
}

impl Prepared {
    /// Of the part that has all of the series of a selection, with the labels that are needed.
    fn key(&self, selection: &Selection, needed: &NeededLabels) -> Option<PartKey> {
        let key = (selection.metric_name()?.into(), selection.start_ms, selection.end_ms);
        let part = self.parts.get(&key)?;
        let is_read = part.matching.as_ref().is_none_or(|matching| matching.contains(selection));
        let has_labels = part.all_labels || needed.clone().and(part.read.clone()) == part.read;
        (is_read && has_labels).then_some(key)
    }
}

impl Part {
    fn series(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        added: &[Arc<Segment>],
    ) -> Vec<Identified> {
        let Streams { pushes, samples, span, kept_from, .. } = &self.streams;
        let needed = if self.all_labels { &NeededLabels::All } else { needed };
        let mut stepped = Vec::new();
        if let Some(seen) = kept::seen(selection, kept_from.pushes_ms) {
            let mut gathered = Gathered { ends: Arc::clone(&self.ends), ..Gathered::default() };
            gathered.add_all(pushes, &seen, needed, span);
            stepped = gathered.into_series(seen.start_ms, seen.end_ms);
            kept::hide(&mut stepped, kept_from.pushes_ms);
        }
        let added: Vec<samples::Part> = added.iter().cloned().map(samples::Part::Rows).collect();
        let sampled = kept::seen(selection, kept_from.samples_ms)
            .map(|seen| samples::gather(samples.iter().chain(&added), &seen, needed, span));
        join(stepped, sampled.unwrap_or_default())
    }
}
