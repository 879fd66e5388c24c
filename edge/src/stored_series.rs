//! What queries read from: the store.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Labels, Metadata, NeededLabels, Selection, Series};
use query::{SeriesSource, SourceError, SourceErrorKind, SourceNotes};
use store::{Answer, ReadError, ReadErrorKind, Reader};

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
}

/// What was found; `notes` say what is missing.
pub(crate) fn noted<T>(answer: Result<Answer<T>, ReadError>, notes: &SourceNotes) -> Result<T, SourceError> {
    let answer = answer.map_err(|error| {
        let kind = match error.kind() {
            ReadErrorKind::Unavailable => SourceErrorKind::Unavailable,
            ReadErrorKind::Limit => SourceErrorKind::Limit,
        };
        SourceError::caused_by(kind, error.to_string(), error)
    })?;
    answer.left_out.iter().for_each(|object| notes.note(object.to_string()));
    Ok(answer.found)
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

    async fn metadata(&self, notes: &SourceNotes) -> Result<Vec<(Arc<str>, Vec<Metadata>)>, SourceError> {
        let told = noted(self.reader.descriptions().await, notes)?;
        Ok(told.into_iter().map(|(family, metadata)| (family, vec![metadata])).collect())
    }
}
