//! What queries read from: the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use model::{ExemplarSeries, Ground, Labels, NeededLabels, Selection, Series, Told};
use query::{SeriesSource, Shown, Snapshot, SourceError, SourceErrorKind, SourceNotes, SourceUsage};
use store::{Answer, Found, LeftOut, Prepared, ReadError, ReadErrorKind, Reader, SeriesStream, Usage, View};

/// The series of one tenant, as its reader sees them.
#[derive(Debug)]
pub struct StoredSeries {
    reader: Arc<Reader>,
}

impl StoredSeries {
    /// What `reader` reads.
    pub fn new(reader: Arc<Reader>) -> Self {
        Self { reader }
    }

    /// The same as it is at the first question from now on.
    pub(crate) fn view(&self) -> View {
        View::new(Arc::clone(&self.reader))
    }
}

/// The series that a view sees, some of which may be in memory.
#[derive(Debug)]
pub(crate) struct ViewedSeries {
    pub(crate) view: Arc<View>,
    pub(crate) prepared: Arc<Prepared>,
}

#[async_trait]
impl SeriesSource for ViewedSeries {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        all_of(self, selection, notes).await
    }

    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        needed: &'a NeededLabels,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        let batches = async move {
            match self.view.find(&self.prepared, selection, needed).await {
                Ok(Some(Found { series, left_out })) => {
                    note(&left_out, notes);
                    stream::iter([Ok(series)]).left_stream()
                }
                Ok(None) => streamed(self.view.stream(selection, needed), notes, None).right_stream(),
                Err(error) => stream::iter([Err(unreadable(error))]).left_stream(),
            }
        };
        stream::once(batches).flatten().boxed()
    }
}

/// All batches of a source, in one order.
async fn all_of(
    source: &dyn SeriesSource,
    selection: &Selection,
    notes: &SourceNotes,
) -> Result<Vec<Series>, SourceError> {
    let batches: Vec<_> = source.batches(selection, &NeededLabels::All, notes).try_collect().await?;
    let mut all: Vec<Series> = batches.into_iter().flatten().collect();
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(all)
}

/// What was found; `notes` say what is missing.
pub(crate) fn noted<T>(answer: Result<Answer<T>, ReadError>, notes: &SourceNotes) -> Result<T, SourceError> {
    let answer = answer.map_err(unreadable)?;
    note(&answer.left_out, notes);
    Ok(answer.found)
}

fn note(left_out: &[LeftOut], notes: &SourceNotes) {
    left_out.iter().for_each(|object| notes.note(object.to_string()));
}

/// The series of a moment, for who asks what answers rest on.
#[derive(Debug)]
struct SnappedSeries {
    view: View,
    ground: Arc<Ground>,
    /// Of each selection that was read.
    shown: Mutex<Vec<(Selection, Shown)>>,
    /// What it took to find out what there is, until somebody is told.
    listing: Mutex<Option<Usage>>,
}

impl SnappedSeries {
    fn all_shown(&self) -> MutexGuard<'_, Vec<(Selection, Shown)>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, selection: &Selection, shown: store::Shown) {
        let store::Shown { identities, all_labels, has_sums, was_listed_again } = shown;
        let shown = Shown { identities, all_labels, is_of_times: !has_sums && !was_listed_again };
        self.all_shown().push((selection.clone(), shown));
    }
}

#[async_trait]
impl SeriesSource for SnappedSeries {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        all_of(self, selection, notes).await
    }

    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        needed: &'a NeededLabels,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        if let Some(listing) = self.listing.lock().unwrap_or_else(PoisonError::into_inner).take() {
            notes.took(&of_store(listing));
        }
        streamed(self.view.stream(selection, needed), notes, Some((self, selection))).boxed()
    }
}

impl Snapshot for SnappedSeries {
    fn ground(&self) -> &Arc<Ground> {
        &self.ground
    }

    fn shown(&self, selection: &Selection) -> Option<Shown> {
        let shown = self.all_shown();
        shown.iter().rev().find(|(known, _)| known == selection).map(|(_, shown)| *shown)
    }
}

/// The batches of a stream; at its end `notes` say what is missing, and a moment what it has shown.
fn streamed<'a>(
    read: SeriesStream<'a>,
    notes: &'a SourceNotes,
    shown_to: Option<(&'a SnappedSeries, &'a Selection)>,
) -> impl Stream<Item = Result<Vec<Series>, SourceError>> + Send + 'a {
    stream::unfold(Some(Telling { read: Some(read), notes, shown_to }), async move |telling| {
        let mut telling = telling?;
        match telling.read.as_mut()?.next().await {
            Some(Ok(batch)) => Some((Ok(batch), Some(telling))),
            Some(Err(error)) => Some((Err(unreadable(error)), None)),
            None => {
                telling.finish();
                None
            }
        }
    })
}

/// A stream of which notes say what it took, also if nobody asks for the rest of it.
struct Telling<'a> {
    read: Option<SeriesStream<'a>>,
    notes: &'a SourceNotes,
    shown_to: Option<(&'a SnappedSeries, &'a Selection)>,
}

impl Telling<'_> {
    fn finish(&mut self) {
        if let Some(read) = self.read.take() {
            if let Some((snapped, selection)) = self.shown_to {
                snapped.show(selection, read.shown());
            }
            let Answer { left_out, usage, .. } = read.finish();
            note(&left_out, self.notes);
            self.notes.took(&of_store(usage));
        }
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if let Some(read) = &self.read {
            self.notes.took(&of_store(read.usage()));
        }
    }
}

fn of_store(usage: Usage) -> SourceUsage {
    let Usage { requests, bytes, segments, listed, known, row_groups, row_groups_read, rows, cached_bytes } =
        usage;
    SourceUsage {
        files_listed: listed,
        files: segments,
        files_cached: known,
        row_groups,
        row_groups_read,
        rows,
        requests,
        bytes,
        bytes_cached: cached_bytes,
    }
}

fn unreadable(error: ReadError) -> SourceError {
    let kind = match error.kind() {
        ReadErrorKind::Unavailable => SourceErrorKind::Unavailable,
        ReadErrorKind::Limit => SourceErrorKind::Limit,
    };
    SourceError::caused_by(kind, error.to_string(), error)
}

#[async_trait]
impl SeriesSource for StoredSeries {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        noted(self.reader.select(selection).await, notes)
    }

    async fn select_labels(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        notes: &SourceNotes,
    ) -> Result<Vec<Series>, SourceError> {
        noted(self.reader.select_labels(selection, needed).await, notes)
    }

    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        needed: &'a NeededLabels,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        streamed(self.reader.stream(selection, needed), notes, None).boxed()
    }

    async fn series(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Labels>, SourceError> {
        noted(self.reader.series(selections, &NeededLabels::All).await, notes)
    }

    async fn label_names(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        noted(self.reader.label_names(selections).await, notes)
    }

    async fn label_values(
        &self,
        name: &str,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        noted(self.reader.label_values(name, selections).await, notes)
    }

    async fn metadata(&self, notes: &SourceNotes) -> Result<Vec<(Arc<str>, Vec<Told>)>, SourceError> {
        noted(self.reader.descriptions().await, notes)
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>, SourceError> {
        let view = self.view();
        let (ground, usage) = view.ground().await.map_err(unreadable)?;
        let snapped = |ground| SnappedSeries {
            view,
            ground: Arc::new(ground),
            shown: Mutex::default(),
            listing: Mutex::new(Some(usage)),
        };
        Ok(ground.map(snapped).map(|snapped| Arc::new(snapped) as _))
    }

    async fn exemplars(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<ExemplarSeries>, SourceError> {
        noted(self.reader.exemplars(selections).await, notes)
    }
}
