//! Times of day, week, month and year, in which routes are active or mute.

mod read;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use read::RangeError;
pub(crate) use read::{days_of_month, location, months, time_range, weekdays, years};

/// A set of times: those that all of its fields hold. A field that is not there holds all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeInterval {
    pub(crate) times: Option<Vec<MinuteRange>>,
    pub(crate) weekdays: Option<Vec<Range>>,
    pub(crate) days_of_month: Option<Vec<Range>>,
    pub(crate) months: Option<Vec<Range>>,
    pub(crate) years: Option<Vec<Range>>,
    pub(crate) location: Option<TimeZone>,
}

/// From and to, both of which belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) begin: i64,
    pub(crate) end: i64,
}

/// Minutes of a day, from the first until the last, which does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MinuteRange {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Range {
    fn contains(self, value: i64) -> bool {
        (self.begin..=self.end).contains(&value)
    }

    /// The days of a month of so many days; a day below zero counts from its end.
    fn contains_day(self, day: i64, days: i64) -> bool {
        let resolve = |bound: i64| if bound < 0 { days + bound + 1 } else { bound };
        let (begin, end) = (resolve(self.begin), resolve(self.end));
        begin <= days && day >= begin && day <= end.min(days)
    }
}

impl TimeInterval {
    /// Whether a time, in milliseconds since the Unix epoch, belongs to the set.
    pub fn contains(&self, at_ms: i64) -> bool {
        let zone = self.location.clone().unwrap_or(TimeZone::UTC);
        let at = zone.to_datetime(Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH));
        let any = |ranges: &Option<Vec<Range>>, value: i64| {
            ranges.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(value)))
        };
        let minute = i64::from(at.hour()) * 60 + i64::from(at.minute());
        let (day, days) = (i64::from(at.day()), i64::from(at.date().days_in_month()));
        self.times
            .as_ref()
            .is_none_or(|times| times.iter().any(|time| (time.start..time.end).contains(&minute)))
            && self
                .days_of_month
                .as_ref()
                .is_none_or(|ranges| ranges.iter().any(|range| range.contains_day(day, days)))
            && any(&self.months, i64::from(at.month()))
            && any(&self.weekdays, i64::from(at.date().weekday().to_sunday_zero_offset()))
            && any(&self.years, i64::from(at.year()))
    }
}
