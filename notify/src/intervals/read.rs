//! Ranges as texts: `monday:friday`, `-3:-1`, `2026:2028`, and `09:00` to `17:30`.

use jiff::tz::TimeZone;
use model::quote::quoted;

use super::{MinuteRange, Range};

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A text that is no range, in Alertmanager's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RangeError(String);

fn wrong<T>(text: impl Into<String>) -> Result<T, RangeError> {
    Err(RangeError(text.into()))
}

fn range(text: &str, member: impl Fn(&str) -> Result<i64, RangeError>) -> Result<Range, RangeError> {
    let text = text.to_lowercase();
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [one] => member(one).map(|value| Range { begin: value, end: value }),
        [begin, end] => Ok(Range { begin: member(begin)?, end: member(end)? }),
        _ => wrong(format!("couldn't parse range {text}, invalid format")),
    }
}

fn number(text: &str) -> Result<i64, RangeError> {
    text.parse().or_else(|_| wrong(format!("strconv.Atoi: parsing {}: invalid syntax", quoted(text))))
}

/// From 0 for Sunday.
pub(crate) fn weekdays(text: &str) -> Result<Range, RangeError> {
    let member = |text: &str| match WEEKDAYS.iter().position(|name| *name == text) {
        Some(at) => Ok(at as i64),
        None => wrong(format!("{text} is not a valid weekday")),
    };
    let range = range(text, member)?;
    if range.begin > range.end {
        return wrong("start day cannot be before end day");
    }
    Ok(range)
}

/// From 1, or from -1 for the last day.
pub(crate) fn days_of_month(text: &str) -> Result<Range, RangeError> {
    let Range { begin, end } = range(text, number)?;
    for day in [begin, end] {
        if day == 0 || !(-31..=31).contains(&day) {
            return wrong(format!("{day} is not a valid day of the month: out of range"));
        }
    }
    if begin < 0 && end > 0 {
        return wrong("end day must be negative if start day is negative");
    }
    // the shortest month has 28 days
    let earliest = |day: i64| if day < 0 { 28 + day } else { day };
    if earliest(begin) > earliest(end) {
        return wrong(format!("end day {end} is always before start day {begin}"));
    }
    Ok(Range { begin, end })
}

/// From 1 for January.
pub(crate) fn months(text: &str) -> Result<Range, RangeError> {
    let member = |text: &str| match MONTHS.iter().position(|name| *name == text) {
        Some(at) => Ok(at as i64 + 1),
        None => text.parse().or_else(|_| wrong(format!("{text} is not a valid month"))),
    };
    let range = range(text, member)?;
    if range.begin > range.end {
        let name = |month: i64| {
            usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or_default()
        };
        return wrong(format!("end month {} is before start month {}", name(range.end), name(range.begin)));
    }
    Ok(range)
}

pub(crate) fn years(text: &str) -> Result<Range, RangeError> {
    let range = range(text, number)?;
    if range.begin > range.end {
        return wrong(format!("end year {} is before start year {}", range.end, range.begin));
    }
    Ok(range)
}

pub(crate) fn time_range(start: &str, end: &str) -> Result<MinuteRange, RangeError> {
    if start.is_empty() || end.is_empty() {
        return wrong("both start and end times must be provided");
    }
    let (start, end) = (minute(start)?, minute(end)?);
    if start >= end {
        return wrong("start time cannot be equal or greater than end time");
    }
    Ok(MinuteRange { start, end })
}

/// Minutes since midnight of `HH:MM`, up to `24:00`.
fn minute(text: &str) -> Result<i64, RangeError> {
    let parsed = || {
        let (hour, minute) = text.split_once(':')?;
        let two = |digits: &str| {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| digits.parse::<i64>().ok())?
        };
        let minutes = two(hour)? * 60 + two(minute)?;
        (two(minute)? < 60 && minutes <= 24 * 60).then_some(minutes)
    };
    parsed().map_or_else(|| wrong(format!("couldn't parse timestamp {text}, invalid format")), Ok)
}

/// A time zone of the IANA data base; `Local` is the machine's, which is looked for then alone.
pub(crate) fn location(name: &str) -> Result<TimeZone, RangeError> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        // as in Go, one that says nothing is UTC
        "Local" => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
        name => TimeZone::get(name).or_else(|_| wrong(format!("unknown time zone {name}"))),
    }
}
