//! What the gateway does, apart from HTTP.

use std::sync::Arc;
use std::time::Duration;

use access::{Grant, Quota, ROOM_BYTES_MAX, Room, Wanted};
use futures::{StreamExt, TryStreamExt, stream};
use model::{Change, Clock, GroupKey, Labels, MetricType, Push, RETRY_WINDOW_US, RetryKey};
use store::{
    ComputeError, LiveFamily, LiveGroup, ReadError, Reader, SampleBatch, Submitted, Viewer, WriteError,
    WriteErrorKind, Writer, compute,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use wire::encoding::AnswerEncoding;
use wire::{Accepted, Family, PageFormat};

use crate::about::About;
use crate::api::{Deleted, Deletion};
use crate::error::GatewayError;
use crate::held::{Claim, Claimed, Held, Intent};
use crate::intake::{self, Body, Exemplars, Intake, IntakeError};
use crate::retries::{self, Retries};
use crate::scrape::{self, HeldExemplars, Page, ScrapeError};
use crate::settings::Settings;
use crate::stats::GatewayStats;
use crate::terms::Terms;

/// Takes pushes and shows what they left. One per tenant.
#[derive(Debug)]
pub struct Gateway {
    writer: Arc<Writer>,
    /// Where what has a time of its own goes; `None`: it is refused.
    samples: Option<Arc<Writer<SampleBatch>>>,
    /// How much of it may come; `None`: as much as it likes.
    quota: Option<Arc<Quota>>,
    /// `None`: exemplars are left out.
    exemplars: Option<Arc<Writer<SampleBatch>>>,
    reader: Arc<Reader>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    about: About,
    in_flight: Semaphore,
    room: Arc<Room>,
    scrapes: Arc<Semaphore>,
    /// `None` where pushes are compared with themselves only.
    held: Option<Arc<Held>>,
    retries: Arc<Retries>,
    stats: GatewayStats,
    quit: Notify,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is consistent and durable.
    Checked,
    /// It was not compared with others. It is durable, or it was dropped because it contradicts itself.
    Unchecked,
}

/// Why it is not known what the store holds.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was read could not be compared.
    #[error(transparent)]
    Compute(#[from] ComputeError),
}

/// A page shows exemplars that are no older: what is held may be as old as it likes, and to find what came with it must not take a look
/// at all exemplars there are.
const EXEMPLARS_SHOWN_MS: i64 = 2 * 86_400_000;

/// Groups that are being ended at once, of those that a selector names.
const ENDED_AT_ONCE: usize = 256;

impl Gateway {
    /// A gateway over a store, which compares a push with nothing but itself and so never reads the store to take one.
    pub fn new(writer: Arc<Writer>, reader: Arc<Reader>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        Self::with(writer, reader, clock, Settings { timestamps: false, ..settings })
    }

    /// The same, which writes by this writer what is pushed with a time of its own.
    pub fn with_samples(
        writer: Arc<Writer>,
        samples: Arc<Writer<SampleBatch>>,
        reader: Arc<Reader>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        Self { samples: Some(samples), ..Self::with(writer, reader, clock, settings) }
    }

    fn with(writer: Arc<Writer>, reader: Arc<Reader>, clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let in_flight = Semaphore::new(settings.pushes_in_flight_max.min(Semaphore::MAX_PERMITS));
        let scrapes = Arc::new(Semaphore::new(settings.scrapes_at_once_max.min(Semaphore::MAX_PERMITS)));
        let about = About { started_us: clock.now_us(), ..About::default() };
        let retries = Arc::new(Retries::new(settings.idempotency_keys_max));
        Self {
            writer,
            samples: None,
            quota: None,
            exemplars: None,
            reader,
            clock,
            settings: Arc::new(settings),
            about,
            in_flight,
            room: Room::new(ROOM_BYTES_MAX),
            scrapes,
            held: None,
            retries,
            stats: GatewayStats::default(),
            quit: Notify::new(),
        }
    }

    /// The same, which writes exemplars by this writer.
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

    /// What the process says about itself.
    #[must_use]
    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }

    /// From now on it knows which group holds what, so that a push is compared with what others have pushed. Whoever calls
    /// this calls [`Gateway::look`] at once, and now and then.
    #[must_use]
    pub fn knowing_groups(self) -> Self {
        // the writer's number is random, and no client sees it
        let held = Some(Arc::new(Held::new(self.writer.tail().0)));
        Self { held, ..self }
    }

    /// Reads what the store holds if that is not known yet, or in doubt because a write failed. Does nothing otherwise.
    ///
    /// # Errors
    /// If the store cannot be read; what is known stays as it is.
    pub async fn look(&self) -> Result<(), LookError> {
        let Some(held) = self.held.as_ref().filter(|held| held.is_doubtful()) else { return Ok(()) };
        held.begin_fill();
        let filled = self.fill(held).await;
        if filled.is_err() {
            held.give_up_fill();
        }
        filled
    }

    /// Reads what the groups of the store hold, part by part, and the retry keys that still count.
    async fn fill(&self, held: &Arc<Held>) -> Result<(), LookError> {
        let now_ms = self.clock.now_ms();
        let mut filling = held.filling();
        let mut parts = self.reader.held(now_ms);
        while let Some(some) = parts.next().await {
            let some = some?;
            // takes time with much, so it is not for a thread that answers requests
            let add = move || {
                filling.add(&some);
                filling
            };
            filling = compute(add).await?;
        }
        parts.finish();
        let start_ms = now_ms.saturating_sub(RETRY_WINDOW_US / 1_000);
        let keys = self.reader.retry_keys(start_ms, now_ms).await?.found;
        let (held, retries) = (Arc::clone(held), Arc::clone(&self.retries));
        let fill = move || {
            retries.fill(keys.into_iter().map(|(stamp, key)| (stamp.at_us, key)));
            held.fill(filling);
        };
        Ok(compute(fill).await?)
    }

    /// Done when a request asked the process to end, which the settings must allow.
    pub async fn quit_requested(&self) {
        self.quit.notified().await;
    }

    pub(crate) fn request_quit(&self) {
        // whoever waits may begin to do so later
        self.quit.notify_one();
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn about_process(&self) -> &About {
        &self.about
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// What it has counted.
    pub fn stats(&self) -> &GatewayStats {
        &self.stats
    }

    /// How many groups and metrics (a histogram is one) are known, where that is counted.
    pub fn known(&self) -> Option<(usize, usize)> {
        self.held.as_deref().map(Held::counts)
    }

    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Whether one more push would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.in_flight.available_permits() == 0
    }

    /// A place among the pushes that are worked on. It is taken before a body is read, since bodies need memory.
    pub(crate) fn admit(&self) -> Result<SemaphorePermit<'_>, GatewayError> {
        self.in_flight
            .try_acquire()
            .map_err(|_| GatewayError::Busy { max: self.settings.pushes_in_flight_max })
    }

    /// A place among the answers that show all that is held. It is kept until the last byte has left, since pages need memory.
    pub(crate) fn admit_scrape(&self) -> Result<OwnedSemaphorePermit, GatewayError> {
        Arc::clone(&self.scrapes)
            .try_acquire_owned()
            .map_err(|_| GatewayError::TooManyScrapes { max: self.settings.scrapes_at_once_max })
    }

    /// Sets or adds what a body holds, if the grant allows that for each series of it. Done when it is durable.
    pub(crate) async fn push(
        &self,
        terms: &Terms,
        group: &Labels,
        body: Body,
        grant: &Grant,
    ) -> Result<Pushed, GatewayError> {
        grant.check_group(group)?;
        let pushed = self.checked_push(terms, group, body, grant).await;
        if let Err(GatewayError::Intake(IntakeError::Inconsistent(_))) = &pushed {
            self.note_failure(group);
            if !self.settings.consistency_check {
                return Ok(Pushed::Unchecked);
            }
        }
        pushed
    }

    async fn checked_push(
        &self,
        terms: &Terms,
        group: &Labels,
        body: Body,
        grant: &Grant,
    ) -> Result<Pushed, GatewayError> {
        self.writer.clock_agrees().await?;
        let mut intake = self.decode(terms, group, body).await?;
        (intake.push.told_by, intake.samples.told_by) = (grant.teller(), grant.teller());
        intake.all_series().try_for_each(|series| grant.check_series(series))?;
        let is_unkeyed_add = terms.change == Change::Merge && intake.push.retry_key.is_none();
        self.once(intake.push.retry_key, self.write(intake)).await.map_err(|error| match error {
            GatewayError::Write(error) if is_unkeyed_add && error.kind() == WriteErrorKind::Unavailable => {
                GatewayError::MayHaveBeenAdded(error)
            }
            other => other,
        })?;
        Ok(if self.settings.consistency_check { Pushed::Checked } else { Pushed::Unchecked })
    }

    /// Does what a request asks for, unless its key says that it was done before.
    async fn once(
        &self,
        key: Option<RetryKey>,
        work: impl Future<Output = Result<(), GatewayError>>,
    ) -> Result<(), GatewayError> {
        let Some(key) = key else { return work.await };
        let claimed = match self.retries.claim(key, self.clock.now_us())? {
            retries::Claim::Repeats => return Ok(()),
            retries::Claim::New(claimed) => claimed,
        };
        let result = work.await;
        match &result {
            Ok(()) => claimed.done(),
            // it may be there, so no other request may have its key
            Err(GatewayError::Write(error)) if error.kind() == WriteErrorKind::Unavailable => {}
            Err(GatewayError::Partly(_)) => {}
            Err(_) => claimed.undone(),
        }
        result
    }

    /// Writes what a body holds, if it does not contradict what is held: first what is to be held and its exemplars, then what has a
    /// time of its own. Where only something after the first fails, the same request again does all of it.
    async fn write(&self, intake: Intake) -> Result<(), GatewayError> {
        let wanted = self.quota.as_ref().map(|quota| {
            // when a group was pushed to is said for free
            let sent = || intake.all_series().filter(|series| series.metric_name() != intake::PUSH_TIME);
            quota.wanted(sent(), (sent().count() + intake.exemplars.len()) as u64)
        });
        let Intake { push, samples, exemplars, families } = intake;
        let is_unkeyed_add = push.change == Change::Merge && push.retry_key.is_none();
        let submitted = self.submit(push, &families, wanted).await?;
        let of_exemplars = self.submit_exemplars(&exemplars, submitted.stamp().at_us.div_euclid(1_000));
        self.durable(submitted).await?;
        self.write_rest(of_exemplars, samples).await.map_err(|error| match is_unkeyed_add {
            true => GatewayError::MayHaveBeenAdded(error),
            false => GatewayError::Partly(error),
        })
    }

    /// What comes with a push that is durable.
    async fn write_rest(
        &self,
        exemplars: Vec<Result<Submitted, WriteError>>,
        samples: SampleBatch,
    ) -> Result<(), WriteError> {
        for submitted in exemplars {
            submitted?.durable().await?;
        }
        if let Some(writer) = self.samples.as_ref().filter(|_| !samples.series.is_empty()) {
            writer.push(samples).await?;
        }
        Ok(())
    }

    /// Exemplars of a push of this stamp, under way.
    fn submit_exemplars(&self, exemplars: &Exemplars, pushed_ms: i64) -> Vec<Result<Submitted, WriteError>> {
        let Some(writer) = &self.exemplars else { return Vec::new() };
        exemplars.batches(pushed_ms).map(|batch| writer.submit(batch)).collect()
    }

    /// A push under way, if it does not contradict what is held and the quota has room for it, in this order: what is refused has taken
    /// nothing.
    async fn submit(
        &self,
        push: Push,
        families: &[Family],
        wanted: Option<Wanted>,
    ) -> Result<Submitted, GatewayError> {
        let taken = |push| -> Result<Submitted, GatewayError> {
            if let Some((quota, wanted)) = self.quota.as_ref().zip(wanted) {
                quota.take_wanted(wanted)?;
            }
            Ok(self.writer.submit(push)?)
        };
        let Some(held) = &self.held else { return taken(push) };
        let compared = self.settings.consistency_check.then_some(families);
        if compared.is_some() && !held.filled(Duration::from_millis(self.settings.known_wait_ms)).await {
            tracing::warn!("push compared with this process's only: what the store holds is not known yet");
        }
        let claims: Vec<Claim> = held.claims(families);
        let intent = Intent { group: push.group, change: push.change, claims, compared, ttl_us: push.ttl_us };
        match held.push(intent, self.clock.now_us(), || taken(push))? {
            Claimed::Refused(faults) => Err(IntakeError::Inconsistent(faults).into()),
            Claimed::Submitted(submitted) => Ok(submitted),
        }
    }

    async fn decode(&self, terms: &Terms, group: &Labels, mut body: Body) -> Result<Intake, GatewayError> {
        let (at_us, settings) = (self.clock.now_us(), Arc::clone(&self.settings));
        let (terms, group) = (terms.clone(), group.clone());
        let is_small = body.is_small();
        let mut decode = move || -> Result<Intake, IntakeError> {
            let families = intake::families(&mut body, &settings)?;
            let mut intake = intake::push(&terms, &group, families, at_us, &settings)?;
            intake.push.retry_key = terms.retry_key(intake.push.group, Some(&body));
            Ok(intake)
        };
        if is_small {
            return Ok(decode()?);
        }
        Ok(tokio::task::spawn_blocking(decode).await.map_err(|_| GatewayError::Interrupted)??)
    }

    /// Notes that a push to a group was refused, if the group is there. Nobody waits until that is durable.
    fn note_failure(&self, group: &Labels) {
        let Some(held) = &self.held else { return };
        let (key, now_us) = (GroupKey::of(group), self.clock.now_us());
        let is_new = !held.has_group(key, now_us);
        // the Pushgateway without its checks makes a group of it
        if is_new && self.settings.consistency_check {
            return;
        }
        let push = intake::failure(group, is_new, now_us, &self.settings);
        let change = Change::ReplaceFamilies;
        let intent = Intent { group: key, change, claims: Vec::new(), compared: None, ttl_us: None };
        match held.push(intent, now_us, || self.writer.submit(push)) {
            Ok(Claimed::Submitted(submitted)) => held.leave(submitted),
            Ok(Claimed::Refused(_)) => {}
            Err(error) => tracing::warn!(%error, "failure time not noted"),
        }
    }

    /// Ends a group. Done when that is durable.
    pub(crate) async fn delete(
        &self,
        terms: &Terms,
        group: &Labels,
        grant: &Grant,
    ) -> Result<(), GatewayError> {
        grant.check_group(group)?;
        let push = intake::deletion(group);
        let retry_key = terms.retry_key(push.group, None);
        self.once(retry_key, self.end(Push { retry_key, ..push })).await
    }

    /// Ends all groups, those of other writers included. Done when that is durable.
    pub(crate) async fn wipe(&self, grant: &Grant) -> Result<(), GatewayError> {
        grant.check_whole()?;
        self.end(Push::new(GroupKey::of(&Labels::empty()), Change::Wipe, Vec::new())).await
    }

    /// Ends the groups that are selected and may be changed, or only says which. Those of other writers count as far as they are
    /// in the store.
    pub(crate) async fn delete_selected(
        &self,
        deletion: &Deletion,
        grant: &Grant,
    ) -> Result<Deleted, GatewayError> {
        let mut matching = deletion.matching(self.live_groups(grant).await?);
        matching.retain(|group| grant.admits_group(group));
        if deletion.is_dry {
            return Ok(Deleted::of(&matching, 0));
        }
        // what waits together is written together
        let pushes: Vec<Push> = matching.iter().map(intake::deletion).collect();
        let ended = stream::iter(pushes).map(|push| self.end(push));
        ended.buffer_unordered(ENDED_AT_ONCE).try_collect::<()>().await?;
        Ok(Deleted::of(&matching, matching.len()))
    }

    async fn end(&self, push: Push) -> Result<(), GatewayError> {
        self.writer.clock_agrees().await?;
        let submitted = match &self.held {
            Some(held) => held.end(push.group, push.change, || self.writer.submit(push))?,
            None => self.writer.submit(push)?,
        };
        Ok(self.durable(submitted).await?)
    }

    async fn durable(&self, submitted: Submitted) -> Result<(), WriteError> {
        match &self.held {
            Some(held) => held.stored(submitted).await,
            None => submitted.durable().await.map(|_| ()),
        }
    }

    /// Whether pushes are taken.
    pub(crate) async fn ready(&self) -> Result<(), GatewayError> {
        Ok(self.writer.ready().await?)
    }

    /// Every group that is there now, and what it holds, as far as that may be seen.
    pub(crate) async fn live_groups(&self, grant: &Grant) -> Result<Vec<LiveGroup>, ReadError> {
        let mut groups = self.reader.live_groups_for(self.clock.now_ms(), viewer(grant)).await?.found;
        if grant.is_bounded() {
            groups.retain_mut(|group| {
                group.families.retain_mut(|family| {
                    family.series.retain(|(labels, _)| grant.admits(labels));
                    !family.series.is_empty()
                });
                !group.families.is_empty()
            });
        }
        Ok(groups)
    }

    /// The exemplars that came with what is held, as far as they are of the last two days.
    async fn held_exemplars(&self, live: &[LiveFamily], now_ms: i64) -> Result<HeldExemplars, ReadError> {
        let of_family = |family: &LiveFamily| {
            matches!(
                family.metadata.r#type,
                MetricType::Counter | MetricType::Histogram | MetricType::GaugeHistogram
            )
        };
        let series = live.iter().filter(|family| of_family(family)).flat_map(|family| {
            family.series.iter().zip(&family.pushed_ms).map(|((labels, _), pushed_ms)| (labels, *pushed_ms))
        });
        let from_ms = now_ms.saturating_sub(EXEMPLARS_SHOWN_MS);
        let pushed = series.filter(|(_, pushed_ms)| *pushed_ms >= from_ms).collect();
        let times_ms = (from_ms, now_ms.saturating_add(self.settings.samples_ahead_max_ms));
        Ok(self.reader.pushed_exemplars(&pushed, times_ms).await?.found)
    }

    /// Shows what is held now, as far as that may be seen.
    pub(crate) async fn page(
        &self,
        accepted: Accepted,
        encoding: AnswerEncoding,
        grant: &Grant,
    ) -> Result<Page, ScrapeError> {
        let now_ms = self.clock.now_ms();
        let live = self.reader.live_for(now_ms, viewer(grant)).await?.found;
        let exemplars = match accepted.format {
            PageFormat::Text => HeldExemplars::new(),
            PageFormat::ProtobufDelimited | PageFormat::OpenMetrics(_) => {
                let found = self.held_exemplars(&live, now_ms).await;
                found.unwrap_or_else(|error| {
                    tracing::warn!(%error, "shown without exemplars");
                    HeldExemplars::new()
                })
            }
        };
        let settings = Arc::clone(&self.settings);
        let write = move || scrape::page(&live, &exemplars, accepted, encoding, &settings);
        tokio::task::spawn_blocking(write).await.map_err(|_| ScrapeError::Interrupted)?
    }
}

/// Who looks, if they do not see everything.
fn viewer(grant: &Grant) -> Option<Viewer> {
    let (teller, grant) = (grant.teller()?, grant.clone());
    Some(Viewer::new(teller, move |labels| grant.admits(labels)))
}
