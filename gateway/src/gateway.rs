//! What the gateway does, apart from HTTP.

use std::sync::Arc;

use model::{Change, Clock, Labels, Push};
use store::{Reader, Writer};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::Accepted;

use crate::error::GatewayError;
use crate::intake::{self, Body, IntakeError};
use crate::scrape::{self, Page, ScrapeError};
use crate::settings::Settings;

/// Takes pushes and shows what they left. One per tenant.
#[derive(Debug)]
pub struct Gateway {
    writer: Arc<Writer>,
    reader: Arc<Reader>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    in_flight: Semaphore,
}

/// Bodies up to this size are decoded where they are received: it takes less than to hand them to another thread.
const DECODED_IN_PLACE_BYTES_MAX: usize = 16 << 10;

impl Gateway {
    /// A gateway over a store.
    pub fn new(writer: Arc<Writer>, reader: Arc<Reader>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let in_flight = Semaphore::new(settings.pushes_in_flight_max.min(Semaphore::MAX_PERMITS));
        Self { writer, reader, clock, settings: Arc::new(settings), in_flight }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A place among the pushes that are worked on. It is taken before a body is read, since bodies need memory.
    pub(crate) fn admit(&self) -> Result<SemaphorePermit<'_>, GatewayError> {
        self.in_flight
            .try_acquire()
            .map_err(|_| GatewayError::Busy { max: self.settings.pushes_in_flight_max })
    }

    /// Sets what a body holds. Done when it is durable.
    pub(crate) async fn push(&self, change: Change, group: Labels, body: Body) -> Result<(), GatewayError> {
        let at_us = self.clock.now_us();
        let settings = Arc::clone(&self.settings);
        let is_small = body.bytes.len() <= DECODED_IN_PLACE_BYTES_MAX;
        let decode = move || -> Result<Push, IntakeError> {
            let families = intake::families(&body, &settings)?;
            intake::push(change, &group, families, at_us, &settings)
        };
        let push = if is_small {
            decode()?
        } else {
            tokio::task::spawn_blocking(decode).await.map_err(|_| GatewayError::Interrupted)??
        };
        self.writer.push(push).await?;
        Ok(())
    }

    /// Ends a group. Done when that is durable.
    pub(crate) async fn delete(&self, group: &Labels) -> Result<(), GatewayError> {
        self.writer.push(intake::deletion(group)).await?;
        Ok(())
    }

    /// Shows what is held now.
    pub(crate) async fn page(&self, accepted: Accepted, is_gzip: bool) -> Result<Page, ScrapeError> {
        let live = self.reader.live(self.clock.now_ms()).await?;
        let settings = Arc::clone(&self.settings);
        let write = move || scrape::page(&live.found, accepted, is_gzip, &settings);
        tokio::task::spawn_blocking(write).await.map_err(|_| ScrapeError::Interrupted)?
    }
}
