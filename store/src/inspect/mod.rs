//! What is in the store, for people: listed, added up, and verified.
//!
//! [`Inspector::inventory`] reads the manifest and lists; [`Inspector::verify`] reads everything that counts and compares it with
//! what names and the manifest say of it. Neither writes, and neither is disturbed by who writes or compacts meanwhile.

mod inventory;
mod merged;
mod verify;

#[cfg(test)]
mod tests;

pub use inventory::{Holds, Inventory, Partition, Place};
pub use verify::{Problem, Verified};

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use crate::compute::ComputeError;
use crate::layout::Stream;
use crate::manifest::{LoadError, Loaded, Manifests};

/// Looks at one stream.
#[derive(Debug)]
pub struct Inspector {
    store: Arc<dyn ObjectStore>,
    stream: Stream,
    manifests: Manifests,
    /// Times of rows are stamps.
    is_of_pushes: bool,
}

/// Why it could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The object store failed.
    #[error("could not read {object}: {source}")]
    Store {
        /// What was to be read or listed.
        object: Path,
        /// The store's error.
        source: object_store::Error,
    },
    /// The manifest is damaged, or of a later version: nothing is known of what was merged.
    #[error("{0}")]
    Manifest(String),
    /// What was read could not be looked at.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

impl From<LoadError> for InspectError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store { object, source } => Self::Store { object, source },
            other => Self::Manifest(other.to_string()),
        }
    }
}

impl Inspector {
    /// Of a stream of pushes.
    pub fn of_pushes(store: Arc<dyn ObjectStore>, stream: Stream) -> Self {
        Self::new(store, stream, true)
    }

    /// Of a stream of samples.
    pub fn of_samples(store: Arc<dyn ObjectStore>, stream: Stream) -> Self {
        Self::new(store, stream, false)
    }

    fn new(store: Arc<dyn ObjectStore>, stream: Stream, is_of_pushes: bool) -> Self {
        let store = stream.confine(store);
        let manifests = Manifests::new(Arc::clone(&store), stream.manifest());
        Self { store, stream, manifests, is_of_pushes }
    }

    async fn load(&self) -> Result<Loaded, InspectError> {
        Ok(self.manifests.load(None).await?)
    }
}
