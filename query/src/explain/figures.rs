//! What is counted while a query runs. Threads of the query and whoever asks share it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What a node came to.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// How often it was evaluated.
    times: AtomicU64,
    counted: AtomicU64,
    series: AtomicU64,
    values: AtomicU64,
    measured: AtomicU64,
    time_us: AtomicI64,
}

impl Figures {
    /// It gave series with values.
    pub(crate) fn give(&self, series: u64, values: u64) {
        self.counted.store(1, Ordering::Relaxed);
        self.series.fetch_add(series, Ordering::Relaxed);
        self.values.fetch_add(values, Ordering::Relaxed);
    }

    /// It began.
    pub(crate) fn begin(&self) {
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    /// It took so long.
    pub(crate) fn take(&self, time_us: i64) {
        self.measured.store(1, Ordering::Relaxed);
        self.time_us.fetch_add(time_us.max(0), Ordering::Relaxed);
    }

    pub(super) fn is_evaluated(&self) -> bool {
        self.times.load(Ordering::Relaxed) > 0
    }

    pub(super) fn gave(&self) -> Option<(u64, u64)> {
        let counted = self.counted.load(Ordering::Relaxed) > 0;
        counted.then(|| (self.series.load(Ordering::Relaxed), self.values.load(Ordering::Relaxed)))
    }

    pub(super) fn time_us(&self) -> Option<i64> {
        (self.measured.load(Ordering::Relaxed) > 0).then(|| self.time_us.load(Ordering::Relaxed))
    }
}

/// The most that was in memory at once.
#[derive(Debug, Default)]
pub(crate) struct Peaks {
    samples: AtomicU64,
    bytes: AtomicU64,
}

impl Peaks {
    /// So much is in memory.
    pub(crate) fn see(&self, samples: u64, bytes: u64) {
        self.samples.fetch_max(samples, Ordering::Relaxed);
        self.bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    pub(crate) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
