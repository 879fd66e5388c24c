//! Times and durations in parameters.

use crate::calendar::{DAY_S, days_before};
use crate::syntax::parse_duration_ms;

/// Times outside of this are refused: far beyond what any clock shows, and safe to compute with.
pub(super) const TIME_MS_MAX: i64 = i64::MAX / 1_000_000;

/// A time in milliseconds: seconds with decimals, or RFC 3339.
///
/// # Errors
/// What is neither, in Prometheus' words.
pub fn parse_time_ms(text: &str) -> Result<i64, String> {
    let invalid = || format!("cannot parse {text:?} to a valid timestamp");
    match text {
        // what clients send that mean "always"
        "-292273086-05-16T16:47:06Z" => return Ok(-TIME_MS_MAX),
        "292277025-08-18T07:12:54.999999999Z" => return Ok(TIME_MS_MAX),
        _ => {}
    }
    if let Ok(seconds) = text.parse::<f64>() {
        if !seconds.is_finite() {
            return Err(invalid());
        }
        #[expect(clippy::cast_possible_truncation, reason = "saturates, and is limited")]
        return Ok(((seconds * 1_000.0).round() as i64).clamp(-TIME_MS_MAX, TIME_MS_MAX));
    }
    rfc3339_ms(text).ok_or_else(invalid)
}

/// A duration in milliseconds: seconds with decimals, or `5m`.
pub(super) fn parse_step_ms(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1_000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked")]
        return match ms.abs() <= TIME_MS_MAX as f64 {
            true => Ok(ms as i64),
            false => Err(format!("cannot parse {text:?} to a valid duration. It overflows int64")),
        };
    }
    parse_duration_ms(text).map_err(|_| format!("cannot parse {text:?} to a valid duration"))
}

/// `2006-01-02T15:04:05.999Z` or with an offset like `+07:00`.
fn rfc3339_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = &text[from..to];
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let next_month = if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
    let first_day = days_before(year, month);
    let valid = (1..=12).contains(&month) && (1..=next_month - first_day).contains(&day);
    if !valid || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_ms, zone) = fraction(&text[19..])?;
    let seconds = (first_day + day - 1) * DAY_S + hour * 3_600 + minute * 60 + second - zone_s(zone)?;
    Some(seconds * 1_000 + fraction_ms)
}

/// Milliseconds of `.999…`, and what follows.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
    let digits = &rest[..end];
    let padded = format!("{digits:0<3}");
    (!digits.is_empty()).then(|| padded[..3].parse().ok().map(|ms| (ms, &rest[end..])))?
}

/// Seconds east of UTC.
fn zone_s(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(parse_time_ms(text).ok(), expect, "{text}");
        check("1435781430.781", Some(1_435_781_430_781));
        check("1435781430", Some(1_435_781_430_000));
        check("-1.5", Some(-1_500));
        check("2015-07-01T20:10:51.781Z", Some(1_435_781_451_781));
        check("2015-07-01T20:10:51Z", Some(1_435_781_451_000));
        check("2015-07-01T22:10:51.7819+02:00", Some(1_435_781_451_781));
        check("2015-07-01T15:40:51-04:30", Some(1_435_781_451_000));
        check("2015-02-29T00:00:00Z", None);
        check("2015-13-01T00:00:00Z", None);
        check("2015-07-01 20:10:51Z", None);
        check("abc", None);
        check("", None);
        check("NaN", None);
        check("-292273086-05-16T16:47:06Z", Some(-TIME_MS_MAX));
        check("1e300", Some(TIME_MS_MAX));
    }

    #[test]
    fn steps() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(parse_step_ms(text).ok(), expect, "{text}");
        check("15", Some(15_000));
        check("0.5", Some(500));
        check("5m", Some(300_000));
        check("-1", Some(-1_000));
        check("5x", None);
        check("1e30", None);
    }
}
