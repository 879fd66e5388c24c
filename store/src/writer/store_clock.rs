//! How far the clock of this machine is off the store's.
//!
//! Stamps order the pushes of all writers, so they are only as good as the clocks are. What a store answers carries the time
//! by its own clock, which all writers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{AnswerTime, Clock};
use object_store::path::Path;
use object_store::{Extensions, GetOptions, ObjectStore};

const US_PER_S: i64 = 1_000_000;

/// While the clock is too far off, the store is asked again after so long.
const RECHECK_US: i64 = 10 * US_PER_S;

/// The clock of this machine is too far off the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock of this machine is at least {by_ms} ms {direction} the object store's, and no more than {max_ms} ms are \
     allowed, which is max_skew: set the clock",
    by_ms = self.local_minus_store_us.abs() / 1_000,
    direction = if self.local_minus_store_us > 0 { "ahead of" } else { "behind" },
    max_ms = self.max_us / 1_000
)]
pub struct ClockSkew {
    /// The least that the difference can be, in µs.
    pub local_minus_store_us: i64,
    /// The limit.
    pub max_us: i64,
}

/// What is known about the two clocks.
#[derive(Debug)]
pub(crate) struct StoreClock {
    clock: Arc<dyn Clock>,
    max_us: i64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By the clock of this machine.
    checked_us: Option<i64>,
    skew: Option<ClockSkew>,
}

impl StoreClock {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_skew: Duration) -> Self {
        let max_us = i64::try_from(max_skew.as_micros()).unwrap_or(i64::MAX);
        Self { clock, max_us, state: Mutex::new(State { checked_us: None, skew: None }) }
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Compares the clocks by a request that began at `sent_us` and ended now, and gives the latest time, by the store's
    /// clock where it has one, at which the store can have answered.
    pub(crate) fn compare(&self, sent_us: i64, answer: &AnswerTime) -> Result<i64, ClockSkew> {
        let received_us = self.clock.now_us();
        let Some(date_s) = answer.unix_s() else {
            // the store has no clock of its own, or was not reached
            return self.lock().skew.map_or(Ok(received_us), Err);
        };
        // the store showed a time within this second, at a moment between the two of ours
        let (date_us, date_end_us) = (date_s * US_PER_S, (date_s + 1) * US_PER_S);
        let (least, most) = (sent_us.min(received_us) - date_end_us, received_us - date_us);
        let surely_off = if least > 0 { least } else { most.min(0) };
        let skew = (surely_off.abs() > self.max_us)
            .then_some(ClockSkew { local_minus_store_us: surely_off, max_us: self.max_us });
        let mut state = self.lock();
        match (state.skew, skew) {
            (None, Some(skew)) => tracing::error!(%skew, "not ready"),
            (Some(_), None) => tracing::info!("the clocks agree again"),
            _ => {}
        }
        *state = State { checked_us: Some(received_us), skew };
        skew.map_or(Ok(date_end_us), Err)
    }

    /// What was found last.
    pub(crate) fn known(&self) -> Result<(), ClockSkew> {
        self.lock().skew.map_or(Ok(()), Err)
    }

    /// Whether stamps may be given. Asks the store if it has never been asked and `at_first` says so, or if the clock was off
    /// when it was asked last and that is a while ago.
    pub(crate) async fn check(
        &self,
        store: &dyn ObjectStore,
        object: &Path,
        at_first: bool,
    ) -> Result<(), ClockSkew> {
        let sent_us = self.clock.now_us();
        {
            let mut state = self.lock();
            let is_due = match (state.checked_us, state.skew) {
                (None, _) => at_first,
                (Some(_), None) => false,
                // a clock that has been set may have gone back
                (Some(checked_us), Some(_)) => (sent_us - checked_us).abs() >= RECHECK_US,
            };
            if !is_due {
                return state.skew.map_or(Ok(()), Err);
            }
            // others that come meanwhile need not ask too
            state.checked_us = Some(sent_us);
        }
        let answer = AnswerTime::default();
        let mut extensions = Extensions::new();
        extensions.insert(answer.clone());
        // what is there does not matter, and nothing is
        if let Err(error) =
            store.get_opts(object, GetOptions { head: true, extensions, ..GetOptions::default() }).await
            && !matches!(error, object_store::Error::NotFound { .. })
        {
            tracing::warn!(%error, "could not ask the store for its time");
        }
        self.compare(sent_us, &answer).map(|_| ())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use testkit::ManualClock;

    use super::*;

    #[test]
    fn only_what_is_sure_is_held_against_a_clock() {
        const MAX_MS: i64 = 30_000;
        // local time when it is sent and received, in ms after a second of the store's
        let check = |sent_ms: i64, received_ms: i64, expect_ms: Option<i64>| {
            let clock = Arc::new(ManualClock::at_ms(1_000_000 + received_ms));
            let store_clock = StoreClock::new(clock, Duration::from_millis(MAX_MS as u64));
            let answer = AnswerTime::default();
            answer.set(Some(1_000));
            let found = store_clock.compare((1_000_000 + sent_ms) * 1_000, &answer);
            let found_ms = found.err().map(|skew| skew.local_minus_store_us / 1_000);
            assert_eq!(found_ms, expect_ms, "{sent_ms}, {received_ms}");
        };
        check(0, 10, None);
        check(-80_000, 80_000, None);
        // ahead: the date was cut by up to a second
        check(31_000, 31_010, None);
        check(31_001, 31_010, Some(30_001));
        check(-5_000, 60_000, None);
        // behind
        check(-31_000, -30_000, None);
        check(-31_000, -30_001, Some(-30_001));
        check(-90_000, -10_000, None);
    }
}
