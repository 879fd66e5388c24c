//! Where the manifest lies: reading it, and exchanging it for another if nobody else has.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion};

use super::{Manifest, ManifestError};

/// The manifest of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Manifests {
    store: Arc<dyn ObjectStore>,
    object: Path,
}

/// A manifest as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) manifest: Arc<Manifest>,
    /// `None`: there is no object yet.
    etag: Option<String>,
}

/// A manifest that could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store failed.
    #[error("could not read {object}: {source}")]
    Store {
        /// The manifest.
        object: Path,
        /// The store's error.
        source: Error,
    },
    /// It cannot be understood. Without it nothing is known of what was merged, so nothing can be answered.
    #[error("could not read {object}: {source}")]
    Manifest {
        /// The manifest.
        object: Path,
        /// What is wrong.
        source: ManifestError,
    },
    /// The store gives no ETag, so the manifest could not be swapped.
    #[error("the object store gave no ETag for {0}")]
    NoETag(Path),
}

/// A swap that was not done, or of which that is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapError {
    /// Somebody else has swapped it: read it again.
    #[error("{0} was swapped by somebody else")]
    Conflict(Path),
    /// It may have been swapped or not: read it again.
    #[error("could not swap {object}: {source}")]
    Store {
        /// The manifest.
        object: Path,
        /// The store's error.
        source: Error,
    },
    /// It has no JSON form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The store gives no ETag.
    #[error("the object store gave no ETag for {0}")]
    NoETag(Path),
}

impl Manifests {
    /// The manifest in `object`; the store must compare ETags on PUT.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, object: Path) -> Self {
        Self { store, object }
    }

    /// The manifest as it is now. One that is `known` is not sent again by the store if it still is the same.
    pub(crate) async fn load(&self, known: Option<&Loaded>) -> Result<Loaded, LoadError> {
        let etag = known.and_then(|known| known.etag.clone());
        let options = GetOptions { if_none_match: etag, ..GetOptions::default() };
        let failed = |source| LoadError::Store { object: self.object.clone(), source };
        let found = match self.store.get_opts(&self.object, options).await {
            Ok(found) => found,
            Err(Error::NotModified { .. }) if let Some(known) = known => return Ok(known.clone()),
            Err(Error::NotFound { .. }) => return Ok(Loaded { manifest: Arc::default(), etag: None }),
            Err(error) => return Err(failed(error)),
        };
        let etag = found.meta.e_tag.clone().ok_or_else(|| LoadError::NoETag(self.object.clone()))?;
        let bytes = found.bytes().await.map_err(failed)?;
        let manifest = Manifest::from_bytes(&bytes)
            .map_err(|source| LoadError::Manifest { object: self.object.clone(), source })?;
        Ok(Loaded { manifest: Arc::new(manifest), etag: Some(etag) })
    }

    /// Puts `after` in the place of the manifest that was loaded, if that is still there.
    pub(crate) async fn swap(&self, before: &Loaded, after: Manifest) -> Result<Loaded, SwapError> {
        let mode = match &before.etag {
            Some(etag) => PutMode::Update(UpdateVersion { e_tag: Some(etag.clone()), version: None }),
            None => PutMode::Create,
        };
        let bytes = after.to_bytes()?;
        match self.store.put_opts(&self.object, bytes.into(), PutOptions::from(mode)).await {
            Ok(put) if put.e_tag.is_some() => Ok(Loaded { manifest: Arc::new(after), etag: put.e_tag }),
            Ok(_) => Err(SwapError::NoETag(self.object.clone())),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Err(SwapError::Conflict(self.object.clone()))
            }
            Err(source) => Err(SwapError::Store { object: self.object.clone(), source }),
        }
    }
}
