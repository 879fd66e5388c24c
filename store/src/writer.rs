//! Takes pushes and acknowledges them when they are durable.
//!
//! Pushes that arrive while a segment is being written share the next one (group commit): one PUT for all of them. One
//! task per writer, the flusher, writes the segments one after the other, so a segment is always a run of the tail. The
//! order is: stamped and visible in the [`Tail`] → segment in the object store → out of the tail → answered. A caller
//! that goes away does not take its push back.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use model::{Clock, Push, Stamp};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::entry::Entry;
use crate::layout::{SegmentName, Stream};
use crate::segment::{self, SegmentError};
use crate::settings::WriterSettings;
use crate::stats::{WriterStats, count};
use crate::tail::{Stamped, Tail};

/// Takes the entries of one stream: pushes, unless said otherwise.
#[derive(Debug)]
pub struct Writer<E = Push> {
    clock: Arc<dyn Clock>,
    settings: WriterSettings,
    tail: Arc<Tail<E>>,
    stats: Arc<WriterStats>,
    /// Stamping and queueing happen under this one lock, so that the queue is in stamp order. It holds as much as the
    /// tail may, which is bounded in bytes.
    queue: Mutex<Option<mpsc::UnboundedSender<Waiting<E>>>>,
    flusher: Mutex<Option<JoinHandle<()>>>,
}

/// A push is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Its place in the order of all pushes.
    pub stamp: Stamp,
}

/// A push that was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// Too much is waiting to be written.
    #[error(
        "{waiting} bytes of pushes are waiting to be written, and no more than {max} may: try again later"
    )]
    Busy {
        /// Bytes that wait.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// The object store failed.
    #[error("could not write {object}: {reason}")]
    Unavailable {
        /// What was to be written.
        object: Path,
        /// The store's error.
        reason: Arc<object_store::Error>,
    },
    /// The rows could not be encoded.
    #[error("could not encode a segment: {0}")]
    Encode(Arc<SegmentError>),
    /// The writer is closed.
    #[error("the gateway is shutting down")]
    Closed,
}

/// What the caller should do about a [`WriteError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteErrorKind {
    /// Nothing was stored; try again later (503 with Retry-After).
    Busy,
    /// Whether the push was stored is not known; a set may be pushed again as it is (503).
    Unavailable,
    /// Nothing was stored; trying again will not help (500).
    Internal,
    /// Nothing was stored; another replica or a restarted one will take it (503).
    Closed,
}

impl WriteError {
    /// What the caller should do.
    pub fn kind(&self) -> WriteErrorKind {
        match self {
            Self::Busy { .. } => WriteErrorKind::Busy,
            Self::Unavailable { .. } => WriteErrorKind::Unavailable,
            Self::Encode(_) => WriteErrorKind::Internal,
            Self::Closed => WriteErrorKind::Closed,
        }
    }
}

/// An entry whose caller waits.
#[derive(Debug)]
struct Waiting<E> {
    entry: Arc<Stamped<E>>,
    done: oneshot::Sender<Result<(), WriteError>>,
}

impl<E: Entry> Writer<E> {
    /// A writer whose flusher runs on the current tokio runtime until [`Writer::close`], or until the writer is dropped.
    pub fn start(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
    ) -> Self {
        let (tail, stats) = (Arc::new(Tail::default()), Arc::new(WriterStats::default()));
        let (sender, queue) = mpsc::unbounded_channel();
        let flusher = Flusher {
            store,
            stream,
            settings: settings.clone(),
            tail: Arc::clone(&tail),
            stats: Arc::clone(&stats),
            next_number: 0,
        };
        let flusher = tokio::spawn(flusher.run(queue));
        Self {
            clock,
            settings,
            tail,
            stats,
            queue: Mutex::new(Some(sender)),
            flusher: Mutex::new(Some(flusher)),
        }
    }

    /// Stamps the entry and answers when it is durable.
    ///
    /// # Errors
    /// [`WriteError::kind`] says what to do.
    pub async fn push(&self, entry: E) -> Result<Ack, WriteError> {
        let (stamp, answer) = self.enqueue(entry)?;
        match answer.await {
            Ok(Ok(())) => {
                count(&self.stats.pushes, 1);
                Ok(Ack { stamp })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(WriteError::Closed),
        }
    }

    fn enqueue(&self, entry: E) -> Result<(Stamp, oneshot::Receiver<Result<(), WriteError>>), WriteError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(WriteError::Closed);
        };
        let max = self.settings.buffer_bytes_max;
        let entry =
            self.tail.append(entry, self.settings.writer, self.clock.now_us(), max).map_err(|full| {
                count(&self.stats.refused, 1);
                WriteError::Busy { waiting: full.waiting, max }
            })?;
        let stamp = entry.stamp;
        let (done, answer) = oneshot::channel();
        queue.send(Waiting { entry, done }).map_err(|_| WriteError::Closed)?;
        Ok((stamp, answer))
    }

    /// Takes no more pushes and waits until those that were taken are written or refused.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let flusher = self.flusher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(flusher) = flusher
            && let Err(error) = flusher.await
        {
            tracing::error!(%error, "flusher ended badly");
        }
    }

    /// Who this writer is, and what it holds that is not written yet; for readers in the same process.
    pub fn tail(&self) -> (u64, Arc<Tail<E>>) {
        (self.settings.writer, Arc::clone(&self.tail))
    }

    /// What it has counted.
    pub fn stats(&self) -> &WriterStats {
        &self.stats
    }
}

/// What a segment's name says about its file.
struct Encoded {
    stamped_us: i64,
    from_us: i64,
    to_us: i64,
    rows: usize,
    checksum: u64,
}

/// Writes segments.
struct Flusher<E> {
    store: Arc<dyn ObjectStore>,
    stream: Stream,
    settings: WriterSettings,
    tail: Arc<Tail<E>>,
    stats: Arc<WriterStats>,
    next_number: u32,
}

impl<E: Entry> Flusher<E> {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Waiting<E>>) {
        while let Some(first) = queue.recv().await {
            let mut bytes = first.entry.bytes;
            let mut batch = vec![first];
            while bytes < self.settings.segment_bytes_max
                && let Ok(next) = queue.try_recv()
            {
                bytes += next.entry.bytes;
                batch.push(next);
            }
            let result = self.flush(&batch).await;
            if let Err(error) = &result {
                count(&self.stats.failures, 1);
                tracing::error!(entries = batch.len(), %error, "segment not written");
            }
            if let Some(last) = batch.last() {
                self.tail.remove_through(last.entry.stamp);
            }
            for waiting in batch {
                // whoever does not wait any more does not want to know
                let _ = waiting.done.send(result.clone());
            }
        }
    }

    async fn flush(&mut self, batch: &[Waiting<E>]) -> Result<(), WriteError> {
        let (encoded, bytes) = self.encode(batch).await?;
        let name = SegmentName {
            stamped_us: encoded.stamped_us,
            writer: self.settings.writer,
            number: self.next_number,
            from_us: encoded.from_us,
            to_us: encoded.to_us,
            rows: encoded.rows as u64,
            checksum: encoded.checksum,
        };
        self.next_number += 1;
        let object = self.stream.segment(&name);
        let length = bytes.len();
        self.put(&object, bytes)
            .await
            .map_err(|reason| WriteError::Unavailable { object, reason: Arc::new(reason) })?;
        count(&self.stats.segments, 1);
        count(&self.stats.segment_bytes, length);
        count(&self.stats.rows, encoded.rows);
        Ok(())
    }

    async fn encode(&self, batch: &[Waiting<E>]) -> Result<(Encoded, Bytes), WriteError> {
        let entries: Vec<Arc<Stamped<E>>> = batch.iter().map(|waiting| Arc::clone(&waiting.entry)).collect();
        let writer = self.settings.writer;
        let encoded = tokio::task::spawn_blocking(move || {
            let segment = E::segment(writer, &entries);
            let bytes = segment::encode(&segment)?;
            let stamped_us = entries.first().map_or(0, |first| first.stamp.at_us);
            // what says nothing still has its place in time
            let (from_us, to_us) = segment.time_range().unwrap_or((stamped_us, stamped_us));
            let checksum = segment::checksum(&bytes);
            Ok((Encoded { stamped_us, from_us, to_us, rows: segment.row_count(), checksum }, bytes))
        });
        match encoded.await {
            Ok(encoded) => encoded.map_err(|error| WriteError::Encode(Arc::new(error))),
            // the runtime is going down
            Err(_) => Err(WriteError::Closed),
        }
    }

    /// Creates the object. That one of this name is there already can only be the work of an earlier attempt of the same
    /// PUT whose answer was lost; it is read back, not believed.
    async fn put(&self, object: &Path, bytes: Bytes) -> Result<(), object_store::Error> {
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(object, bytes.clone().into(), create).await {
            Ok(_) => Ok(()),
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                let found = self.store.get(object).await?.bytes().await?;
                if found == bytes { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
