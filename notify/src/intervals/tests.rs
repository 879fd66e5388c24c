use jiff::ToSpan as _;
use jiff::civil::{DateTime, Weekday};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> i64 {
    stamp(text.parse().expect("a time"))
}

fn stamp(civil: DateTime) -> i64 {
    TimeZone::UTC.to_timestamp(civil).expect("is there").as_millisecond()
}

fn contains(interval: &TimeInterval, time: &str) -> bool {
    interval.contains(at(time))
}

#[test]
fn all_fields_must_hold() {
    let working = TimeInterval {
        times: Some(vec![time_range("09:00", "17:00").expect("reads")]),
        weekdays: Some(vec![weekdays("Monday:friday").expect("reads")]),
        ..TimeInterval::default()
    };
    assert!(contains(&working, "2026-11-27T09:00:00"));
    assert!(contains(&working, "2026-11-27T16:59:59"));
    assert!(!contains(&working, "2026-11-27T17:00:00"));
    assert!(!contains(&working, "2026-11-28T12:00:00"));
    let nothing = TimeInterval { months: Some(Vec::new()), ..TimeInterval::default() };
    assert!(!contains(&nothing, "2026-11-27T09:00:00"));
    assert!(contains(&TimeInterval::default(), "2026-11-27T09:00:00"));
    let evening = TimeInterval {
        times: Some(vec![time_range("22:00", "24:00").expect("reads")]),
        ..TimeInterval::default()
    };
    assert!(contains(&evening, "2026-11-27T23:59:59"));
}

#[test]
fn days_count_from_either_end() {
    let days = |text: &str| TimeInterval {
        days_of_month: Some(vec![days_of_month(text).expect("reads")]),
        ..TimeInterval::default()
    };
    assert!(contains(&days("-1"), "2024-02-29T00:00:00"));
    assert!(!contains(&days("-1"), "2024-02-28T00:00:00"));
    assert!(contains(&days("-1"), "2026-02-28T00:00:00"));
    assert!(contains(&days("28:31"), "2026-02-28T00:00:00"));
    // a month without a 30th has none of these days
    assert!(!contains(&days("30:31"), "2026-02-28T00:00:00"));
    assert!(contains(&days("-31:-1"), "2026-02-01T00:00:00"));
    assert!(contains(&days("1:-15"), "2026-02-14T00:00:00"));
    assert!(!contains(&days("1:-15"), "2026-02-15T00:00:00"));
}

#[test]
fn a_location_moves_the_clock() {
    let noon = |zone: &str| TimeInterval {
        times: Some(vec![time_range("12:00", "12:01").expect("reads")]),
        location: Some(location(zone).expect("is known")),
        ..TimeInterval::default()
    };
    assert!(contains(&noon("Europe/Paris"), "2026-07-01T10:00:00"));
    assert!(contains(&noon("Europe/Paris"), "2026-12-01T11:00:00"));
    assert!(contains(&noon("Australia/Sydney"), "2026-12-01T01:00:00"));
    let here = jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC);
    assert_eq!(location("Local").expect("is known"), here);
}

proptest! {
    /// Day by day over two years, against the calendar itself.
    #[test]
    fn days_are_those_of_the_calendar(first in -31..=31_i64, second in -31..=31_i64, day in 0..731_i32) {
        let Ok(range) = days_of_month(&format!("{first}:{second}")) else { return Ok(()) };
        let date = jiff::civil::date(2027, 1, 1).checked_add(day.days()).expect("in range");
        // every day of this month that the range names, from its first to its last
        let from_end = |day: i64| if day < 0 { i64::from(date.days_in_month()) + 1 + day } else { day };
        let named: Vec<i64> = (from_end(range.begin)..=from_end(range.end)).collect();
        let interval = TimeInterval { days_of_month: Some(vec![range]), ..TimeInterval::default() };
        let midnight = stamp(date.at(0, 0, 0, 0));
        prop_assert_eq!(interval.contains(midnight), named.contains(&i64::from(date.day())));
    }

    #[test]
    fn weekdays_months_and_years_are_those_of_the_calendar(day in 0..3000_i32, hour in 0..24_i64) {
        let date = jiff::civil::date(2020, 1, 1).checked_add(day.days()).expect("in range");
        let at = stamp(date.at(0, 0, 0, 0)) + hour * 3_600_000;
        let weekend = |text: &str| TimeInterval {
            weekdays: Some(vec![weekdays(text).expect("reads")]), ..TimeInterval::default()
        };
        prop_assert_eq!(weekend("saturday").contains(at), date.weekday() == Weekday::Saturday);
        prop_assert_eq!(weekend("sunday").contains(at), date.weekday() == Weekday::Sunday);
        let summer = TimeInterval {
            months: Some(vec![months("june:AUGUST").expect("reads")]),
            years: Some(vec![years("2022:2024").expect("reads")]),
            ..TimeInterval::default()
        };
        let expect = (6..=8).contains(&date.month()) && (2022..=2024).contains(&date.year());
        prop_assert_eq!(summer.contains(at), expect);
    }
}
