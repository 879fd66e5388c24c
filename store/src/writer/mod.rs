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

mod commit;
mod logged;
mod put;
mod store_clock;
mod stored;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Clock, Push, Stamp};
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) use commit::{ANSWERED_WITHIN, Batch, SegmentId, Target};
pub use store_clock::ClockSkew;

use crate::entry::Entry;
use crate::layout::Stream;
use crate::log::{self, ENTRY_BYTES_MAX, LogError, LogFiles, Replayed};
use crate::segment::SegmentError;
use crate::settings::{LogSettings, WriterSettings};
use crate::stats::{WriterStats, count};
use crate::tail::{Stamped, Tail};
use store_clock::StoreClock;

/// Takes the entries of one stream: pushes, unless said otherwise.
#[derive(Debug)]
pub struct Writer<E = Push> {
    target: Target,
    settings: WriterSettings,
    tail: Arc<Tail<E>>,
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
    answer: oneshot::Receiver<Result<Stamp, WriteError>>,
    stats: Arc<WriterStats>,
}

impl Submitted {
    /// Its place in the order, as long as it comes in time: else it is stamped anew.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Waits until it is durable.
    ///
    /// # Errors
    /// [`WriteError::kind`] says what to do.
    pub async fn durable(self) -> Result<Ack, WriteError> {
        match self.answer.await {
            Ok(Ok(stamp)) => {
                count(&self.stats.pushes, 1);
                Ok(Ack { stamp })
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
        "{waiting} bytes of pushes are waiting to be written, and no more than {max} may, which is buffer_bytes_max: \
         try again later"
    )]
    Busy {
        /// Bytes that wait.
        waiting: usize,
        /// The limit.
        max: usize,
    },
    /// One entry is larger than any may be.
    #[error(
        "the rows take {bytes} bytes, and no more than {max} may at once, which is entry_bytes_max: send them in parts"
    )]
    TooLarge {
        /// Bytes of the entry in memory.
        bytes: usize,
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
    /// The clock of this machine is too far off the store's.
    #[error(transparent)]
    Skew(ClockSkew),
    /// The object store answered too late, again and again.
    #[error(
        "the object store did not answer within {within_s} s of the minute of the segment, under {stampings} minutes"
    )]
    Late {
        /// How many minutes were tried.
        stampings: usize,
        /// The limit in seconds.
        within_s: u64,
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
    /// Nothing was stored; trying again will not help, and less at once will (413).
    TooLarge,
    /// Nothing was stored; another replica or a restarted one will take it (503).
    Closed,
}

impl WriteError {
    /// What the caller should do.
    pub fn kind(&self) -> WriteErrorKind {
        match self {
            Self::Busy { .. } => WriteErrorKind::Busy,
            Self::Unavailable { .. } | Self::Log(_) | Self::Skew(_) | Self::Late { .. } => {
                WriteErrorKind::Unavailable
            }
            Self::TooLarge { .. } => WriteErrorKind::TooLarge,
            Self::Encode(_) => WriteErrorKind::Internal,
            Self::Closed => WriteErrorKind::Closed,
        }
    }
}

/// An entry whose caller waits.
#[derive(Debug)]
struct Waiting<E> {
    entry: Arc<Stamped<E>>,
    done: oneshot::Sender<Result<Stamp, WriteError>>,
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
        let target = target(store, stream, clock, &settings);
        let tail = Arc::new(Tail::default());
        let (sender, queue) = mpsc::unbounded_channel();
        let task = stored::Flusher {
            target: target.clone(),
            settings: settings.clone(),
            tail: Arc::clone(&tail),
            next_number: 0,
        };
        let task = tokio::spawn(task.run(queue));
        Self::with(target, settings, tail, sender, task)
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
        Self::start_logged_on(store, stream, clock, settings, files, log.flush_interval).await
    }

    /// The same on other files than those of a folder.
    ///
    /// # Errors
    /// As for [`Writer::start_logged`].
    pub async fn start_logged_on(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        clock: Arc<dyn Clock>,
        settings: WriterSettings,
        files: Arc<dyn LogFiles>,
        flush_interval: Duration,
    ) -> Result<(Self, Replayed), LogError> {
        let target = target(store, stream, clock, &settings);
        let replayed = log::replay::<E>(&files, &target).await?;
        let tail = Arc::new(Tail::default());
        let (sender, queue) = mpsc::unbounded_channel();
        let task = logged::Committer::new(
            logged::Shared {
                target: target.clone(),
                settings: settings.clone(),
                tail: Arc::clone(&tail),
                files,
            },
            flush_interval,
        );
        let task = tokio::spawn(task.run(queue));
        Ok((Self::with(target, settings, tail, sender, task), replayed))
    }

    fn with(
        target: Target,
        settings: WriterSettings,
        tail: Arc<Tail<E>>,
        queue: mpsc::UnboundedSender<Waiting<E>>,
        task: JoinHandle<()>,
    ) -> Self {
        Self { target, settings, tail, queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)) }
    }

    /// Stamps the entry and answers when it is durable.
    ///
    /// # Errors
    /// [`WriteError::kind`] says what to do.
    pub async fn push(&self, entry: E) -> Result<Ack, WriteError> {
        self.clock_agrees().await?;
        self.submit(entry)?.durable().await
    }

    /// Whether pushes are taken: the writer is open, and the clock is not too far off the store's. What has never been asked
    /// is asked now; a store that does not answer is not held against the clock.
    ///
    /// # Errors
    /// What a push would get.
    pub async fn ready(&self) -> Result<(), WriteError> {
        if self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(WriteError::Closed);
        }
        self.check_clock(true).await
    }

    /// Whether the clock may be used. Costs nothing while it may; while it may not, the store is asked again now and then.
    ///
    /// # Errors
    /// [`WriteError::Skew`].
    pub async fn clock_agrees(&self) -> Result<(), WriteError> {
        self.check_clock(false).await
    }

    async fn check_clock(&self, at_first: bool) -> Result<(), WriteError> {
        let Target { store, stream, clock, .. } = &self.target;
        clock.check(&**store, &stream.time_probe(), at_first).await.map_err(WriteError::Skew)
    }

    /// Whether an entry would be taken now, as far as room goes: who makes one of much that was sent asks before.
    ///
    /// # Errors
    /// [`WriteError::Busy`] if too much waits.
    pub fn has_room(&self) -> Result<(), WriteError> {
        match self.tail.bytes() {
            waiting if waiting >= self.settings.buffer_bytes_max => Err(self.busy(waiting)),
            _ => Ok(()),
        }
    }

    fn busy(&self, waiting: usize) -> WriteError {
        count(&self.target.stats.refused, 1);
        WriteError::Busy { waiting, max: self.settings.buffer_bytes_max }
    }

    /// Stamps the entry, from when on readers of the process see it; entries are in the order in which they were
    /// submitted. Whether it becomes durable is told by what this returns.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn submit(&self, entry: E) -> Result<Submitted, WriteError> {
        self.target.clock.known().map_err(WriteError::Skew)?;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queue) = queue.as_ref() else {
            return Err(WriteError::Closed);
        };
        let (bytes, max) = (entry.memory_bytes(), self.settings.entry_bytes_max.min(ENTRY_BYTES_MAX));
        if bytes > max {
            return Err(WriteError::TooLarge { bytes, max });
        }
        let max = self.settings.buffer_bytes_max;
        let entry = self
            .tail
            .append(entry, self.settings.writer, self.target.clock.now_us(), max)
            .map_err(|full| self.busy(full.waiting))?;
        let (done, answer) = oneshot::channel();
        let stamp = entry.stamp;
        queue.send(Waiting { entry, done }).map_err(|_| WriteError::Closed)?;
        Ok(Submitted { stamp, answer, stats: Arc::clone(&self.target.stats) })
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
        &self.target.stats
    }
}

fn target(
    store: Arc<dyn ObjectStore>,
    stream: Stream,
    clock: Arc<dyn Clock>,
    settings: &WriterSettings,
) -> Target {
    let clock = Arc::new(StoreClock::new(clock, settings.max_skew));
    let store = stream.confine(store);
    Target { store, stream, clock, stats: Arc::new(WriterStats::default()) }
}

#[cfg(test)]
pub(crate) mod tests;
