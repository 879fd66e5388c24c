//! A limit on requests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets so many requests through at once, and then one in each interval.
#[derive(Debug)]
pub(in crate::serve) struct Rate {
    interval: Duration,
    burst: u64,
    /// How many may come, and since when that is so.
    left: Mutex<(u64, Instant)>,
}

impl Rate {
    pub(in crate::serve) fn new((interval, burst): (Duration, u64)) -> Self {
        Self { interval, burst, left: Mutex::new((burst, Instant::now())) }
    }

    /// Whether one more may come now.
    pub(in crate::serve) fn allows(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, since) = *left;
        let more =
            u64::try_from(since.elapsed().as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(u64::MAX);
        let (count, since) = match count.saturating_add(more) {
            full if full >= self.burst => (self.burst, Instant::now()),
            some => (some, since + self.interval * u32::try_from(more).unwrap_or(u32::MAX)),
        };
        *left = (count.saturating_sub(1), since);
        count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_then_one_in_each_interval() {
        let rate = Rate::new((Duration::from_secs(10), 2));
        let allowed = |rate: &Rate| [rate.allows(), rate.allows(), rate.allows()];
        assert_eq!(allowed(&rate), [true, true, false]);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!rate.allows());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(allowed(&rate), [true, false, false]);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(allowed(&rate), [true, true, false]);
    }
}
