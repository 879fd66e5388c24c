//! The time by the store's own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NEVER: i64 = i64::MIN;

/// Where an object store leaves the time at which it answered, by its own clock.
///
/// Put a clone into the extensions of a put or a get; when that has been answered, [`AnswerTime::unix_s`] has the `Date` of
/// the answer, also where the answer is that there is no such object. HTTP dates have whole seconds, cut off, so the answer
/// was given less than one second after it. A write that succeeded had happened by then.
///
/// Only S3 has a clock of its own. A folder and memory leave this empty: their clock is that of the machine, which the
/// caller has too.
#[derive(Debug, Clone)]
pub struct AnswerTime(Arc<AtomicI64>);

impl Default for AnswerTime {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(NEVER)))
    }
}

impl AnswerTime {
    /// Seconds since the Unix epoch; none if the store did not say.
    pub fn unix_s(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|&time| time != NEVER)
    }

    /// What the store says.
    pub fn set(&self, unix_s: Option<i64>) {
        self.0.store(unix_s.unwrap_or(NEVER), Ordering::Release);
    }
}
