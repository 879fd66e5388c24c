//! Dollars a month of what was measured. Prices are those of us-east-1 in November 2026, without the free tier.

use std::time::Duration;

use super::s3::Requests;

/// A month of the bills.
pub const SECONDS_PER_MONTH: f64 = 730.0 * 3_600.0;
const PUT: f64 = 0.005 / 1e3;
const GET: f64 = 0.0004 / 1e3;
const CALL: f64 = 0.20 / 1e6;
const GB_SECOND: f64 = 0.000_016_666_7;
const QUEUE_REQUEST: f64 = 0.40 / 1e6;
const SCHEDULED: f64 = 1.00 / 1e6;
/// With so much memory, a function has a processor for itself; with less, its share of one.
const PROCESSOR_MB: f64 = 1_769.0;
/// Which a request to S3 takes within a region beyond what it takes on loopback: measured there it is nearly nothing.
pub const S3_TRIP: Duration = Duration::from_millis(25);

/// What one call takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    /// Requests to S3.
    pub requests: Requests,
    /// How long it took, with S3 on loopback.
    pub took: Duration,
    /// Requests that it waits for, one after the other.
    pub trips: u32,
    /// The function's memory.
    pub memory_mb: u32,
}

impl Call {
    /// Seconds that are billed: as if all that was measured was work of a processor.
    pub fn seconds(&self) -> f64 {
        let share = (f64::from(self.memory_mb) / PROCESSOR_MB).min(1.0);
        self.took.as_secs_f64() / share + (S3_TRIP * self.trips).as_secs_f64()
    }

    /// Gigabyte-seconds.
    pub fn gb_seconds(&self) -> f64 {
        self.seconds() * f64::from(self.memory_mb) / 1024.0
    }

    /// Dollars of one.
    pub fn dollars(&self) -> f64 {
        CALL + self.gb_seconds() * GB_SECOND + of(self.requests)
    }

    /// Dollars of one that a schedule begins.
    pub fn scheduled(&self) -> f64 {
        SCHEDULED + self.dollars()
    }
}

/// Dollars of requests to S3.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
pub fn of(requests: Requests) -> f64 {
    (requests.put + requests.list) as f64 * PUT + requests.get as f64 * GET
}

/// Dollars of a message of a queue: it is sent, and taken and deleted in batches of so many.
pub fn of_message(batch: f64) -> f64 {
    QUEUE_REQUEST * (1.0 + 2.0 / batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_costs() {
        let requests = Requests { put: 1, list: 1, get: 10, delete: 5 };
        let mut call = Call { requests, took: Duration::from_millis(75), trips: 1, memory_mb: 2_048 };
        let dollars = 0.2e-6 + 0.2 * 0.000_016_666_7 + 10e-6 + 4e-6;
        assert!((call.dollars() - dollars).abs() < 1e-12, "{}", call.dollars());
        call.memory_mb = 1_769 / 3;
        assert!((call.seconds() - 0.25).abs() < 1e-3, "a third of a processor takes three times as long");
    }
}
