//! Answers when the segment is in the object store.

use std::sync::Arc;

use model::Stamp;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::time::{Instant, timeout_at};

use super::commit::{SegmentId, Target};
use super::{Waiting, WriteError};
use crate::entry::Entry;
use crate::settings::WriterSettings;
use crate::tail::{Run, Tail};

/// Writes segments one after the other. What arrives meanwhile shares the next one: one PUT for all of it.
pub(super) struct Flusher<E> {
    pub(super) target: Target,
    pub(super) settings: WriterSettings,
    pub(super) tail: Arc<Tail<E>>,
    pub(super) next_number: u32,
}

impl<E: Entry> Flusher<E> {
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Waiting<E>>) {
        while let Some(first) = queue.recv().await {
            let batch = fill(first, &mut queue, &self.settings).await;
            let run = run_of(&batch);
            let number = self.next_number;
            self.next_number += 1;
            let result = self.flush(&run, number).await;
            if let Err(error) = &result {
                self.target.stats.count_failure();
                tracing::error!(entries = batch.len(), %error, "segment not written");
            }
            self.tail.settle(&run, number);
            for (index, waiting) in batch.into_iter().enumerate() {
                let result = result.as_ref().map_err(Clone::clone);
                let stamp = result.map(|stamps| stamps.get(index).copied().unwrap_or(waiting.entry.stamp));
                // whoever does not wait any more does not want to know
                let _ = waiting.done.send(stamp);
            }
        }
    }

    /// Writes a run as a segment; gives the stamps that its entries have in the end, in their order.
    async fn flush(&self, run: &Run, number: u32) -> Result<Vec<Stamp>, WriteError> {
        let stamp_anew = |now_us| {
            self.tail.stamp_anew(now_us);
            self.tail.run(run)
        };
        let mut id = SegmentId::new(self.settings.writer, number);
        let written = self.target.commit(&mut id, self.tail.run(run), stamp_anew).await?;
        self.target.stats.count_segment(written.bytes, written.rows);
        Ok(self.tail.run(run).iter().map(|entry| entry.stamp).collect())
    }
}

/// The run that a batch of the queue is.
pub(super) fn run_of<E>(batch: &[Waiting<E>]) -> Run {
    let sequence = |waiting: Option<&Waiting<E>>| waiting.map_or(0, |waiting| waiting.entry.sequence);
    sequence(batch.first())..=sequence(batch.last())
}

/// The first, whatever else waits, and what comes within the delay: up to about so many bytes.
pub(super) async fn fill<E>(
    first: Waiting<E>,
    queue: &mut mpsc::UnboundedReceiver<Waiting<E>>,
    settings: &WriterSettings,
) -> Vec<Waiting<E>> {
    let end = Instant::now() + settings.group_delay;
    let mut bytes = first.entry.bytes;
    let mut batch = vec![first];
    while bytes < settings.segment_bytes_max {
        let next = match queue.try_recv() {
            Err(TryRecvError::Empty) if !settings.group_delay.is_zero() => {
                timeout_at(end, queue.recv()).await.ok().flatten()
            }
            next => next.ok(),
        };
        let Some(next) = next else { break };
        bytes += next.entry.bytes;
        batch.push(next);
    }
    batch
}
