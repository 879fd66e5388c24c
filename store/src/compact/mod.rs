//! Merges segments to runs, so that a query opens few files however many were written.
//!
//! [`Compactor::tick`] does what is due at a time and ends: bounded, resumable, and harmless when it runs twice. Each step makes
//! objects, named by what they are made of, and then swaps the manifest; before the swap nobody reads them, and after it
//! nobody needs what they were made of. In the order of a tick:
//!
//! 1. `lease`: others leave the stream alone.
//! 2. `plan`: minutes that are sealed, hours and days that are over.
//! 3. `segments`, `sources`: files are read and compared with their checksums. One that cannot be read stops the watermark
//!    before it.
//! 4. `merge`, `frames`: what came is merged part by part, so that memory does not grow with what is merged.
//! 5. `outputs`: files are written; what is there already is compared, not believed.
//! 6. `commit`: the manifest is checked against the invariants and swapped.
//! 7. `purge`: what is deleted is taken out of runs and frames; that comes before all else that is due.
//! 8. `retain`: what is too old leaves the manifest.
//! 9. `sweep`: what no manifest names goes.

mod commit;
mod frames;
pub(crate) mod ids;
mod inputs;
pub(crate) mod keys;
mod lease;
mod limits;
mod merge;
mod outputs;
mod plan;
mod progress;
mod purge;
mod retain;
mod runs;
pub(crate) mod sealed_list;
mod segments;
mod sources;
mod sweep;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{AnswerTime, Clock};
use object_store::{Extensions, GetOptions, ObjectStore};

pub use limits::{MergeLimit, MergeLimits};
pub use progress::{CompactError, Progress, Unmerged};
pub use retain::RETENTION_MIN;

use crate::layout::{Minute, Stream};
use crate::manifest::{Lease, Loaded, Manifest, Manifests};
use crate::segment::PAGED_ROWS_MIN;
use crate::writer::ANSWERED_WITHIN;
use merge::Kind;
use plan::{Step, Uneven};

/// Rows that a tick looks through for what is to be deleted: a minute's work.
const SIFT_ROWS_MAX: u64 = 16 << 20;

/// How compaction works.
#[derive(Clone, Debug)]
pub struct CompactSettings {
    /// Identifies who works: drawn at random at each start.
    pub holder: u64,
    /// For how long nobody else works on a stream after a tick has begun. Longer than a tick may take.
    pub lease: Duration,
    /// A minute is merged when it is over for as long as a writer may wait for the answer to its PUT, and so much longer.
    pub margin: Duration,
    /// A tick merges no more than about so many rows of segments; the next one goes on.
    pub rows_max: u64,
    /// A tick looks through no more than about so many rows of runs and frames for what is to be deleted; the next one goes on.
    pub sift_rows_max: u64,
    /// Rows that are merged at once, of all files together.
    pub round_rows: usize,
    /// Of segments, no more are merged at once than have about so many rows, unless they are of one minute. That takes about
    /// 500 bytes of memory for each.
    pub step_rows_max: u64,
    /// Nor more than have so many bytes.
    pub step_bytes_max: u64,
    /// Nor more than so many.
    pub step_segments_max: usize,
    /// Of one minute with more, no more is in memory at once than takes so many bytes: the rest is sorted by parts and written.
    pub group_bytes_max: usize,
    /// Runs are merged, and frames made, of no more than this.
    pub limits: MergeLimits,
    /// A file has no more rows.
    pub file_rows_max: usize,
    /// Nor rows that take more memory than about so many bytes.
    pub file_bytes_max: usize,
    /// A file with as many rows can be read in parts. All who work on a store have the same: what is made of the same is the same.
    pub paged_rows_min: usize,
    /// What no manifest names is deleted when it is so old. Longer than the longest query and the longest tick.
    pub grace: Duration,
    /// How often to look for it.
    pub sweep_interval: Duration,
    /// What is older than this goes, whole days at a time: of pushes what was held then lives on as far as it is held still.
    /// At least [`RETENTION_MIN`]; `None`: nothing goes.
    pub retention: Option<Duration>,
    /// Values that are added within so long become one.
    pub aggregate_resolution: Duration,
}

impl CompactSettings {
    /// The defaults, for who works under this identity.
    pub fn of_holder(holder: u64) -> Self {
        Self {
            holder,
            lease: Duration::from_secs(15 * 60),
            margin: Duration::from_secs(60),
            rows_max: 4 << 20,
            sift_rows_max: SIFT_ROWS_MAX,
            round_rows: 1 << 17,
            step_rows_max: 1 << 18,
            step_bytes_max: 64 << 20,
            step_segments_max: 4_096,
            group_bytes_max: 128 << 20,
            limits: MergeLimits::default(),
            file_rows_max: 4 << 20,
            file_bytes_max: 16 << 20,
            paged_rows_min: PAGED_ROWS_MIN,
            grace: Duration::from_secs(30 * 60),
            sweep_interval: Duration::from_secs(60 * 60),
            retention: None,
            aggregate_resolution: Duration::from_secs(10),
        }
    }

    /// The same with this [`Self::grace`], and looks at what is to be deleted as often as that makes sense.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, sweep_interval: grace.saturating_mul(2), ..self }
    }
}

/// Merges the segments of one stream.
#[derive(Debug)]
pub struct Compactor {
    store: Arc<dyn ObjectStore>,
    stream: Stream,
    manifests: Manifests,
    kind: Kind,
    settings: CompactSettings,
    clock: Arc<dyn Clock>,
    /// Frames that were found to take too much memory are not tried again.
    uneven: Mutex<Uneven>,
}

impl Compactor {
    /// A compactor of a stream of pushes.
    pub fn of_pushes(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        settings: CompactSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::new(store, stream, Kind::Pushes, settings, clock)
    }

    /// A compactor of a stream of samples.
    pub fn of_samples(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        settings: CompactSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::new(store, stream, Kind::Samples, settings, clock)
    }

    fn new(
        store: Arc<dyn ObjectStore>,
        stream: Stream,
        kind: Kind,
        settings: CompactSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let store = stream.confine(store);
        let manifests = Manifests::new(Arc::clone(&store), stream.manifest());
        Self { store, stream, manifests, kind, settings, clock, uneven: Mutex::default() }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// What kept it from doing all of it. What was done until then is done, and the next tick goes on.
    pub async fn tick(&self) -> Result<Progress, CompactError> {
        let mut progress = Progress::default();
        self.tick_into(&mut progress).await?;
        Ok(progress)
    }

    /// The same, and tells what it has done also where it did not do all of it.
    ///
    /// # Errors
    /// As for [`Compactor::tick`].
    pub async fn tick_into(&self, progress: &mut Progress) -> Result<(), CompactError> {
        let now_us = self.store_time_us().await?;
        let mut loaded = self.manifests.load(None).await?;
        let hot = inputs::list_hot(&*self.store, &self.stream, loaded.manifest.watermark).await?;
        let sealed = self.sealed_before(now_us);
        progress.waiting = hot.len() as u64;
        progress.see(&loaded.manifest, &hot);
        let mut is_held = false;
        while let Some(step) = self.next(&loaded.manifest, &hot, sealed) {
            if matches!(step, Step::PurgeRuns | Step::PurgeFrames) && self.sifts_enough(progress) {
                progress.is_behind = true;
                break;
            }
            if !is_held {
                match self.take_lease(&loaded, now_us).await? {
                    Some(taken) => loaded = taken,
                    None => {
                        progress.held_by_another = true;
                        return Ok(());
                    }
                }
                is_held = true;
            }
            let is_last = matches!(step, Step::Tick { .. });
            loaded = match self.perform(&loaded, step, progress).await {
                Err(error @ CompactError::Differs(_)) => {
                    // another version has left it, or other settings have: under the next epoch it is in nobody's way
                    let epoch = loaded.manifest.epoch + 1;
                    self.commit(&loaded, Manifest { epoch, ..Manifest::clone(&loaded.manifest) }, None)
                        .await?;
                    return Err(error);
                }
                result => result?,
            };
            progress.see(&loaded.manifest, &hot);
            if is_last && progress.rows >= self.settings.rows_max {
                progress.is_behind = true;
                break;
            }
        }
        progress.unmerged = plan::unmerged(&loaded.manifest, &self.settings.limits, *self.uneven());
        loaded = self.retain(&loaded, now_us, sealed, progress).await?;
        self.sweep_if_due(&loaded, now_us, progress).await
    }

    fn next(&self, manifest: &Manifest, hot: &[inputs::HotSegment], sealed: Minute) -> Option<Step> {
        plan::next(manifest, hot, sealed, &self.settings, *self.uneven())
    }

    fn uneven(&self) -> MutexGuard<'_, Uneven> {
        self.uneven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a tick has looked through so much for what is to be deleted that the rest is for the next.
    fn sifts_enough(&self, progress: &Progress) -> bool {
        // one object at least
        progress.sifted >= self.settings.sift_rows_max.max(1)
    }

    /// Lets others work on the stream at once, and not only when the lease has ended: for who will not tick again.
    ///
    /// # Errors
    /// If the manifest could not be read or swapped. Others have to wait then.
    pub async fn release(&self) -> Result<(), CompactError> {
        let loaded = self.manifests.load(None).await?;
        let found = loaded.manifest.lease.clone();
        if found.holder != self.settings.holder || found.until_us == i64::MIN {
            return Ok(());
        }
        let lease = Lease { until_us: i64::MIN, ..found };
        match self.commit(&loaded, Manifest { lease, ..Manifest::clone(&loaded.manifest) }, None).await {
            // somebody else has it already
            Ok(_) | Err(CompactError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The first minute that a writer may still write to.
    fn sealed_before(&self, now_us: i64) -> Minute {
        let wait = ANSWERED_WITHIN + self.settings.margin;
        Minute::of(now_us.saturating_sub(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The earliest that it can be by the store's clock, or by this machine's where the store has none.
    async fn store_time_us(&self) -> Result<i64, CompactError> {
        let answer = AnswerTime::default();
        let mut extensions = Extensions::new();
        extensions.insert(answer.clone());
        let object = self.stream.time_probe();
        let options = GetOptions { head: true, extensions, ..GetOptions::default() };
        match self.store.get_opts(&object, options).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => return Err(CompactError::Store { object, source }),
        }
        Ok(answer.unix_s().map_or_else(|| self.clock.now_us(), |at_s| at_s.saturating_mul(1_000_000)))
    }

    async fn perform(
        &self,
        loaded: &Loaded,
        step: Step,
        progress: &mut Progress,
    ) -> Result<Loaded, CompactError> {
        match step {
            Step::Tick { segments, minutes } => {
                self.merge_segments(loaded, &segments, minutes, progress).await
            }
            Step::Merge { level, runs } => self.merge_runs(loaded, level, &runs, progress).await,
            Step::Frame { at } => self.add_frame(loaded, at, progress).await,
            Step::Advance { to } => self.advance(loaded, to).await,
            Step::PurgeRuns => self.purge_runs(loaded, progress).await,
            Step::PurgeFrames => self.purge_frames(loaded, progress).await,
            Step::Forget => self.forget(loaded).await,
        }
    }
}
