//! The loop in which segments are merged, and what is known of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge::{Compaction, Compactions, Storage, StreamCompaction};
use futures::{StreamExt, stream};
use model::{Clock, MetricType};
use store::{CompactError, Progress, Tenant, Unmerged};
use tokio::sync::watch;
use wire::Family;

use super::own_metrics::{family_of as family, metric};
use crate::cli::CompactFlags;

/// Leases that are being given back at once when the process ends.
const RELEASED_AT_ONCE: usize = 16;

/// What is known of the compaction of this process, of all tenants.
#[derive(Debug)]
pub(super) struct Compacting {
    compactions: Compactions,
    /// By stream, `tenant/stream`.
    states: Mutex<BTreeMap<String, Arc<State>>>,
    /// Why tenants could not be listed.
    unlisted: Mutex<Option<String>>,
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
        let (storage, clock) = (storage.clone(), Arc::clone(clock));
        let compactions = Compactions::new(storage, how.settings(), how.retention(), clock);
        // what is told of it is there from the start
        drop(compactions.of(&Tenant::default()));
        Self { compactions, states: Mutex::default(), unlisted: Mutex::default() }
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
        let known = self.compactions.known();
        let streams = known.iter().flat_map(|compaction| &compaction.streams);
        let released = stream::iter(streams).for_each_concurrent(RELEASED_AT_ONCE, async |of_stream| {
            let StreamCompaction { stream, compactor } = of_stream;
            if let Err(error) = compactor.release().await {
                tracing::warn!(stream, %error, "others that compact have to wait until the lease ends");
            }
        });
        released.await;
    }

    /// What is known of each stream, in order of names.
    fn streams(&self) -> Vec<(String, Arc<State>)> {
        let known = self.compactions.known();
        let streams = known.iter().flat_map(|compaction| &compaction.streams);
        streams.map(|of| (of.stream.clone(), self.state(&of.stream))).collect()
    }

    fn state(&self, stream: &str) -> Arc<State> {
        let mut states = lock(&self.states);
        match states.get(stream) {
            Some(state) => Arc::clone(state),
            None => Arc::clone(states.entry(stream.to_owned()).or_default()),
        }
    }

    /// The tenants of whom something is stored now, those that came since the last tick included. Where they cannot be listed, those
    /// that were known.
    async fn tenants(&self) -> Vec<Arc<Compaction>> {
        let stored = self.compactions.stored().await;
        let reason = stored.as_ref().err().map(ToString::to_string);
        let mut before = lock(&self.unlisted);
        match &reason {
            Some(reason) if before.as_ref() != Some(reason) => {
                tracing::error!(%reason, "tenants cannot be listed: segments of those that came last are not merged");
            }
            None if before.is_some() => tracing::info!("tenants are listed again"),
            _ => {}
        }
        *before = reason;
        stored.unwrap_or_else(|_| self.compactions.known())
    }

    /// Does what is due in all streams of all tenants. Where much is due others have their turn in between.
    async fn tick(&self) {
        let tenants = self.tenants().await;
        let mut due: Vec<&StreamCompaction> =
            tenants.iter().flat_map(|compaction| &compaction.streams).collect();
        while !due.is_empty() {
            let mut behind = Vec::new();
            for of_stream in due {
                if self.tick_stream(of_stream).await {
                    behind.push(of_stream);
                }
            }
            due = behind;
        }
    }

    /// Whether more of it is due.
    async fn tick_stream(&self, StreamCompaction { stream, compactor }: &StreamCompaction) -> bool {
        let (state, mut progress) = (self.state(stream), Progress::default());
        let result = compactor.tick_into(&mut progress).await;
        state.see(&progress);
        state.tell(stream, result.as_ref().err());
        if result.is_ok() && !progress.held_by_another {
            state.tell_unmerged(stream, &progress.unmerged);
        }
        result.is_ok() && progress.is_behind
    }

    /// One line for each stream that cannot be merged. Whoever asks is told no names of other tenants than `default`.
    pub(super) fn health(&self) -> String {
        let (own, mut of_others) = (format!("{}/", Tenant::default()), 0);
        let mut told = String::new();
        for (stream, state) in self.streams() {
            match lock(&state.stopped_by).as_ref() {
                Some(reason) if stream.starts_with(&own) => {
                    told += &format!("{stream} is not compacted: {reason}\n");
                }
                Some(_) => of_others += 1,
                None => {}
            }
        }
        if of_others > 0 {
            told += &format!("{of_others} streams of other tenants are not compacted: see the log.\n");
        }
        told
    }

    /// What `/metrics` of the query port tells.
    #[expect(clippy::cast_precision_loss, reason = "samples are floats")]
    pub(super) fn families(&self, now_us: i64) -> Vec<Family> {
        let streams = self.streams();
        let of_streams = |name: &str, help: &str, r#type, value: &dyn Fn(&State, &Progress) -> f64| {
            let of_stream = |(stream, state): &(String, Arc<State>)| {
                let done = lock(&state.done).clone().unwrap_or_default();
                metric(vec![label("stream", stream)], r#type, value(state, &done))
            };
            family(name, help, r#type, streams.iter().map(of_stream).collect())
        };
        let counter = |name: &str, help: &str, value: fn(&Progress) -> u64| {
            of_streams(name, help, MetricType::Counter, &|_, done| value(done) as f64)
        };
        let counts = self.compactions.counts();
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
            lease(&streams, now_us),
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
}

fn lease(streams: &[(String, Arc<State>)], now_us: i64) -> Family {
    let metrics = streams.iter().filter_map(|(stream, state)| {
        let (holder, until_us) = lock(&state.done).clone()?.lease;
        let labels = vec![label("holder", &format!("{holder:016x}")), label("stream", stream)];
        Some(metric(labels, MetricType::Gauge, f64::from(holder != 0 && until_us > now_us)))
    });
    family(
        "mayfly_compaction_lease",
        "Who had the lease at the last tick: 1 while it lasts.",
        MetricType::Gauge,
        metrics.collect(),
    )
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
