//! The state of rules as one object, swapped by its ETag.

use std::sync::Arc;

use alert::{LoadError, Loaded, StateStore, SwapError, Version};
use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, PutMode, PutOptions, UpdateVersion};

/// An object that is swapped whole.
#[derive(Debug)]
pub struct RuleState {
    store: Arc<dyn ObjectStore>,
    object: Path,
}

impl RuleState {
    /// The state in `object`; the store must compare ETags on PUT.
    pub fn new(store: Arc<dyn ObjectStore>, object: Path) -> Self {
        Self { store, object }
    }
}

/// A store that gives no ETag cannot hold state.
#[derive(Debug, thiserror::Error)]
#[error("the object store gave no ETag for {0}")]
struct NoETag(Path);

#[async_trait]
impl StateStore for RuleState {
    async fn load(&self, known: Option<&Version>) -> Result<Loaded, LoadError> {
        let options =
            GetOptions { if_none_match: known.map(|Version(etag)| etag.clone()), ..GetOptions::default() };
        let found = match self.store.get_opts(&self.object, options).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(Loaded::Nothing),
            Err(Error::NotModified { .. }) => return Ok(Loaded::Same),
            Err(error) => return Err(LoadError(error.into())),
        };
        let etag = found.meta.e_tag.clone().ok_or_else(|| LoadError(NoETag(self.object.clone()).into()))?;
        let bytes = found.bytes().await.map_err(|error| LoadError(error.into()))?;
        Ok(Loaded::State(bytes.to_vec(), Version(etag)))
    }

    async fn swap(&self, bytes: Vec<u8>, expected: Option<&Version>) -> Result<Version, SwapError> {
        let mode = match expected {
            Some(version) => PutMode::Update(UpdateVersion { e_tag: Some(version.0.clone()), version: None }),
            None => PutMode::Create,
        };
        match self.store.put_opts(&self.object, bytes.into(), PutOptions::from(mode)).await {
            Ok(put) => match put.e_tag {
                Some(etag) => Ok(Version(etag)),
                None => Err(SwapError::Unknown(NoETag(self.object.clone()).into())),
            },
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. }) => {
                Err(SwapError::Conflict)
            }
            Err(error) => Err(SwapError::Unknown(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn of_two_writers_one_wins() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let state = RuleState::new(store, Path::from("alerts/state"));
        assert_eq!(state.load(None).await.expect("answers"), Loaded::Nothing);
        let first = state.swap(b"1".to_vec(), None).await.expect("swapped");
        assert!(matches!(state.swap(b"x".to_vec(), None).await, Err(SwapError::Conflict)));
        let second = state.swap(b"2".to_vec(), Some(&first)).await.expect("swapped");
        assert!(matches!(state.swap(b"x".to_vec(), Some(&first)).await, Err(SwapError::Conflict)));
        let loaded = async |known| state.load(known).await.expect("answers");
        assert_eq!(loaded(None).await, Loaded::State(b"2".to_vec(), second.clone()));
        assert_eq!(loaded(Some(&first)).await, Loaded::State(b"2".to_vec(), second.clone()));
        assert_eq!(loaded(Some(&second)).await, Loaded::Same);
    }
}
