//! Where series come from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use model::{ExemplarSeries, Ground, Labels, Selection, Series, Told};

pub use model::NeededLabels;

/// Gives the series that queries ask for.
///
/// Implementations may be asked for several selections at once. An answer is complete, or an error, or it lacks what can
/// be read by nobody and `notes` say so. What is asked for again at the same state of the store is answered the same.
#[async_trait]
pub trait SeriesSource: Send + Sync {
    /// All series that match, each label set once, with all samples in `[start_ms, end_ms]` and all steps that hold
    /// somewhere in it. A step that still holds ends at [`model::OPEN_END_MS`].
    ///
    /// # Errors
    /// If the data cannot be read, or are more than may be read.
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError>;

    /// Like [`SeriesSource::select`], for a query that looks at some labels only: others may be left out, also where
    /// matchers ask for them. So series may have equal labels; those come in an order that depends on the data alone.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn select_labels(
        &self,
        selection: &Selection,
        _needed: &NeededLabels,
        notes: &SourceNotes,
    ) -> Result<Vec<Series>, SourceError> {
        self.select(selection, notes).await
    }

    /// What [`SeriesSource::select_labels`] gives, in batches and each series whole in one of them, so that whoever asks
    /// can stop before everything is in memory. Batches are in order of labels, what comes before what is not told.
    ///
    /// The stream is over after an error. A source that has all series at hand gives them as one batch.
    fn batches<'a>(
        &'a self,
        selection: &'a Selection,
        needed: &'a NeededLabels,
        notes: &'a SourceNotes,
    ) -> BoxStream<'a, Result<Vec<Series>, SourceError>> {
        stream::once(self.select_labels(selection, needed, notes)).boxed()
    }

    /// The label sets that match one of the selections, in order, each once.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn series(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Labels>, SourceError> {
        let mut found = BTreeSet::new();
        for selection in selections {
            found.extend(self.select(selection, notes).await?.into_iter().map(|series| series.labels));
        }
        Ok(found.into_iter().collect())
    }

    /// The names of all labels of the series that match one of the selections, in order.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn label_names(
        &self,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        let series = self.series(selections, notes).await?;
        let names: BTreeSet<Arc<str>> =
            series.iter().flat_map(|labels| labels.iter().map(|label| Arc::clone(&label.name))).collect();
        Ok(names.into_iter().collect())
    }

    /// The values of a label over the series that match one of the selections, in order.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn label_values(
        &self,
        name: &str,
        selections: &[Selection],
        notes: &SourceNotes,
    ) -> Result<Vec<Arc<str>>, SourceError> {
        let series = self.series(selections, notes).await?;
        let values: BTreeSet<Arc<str>> =
            series.iter().filter_map(|labels| labels.get_shared(name).cloned()).collect();
        Ok(values.into_iter().collect())
    }

    /// What is known about metric families, by name, in order of names. A source that knows nothing says nothing.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn metadata(&self, _notes: &SourceNotes) -> Result<Vec<(Arc<str>, Vec<Told>)>, SourceError> {
        Ok(Vec::new())
    }

    /// The exemplars within the selections' time of the series that match one of them, in order of labels and of time. A source that
    /// has none says nothing.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn exemplars(
        &self,
        _selections: &[Selection],
        _notes: &SourceNotes,
    ) -> Result<Vec<ExemplarSeries>, SourceError> {
        Ok(Vec::new())
    }

    /// The source as it is now. `None`: it does not tell what its answers rest on, or something is not as it should be.
    ///
    /// # Errors
    /// As for [`SeriesSource::select`].
    async fn snapshot(&self) -> Result<Option<Arc<dyn Snapshot>>, SourceError> {
        Ok(None)
    }
}

/// A source as it was at one moment, for who puts together answers of several moments.
///
/// Of a selection that is asked for over a part of its time, it gives those series that have something in it, in the order that they
/// have among all, and of each what all of its time has in that part.
pub trait Snapshot: SeriesSource {
    /// What its answers rest on. Where that is the same at two moments, so are the answers.
    fn ground(&self) -> &Arc<Ground>;

    /// What was shown of a selection when it was last read to its end; `None`: it was not.
    fn shown(&self, selection: &Selection) -> Option<Shown>;
}

/// What an answer of a [`Snapshot`] has shown beside series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Made of which series there were, whatever labels they came with and in whatever order.
    pub identities: u128,
    /// Whether they came with all labels although fewer were asked for, so that their order is another.
    pub all_labels: bool,
    /// Whether what was given of a time depends, to the last bit, on that time and on the ground alone.
    pub is_of_times: bool,
}

/// What an answer lacks, for the user: each text becomes a warning on the result. Shared by the selections of one query.
#[derive(Debug, Default)]
pub struct SourceNotes {
    texts: Mutex<Vec<String>>,
    usage: Mutex<Option<SourceUsage>>,
}

/// What was asked of a store for an answer, and what that spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceUsage {
    /// Files that the store has listed.
    pub files_listed: u64,
    /// Of them those that may have something of it by their names and statistics, so that they were opened.
    pub files: u64,
    /// Of these such as were known in memory already, in whole or by their footer.
    pub files_cached: u64,
    /// Row groups of opened files that are read in parts.
    pub row_groups: u64,
    /// Of them those that were read, since their statistics do not rule them out.
    pub row_groups_read: u64,
    /// Rows that were decoded; what was found decoded in memory counts as none.
    pub rows: u64,
    /// Requests to the store.
    pub requests: u64,
    /// Bytes that came from it.
    pub bytes: u64,
    /// Bytes that were found in memory or on a local disk instead.
    pub bytes_cached: u64,
}

impl SourceUsage {
    /// Adds what another answer took.
    pub fn add(&mut self, other: &Self) {
        let Self {
            files_listed,
            files,
            files_cached,
            row_groups,
            row_groups_read,
            rows,
            requests,
            bytes,
            bytes_cached,
        } = other;
        for (own, others) in [
            (&mut self.files_listed, files_listed),
            (&mut self.files, files),
            (&mut self.files_cached, files_cached),
            (&mut self.row_groups, row_groups),
            (&mut self.row_groups_read, row_groups_read),
            (&mut self.rows, rows),
            (&mut self.requests, requests),
            (&mut self.bytes, bytes),
            (&mut self.bytes_cached, bytes_cached),
        ] {
            *own += others;
        }
    }
}

/// No more texts are kept; of the others, only that there are some.
const NOTES_MAX: usize = 100;

impl SourceNotes {
    /// Says that the answer lacks something. A text that was said already is not repeated.
    pub fn note(&self, text: impl Into<String>) {
        let text = text.into();
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if texts.len() <= NOTES_MAX && !texts.contains(&text) {
            let is_last = texts.len() == NOTES_MAX;
            texts.push(if is_last { "incomplete: and more that cannot be read".to_owned() } else { text });
        }
    }

    /// Says what an answer took; that of several answers is added up.
    pub fn took(&self, usage: &SourceUsage) {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().add(usage);
    }

    /// What answers took; `None` if nobody said.
    pub fn usage(&self) -> Option<SourceUsage> {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what others say.
    pub(crate) fn append(&self, other: Self) {
        if let Some(usage) = other.usage() {
            self.took(&usage);
        }
        other.into_texts().into_iter().for_each(|text| self.note(text));
    }

    /// What was said, in order of the texts.
    pub fn into_texts(self) -> Vec<String> {
        let mut texts = self.texts.into_inner().unwrap_or_else(PoisonError::into_inner);
        texts.sort_unstable();
        texts
    }
}

/// Why a source does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What the caller can do about it.
    pub kind: SourceErrorKind,
    /// What went wrong, for the user.
    pub message: String,
    /// The cause.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What a caller can do about a source that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// Ask again later.
    Unavailable,
    /// Ask for less.
    Limit,
    /// Nothing: data or code are broken.
    Internal,
}

impl SourceError {
    /// An error without a cause.
    pub fn new(kind: SourceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// An error with its cause.
    pub fn caused_by(
        kind: SourceErrorKind,
        message: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, message: message.into(), cause: Some(cause.into()) }
    }
}
