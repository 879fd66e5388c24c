//! What one query may use: samples in memory, and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::Clock;

use super::ExecError;

/// The limits of one query, and what it has used.
#[derive(Debug)]
pub(crate) struct Budget {
    samples_max: u64,
    held: AtomicU64,
    deadline_ms: i64,
    clock: Arc<dyn Clock>,
    canceled: Arc<AtomicBool>,
}

impl Budget {
    pub(crate) fn new(
        samples_max: u64,
        deadline_ms: i64,
        clock: Arc<dyn Clock>,
        canceled: Arc<AtomicBool>,
    ) -> Self {
        Self { samples_max, held: AtomicU64::new(0), deadline_ms, clock, canceled }
    }

    /// Counts samples that are held in memory.
    pub(crate) fn hold(&self, samples: u64) -> Result<(), ExecError> {
        let before = self.held.fetch_add(samples, Ordering::Relaxed);
        if before.saturating_add(samples) > self.samples_max {
            Err(ExecError::TooManySamples)
        } else {
            Ok(())
        }
    }

    /// Counts samples for as long as the answer lives.
    pub(crate) fn held(&self, samples: u64) -> Result<HeldSamples<'_>, ExecError> {
        let held = HeldSamples { budget: self, samples };
        self.hold(samples)?;
        Ok(held)
    }

    /// Samples are gone.
    pub(crate) fn release(&self, samples: u64) {
        self.held.fetch_sub(samples, Ordering::Relaxed);
    }

    /// Whether there is time left.
    pub(crate) fn check_time(&self) -> Result<(), ExecError> {
        if self.canceled.load(Ordering::Relaxed) {
            Err(ExecError::Canceled)
        } else if self.clock.now_ms() > self.deadline_ms {
            Err(ExecError::Timeout)
        } else {
            Ok(())
        }
    }
}

/// Samples in memory; they count until this is dropped.
#[derive(Debug)]
pub(crate) struct HeldSamples<'b> {
    budget: &'b Budget,
    samples: u64,
}

impl Drop for HeldSamples<'_> {
    fn drop(&mut self) {
        self.budget.release(self.samples);
    }
}
