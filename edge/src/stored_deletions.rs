//! What the query API deletes: in the store.

use std::sync::Arc;

use async_trait::async_trait;
use model::Clock;
use query::api::{DeletionCount, SeriesDeleter, SeriesDeletion};
use query::{SourceError, SourceErrorKind};
use store::{Deletable, DeleteError, Deleter, Deletion, Reader};

use crate::storage::Storage;
use crate::stored_series::noted;

/// Deletes from the streams of one tenant.
#[derive(Debug)]
pub struct StoredDeletions {
    deleter: Deleter,
    reader: Arc<Reader>,
    clock: Arc<dyn Clock>,
}

impl StoredDeletions {
    /// From what is in a storage; `reader` counts it.
    pub fn new(storage: &Storage, reader: Arc<Reader>, clock: Arc<dyn Clock>) -> Self {
        Self { deleter: storage.deleter(Arc::clone(&clock)), reader, clock }
    }
}

fn of_store(deletion: &SeriesDeletion) -> Deletion {
    let SeriesDeletion { matchers, start_ms, end_ms } = deletion.clone();
    Deletion { matchers, start_ms, end_ms }
}

#[async_trait]
impl SeriesDeleter for StoredDeletions {
    async fn delete(&self, deletions: &[SeriesDeletion]) -> Result<(), SourceError> {
        let deletions: Vec<Deletion> = deletions.iter().map(of_store).collect();
        self.deleter.delete(&deletions).await.map_err(|error| {
            let kind = match &error {
                DeleteError::TooMany { .. } => SourceErrorKind::Limit,
                DeleteError::Invariant(_) => SourceErrorKind::Internal,
                _ => SourceErrorKind::Unavailable,
            };
            SourceError::caused_by(kind, error.to_string(), error)
        })
    }

    async fn count(&self, deletions: &[SeriesDeletion]) -> Result<DeletionCount, SourceError> {
        let mut count = DeletionCount::default();
        for deletion in deletions {
            let counted = self.reader.deletable(&of_store(deletion), self.clock.now_ms()).await;
            let Deletable { series, samples, pushed_values } =
                noted(counted, &query::SourceNotes::default())?;
            count.series += series;
            count.samples += samples;
            count.pushed_values += pushed_values;
        }
        Ok(count)
    }
}
