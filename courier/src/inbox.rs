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

/// How large the batches of a tick may be together, if they are more than one.
const TICK_BYTES_MAX: u64 = 32 << 20;

/// When so much waits, no more is taken.
const WAITING_BYTES_MAX: u64 = 256 << 20;

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
    /// How large is what waited when it was looked at last, with what was added since.
    waiting_bytes: AtomicU64,
}

impl Inbox {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, folder: Path, writer: u64) -> Self {
        Self { store, folder, writer, next: AtomicU64::new(0), waiting_bytes: AtomicU64::new(0) }
    }

    /// Whether so much waits that nothing should be added.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_bytes.load(Ordering::Relaxed) > WAITING_BYTES_MAX
    }

    /// Adds a batch, which is durable when this returns.
    pub(crate) async fn put(&self, alerts: Vec<Received>, now_ms: i64) -> Result<(), Error> {
        let batch = Batch { version: VERSION, alerts };
        let bytes = serde_json::to_vec(&batch)
            .map_err(|source| Error::Generic { store: "inbox", source: source.into() })?;
        self.waiting_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{now_ms:015}-{:016x}-{number:08}.json", self.writer);
        self.store.put(&self.folder.clone().join(name), bytes.into()).await.map(|_| ())
    }

    /// The oldest batches, each with its name, in the order in which they came.
    pub(crate) async fn read(&self) -> Result<Vec<(Path, Vec<Received>)>, Error> {
        let listed: Vec<_> = self.store.list(Some(&self.folder)).try_collect().await?;
        let mut objects: Vec<(Path, u64)> =
            listed.into_iter().map(|object| (object.location, object.size)).collect();
        self.waiting_bytes.store(objects.iter().map(|(_, bytes)| bytes).sum(), Ordering::Relaxed);
        objects.sort_unstable();
        let names = of_one_tick(objects);
        // boxed: the compiler does not see that a closure over borrowed names can go to another thread
        let mut fetches: Vec<BoxFuture<'_, Result<Vec<Received>, Error>>> = Vec::with_capacity(names.len());
        for name in &names {
            fetches.push(self.fetch(name.clone()).boxed());
        }
        let batches: Vec<Vec<Received>> =
            futures::stream::iter(fetches).buffered(AT_ONCE).try_collect().await?;
        Ok(names.into_iter().zip(batches).collect())
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

/// The first of these that a tick takes in; one at least.
fn of_one_tick(objects: Vec<(Path, u64)>) -> Vec<Path> {
    let mut sum = 0;
    let fitting = objects.into_iter().take(BATCHES_MAX).enumerate().take_while(|(index, (_, bytes))| {
        sum += bytes;
        *index == 0 || sum <= TICK_BYTES_MAX
    });
    fitting.map(|(_, (name, _))| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_takes_in_so_many_bytes() {
        let check = |sizes: &[u64], expect: usize| {
            let objects =
                sizes.iter().enumerate().map(|(index, bytes)| (Path::from(format!("{index}")), *bytes));
            assert_eq!(of_one_tick(objects.collect()).len(), expect, "{} sizes", sizes.len());
        };
        check(&[], 0);
        check(&[TICK_BYTES_MAX + 1, 1], 1);
        check(&[TICK_BYTES_MAX, 1], 1);
        check(&[TICK_BYTES_MAX - 2, 1, 1, 1], 3);
        check(&vec![1; BATCHES_MAX + 1], BATCHES_MAX);
    }
}
