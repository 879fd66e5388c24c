//! Answers when the log is synced; segments follow.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::stored::fill;
use super::{Waiting, WriteError, write_segment};
use crate::entry::Entry;
use crate::layout::Stream;
use crate::log::{Log, LogFiles};
use crate::settings::WriterSettings;
use crate::stats::WriterStats;
use crate::tail::{Stamped, Tail};

/// Segments that wait for the object store; more entries stay in the log file that is open.
const SEALED_MAX: usize = 2;

/// How long the object store is left alone after a failure, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// What committer and flusher have in common.
pub(super) struct Shared<E> {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) stream: Stream,
    pub(super) settings: WriterSettings,
    pub(super) tail: Arc<Tail<E>>,
    pub(super) stats: Arc<WriterStats>,
    pub(super) files: Arc<dyn LogFiles>,
}

/// Entries of one log file, which takes no more of them.
struct Sealed<E> {
    number: u32,
    entries: Vec<Arc<Stamped<E>>>,
}

/// Writes the log, and seals a file when it is large or old enough.
pub(super) struct Committer<E> {
    shared: Arc<Shared<E>>,
    flush_interval: Duration,
    /// What the open file holds.
    pending: Vec<Arc<Stamped<E>>>,
    pending_bytes: usize,
    /// When the open file is to be sealed.
    due: Option<Instant>,
}

impl<E: Entry> Committer<E> {
    pub(super) fn new(shared: Shared<E>, flush_interval: Duration) -> Self {
        Self { shared: Arc::new(shared), flush_interval, pending: Vec::new(), pending_bytes: 0, due: None }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Waiting<E>>) {
        let (sealed, to_flush) = mpsc::channel(SEALED_MAX);
        let (stopping, stopped) = watch::channel(false);
        let flusher = tokio::spawn(flush(Arc::clone(&self.shared), to_flush, stopped));
        let mut log = Log::new(Arc::clone(&self.shared.files), self.shared.settings.writer);
        loop {
            let next = match self.due {
                Some(due) => timeout_at(due, queue.recv()).await,
                None => Ok(queue.recv().await),
            };
            match next {
                Ok(Some(first)) => {
                    let batch = fill(first, &mut queue, self.shared.settings.segment_bytes_max);
                    log = match self.commit(log, batch).await {
                        Some(log) => log,
                        // the runtime is going down
                        None => return,
                    };
                }
                Ok(None) => break,
                Err(_) => {}
            }
            let is_due = self.due.is_some_and(|due| due <= Instant::now());
            if is_due || log.is_broken() || self.pending_bytes >= self.shared.settings.segment_bytes_max {
                match sealed.try_reserve() {
                    Ok(permit) => {
                        if let Some(file) = self.seal(&mut log) {
                            permit.send(file);
                        }
                    }
                    // the store is behind: entries stay in the open file
                    Err(_) => self.due = Some(Instant::now() + self.flush_interval),
                }
            }
        }
        if let Some(file) = self.seal(&mut log) {
            // an error means that the flusher is gone; the log keeps the entries
            let _ = sealed.send(file).await;
        }
        drop(sealed);
        let _ = stopping.send(true);
        // cancelled: the runtime is going down, and the log has what was acknowledged
        if let Err(error) = flusher.await
            && !error.is_cancelled()
        {
            tracing::error!(%error, "flusher ended badly");
        }
    }

    /// Logs a batch and answers its callers.
    async fn commit(&mut self, mut log: Log, batch: Vec<Waiting<E>>) -> Option<Log> {
        let entries: Vec<Arc<Stamped<E>>> = batch.iter().map(|waiting| Arc::clone(&waiting.entry)).collect();
        let appended = tokio::task::spawn_blocking(move || {
            let payloads: Vec<Vec<u8>> =
                entries.iter().map(|entry| entry.entry.encode(entry.stamp.at_us)).collect();
            let result = log.append(&payloads);
            (log, entries, result)
        });
        let (log, entries, result) = appended.await.ok()?;
        let result = result.map_err(|error| {
            self.shared.stats.count_failure();
            tracing::error!(entries = batch.len(), %error, "log not written");
            WriteError::Log(Arc::new(error))
        });
        if result.is_ok() {
            self.pending_bytes += entries.iter().map(|entry| entry.bytes).sum::<usize>();
            self.pending.extend(entries);
            self.due = self.due.or_else(|| Some(Instant::now() + self.flush_interval));
        } else if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            self.shared.tail.remove_between(first.stamp, last.stamp);
        }
        for waiting in batch {
            // whoever does not wait any more does not want to know
            let _ = waiting.done.send(result.clone());
        }
        Some(log)
    }

    /// Ends the open file; what it holds is to become a segment.
    fn seal(&mut self, log: &mut Log) -> Option<Sealed<E>> {
        let number = log.rotate();
        self.due = None;
        self.pending_bytes = 0;
        let entries = std::mem::take(&mut self.pending);
        match number {
            Some(number) if !entries.is_empty() => Some(Sealed { number, entries }),
            // a file in which nothing was acknowledged; a replay drops it, if it comes to that
            _ => None,
        }
    }
}

/// Writes sealed files to the object store, each until it is there or the writer is told to stop; then it stays in the log
/// for the next start.
async fn flush<E: Entry>(
    shared: Arc<Shared<E>>,
    mut sealed: mpsc::Receiver<Sealed<E>>,
    mut stopped: watch::Receiver<bool>,
) {
    while let Some(Sealed { number, entries }) = sealed.recv().await {
        let mut pause = RETRY.0;
        loop {
            let (store, stream, writer) = (&*shared.store, &shared.stream, shared.settings.writer);
            match write_segment(store, stream, writer, number, entries.clone()).await {
                Ok(written) => {
                    shared.stats.count_segment(written.bytes, written.rows);
                    forget(&shared, number, &entries).await;
                    break;
                }
                Err(error) => {
                    shared.stats.count_failure();
                    tracing::error!(entries = entries.len(), %error, "segment not written: it stays in the log");
                }
            }
            // an answer means that it is time to stop, and an error that nobody is left to say so
            if timeout(pause, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

/// A segment is in the object store: tail and log need not hold it any more.
async fn forget<E: Entry>(shared: &Arc<Shared<E>>, number: u32, entries: &[Arc<Stamped<E>>]) {
    if let Some(last) = entries.last() {
        shared.tail.remove_through(last.stamp);
    }
    let of_task = Arc::clone(shared);
    let removed =
        tokio::task::spawn_blocking(move || Log::remove(&*of_task.files, of_task.settings.writer, number));
    if let Ok(Err(error)) = removed.await {
        // a replay finds the same segment there and removes it then
        tracing::warn!(%error, number, "log file not removed");
    }
}

#[cfg(test)]
mod tests;
