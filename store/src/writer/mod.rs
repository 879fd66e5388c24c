//! Takes entries and acknowledges them when they are durable.
//!
//! A writer has one task that takes what callers have stamped, in stamp order, and makes it durable in batches (group
//! commit). What that means is told by the kind of acknowledgement:
//!
//! | kind | order |
//! |---|---|
//! | `stored` | stamped and visible in the [`Tail`] → segment in the object store → out of the tail → answered |
//! | `logged` | stamped and visible → synced to the log → answered … segment in the object store → out of the tail and the log |
//!
//! Either way a segment is a run of the tail. A caller that goes away does not take its entry back.

mod logged;
mod put;
mod stored;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, Push, Stamp};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use put::write_segment;

use crate::entry::Entry;
use crate::layout::Stream;
use crate::log::{self, LogError, LogFiles, Replayed};
use crate::segment::SegmentError;
use crate::settings::{LogSettings, WriterSettings};
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
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A push is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Its place in the order of all pushes.
    pub stamp: Stamp,
}

/// An entry that has its place in the order and is being made durable, whether anybody waits for that or not.
#[derive(Debug)]
pub struct Submitted {
    stamp: Stamp,
    answer: oneshot::Receiver<Result<(), WriteError>>,
    stats: Arc<WriterStats>,
}

impl Submitted {
    /// Waits until it is durable.
    ///
    /// # Errors
    /// [`WriteError::kind`] says what to do.
    pub async fn durable(self) -> Result<Ack, WriteError> {
        match self.answer.await {
            Ok(Ok(())) => {
                count(&self.stats.pushes, 1);
                Ok(Ack { stamp: self.stamp })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(WriteError::Closed),
        }
    }
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
    /// The log could not be written.
    #[error("could not write the log: {0}")]
    Log(Arc<std::io::Error>),
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
            Self::Unavailable { .. } | Self::Log(_) => WriteErrorKind::Unavailable,
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
    /// A writer that acknowledges what is in the object store. Its task runs on the current tokio runtime until
    /// [`Writer::close`], or until the writer is dropped.
    pub fn start(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
    ) -> Self {
        let (tail, stats) = (Arc::new(Tail::default()), Arc::new(WriterStats::default()));
        let (sender, queue) = mpsc::unbounded_channel();
        let task = stored::Flusher {
            store,
            stream,
            settings: settings.clone(),
            tail: Arc::clone(&tail),
            stats: Arc::clone(&stats),
            next_number: 0,
        };
        let task = tokio::spawn(task.run(queue));
        Self::with(clock, settings, tail, stats, sender, task)
    }

    /// A writer that acknowledges what is in its log, and a replay of what an earlier process has left there.
    ///
    /// # Errors
    /// If the log cannot be used, or what it holds cannot be written.
    pub async fn start_logged(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
        log: LogSettings,
    ) -> Result<(Self, Replayed), LogError> {
        let folder = log.folder.clone();
        let opened = tokio::task::spawn_blocking(move || log::Folder::open(folder)).await;
        let files = match opened {
            Ok(Ok(files)) => Arc::new(files) as Arc<dyn LogFiles>,
            Ok(Err(source)) => return Err(LogError::Io { path: log.folder, source }),
            Err(error) => return Err(LogError::Io { path: log.folder, source: error.into() }),
        };
        Self::start_on(store, stream, clock, settings, files, log.flush_interval).await
    }

    async fn start_on(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
        files: Arc<dyn LogFiles>,
        flush_interval: Duration,
    ) -> Result<(Self, Replayed), LogError> {
        let replayed = log::replay::<E>(&files, &*store, &stream).await?;
        let (tail, stats) = (Arc::new(Tail::default()), Arc::new(WriterStats::default()));
        let (sender, queue) = mpsc::unbounded_channel();
        let task = logged::Committer::new(
            logged::Shared {
                store,
                stream,
                settings: settings.clone(),
                tail: Arc::clone(&tail),
                stats: Arc::clone(&stats),
                files,
            },
            flush_interval,
        );
        let task = tokio::spawn(task.run(queue));
        Ok((Self::with(clock, settings, tail, stats, sender, task), replayed))
    }

    fn with(
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
        tail: Arc<Tail<E>>,
        stats: Arc<WriterStats>,
        queue: mpsc::UnboundedSender<Waiting<E>>,
        task: JoinHandle<()>,
    ) -> Self {
        Self { clock, settings, tail, stats, queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    /// Stamps the entry and answers when it is durable.
    ///
    /// # Errors
    /// [`WriteError::kind`] says what to do.
    pub async fn push(&self, entry: E) -> Result<Ack, WriteError> {
        self.submit(entry)?.durable().await
    }

    /// Stamps the entry, from when on readers of the process see it; entries are in the order in which they were
    /// submitted. Whether it becomes durable is told by what this returns.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn submit(&self, entry: E) -> Result<Submitted, WriteError> {
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
        Ok(Submitted { stamp, answer, stats: Arc::clone(&self.stats) })
    }

    /// Takes no more pushes and waits until those that were taken are written or refused.
    pub async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
            && !error.is_cancelled()
        {
            tracing::error!(%error, "writer ended badly");
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

#[cfg(test)]
pub(crate) mod tests;
