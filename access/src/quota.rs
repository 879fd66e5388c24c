//! What one tenant may take of a process: samples per second, and series at the same time.
//!
//! Counted by each process for itself, whichever way samples come to it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Clock, Labels};

/// How much that is; `None`: as much as it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaSettings {
    /// Samples per second. After a pause those of [`BURST_S`] seconds may come at once, and one request of more than that.
    pub samples_per_second_max: Option<u64>,
    /// Series of which a sample came within `active_series_window_ms`, or up to twice that.
    pub active_series_max: Option<usize>,
    /// How long a series is active after its last sample.
    pub active_series_window_ms: i64,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self { samples_per_second_max: None, active_series_max: None, active_series_window_ms: 3_600_000 }
    }
}

impl QuotaSettings {
    /// A quota of which nothing is taken; `None`: there is no limit.
    pub fn quota(self, clock: &Arc<dyn Clock>) -> Option<Arc<Quota>> {
        let limits = self.samples_per_second_max.is_some() || self.active_series_max.is_some();
        limits.then(|| Arc::new(Quota::new(self, Arc::clone(clock))))
    }
}

/// So many seconds' samples may come at once.
pub const BURST_S: u64 = 10;

/// A request that asks for more. Nothing of it was counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// Samples come too fast.
    #[error(
        "more than {max} samples per second come of this tenant, which is samples_per_second_max: try again in {retry_after_s} s"
    )]
    Samples {
        /// The limit.
        max: u64,
        /// When there is room again, in whole seconds.
        retry_after_s: u64,
    },
    /// There are too many series.
    #[error(
        "{new} new series beside {active} active ones of this tenant are more than {max}, which is active_series_max: \
         a series is active for active_series_window_ms = {window_ms} after its last sample"
    )]
    Series {
        /// Those of the request that are not active.
        new: usize,
        /// Those that are.
        active: usize,
        /// The limit.
        max: usize,
        /// How long a series stays active.
        window_ms: i64,
    },
}

impl QuotaError {
    /// The setting that is exceeded.
    pub fn limit(&self) -> &'static str {
        match self {
            Self::Samples { .. } => "samples_per_second_max",
            Self::Series { .. } => "active_series_max",
        }
    }

    /// After how many seconds it may help to try again.
    pub fn retry_after_s(&self) -> u64 {
        match self {
            Self::Samples { retry_after_s, .. } => *retry_after_s,
            // others of the same request may be active, and should not have to wait for long
            Self::Series { window_ms, .. } => u64::try_from(window_ms / 1_000).unwrap_or(1).clamp(1, 60),
        }
    }
}

/// What a request would take of a quota.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of its series, where those are counted.
    fingerprints: Vec<i64>,
    samples: u64,
}

/// What is taken of it. One per tenant.
#[derive(Debug)]
pub struct Quota {
    settings: QuotaSettings,
    clock: Arc<dyn Clock>,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    /// Samples that may come at once, as of `at_ms`; less than none after a large request.
    room: f64,
    at_ms: i64,
    /// Fingerprints of series since the last turn, and of the window before it: those that did not come again.
    recent: HashSet<i64>,
    before: HashSet<i64>,
    turned_ms: i64,
}

impl Quota {
    /// A quota of which nothing is taken.
    pub fn new(settings: QuotaSettings, clock: Arc<dyn Clock>) -> Self {
        let now_ms = clock.now_ms();
        let room = settings.samples_per_second_max.map_or(0.0, burst);
        let (recent, before) = (HashSet::new(), HashSet::new());
        let taken = Mutex::new(Taken { room, at_ms: now_ms, recent, before, turned_ms: now_ms });
        Self { settings, clock, taken }
    }

    /// Takes what a request writes, all of it or nothing.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn take<'a>(&self, series: impl Iterator<Item = &'a Labels>, samples: u64) -> Result<(), QuotaError> {
        self.take_wanted(self.wanted(series, samples))
    }

    /// What a request writes, to be taken by [`Quota::take_wanted`] where there is no time to look at its series.
    pub fn wanted<'a>(&self, series: impl Iterator<Item = &'a Labels>, samples: u64) -> Wanted {
        let fingerprints = match self.settings.active_series_max {
            Some(_) => series.map(Labels::fingerprint).collect(),
            None => Vec::new(),
        };
        Wanted { fingerprints, samples }
    }

    /// Takes what a request writes, all of it or nothing.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn take_wanted(&self, wanted: Wanted) -> Result<(), QuotaError> {
        let Wanted { fingerprints, samples } = wanted;
        // whoever panicked while it held the lock did so between two changes that belong together, if anywhere
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.clock.now_ms();
        if let Some(max) = self.settings.active_series_max {
            taken.check_series(&fingerprints, now_ms, max, self.settings.active_series_window_ms)?;
        }
        if let Some(max) = self.settings.samples_per_second_max {
            taken.take_samples(samples, now_ms, max)?;
        }
        fingerprints.into_iter().for_each(|fingerprint| taken.note(fingerprint));
        Ok(())
    }

    /// How many series are active; `None` where that is not counted.
    pub fn active_series(&self) -> Option<usize> {
        self.settings.active_series_max?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.turn(self.clock.now_ms(), self.settings.active_series_window_ms);
        Some(taken.active())
    }
}

/// Samples that may come at once.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 samples")]
fn burst(max: u64) -> f64 {
    (max * BURST_S) as f64
}

impl Taken {
    fn active(&self) -> usize {
        self.recent.len() + self.before.len()
    }

    /// Forgets what is older than a window.
    fn turn(&mut self, now_ms: i64, window_ms: i64) {
        let windows = now_ms.saturating_sub(self.turned_ms) / window_ms.max(1);
        if windows > 0 {
            self.before = std::mem::take(&mut self.recent);
            if windows > 1 {
                self.before.clear();
            }
            self.turned_ms = now_ms;
        }
    }

    fn check_series(
        &mut self,
        fingerprints: &[i64],
        now_ms: i64,
        max: usize,
        window_ms: i64,
    ) -> Result<(), QuotaError> {
        self.turn(now_ms, window_ms);
        let is_new = |series: &&i64| !self.recent.contains(*series) && !self.before.contains(*series);
        let new = fingerprints.iter().filter(is_new).collect::<HashSet<_>>().len();
        let active = self.active();
        if new > 0 && active + new > max {
            return Err(QuotaError::Series { new, active, max, window_ms });
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 samples")]
    fn take_samples(&mut self, samples: u64, now_ms: i64, max: u64) -> Result<(), QuotaError> {
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0);
        let room = (self.room + max as f64 * passed_ms as f64 / 1e3).min(burst(max));
        // what is larger than all the room there can be is taken when nothing else is
        if room < (samples as f64).min(burst(max)) {
            let missing_s = ((samples as f64).min(burst(max)) - room) / max.max(1) as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds")]
            let retry_after_s = missing_s.ceil().max(1.0) as u64;
            return Err(QuotaError::Samples { max, retry_after_s });
        }
        (self.room, self.at_ms) = (room - samples as f64, now_ms.max(self.at_ms));
        Ok(())
    }

    fn note(&mut self, fingerprint: i64) {
        self.before.remove(&fingerprint);
        self.recent.insert(fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use testkit::ManualClock;

    use super::*;

    fn quota(samples: Option<u64>, series: Option<usize>) -> (Arc<ManualClock>, Quota) {
        let clock = Arc::new(ManualClock::at_ms(1_000_000_000));
        let settings = QuotaSettings {
            samples_per_second_max: samples,
            active_series_max: series,
            active_series_window_ms: 60_000,
        };
        (Arc::clone(&clock), Quota::new(settings, clock))
    }

    fn named(names: &[&str]) -> Vec<Labels> {
        names.iter().map(|name| Labels::from_pairs([("__name__", *name)])).collect()
    }

    #[test]
    fn samples_come_at_a_rate_with_bursts() {
        let (clock, quota) = quota(Some(100), None);
        let take = |samples| quota.take([].iter(), samples);
        assert_eq!(take(1_000), Ok(()), "what ten seconds bring");
        assert_eq!(take(1), Err(QuotaError::Samples { max: 100, retry_after_s: 1 }));
        clock.advance_ms(1_000);
        assert_eq!((take(60), take(40)), (Ok(()), Ok(())));
        assert_eq!(take(250), Err(QuotaError::Samples { max: 100, retry_after_s: 3 }));
        clock.advance_ms(3_600_000);
        assert_eq!(take(5_000), Ok(()), "more than there can be room for, when there is all of it");
        clock.advance_ms(40_000);
        assert_eq!(take(1), Err(QuotaError::Samples { max: 100, retry_after_s: 1 }), "that is paid for");
        clock.advance_ms(1_000);
        assert_eq!(take(100), Ok(()));
    }

    #[test]
    fn series_are_active_for_a_while() {
        let (clock, quota) = quota(None, Some(3));
        let take = |names: &[&str]| quota.take(named(names).iter(), 1);
        assert_eq!(take(&["a", "b", "a", "a"]), Ok(()));
        assert_eq!(quota.active_series(), Some(2));
        let window_ms = 60_000;
        assert_eq!(take(&["a", "c", "d"]), Err(QuotaError::Series { new: 2, active: 2, max: 3, window_ms }));
        assert_eq!(quota.active_series(), Some(2), "nothing of it is counted");
        assert_eq!(take(&["c"]), Ok(()));
        assert_eq!(take(&["a", "b", "c"]), Ok(()), "what is active goes on");
        clock.advance_ms(60_000);
        assert_eq!(take(&["a"]), Ok(()));
        assert_eq!(take(&["d"]), Err(QuotaError::Series { new: 1, active: 3, max: 3, window_ms }));
        clock.advance_ms(60_000);
        assert_eq!((take(&["d"]), quota.active_series()), (Ok(()), Some(2)), "b and c are forgotten");
        clock.advance_ms(120_000);
        assert_eq!(quota.active_series(), Some(0));
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let (_, quota) = quota(None, None);
        assert_eq!(quota.take(named(&["a"]).iter(), u64::MAX), Ok(()));
        assert_eq!(quota.active_series(), None);
    }
}
