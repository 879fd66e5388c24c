//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use model::Clock;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now_us: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now_ms` milliseconds since the Unix epoch.
    pub fn at_ms(now_ms: i64) -> Self {
        Self { now_us: AtomicI64::new(now_ms * 1_000) }
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, by_ms: i64) {
        self.now_us.fetch_add(by_ms * 1_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.now_us.load(Ordering::SeqCst)
    }
}
