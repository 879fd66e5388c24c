//! The wall clock: the only place that reads it for the roles.

use std::time::{SystemTime, UNIX_EPOCH};

use model::Clock;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    fn now_us(&self) -> i64 {
        // a clock before 1970 is no clock
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}
