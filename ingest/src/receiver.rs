//! What a receiver does, apart from HTTP.

use std::sync::Arc;

use access::{Grant, Quota, ROOM_BYTES_MAX, Room};
use model::{Clock, Labels};
use store::{NewExemplar, SampleBatch, WriteError, Writer};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::otlp::Format;
use wire::remote_write::{self, Faults, KnownLabels, Version, WriteRequest};

use crate::accept::{self, Accepted, Counts};
use crate::body::{Compression, Received};
use crate::error::IngestError;
use crate::export;
use crate::influx;
use crate::otlp;
use crate::settings::Settings;
use crate::stats::IngestStats;
use crate::told::Told;
use crate::translation::SharedTranslation;

/// Takes samples. One per tenant, whichever port they come to.
#[derive(Debug)]
pub struct Receiver {
    samples: Arc<Writer<SampleBatch>>,
    pushes: Arc<Writer>,
    /// `None`: exemplars are counted and not stored.
    exemplars: Option<Arc<Writer<SampleBatch>>>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    in_flight: Semaphore,
    room: Arc<Room>,
    translation: SharedTranslation,
    stats: IngestStats,
    told: Told,
    /// How much may come; `None`: as much as senders like.
    quota: Option<Arc<Quota>>,
    known: Arc<KnownLabels>,
}

/// What became of a request that could be read.
#[derive(Debug)]
pub(crate) struct Written {
    /// What is durable.
    pub(crate) counts: Counts,
    /// What was not taken.
    pub(crate) faults: Faults,
}

/// A request that was not done.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) error: IngestError,
    /// What of it is durable all the same, since its parts are written at once.
    pub(crate) counts: Counts,
}

impl From<IngestError> for Unwritten {
    fn from(error: IngestError) -> Self {
        Self { error, counts: Counts::default() }
    }
}

/// What became of an export that could be read.
#[derive(Debug)]
pub(crate) struct Exported {
    /// What was not taken, one for each data point.
    pub(crate) faults: Faults,
    /// What else was not taken.
    pub(crate) remarks: Faults,
}

/// Something was not stored.
struct Unstored {
    error: WriteError,
    /// Whether the samples are durable.
    samples: bool,
    /// Exemplars that are durable.
    exemplars: u64,
}

impl Receiver {
    /// A receiver that writes by these writers, with which others may write too: samples, and what is added up.
    pub fn new(
        samples: Arc<Writer<SampleBatch>>,
        pushes: Arc<Writer>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let known_bytes_max = settings.known_labels_bytes_max;
        let in_flight = Semaphore::new(settings.writes_in_flight_max.min(Semaphore::MAX_PERMITS));
        Self {
            samples,
            pushes,
            exemplars: None,
            clock,
            settings: Arc::new(settings),
            in_flight,
            room: Room::new(ROOM_BYTES_MAX),
            translation: SharedTranslation::default(),
            stats: IngestStats::default(),
            told: Told::default(),
            quota: None,
            known: Arc::new(KnownLabels::new(known_bytes_max)),
        }
    }

    /// The same, which stores exemplars by this writer.
    #[must_use]
    pub fn with_exemplars(self, exemplars: Arc<Writer<SampleBatch>>) -> Self {
        Self { exemplars: Some(exemplars), ..self }
    }

    /// The same, which takes no more than a quota has room for.
    #[must_use]
    pub fn within(self, quota: Option<Arc<Quota>>) -> Self {
        Self { quota, ..self }
    }

    /// The same, in which what is received takes memory of this.
    #[must_use]
    pub fn in_room(self, room: Arc<Room>) -> Self {
        Self { room, ..self }
    }

    /// The same, which translates OTLP so.
    #[must_use]
    pub fn translating(self, translation: SharedTranslation) -> Self {
        Self { translation, ..self }
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The same, which remembers label sets in one place with another receiver, where both may remember the same amount.
    #[must_use]
    pub fn remembering_with(self, other: &Self) -> Self {
        if self.settings.known_labels_bytes_max != other.settings.known_labels_bytes_max {
            return self;
        }
        Self { known: Arc::clone(&other.known), ..self }
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

    /// Whether what comes would be taken: what is going to be refused is not decoded.
    async fn takes_more(&self) -> Result<(), IngestError> {
        self.samples.clock_agrees().await?;
        Ok(self.samples.has_room()?)
    }

    /// Writes what of a body can be written, if the grant allows that for every series. Done when that is durable.
    pub(crate) async fn remote_write(
        &self,
        version: Version,
        body: Received,
        grant: Grant,
    ) -> Result<Written, Unwritten> {
        self.takes_more().await?;
        let (settings, now_ms) = (Arc::clone(&self.settings), self.clock.now_ms());
        let known = Arc::clone(&self.known);
        let decode = move |body: &mut Received| {
            let inflated = body.inflated_block(settings.inflated_body_bytes_max)?;
            let request = remote_write::decode(version, &inflated, &settings.decoder_limits(), &known)?;
            Ok(accept::accept_from(request, &grant, now_ms, &settings)?)
        };
        self.write(body.decoded(Compression::Block, decode).await?).await
    }

    /// Writes what of a body of lines can be written, if the grant allows that for every series. Done when that is durable.
    pub(crate) async fn influx(
        &self,
        kind: influx::Kind,
        body: Received,
        grant: Grant,
    ) -> Result<Written, Unwritten> {
        self.takes_more().await?;
        let (settings, now_ms) = (Arc::clone(&self.settings), self.clock.now_ms());
        let compression = Compression::Of(kind.encoding);
        let decode = move |body: &mut Received| {
            let body = body.inflated(kind.encoding, false, settings.inflated_body_bytes_max)?;
            let points = wire::influx::decode(&body, kind.precision, &settings.decoder_limits())?;
            let request = influx::request(points, kind.db.as_deref(), now_ms);
            Ok(accept::accept_from(request, &grant, now_ms, &settings)?)
        };
        self.write(body.decoded(compression, decode).await?).await
    }

    /// Writes what of samples that were pulled can be written. Done when that is durable; gives what could not be, in one text.
    ///
    /// # Errors
    /// If nothing is written, or not all that could be.
    pub async fn scraped(&self, request: WriteRequest) -> Result<Option<String>, IngestError> {
        self.takes_more().await?;
        let accepted = accept::accept(request, self.clock.now_ms(), &self.settings);
        let written = self.write(accepted).await.map_err(|unwritten| unwritten.error)?;
        Ok((!written.faults.is_empty()).then(|| written.faults.text()))
    }

    async fn write(&self, accepted: Accepted) -> Result<Written, Unwritten> {
        let Accepted { batch, exemplars, counts, faults } = accepted;
        if let Some(quota) = &self.quota {
            let samples = counts.samples + counts.histograms + exemplars.len() as u64;
            quota.take(labels_of(&batch, &exemplars), samples).map_err(IngestError::from)?;
        }
        self.store(batch, exemplars).await.map_err(|Unstored { error, samples, exemplars }| {
            let of_samples = if samples { counts } else { Counts::default() };
            Unwritten { error: error.into(), counts: Counts { exemplars, ..of_samples } }
        })?;
        self.stats.written(counts.samples + counts.histograms, faults.len() as u64);
        Ok(Written { counts, faults })
    }

    /// Stores samples, what is news about their families, and exemplars. Done when all of it is durable.
    async fn store(&self, mut batch: SampleBatch, exemplars: Vec<NewExemplar>) -> Result<(), Unstored> {
        let news = self.told.news(&mut batch.families, batch.told_by, self.clock.now_us());
        let samples = (!batch.is_empty()).then(|| self.samples.submit(batch)).transpose();
        // samples that find no place leave no exemplars behind
        let samples = samples.map_err(|error| Unstored { error, samples: false, exemplars: 0 })?;
        // they are under way at once
        let entries = SampleBatch::entries_of_exemplars(exemplars);
        let submit = |entry: SampleBatch| {
            let count = entry.series.len() as u64;
            self.exemplars.as_ref().map(|writer| (count, writer.submit(entry)))
        };
        let submitted: Vec<_> = entries.filter_map(submit).collect();
        let mut failed = None;
        if let Some(samples) = samples {
            match samples.durable().await {
                Ok(_) => self.told.stored(news),
                Err(error) => failed = Some(error),
            }
        }
        let (is_stored, mut stored) = (failed.is_none(), 0);
        for (count, submitted) in submitted {
            let durable = match submitted {
                Ok(submitted) => submitted.durable().await.map(|_| ()),
                Err(error) => Err(error),
            };
            match durable {
                Ok(()) => stored += count,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), |error| Err(Unstored { error, samples: is_stored, exemplars: stored }))
    }

    /// Whether what is sent now can be written.
    pub(crate) async fn ready(&self) -> Result<(), IngestError> {
        Ok(self.samples.ready().await?)
    }

    /// Writes what of an export can be written, if the grant allows that for every series. Done when that is durable. A body that
    /// comes again is not added again.
    pub(crate) async fn otlp(
        &self,
        kind: otlp::Kind,
        body: Received,
        grant: Grant,
    ) -> Result<Exported, IngestError> {
        self.takes_more().await?;
        let (settings, now_us) = (Arc::clone(&self.settings), self.clock.now_us());
        let (compression, translation) = (Compression::Of(kind.encoding), self.translation.in_force());
        let decode = move |body: &mut Received| {
            let is_json = kind.format == Format::Json;
            let body = body.inflated(kind.encoding, is_json, settings.inflated_body_bytes_max)?;
            let max = settings.otlp_json_bytes_max;
            if is_json && body.len() > max {
                return Err(IngestError::OtlpJsonTooLarge { max });
            }
            let message = wire::otlp::decode(kind.format, &body, &settings.decoder_limits())?;
            Ok(export::accept(
                wire::otlp::families(&message, &translation),
                &body,
                now_us,
                &settings,
                &grant,
            )?)
        };
        let export::Accepted { batch, pushes, exemplars, written, faults, remarks } =
            body.decoded(compression, decode).await?;
        if let Some(quota) = &self.quota {
            let pushed = pushes.iter().flat_map(|push| &push.families).flat_map(|family| &family.series);
            let labels = labels_of(&batch, &exemplars).chain(pushed.map(|series| &series.labels));
            quota.take(labels, written + exemplars.len() as u64)?;
        }
        // all of them are under way at once, so they share segments
        let pushes =
            pushes.into_iter().map(|push| self.pushes.submit(push)).collect::<Result<Vec<_>, _>>()?;
        self.store(batch, exemplars).await.map_err(|unstored| unstored.error)?;
        for push in pushes {
            push.durable().await?;
        }
        self.stats.written(written, faults.len() as u64);
        Ok(Exported { faults, remarks })
    }
}

/// The labels of all that is to be stored.
fn labels_of<'a>(batch: &'a SampleBatch, exemplars: &'a [NewExemplar]) -> impl Iterator<Item = &'a Labels> {
    batch.series.iter().map(|(labels, _)| labels).chain(exemplars.iter().map(|exemplar| &exemplar.series))
}
