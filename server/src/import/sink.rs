//! Where batches go: the writers of a storage.

use std::collections::VecDeque;
use std::sync::Arc;

use edge::{Ack, Storage};
use model::Clock;
use store::{SampleBatch, Submitted, Writer};

use super::batch::{Batch, Entries};

/// So many batches are written at once, so that a file is read meanwhile.
const IN_FLIGHT_MAX: usize = 2;

/// How much is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) samples: u64,
    pub(super) exemplars: u64,
    pub(super) families: u64,
}

/// Writes batches, in their order.
#[derive(Debug)]
pub(super) struct Sink {
    samples: Writer<SampleBatch>,
    exemplars: Writer<SampleBatch>,
    in_flight: VecDeque<(Vec<Submitted>, Stored)>,
    pub(super) stored: Stored,
}

impl Sink {
    /// Writers of a storage, if its clock agrees with ours.
    pub(super) async fn open(storage: &Storage, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let samples = storage.sample_writer(Arc::clone(&clock), Ack::Stored).await?;
        let exemplars = storage.exemplar_writer(clock, Ack::Stored).await?;
        samples.ready().await?;
        Ok(Self { samples, exemplars, in_flight: VecDeque::new(), stored: Stored::default() })
    }

    /// Begins to write a batch; those before it may still be under way.
    pub(super) async fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        while self.in_flight.len() >= IN_FLIGHT_MAX {
            self.finish_one().await?;
        }
        let Entries { samples, exemplars, count } = batch.entries();
        let stored = Stored {
            samples: count,
            exemplars: exemplars.len() as u64,
            families: samples.families.len() as u64,
        };
        let mut submitted = Vec::new();
        if !samples.is_empty() {
            submitted.push(self.samples.submit(samples)?);
        }
        for entry in SampleBatch::entries_of_exemplars(exemplars) {
            submitted.push(self.exemplars.submit(entry)?);
        }
        self.in_flight.push_back((submitted, stored));
        Ok(())
    }

    async fn finish_one(&mut self) -> anyhow::Result<()> {
        let Some((submitted, stored)) = self.in_flight.pop_front() else { return Ok(()) };
        for entry in submitted {
            entry.durable().await?;
        }
        self.stored.samples += stored.samples;
        self.stored.exemplars += stored.exemplars;
        self.stored.families += stored.families;
        Ok(())
    }

    /// Waits until all of it is durable.
    pub(super) async fn close(&mut self) -> anyhow::Result<()> {
        let mut ended = Ok(());
        while !self.in_flight.is_empty() {
            ended = ended.and(self.finish_one().await);
        }
        self.samples.close().await;
        self.exemplars.close().await;
        ended
    }
}
