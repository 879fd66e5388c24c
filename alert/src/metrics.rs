//! What an evaluator counts, in the terms of Prometheus' metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts since the process started, and gauges of the last evaluation.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counted: Mutex<Snapshot>,
}

/// What has been counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// By `FILE;GROUP`: the groups that are evaluated.
    pub groups: BTreeMap<String, GroupCounts>,
    /// By receiver.
    pub receivers: BTreeMap<String, ReceiverCounts>,
    /// When the last tick ended well; milliseconds since the Unix epoch.
    pub last_tick_ms: Option<i64>,
}

/// Of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupCounts {
    /// How many rules it has.
    pub rules: usize,
    /// Milliseconds between its slots.
    pub interval_ms: i64,
    /// Slots, evaluated or missed.
    pub iterations: u64,
    /// Slots that were given up.
    pub missed: u64,
    /// Evaluations of rules.
    pub evaluations: u64,
    /// Those that failed.
    pub failures: u64,
    /// When the last evaluation began; milliseconds since the Unix epoch.
    pub last_evaluation_ms: Option<i64>,
    /// How long it took.
    pub last_duration_ms: i64,
    /// How many series it wrote.
    pub last_samples: usize,
}

/// Of one receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounts {
    /// Alerts that it was sent, whether it took them or not.
    pub sent: u64,
    /// Alerts in requests that failed.
    pub errors: u64,
    /// Alerts that it will never get.
    pub dropped: u64,
}

impl Counters {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }
}
