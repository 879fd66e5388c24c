//! Times as people read them.

use chrono::{DateTime, SecondsFormat};

/// A time in µs as RFC 3339 in UTC, with as many digits as it needs.
pub(crate) fn rfc3339(at_us: i64) -> String {
    let time = DateTime::from_timestamp_micros(at_us).unwrap_or(DateTime::UNIX_EPOCH);
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
