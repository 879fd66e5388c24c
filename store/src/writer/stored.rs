//! Answers when the segment is in the object store.

use std::sync::Arc;

use object_store::ObjectStore;
use tokio::sync::mpsc;

use super::{Waiting, WriteError, write_segment};
use crate::entry::Entry;
use crate::layout::Stream;
use crate::settings::WriterSettings;
use crate::stats::WriterStats;
use crate::tail::Tail;

/// Writes segments one after the other. What arrives meanwhile shares the next one: one PUT for all of it.
pub(super) struct Flusher<E> {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) stream: Stream,
    pub(super) settings: WriterSettings,
    pub(super) tail: Arc<Tail<E>>,
    pub(super) stats: Arc<WriterStats>,
    pub(super) next_number: u32,
}

impl<E: Entry> Flusher<E> {
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Waiting<E>>) {
        while let Some(first) = queue.recv().await {
            let batch = fill(first, &mut queue, self.settings.segment_bytes_max);
            let result = self.flush(&batch).await;
            if let Err(error) = &result {
                self.stats.count_failure();
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
        let entries = batch.iter().map(|waiting| Arc::clone(&waiting.entry)).collect();
        let number = self.next_number;
        self.next_number += 1;
        let written =
            write_segment(&*self.store, &self.stream, self.settings.writer, number, entries).await?;
        self.stats.count_segment(written.bytes, written.rows);
        Ok(())
    }
}

/// The first and whatever else waits, up to about so many bytes.
pub(super) fn fill<E>(
    first: Waiting<E>,
    queue: &mut mpsc::UnboundedReceiver<Waiting<E>>,
    bytes_max: usize,
) -> Vec<Waiting<E>> {
    let mut bytes = first.entry.bytes;
    let mut batch = vec![first];
    while bytes < bytes_max
        && let Ok(next) = queue.try_recv()
    {
        bytes += next.entry.bytes;
        batch.push(next);
    }
    batch
}
