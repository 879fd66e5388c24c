//! Proves at start that a store keeps its word.
//!
//! Several S3 servers ignore If-None-Match and If-Match on a put, or check them without a lock. On such a store two
//! writers would overwrite each other in silence, so it must be refused before anything is written to it.

use std::hash::{BuildHasher, RandomState};

use futures::future::join_all;
use object_store::path::Path as Location;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};

/// How many puts race for one name. A server that checks without a lock lets several through with this many.
const RACERS: usize = 8;

/// Why a store cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A second create went through, or several of those that raced.
    #[error(
        "{store} does not hold If-None-Match: {winners} creates of one object succeeded. Mayfly needs a store with \
         conditional puts, such as AWS S3, SeaweedFS, or a local folder"
    )]
    CreateNotExclusive {
        /// The store's own description of itself.
        store: String,
        /// How many creates succeeded.
        winners: usize,
    },
    /// An update with a stale etag went through, or several of those that raced.
    #[error(
        "{store} does not hold If-Match: {winners} updates of one version succeeded. Mayfly needs a store with \
         conditional puts, such as AWS S3, SeaweedFS, or a local folder"
    )]
    UpdateNotExclusive {
        /// The store's own description of itself.
        store: String,
        /// How many updates succeeded.
        winners: usize,
    },
    /// The store gives no etag for what was put.
    #[error("{store} gives no etag for an object that was put")]
    NoEtag {
        /// The store's own description of itself.
        store: String,
    },
    /// What is read back is not what the winner put.
    #[error("{store} does not give back what was put at {location}")]
    ReadBack {
        /// The store's own description of itself.
        store: String,
        /// The object of the probe.
        location: Location,
    },
    /// The store cannot be used at all.
    #[error("cannot use {store}: {source}")]
    Store {
        /// The store's own description of itself.
        store: String,
        /// What the store says.
        source: Error,
    },
}

/// Lets puts race for an object below `prefix`, first to create it and then to update it, and fails unless each race has
/// exactly one winner. Takes about twenty requests and leaves nothing behind.
pub async fn conditional_put(store: &dyn ObjectStore, prefix: &Location) -> Result<(), ProbeError> {
    // Randomly keyed by the operating system, so that several can probe at the same time.
    let name = format!("{:016x}", RandomState::new().hash_one(()));
    let location = prefix.clone().join("probe").join(name);
    let proven = prove(store, &location).await;
    let removed = store.delete(&location).await;
    proven?;
    removed.map_err(|source| ProbeError::Store { store: store.to_string(), source })
}

async fn prove(store: &dyn ObjectStore, location: &Location) -> Result<(), ProbeError> {
    let created = race(store, location, "created", &PutMode::Create).await?;
    if created.winners != 1 {
        return Err(ProbeError::CreateNotExclusive { store: store.to_string(), winners: created.winners });
    }
    created.check(store, location).await?;

    let version = UpdateVersion { e_tag: created.e_tag.clone(), version: None };
    if version.e_tag.is_none() {
        return Err(ProbeError::NoEtag { store: store.to_string() });
    }
    let updated = race(store, location, "updated", &PutMode::Update(version)).await?;
    if updated.winners != 1 {
        return Err(ProbeError::UpdateNotExclusive { store: store.to_string(), winners: updated.winners });
    }
    updated.check(store, location).await
}

/// What a race ended with.
struct Race {
    winners: usize,
    /// Content and etag of a winner.
    content: String,
    e_tag: Option<String>,
}

impl Race {
    async fn check(&self, store: &dyn ObjectStore, location: &Location) -> Result<(), ProbeError> {
        let failed = |source| ProbeError::Store { store: store.to_string(), source };
        let read = store.get(location).await.map_err(failed)?;
        let e_tag = read.meta.e_tag.clone();
        let content = read.bytes().await.map_err(failed)?;
        if content != self.content || e_tag != self.e_tag {
            return Err(ProbeError::ReadBack { store: store.to_string(), location: location.clone() });
        }
        Ok(())
    }
}

async fn race(
    store: &dyn ObjectStore,
    location: &Location,
    word: &str,
    mode: &PutMode,
) -> Result<Race, ProbeError> {
    let puts = (0..RACERS).map(|number| async move {
        let content = format!("{word} by {number}");
        let put = store.put_opts(location, content.clone().into(), mode.clone().into()).await;
        (content, put)
    });
    let mut race = Race { winners: 0, content: String::new(), e_tag: None };
    for (content, put) in join_all(puts).await {
        match put {
            Ok(put) => race = Race { winners: race.winners + 1, content, e_tag: put.e_tag },
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(source) => return Err(ProbeError::Store { store: store.to_string(), source }),
        }
    }
    Ok(race)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use futures::TryStreamExt;
    use object_store::memory::InMemory;

    use super::*;
    use crate::s3::tests::Server;
    use crate::{Folder, S3, S3Settings};

    async fn objects(store: &dyn ObjectStore) -> usize {
        store.list(None).try_collect::<Vec<_>>().await.unwrap().len()
    }

    #[tokio::test]
    async fn passes_good_stores_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start().await;
        let stores: [&dyn ObjectStore; 3] =
            [&InMemory::new(), &Folder::open(dir.path()).unwrap(), &server.store()];
        for store in stores {
            conditional_put(store, &Location::from("a/b")).await.unwrap();
            conditional_put(store, &Location::default()).await.unwrap();
            assert_eq!(objects(store).await, 0, "{store}");
        }
    }

    #[tokio::test]
    async fn refuses_a_server_that_ignores_conditions() {
        let server = Server::start().await;
        server.backend.ignores_conditions.store(true, Ordering::SeqCst);
        let store = server.store();
        let error = conditional_put(&store, &Location::default()).await.unwrap_err();
        assert!(matches!(error, ProbeError::CreateNotExclusive { winners: RACERS, .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("s3://metrics at http://127.0.0.1:"), "{text}");
        assert!(text.contains("does not hold If-None-Match: 8 creates"), "{text}");
        assert_eq!(objects(&store).await, 0);
    }

    #[tokio::test]
    async fn refuses_a_server_that_ignores_etags() {
        let server = Server::start().await;
        server.backend.ignores_if_match.store(true, Ordering::SeqCst);
        let error = conditional_put(&server.store(), &Location::default()).await.unwrap_err();
        assert!(matches!(error, ProbeError::UpdateNotExclusive { winners: RACERS, .. }), "{error}");
    }

    #[tokio::test]
    async fn refuses_a_server_that_checks_without_a_lock() {
        let server = Server::start().await;
        server.backend.checks_too_early.store(true, Ordering::SeqCst);
        let error = conditional_put(&server.store(), &Location::default()).await.unwrap_err();
        assert!(matches!(error, ProbeError::CreateNotExclusive { winners: 2.., .. }), "{error}");
    }

    #[tokio::test]
    async fn says_when_the_store_cannot_be_used() {
        let server = Server::start().await;
        let store = S3::new(S3Settings { bucket: "other".into(), ..server.settings() });
        let error = conditional_put(&store, &Location::default()).await.unwrap_err().to_string();
        assert!(error.contains("cannot use s3://other at http") && error.contains("NoSuchBucket"), "{error}");
    }
}
