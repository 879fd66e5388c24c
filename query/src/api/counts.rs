//! What queries of a process have come to since its start.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds of what is told about times, in seconds: those of Prometheus' `prometheus_engine_query_duration_histogram_seconds`.
const BOUNDS_S: [f64; 5] = [0.01, 0.1, 1.0, 10.0, 100.0];

/// The parts of a query's time, as Prometheus calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// Waiting for a place.
    Queue = 0,
    /// Planning and reading.
    Prepare = 1,
    /// Evaluating.
    Evaluate = 2,
}

const SLICES: [&str; 3] = ["queue_time", "prepare_time", "inner_eval"];

/// Shared by all tenants.
#[derive(Debug, Default)]
pub(super) struct Counters {
    slices: [Mutex<SliceCounts>; 3],
    samples: AtomicU64,
    logged: AtomicU64,
}

/// How long a part of queries took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SliceCounts {
    /// What Prometheus calls it.
    pub name: &'static str,
    /// How many queries have come so far.
    pub count: u64,
    /// How long it took in all, in seconds.
    pub sum_s: f64,
    /// Bounds in seconds, and how many took no longer.
    pub buckets: Vec<(f64, u64)>,
}

/// What queries of a process have come to.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryCounts {
    /// Queries that are evaluated or wait now.
    pub now: usize,
    /// How many are evaluated at once at the most.
    pub concurrent_max: usize,
    /// Samples that they read.
    pub samples: u64,
    /// Whether slow ones are logged.
    pub is_logging: bool,
    /// How many were logged.
    pub logged: u64,
    /// Where their time went.
    pub slices: Vec<SliceCounts>,
}

/// What there is of queries of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantQueries {
    /// Queries that are evaluated now.
    pub evaluated: usize,
    /// Queries that wait for a place.
    pub waiting: usize,
    /// Queries that were refused since too many waited, since the start.
    pub refused: u64,
}

impl Counters {
    pub(super) fn time(&self, slice: Slice, time_us: i64) {
        #[expect(clippy::cast_precision_loss, reason = "queries take far less than 2^53 µs")]
        let time_s = time_us.max(0) as f64 / 1e6;
        let counts = &self.slices[slice as usize];
        let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counts.count += 1;
        counts.sum_s += time_s;
        if counts.buckets.is_empty() {
            counts.buckets = BOUNDS_S.map(|bound| (bound, 0)).into();
        }
        counts.buckets.iter_mut().filter(|(bound, _)| time_s <= *bound).for_each(|(_, count)| *count += 1);
    }

    pub(super) fn read(&self, samples: u64) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
    }

    pub(super) fn logged(&self) {
        self.logged.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self, now: usize, concurrent_max: usize, is_logging: bool) -> QueryCounts {
        let slice = |(counts, name): (&Mutex<SliceCounts>, &'static str)| {
            let counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            let buckets = match counts.count {
                0 => BOUNDS_S.map(|bound| (bound, 0)).into(),
                _ => counts.buckets,
            };
            SliceCounts { name, buckets, ..counts }
        };
        QueryCounts {
            now,
            concurrent_max,
            samples: self.samples.load(Ordering::Relaxed),
            is_logging,
            logged: self.logged.load(Ordering::Relaxed),
            slices: self.slices.iter().zip(SLICES).map(slice).collect(),
        }
    }
}
