//! What is asked to be deleted, and how that gets into the manifests.

use std::sync::Arc;

use model::{Clock, Matcher};
use object_store::ObjectStore;
use object_store::path::Path;

use super::recorded::{Condition, Recorded};
use crate::layout::{Minute, Stream};
use crate::manifest::{self, LoadError, Manifests, SwapError, Violation};

/// Of a stream no more deletions are under way at once.
pub const DELETIONS_MAX: usize = 64;

/// Others swap manifests too; after so many attempts it is given up.
const ATTEMPTS_MAX: usize = 16;

/// What to delete: of the series that match, the samples of a time, and what was pushed in it.
#[derive(Clone, Debug)]
pub struct Deletion {
    /// All must match, and one at least must not match a series without labels.
    pub matchers: Vec<Matcher>,
    /// The first millisecond; `None`: the beginning.
    pub start_ms: Option<i64>,
    /// The last one; `None`: all that was written before the deletion.
    pub end_ms: Option<i64>,
}

/// Deletes from the streams of a tenant.
#[derive(Clone, Debug)]
pub struct Deleter {
    store: Arc<dyn ObjectStore>,
    pushes: Stream,
    /// Samples, and what lies in streams like theirs.
    samples: Vec<Stream>,
    clock: Arc<dyn Clock>,
}

/// A deletion that was not recorded, or not in all streams: to delete again does no harm.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// Nothing says what to delete, or it is everything.
    #[error("match[] must contain at least one non-empty matcher")]
    Everything,
    /// The time ends before it begins.
    #[error("the end ({end_ms}) is before the start ({start_ms})")]
    Backwards {
        /// The first millisecond.
        start_ms: i64,
        /// The last one.
        end_ms: i64,
    },
    /// The compactor has not yet done enough of the earlier ones.
    #[error(
        "{pending} deletions are under way in {object}, and {DELETIONS_MAX} may be (DELETIONS_MAX): delete again when compaction has done some of them"
    )]
    TooMany {
        /// The manifest.
        object: Path,
        /// How many are under way.
        pending: usize,
    },
    /// Somebody else was faster, many times.
    #[error("{0} was swapped by others {ATTEMPTS_MAX} times: delete again")]
    Conflict(Path),
    /// The store failed, or a manifest cannot be read.
    #[error("{0}")]
    Store(String),
    /// It would break an invariant: nothing was recorded.
    #[error("{0}")]
    Invariant(String),
}

impl DeleteError {
    /// Whether what was asked for is wrong, and not what became of it.
    pub fn is_bad_request(&self) -> bool {
        matches!(self, Self::Everything | Self::Backwards { .. })
    }
}

impl From<LoadError> for DeleteError {
    fn from(error: LoadError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<Violation> for DeleteError {
    fn from(violation: Violation) -> Self {
        Self::Invariant(violation.to_string())
    }
}

impl Deletion {
    /// Whether it can be done.
    ///
    /// # Errors
    /// If it says nothing of what to delete, or its time ends before it begins.
    pub fn check(&self) -> Result<(), DeleteError> {
        if self.matchers.iter().all(Matcher::matches_empty) {
            return Err(DeleteError::Everything);
        }
        match (self.start_ms, self.end_ms) {
            (Some(start_ms), Some(end_ms)) if end_ms < start_ms => {
                Err(DeleteError::Backwards { start_ms, end_ms })
            }
            _ => Ok(()),
        }
    }

    /// What is recorded of it; `None`: nothing can have come of that time.
    fn recorded(&self, end_us: i64, through: Minute) -> Option<Recorded> {
        let from_us = self.start_ms.map(|start_ms| start_ms.saturating_mul(1_000));
        let asked_us = self.end_ms.map(|end_ms| end_ms.saturating_mul(1_000).saturating_add(999));
        let to_us = asked_us.unwrap_or(i64::MAX).min(end_us);
        let matchers = self.matchers.iter().cloned().map(Condition).collect();
        let recorded = Recorded { number: 0, through, matchers, from_us, to_us };
        from_us.is_none_or(|from_us| from_us <= to_us).then_some(recorded)
    }
}

impl Deleter {
    /// For two streams of one tenant.
    pub fn new(store: Arc<dyn ObjectStore>, pushes: Stream, samples: Stream, clock: Arc<dyn Clock>) -> Self {
        let store = pushes.confine(store);
        Self { store, pushes, samples: vec![samples], clock }
    }

    /// The same, which deletes exemplars too.
    #[must_use]
    pub fn with_exemplars(mut self, exemplars: Stream) -> Self {
        self.samples.push(exemplars);
        self
    }

    /// Deletes what is there now: once it has answered no reader that asks the store shows it, and compaction takes it out of every object.
    ///
    /// # Errors
    /// If that cannot be, or was not recorded in all streams.
    pub async fn delete(&self, deletions: &[Deletion]) -> Result<(), DeleteError> {
        deletions.iter().try_for_each(Deletion::check)?;
        let now_us = self.clock.now_us();
        // what is pushed later has a later stamp; samples have any time
        self.record(&self.pushes, deletions, (now_us, now_us)).await?;
        for samples in &self.samples {
            self.record(samples, deletions, (now_us, i64::MAX)).await?;
        }
        Ok(())
    }

    /// How many deletions are under way, in all streams together.
    ///
    /// # Errors
    /// If a manifest cannot be read.
    pub async fn pending(&self) -> Result<usize, DeleteError> {
        let mut pending = 0;
        for stream in [&self.pushes].into_iter().chain(&self.samples) {
            let loaded = Manifests::new(Arc::clone(&self.store), stream.manifest()).load(None).await?;
            pending += loaded.manifest.deletions.len();
        }
        Ok(pending)
    }

    async fn record(
        &self,
        stream: &Stream,
        deletions: &[Deletion],
        (now_us, end_us): (i64, i64),
    ) -> Result<(), DeleteError> {
        let object = stream.manifest();
        let manifests = Manifests::new(Arc::clone(&self.store), object.clone());
        for _ in 0..ATTEMPTS_MAX {
            let loaded = manifests.load(None).await?;
            let before = &loaded.manifest;
            // by a clock that is behind the store's something may be in runs that came after this minute
            let through = before.watermark.map_or(Minute::of(now_us), |mark| mark.max(Minute::of(now_us)));
            let recorded = deletions.iter().filter_map(|deletion| deletion.recorded(end_us, through));
            let mut after = None;
            for recorded in recorded {
                after = Some(after.as_ref().unwrap_or(&**before).deleting(recorded));
            }
            let Some(after) = after else { return Ok(()) };
            if after.deletions.len() > DELETIONS_MAX {
                return Err(DeleteError::TooMany { object, pending: before.deletions.len() });
            }
            manifest::check(before, &after, None)?;
            match manifests.swap(&loaded, after).await {
                Ok(_) => return Ok(()),
                Err(SwapError::Conflict(_)) => {}
                Err(error) => return Err(DeleteError::Store(error.to_string())),
            }
        }
        Err(DeleteError::Conflict(object))
    }
}
