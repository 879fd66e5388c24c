//! The loop in which segments are merged, and what is known of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge::{Compaction, Storage, StreamCompaction};
use model::{Clock, MetricType};
use store::{CompactError, Progress, Unmerged};
use tokio::sync::watch;
use wire::Family;

use super::own_metrics::{family_of as family, metric};
use crate::cli::CompactFlags;

/// What is known of the compaction of this process.
#[derive(Debug)]
pub(super) struct Compacting {
    compaction: Compaction,
    /// As many as streams.
    states: Vec<State>,
}

#[derive(Debug, Default)]
struct State {
    /// All that was done, and how the last tick ended; `None`: there was no tick yet.
    done: Mutex<Option<Progress>>,
    /// What keeps the stream from being merged.
    stopped_by: Mutex<Option<String>>,
    /// What stays as it is.
    unmerged: Mutex<Unmerged>,
    failures: AtomicU64,
    violations: AtomicU64,
}

impl Compacting {
    pub(super) fn new(storage: &Storage, how: &CompactFlags, clock: &Arc<dyn Clock>) -> Self {
        let compaction = Compaction::of(storage, &how.settings(), &how.retention(), clock);
        let states = compaction.streams.iter().map(|_| State::default()).collect();
        Self { compaction, states }
    }

    /// Ticks until told to stop. A stream that cannot go on does not keep others from it, and is told once for each reason.
    pub(super) async fn keep_compacting(
        self: Arc<Self>,
        interval: Duration,
        mut stopped: watch::Receiver<bool>,
    ) {
        loop {
            tokio::select! {
                () = self.tick() => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
            // an answer means that it is time to stop
            if tokio::time::timeout(interval, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                break;
            }
        }
        for StreamCompaction { stream, compactor } in &self.compaction.streams {
            if let Err(error) = compactor.release().await {
                tracing::warn!(stream, %error, "others that compact have to wait until the lease ends");
            }
        }
    }

    fn streams(&self) -> impl Iterator<Item = (&StreamCompaction, &State)> {
        self.compaction.streams.iter().zip(&self.states)
    }

    async fn tick(&self) {
        for (StreamCompaction { stream, compactor }, state) in self.streams() {
            loop {
                let mut progress = Progress::default();
                let result = compactor.tick_into(&mut progress).await;
                state.see(&progress);
                state.tell(stream, result.as_ref().err());
                if result.is_ok() && !progress.held_by_another {
                    state.tell_unmerged(stream, &progress.unmerged);
                }
                if result.is_err() || !progress.is_behind {
                    break;
                }
            }
        }
    }

    /// One line for each stream that cannot be merged.
    pub(super) fn health(&self) -> String {
        let stopped = self.streams().filter_map(|(StreamCompaction { stream, .. }, state)| {
            let reason = lock(&state.stopped_by).clone()?;
            Some(format!("{stream} is not compacted: {reason}\n"))
        });
        stopped.collect()
    }

    /// What `/metrics` of the query port tells.
    #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
    pub(super) fn families(&self, now_us: i64) -> Vec<Family> {
        let of_streams = |name: &str, help: &str, r#type, value: &dyn Fn(&State, &Progress) -> f64| {
            let of_stream = |(stream, state): (&StreamCompaction, &State)| {
                let done = lock(&state.done).clone().unwrap_or_default();
                metric(vec![label("stream", &stream.stream)], r#type, value(state, &done))
            };
            family(name, help, r#type, self.streams().map(of_stream).collect())
        };
        let counter = |name: &str, help: &str, value: fn(&Progress) -> u64| {
            of_streams(name, help, MetricType::Counter, &|_, done| value(done) as f64)
        };
        let counts = self.compaction.counts();
        let bytes = [("read", counts.bytes_got), ("write", counts.bytes_put)]
            .map(|(kind, bytes)| metric(vec![label("kind", kind)], MetricType::Counter, bytes as f64));
        let age_s = |since_us: i64| now_us.saturating_sub(since_us).max(0) as f64 / 1e6;
        vec![
            of_streams(
                "mayfly_compaction_waiting_segments",
                "Segments that are in no run, as of the last tick.",
                MetricType::Gauge,
                &|_, done| done.left as f64,
            ),
            of_streams(
                "mayfly_compaction_lag_seconds",
                "Age of the minute of the oldest of them; 0 where none waits.",
                MetricType::Gauge,
                &|_, done| done.oldest_left_us.map_or(0.0, age_s),
            ),
            self.lease(now_us),
            of_streams(
                "mayfly_compaction_failures_total",
                "Ticks that did not do all that was due.",
                MetricType::Counter,
                &|state, _| state.failures.load(Ordering::Relaxed) as f64,
            ),
            of_streams(
                "mayfly_compaction_invariant_violations_total",
                "Manifests that were not written since they break an invariant; always 0.",
                MetricType::Counter,
                &|state, _| state.violations.load(Ordering::Relaxed) as f64,
            ),
            of_streams(
                "mayfly_compaction_unmerged_runs",
                "Runs of hours and days that are over, and stay apart since to merge them would take too much memory.",
                MetricType::Gauge,
                &|state, _| lock(&state.unmerged).runs as f64,
            ),
            of_streams(
                "mayfly_compaction_missing_frames",
                "Days without a frame, since to make it would take too much memory.",
                MetricType::Gauge,
                &|state, _| lock(&state.unmerged).frames as f64,
            ),
            counter("mayfly_compaction_segments_total", "Segments merged.", |done| done.segments),
            counter("mayfly_compaction_rows_total", "Rows read to be merged.", |done| done.rows),
            counter("mayfly_compaction_runs_total", "Runs made.", |done| done.runs),
            counter("mayfly_compaction_frames_total", "Frames made.", |done| done.frames),
            counter("mayfly_compaction_expired_runs_total", "Runs that were too old.", |done| {
                done.runs_dropped
            }),
            counter("mayfly_compaction_deleted_objects_total", "Objects deleted.", |done| done.swept),
            family(
                "mayfly_compaction_bytes_total",
                "Bytes of objects that compaction read and wrote.",
                MetricType::Counter,
                bytes.into(),
            ),
            super::own_metrics::requests(
                "mayfly_compaction_requests_total",
                "Requests of compaction to the storage; they are in mayfly_storage_requests_total too.",
                counts,
            ),
        ]
    }

    fn lease(&self, now_us: i64) -> Family {
        let metrics = self.streams().filter_map(|(stream, state)| {
            let (holder, until_us) = lock(&state.done).clone()?.lease;
            let labels = vec![label("holder", &format!("{holder:016x}")), label("stream", &stream.stream)];
            Some(metric(labels, MetricType::Gauge, f64::from(holder != 0 && until_us > now_us)))
        });
        family(
            "mayfly_compaction_lease",
            "Who had the lease at the last tick: 1 while it lasts.",
            MetricType::Gauge,
            metrics.collect(),
        )
    }
}

impl State {
    fn see(&self, progress: &Progress) {
        lock(&self.done).get_or_insert_default().add(progress);
    }

    /// Logs what keeps a stream from being merged, once for each reason, and when it goes on.
    fn tell(&self, stream: &str, error: Option<&CompactError>) {
        // somebody else works on it, so this is not stopped
        let error = error.filter(|error| !matches!(error, CompactError::Conflict(_)));
        let reason = error.map(ToString::to_string);
        if error.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(error, Some(CompactError::Invariant(_))) {
            self.violations.fetch_add(1, Ordering::Relaxed);
        }
        let mut stopped_by = lock(&self.stopped_by);
        match &reason {
            Some(reason) if stopped_by.as_ref() != Some(reason) => {
                tracing::error!(stream, %reason, "segments are not merged");
            }
            None if stopped_by.is_some() => tracing::info!(stream, "segments are merged again"),
            _ => {}
        }
        *stopped_by = reason;
    }

    /// Logs what is too much to be merged, whenever that changes.
    fn tell_unmerged(&self, stream: &str, found: &Unmerged) {
        let mut known = lock(&self.unmerged);
        if *known != *found && *found != Unmerged::default() {
            let Unmerged { runs, frames, .. } = found;
            let limits = found.limits_told();
            tracing::warn!(stream, runs, frames, %limits, "stays as it is, since to merge it would take too much memory");
        }
        *known = found.clone();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn label(name: &str, value: &str) -> (Arc<str>, Arc<str>) {
    (name.into(), value.into())
}
