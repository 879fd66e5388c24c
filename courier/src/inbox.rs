//! Alerts that have come in and are not in the state yet: an object for each batch, deleted once it is.
//!
//! A batch may be taken in twice, after a crash or by two ticks at once, which changes nothing: it says when it came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use notify::Received;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

/// How many batches a tick takes in.
const BATCHES_MAX: usize = 1_000;

/// How many are fetched or deleted at once.
const AT_ONCE: usize = 16;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Batch {
    version: u32,
    alerts: Vec<Received>,
}

pub(crate) struct Inbox {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    /// Tells our batches from those of others.
    writer: u64,
    next: AtomicU64,
}

impl Inbox {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, folder: Path, writer: u64) -> Self {
        Self { store, folder, writer, next: AtomicU64::new(0) }
    }

    /// Adds a batch, which is durable when this returns.
    pub(crate) async fn put(&self, alerts: Vec<Received>, now_ms: i64) -> Result<(), Error> {
        let batch = Batch { version: VERSION, alerts };
        let bytes = serde_json::to_vec(&batch)
            .map_err(|source| Error::Generic { store: "inbox", source: source.into() })?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{now_ms:015}-{:016x}-{number:08}.json", self.writer);
        self.store.put(&self.folder.clone().join(name), bytes.into()).await.map(|_| ())
    }

    /// The oldest batches: their names, and the alerts in the order in which they came.
    pub(crate) async fn read(&self) -> Result<(Vec<Path>, Vec<Received>), Error> {
        let listed: Vec<_> = self.store.list(Some(&self.folder)).try_collect().await?;
        let mut names: Vec<Path> = listed.into_iter().map(|object| object.location).collect();
        names.sort_unstable();
        names.truncate(BATCHES_MAX);
        // boxed: the compiler does not see that a closure over borrowed names can go to another thread
        let mut fetches: Vec<BoxFuture<'_, Result<Vec<Received>, Error>>> = Vec::with_capacity(names.len());
        for name in &names {
            fetches.push(self.fetch(name.clone()).boxed());
        }
        let batches: Vec<Vec<Received>> =
            futures::stream::iter(fetches).buffered(AT_ONCE).try_collect().await?;
        Ok((names, batches.into_iter().flatten().collect()))
    }

    async fn fetch(&self, name: Path) -> Result<Vec<Received>, Error> {
        let bytes = match self.store.get(&name).await {
            Ok(found) => found.bytes().await?,
            // another tick has taken it in
            Err(Error::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice::<Batch>(&bytes) {
            Ok(batch) if batch.version <= VERSION => Ok(batch.alerts),
            Ok(batch) => {
                let source =
                    format!("{name} has version {}, this program reads up to {VERSION}", batch.version);
                Err(Error::Generic { store: "inbox", source: source.into() })
            }
            Err(error) => {
                tracing::error!(%name, %error, "a batch of alerts is damaged and dropped");
                Ok(Vec::new())
            }
        }
    }

    /// Deletes batches that are in the state. Those that stay are taken in again, which does no harm.
    pub(crate) async fn delete(&self, names: Vec<Path>) {
        let mut deletes: Vec<BoxFuture<'_, Result<(), Error>>> = Vec::with_capacity(names.len());
        for name in names {
            deletes.push(async move { self.store.delete(&name).await }.boxed());
        }
        let mut deletes = futures::stream::iter(deletes).buffer_unordered(AT_ONCE);
        while let Some(deleted) = deletes.next().await {
            if let Err(error) = deleted
                && !matches!(error, Error::NotFound { .. })
            {
                tracing::warn!(%error, "a batch of alerts that was taken in is not deleted");
            }
        }
    }
}
