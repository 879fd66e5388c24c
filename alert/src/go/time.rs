//! Points in time, printed by Go's layouts.

use std::fmt::Write;

use super::calendar::{Date, date_of};
use super::zone::Offset;

/// A point in time: Go's `time.Time`, without its time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    ns: i64,
}

const NS_PER_S: i64 = 1_000_000_000;

/// The seconds of the year 1, which is Go's zero time, before 1970.
const ZERO_S: i64 = -62_135_596_800;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// What a layout may name, longest first where one begins another.
const LAYOUT_WORDS: [&str; 34] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-07:00",
    "-070000",
    "-0700",
    "-07",
    "Z07:00:00",
    "Z07:00",
    "Z070000",
    "Z0700",
    "Z07",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "PM",
    "pm",
    "__2",
    "_2",
    "1",
    "2",
    "3",
    "4",
    "5",
    "_2006",
];

impl Instant {
    /// Go's zero time, the first of January of the year 1: it lies before all that 64 bits of nanoseconds reach, so the
    /// least of them stands for it.
    pub(crate) const ZERO: Self = Self { ns: i64::MIN };

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn from_ns(ns: i64) -> Self {
        Self { ns }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn from_ms(ms: i64) -> Self {
        Self { ns: ms.saturating_mul(1_000_000) }
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn ns(self) -> i64 {
        self.ns
    }

    /// Seconds since the Unix epoch.
    pub(super) fn seconds(self) -> i64 {
        if self == Self::ZERO { ZERO_S } else { self.ns.div_euclid(NS_PER_S) }
    }

    fn nanosecond(self) -> i64 {
        if self == Self::ZERO { 0 } else { self.ns.rem_euclid(NS_PER_S) }
    }

    /// Go's `Time.Format`, in UTC.
    pub(crate) fn format(self, layout: &str) -> String {
        self.format_in(layout, &Offset::UTC)
    }

    /// Go's `Time.Format`, somewhere.
    pub(crate) fn format_in(self, layout: &str, offset: &Offset) -> String {
        let local = Local::new(self, offset);
        let mut out = String::with_capacity(layout.len() + 8);
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            if let Some((fraction, length)) = fraction(&out, rest) {
                out.push_str(&local.fraction(&fraction));
                rest = &rest[length..];
            } else if let Some(word) = layout_word(rest) {
                local.push_word(&mut out, word);
                rest = &rest[word.len()..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    /// Go's `Time.String`, in UTC.
    pub(crate) fn to_go_string(self) -> String {
        self.to_go_string_in(&Offset::UTC)
    }

    /// Go's `Time.String`, somewhere.
    pub(crate) fn to_go_string_in(self, offset: &Offset) -> String {
        self.format_in("2006-01-02 15:04:05.999999999 -0700 MST", offset)
    }
}

/// What clocks and calendars show somewhere.
struct Local<'a> {
    date: Date,
    clock: (i64, i64, i64),
    nanosecond: i64,
    offset: &'a Offset,
}

impl<'a> Local<'a> {
    fn new(at: Instant, offset: &'a Offset) -> Self {
        let seconds = at.seconds() + i64::from(offset.seconds);
        let of_day = seconds.rem_euclid(86_400);
        Self {
            date: date_of(seconds.div_euclid(86_400)),
            clock: (of_day / 3_600, of_day / 60 % 60, of_day % 60),
            nanosecond: at.nanosecond(),
            offset,
        }
    }

    fn push_word(&self, out: &mut String, word: &str) {
        let date = &self.date;
        let (hour, minute, second) = self.clock;
        let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
        let month_name = MONTHS[usize::from(date.month) - 1];
        let weekday = WEEKDAYS[usize::from(date.weekday)];
        let (sign, away) =
            (if self.offset.seconds < 0 { '-' } else { '+' }, self.offset.seconds.unsigned_abs());
        let _ = match word {
            "January" => write!(out, "{month_name}"),
            "Jan" => write!(out, "{}", &month_name[..3]),
            "Monday" => write!(out, "{weekday}"),
            "Mon" => write!(out, "{}", &weekday[..3]),
            "MST" => write!(out, "{}", self.offset.name),
            "2006" => write!(out, "{:04}", date.year),
            "_2006" => write!(out, "_{:04}", date.year),
            "06" => write!(out, "{:02}", date.year.rem_euclid(100)),
            "Z07:00:00" | "Z07:00" | "Z070000" | "Z0700" | "Z07" if self.offset.seconds == 0 => {
                write!(out, "Z")
            }
            "Z07:00:00" | "-07:00:00" => {
                write!(out, "{sign}{:02}:{:02}:{:02}", away / 3_600, away / 60 % 60, away % 60)
            }
            "Z07:00" | "-07:00" => write!(out, "{sign}{:02}:{:02}", away / 3_600, away / 60 % 60),
            "Z070000" | "-070000" => {
                write!(out, "{sign}{:02}{:02}{:02}", away / 3_600, away / 60 % 60, away % 60)
            }
            "Z0700" | "-0700" => write!(out, "{sign}{:02}{:02}", away / 3_600, away / 60 % 60),
            "Z07" | "-07" => write!(out, "{sign}{:02}", away / 3_600),
            "002" => write!(out, "{:03}", date.day_of_year),
            "__2" => write!(out, "{:3}", date.day_of_year),
            "01" => write!(out, "{:02}", date.month),
            "1" => write!(out, "{}", date.month),
            "02" => write!(out, "{:02}", date.day),
            "_2" => write!(out, "{:2}", date.day),
            "2" => write!(out, "{}", date.day),
            "15" => write!(out, "{hour:02}"),
            "03" => write!(out, "{hour12:02}"),
            "3" => write!(out, "{hour12}"),
            "04" => write!(out, "{minute:02}"),
            "4" => write!(out, "{minute}"),
            "05" => write!(out, "{second:02}"),
            "5" => write!(out, "{second}"),
            "PM" => write!(out, "{}", if hour >= 12 { "PM" } else { "AM" }),
            _ => write!(out, "{}", if hour >= 12 { "pm" } else { "am" }),
        };
    }

    fn fraction(&self, fraction: &Fraction) -> String {
        let digits = format!("{:09}", self.nanosecond);
        let kept = &digits[..fraction.digits.min(9)];
        let kept = if fraction.trims { kept.trim_end_matches('0') } else { kept };
        if kept.is_empty() { String::new() } else { format!("{}{kept}", fraction.point) }
    }
}

/// Fractional seconds in a layout: `.000` keeps zeros, `.999` trims them.
struct Fraction {
    point: char,
    digits: usize,
    trims: bool,
}

fn fraction(before: &str, rest: &str) -> Option<(Fraction, usize)> {
    let point = rest.chars().next().filter(|c| *c == '.' || *c == ',')?;
    let digit = rest[1..].chars().next().filter(|c| *c == '0' || *c == '9')?;
    let digits = rest[1..].chars().take_while(|c| *c == digit).count();
    let followed = rest[1 + digits..].starts_with(|c: char| c.is_ascii_digit());
    if followed || before.is_empty() {
        return None;
    }
    Some((Fraction { point, digits, trims: digit == '9' }, 1 + digits))
}

fn layout_word(rest: &str) -> Option<&'static str> {
    let word = LAYOUT_WORDS.into_iter().find(|word| rest.starts_with(word))?;
    // "Jan" in "Janet" is no month.
    let lower_follows = rest[word.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    if matches!(word, "Jan" | "Mon") && lower_follows {
        return None;
    }
    // "_2006" is an underscore and a year, not a padded day.
    if word == "_2" && rest.starts_with("_2006") { Some("_2006") } else { Some(word) }
}

/// RFC 3339 in UTC with three digits of fraction, as the API of Alertmanager takes times.
pub(crate) fn rfc3339_millis(ms: i64) -> String {
    Instant::from_ms(ms).format("2006-01-02T15:04:05.000Z07:00")
}

/// RFC 3339 in UTC with the fraction that is needed, as Go prints times in JSON.
pub(crate) fn rfc3339_nano(ms: i64) -> String {
    Instant::from_ms(ms).format("2006-01-02T15:04:05.999999999Z07:00")
}

/// Go's `Duration.String`: `1h2m3.5s`, `150ms`, `0s`.
pub(crate) fn format_duration_ns(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let decimal = |unit: u64| {
        let text = format!("{}.{:0width$}", ns / unit, ns % unit, width = unit.ilog10() as usize);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{ns}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(1_000_000)),
        _ => {
            let seconds = ns / 1_000_000_000;
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let rest = ns % 60_000_000_000;
            let text = format!("{}.{:09}", rest / 1_000_000_000, rest % 1_000_000_000);
            let rest = text.trim_end_matches('0').trim_end_matches('.');
            match (hours, minutes) {
                (0, 0) => format!("{sign}{rest}s"),
                (0, _) => format!("{sign}{minutes}m{rest}s"),
                _ => format!("{sign}{hours}h{minutes}m{rest}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::Zone;

    #[test]
    fn layouts() {
        let at = Instant::from_ns(1_435_065_584_128_000_000);
        let check = |layout: &str, expect: &str| assert_eq!(at.format(layout), expect, "{layout}");
        check("2006-01-02 15:04:05.999999999 -0700 MST", "2015-06-23 13:19:44.128 +0000 UTC");
        check("Mon Jan _2 3:04PM 06", "Tue Jun 23 1:19PM 15");
        check("Monday, January 2", "Tuesday, June 23");
        check("15:04:05.000000Z07:00", "13:19:44.128000Z");
        check("002 at _2006", "174 at _2015");
        check("Janet", "Janet");
        let winter = Zone::named("America/St_Johns").expect("known").offset_at(Instant::from_ms(0));
        assert_eq!(
            Instant::from_ms(0).format_in("15:04 MST -0700 Z07:00:00", &winter),
            "20:30 NST -0330 -03:30:00"
        );
        assert_eq!(Instant::ZERO.to_go_string(), "0001-01-01 00:00:00 +0000 UTC");
        assert_eq!(rfc3339_millis(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_nano(1_500), "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn durations() {
        let check = |ns: i64, expect: &str| assert_eq!(format_duration_ns(ns), expect);
        check(0, "0s");
        check(1, "1ns");
        check(1_500, "1.5µs");
        check(150_000_000, "150ms");
        check(3_661_500_000_000, "1h1m1.5s");
        check(-60_000_000_000, "-1m0s");
        check(3_600_000_000_000, "1h0m0s");
    }
}
