//! What queries read from: the store.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Selection, Series};
use query::{SeriesSource, SourceError, SourceErrorKind, SourceNotes};
use store::{ReadErrorKind, Reader};

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

#[async_trait]
impl SeriesSource for StoredSeries {
    async fn select(&self, selection: &Selection, notes: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let answer = self.reader.select(selection).await.map_err(|error| {
            let kind = match error.kind() {
                ReadErrorKind::Unavailable => SourceErrorKind::Unavailable,
                ReadErrorKind::Limit => SourceErrorKind::Limit,
            };
            SourceError::caused_by(kind, error.to_string(), error)
        })?;
        answer.left_out.iter().for_each(|object| notes.note(object.to_string()));
        Ok(answer.found)
    }
}
