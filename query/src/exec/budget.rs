//! What one query may use: samples and bytes in memory, and time.

use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::Clock;

use super::ExecError;
use crate::explain::Peaks;

/// What something in memory counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// As Prometheus counts: 1 for a float, more for a native histogram.
    pub(crate) samples: u64,
    /// The memory that it takes.
    pub(crate) bytes: u64,
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            samples: self.samples.saturating_add(other.samples),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The limits of one query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) samples_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) deadline_ms: i64,
}

/// The limits of one query, and what it has used. Threads share it.
#[derive(Debug)]
pub(crate) struct Budget {
    allowance: Allowance,
    samples: AtomicU64,
    bytes: AtomicU64,
    peaks: Arc<Peaks>,
    clock: Arc<dyn Clock>,
    canceled: Arc<AtomicBool>,
}

impl Budget {
    pub(crate) fn new(allowance: Allowance, clock: Arc<dyn Clock>, canceled: Arc<AtomicBool>) -> Self {
        let [samples, bytes] = [const { AtomicU64::new(0) }; 2];
        Self { allowance, samples, bytes, peaks: Arc::default(), clock, canceled }
    }

    /// The same, which tells there how much it has held.
    pub(crate) fn telling(self, peaks: Arc<Peaks>) -> Self {
        Self { peaks, ..self }
    }

    /// Counts something that is held in memory.
    pub(crate) fn hold(&self, weight: Weight) -> Result<(), ExecError> {
        let samples =
            self.samples.fetch_add(weight.samples, Ordering::Relaxed).saturating_add(weight.samples);
        let bytes = self.bytes.fetch_add(weight.bytes, Ordering::Relaxed).saturating_add(weight.bytes);
        self.peaks.see(samples, bytes);
        if samples > self.allowance.samples_max {
            Err(ExecError::TooManySamples)
        } else if bytes > self.allowance.bytes_max {
            Err(ExecError::TooManyBytes { bytes_max: self.allowance.bytes_max })
        } else {
            Ok(())
        }
    }

    /// Counts something for as long as the answer lives.
    pub(crate) fn held(&self, weight: Weight) -> Result<Counted<'_>, ExecError> {
        let counted = Counted { budget: self, weight };
        self.hold(weight)?;
        Ok(counted)
    }

    /// Counts a row of floats that is being made, for as long as the answer lives.
    pub(crate) fn room(&self, floats: usize) -> Result<Counted<'_>, ExecError> {
        let samples = floats as u64;
        self.held(Weight { samples, bytes: samples.saturating_mul(8) })
    }

    /// Something is gone.
    pub(crate) fn release(&self, weight: Weight) {
        self.samples.fetch_sub(weight.samples, Ordering::Relaxed);
        self.bytes.fetch_sub(weight.bytes, Ordering::Relaxed);
    }

    /// The most samples that were held at the same time.
    pub(crate) fn samples_most(&self) -> u64 {
        self.peaks.samples()
    }

    /// The most bytes.
    pub(crate) fn bytes_most(&self) -> u64 {
        self.peaks.bytes()
    }

    /// What time it is, in microseconds.
    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Whether there is time left.
    pub(crate) fn check_time(&self) -> Result<(), ExecError> {
        if self.canceled.load(Ordering::Relaxed) {
            Err(ExecError::Canceled)
        } else if self.clock.now_ms() > self.allowance.deadline_ms {
            Err(ExecError::Timeout)
        } else {
            Ok(())
        }
    }
}

/// Something in memory; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted<'b> {
    budget: &'b Budget,
    weight: Weight,
}

impl Counted<'_> {
    /// Counts more.
    pub(crate) fn add(&mut self, weight: Weight) -> Result<(), ExecError> {
        self.weight += weight;
        self.budget.hold(weight)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.budget.release(self.weight);
    }
}
