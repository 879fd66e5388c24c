//! Answers selections.

use std::sync::Arc;

use model::{Labels, Metadata, Selection, Series, Value};

/// Reads what is stored.
#[derive(Debug)]
pub struct Reader {}

/// A selection that could not be answered.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

/// A metric family of which at least one pushed series holds a value.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveFamily {
    /// The family's name.
    pub name: Arc<str>,
    /// Its type and help, as last pushed.
    pub metadata: Metadata,
    /// Its series (flat: a histogram's buckets, sum and count are series of their own) with the values that hold.
    pub series: Vec<(Labels, Value)>,
}

impl Reader {
    /// The series that match, each with what it held within the selection's time.
    ///
    /// # Errors
    /// If the object store fails or holds something unreadable.
    pub async fn select(&self, _selection: &Selection) -> Result<Vec<Series>, ReadError> {
        Ok(Vec::new())
    }

    /// Everything pushed that holds at `at_ms`, by family, in order of names.
    ///
    /// # Errors
    /// If the object store fails or holds something unreadable.
    pub async fn live(&self, _at_ms: i64) -> Result<Vec<LiveFamily>, ReadError> {
        Ok(Vec::new())
    }
}
