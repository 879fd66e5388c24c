//! Answers when the log is synced; segments follow.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::commit::{SegmentId, Target};
use super::stored::{fill, run_of};
use super::{Waiting, WriteError};
use crate::entry::Entry;
use crate::log::{Log, LogFiles};
use crate::settings::WriterSettings;
use crate::tail::{Run, Stamped, Tail};

/// Segments that wait for the object store; more entries stay in the log file that is open.
const SEALED_MAX: usize = 2;

/// How long the object store is left alone after a failure, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// What committer and flusher have in common.
pub(super) struct Shared<E> {
    pub(super) target: Target,
    pub(super) settings: WriterSettings,
    pub(super) tail: Arc<Tail<E>>,
    pub(super) files: Arc<dyn LogFiles>,
}

/// Entries of one log file, which takes no more of them.
struct Sealed {
    number: u32,
    run: Run,
}

/// Writes the log, and seals a file when it is large or old enough.
pub(super) struct Committer<E> {
    shared: Arc<Shared<E>>,
    flush_interval: Duration,
    /// What the open file holds.
    pending: Option<Run>,
    pending_bytes: usize,
    /// When the open file is to be sealed.
    due: Option<Instant>,
}

impl<E: Entry> Committer<E> {
    pub(super) fn new(shared: Shared<E>, flush_interval: Duration) -> Self {
        Self { shared: Arc::new(shared), flush_interval, pending: None, pending_bytes: 0, due: None }
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
                    let batch = fill(first, &mut queue, &self.shared.settings).await;
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
            self.shared.target.stats.count_failure();
            tracing::error!(entries = batch.len(), %error, "log not written");
            WriteError::Log(Arc::new(error))
        });
        if result.is_ok() {
            self.pending_bytes += entries.iter().map(|entry| entry.bytes).sum::<usize>();
            let run = run_of(&batch);
            let first = self.pending.as_ref().map_or(*run.start(), |pending| *pending.start());
            self.pending = Some(first..=*run.end());
            self.due = self.due.or_else(|| Some(Instant::now() + self.flush_interval));
        } else {
            self.shared.tail.refuse(&run_of(&batch));
        }
        for waiting in batch {
            // whoever does not wait any more does not want to know
            let _ = waiting.done.send(result.clone().map(|()| waiting.entry.stamp));
        }
        Some(log)
    }

    /// Ends the open file; what it holds is to become a segment.
    fn seal(&mut self, log: &mut Log) -> Option<Sealed> {
        let number = log.rotate();
        self.due = None;
        self.pending_bytes = 0;
        match self.pending.take() {
            Some(run) => Some(Sealed { number: number?, run }),
            None => {
                self.discard(number?);
                None
            }
        }
    }

    /// Removes a file in which nothing was acknowledged: while the disk is full each push may leave one.
    fn discard(&self, number: u32) {
        let shared = Arc::clone(&self.shared);
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = Log::remove(&*shared.files, shared.settings.writer, number) {
                // a replay drops it, if it comes to that
                tracing::warn!(%error, number, "log file not removed");
            }
        }));
    }
}

/// Writes sealed files to the object store, each until it is there or the writer is told to stop; then it stays in the log
/// for the next start.
async fn flush<E: Entry>(
    shared: Arc<Shared<E>>,
    mut sealed: mpsc::Receiver<Sealed>,
    mut stopped: watch::Receiver<bool>,
) {
    while let Some(Sealed { number, run }) = sealed.recv().await {
        let mut pause = RETRY.0;
        let mut id = SegmentId::new(shared.settings.writer, number);
        loop {
            let stamp_anew = |now_us| {
                shared.tail.stamp_anew(now_us);
                shared.tail.run(&run)
            };
            match shared.target.commit(&mut id, shared.tail.run(&run), stamp_anew).await {
                Ok(written) => {
                    shared.target.stats.count_segment(written.bytes, written.rows);
                    forget(&shared, number, &run).await;
                    break;
                }
                Err(error) => {
                    shared.target.stats.count_failure();
                    tracing::error!(number, %error, "segment not written: it stays in the log");
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
async fn forget<E: Entry>(shared: &Arc<Shared<E>>, number: u32, run: &Run) {
    shared.tail.settle(run, number);
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
