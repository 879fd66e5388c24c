//! What a receiver does, apart from HTTP.

use std::sync::Arc;

use bytes::Bytes;
use model::Clock;
use store::{SampleBatch, Writer};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::encoding;
use wire::remote_write::{self, Faults, Version};

use crate::accept::{self, Accepted, Counts};
use crate::error::IngestError;
use crate::settings::Settings;
use crate::stats::IngestStats;

/// Takes samples. One per tenant, whichever port they come to.
#[derive(Debug)]
pub struct Receiver {
    samples: Arc<Writer<SampleBatch>>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    in_flight: Semaphore,
    stats: IngestStats,
}

/// What became of a request that could be read.
#[derive(Debug)]
pub(crate) struct Written {
    /// What is durable.
    pub(crate) counts: Counts,
    /// What was not taken.
    pub(crate) faults: Faults,
}

/// Bodies up to this size are decoded where they are received: it takes less than to hand them to another thread.
const DECODED_IN_PLACE_BYTES_MAX: usize = 8 << 10;

impl Receiver {
    /// A receiver that writes by this writer, with which others may write too.
    pub fn new(samples: Arc<Writer<SampleBatch>>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let in_flight = Semaphore::new(settings.writes_in_flight_max.min(Semaphore::MAX_PERMITS));
        Self { samples, clock, settings: Arc::new(settings), in_flight, stats: IngestStats::default() }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it has counted.
    pub fn stats(&self) -> &IngestStats {
        &self.stats
    }

    /// A place among the requests that are worked on. It is taken before a body is read, since bodies need memory.
    pub(crate) fn admit(&self) -> Result<SemaphorePermit<'_>, IngestError> {
        let max = self.settings.writes_in_flight_max;
        self.in_flight.try_acquire().map_err(|_| IngestError::Busy { max })
    }

    /// Writes what of a body can be written. Done when that is durable.
    pub(crate) async fn remote_write(&self, version: Version, body: Bytes) -> Result<Written, IngestError> {
        self.samples.clock_agrees().await?;
        let Accepted { batch, counts, faults } = self.decode(version, body).await?;
        if !batch.series.is_empty() {
            self.samples.push(batch).await?;
        }
        self.stats.written(counts.samples + counts.histograms, faults.len() as u64);
        Ok(Written { counts, faults })
    }

    async fn decode(&self, version: Version, body: Bytes) -> Result<Accepted, IngestError> {
        let (settings, now_ms) = (Arc::clone(&self.settings), self.clock.now_ms());
        let in_place = body.len() <= DECODED_IN_PLACE_BYTES_MAX;
        let decode = move || {
            let inflated = encoding::snappy_block(&body, settings.inflated_body_bytes_max)?;
            let request = remote_write::decode(version, &inflated, &settings.decoder_limits())?;
            Ok(accept::accept(request, now_ms, &settings))
        };
        if in_place {
            return decode();
        }
        tokio::task::spawn_blocking(decode).await.map_err(|_| IngestError::Interrupted)?
    }
}
