//! Durations as Prometheus writes them: `1h30m`, `500ms`, `0`.

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing at all.
    #[error("empty duration string")]
    Empty,
    /// Not of the form `1y2w3d4h5m6s7ms`.
    #[error("not a valid duration string: {text:?}")]
    Invalid {
        /// What stands there.
        text: String,
    },
    /// A unit that is none, or that is none of durations.
    #[error("unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// What stands there.
        text: String,
    },
    /// More than fits in 64 bits of nanoseconds.
    #[error("duration out of range")]
    OutOfRange,
}

/// Units in the order in which they must stand, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration: what fits in nanoseconds, as in Go.
const DURATION_MS_MAX: i64 = i64::MAX / 1_000_000;

/// Milliseconds of a duration: whole numbers with the units y, w, d, h, m, s and ms, each at most once, the longest first; or
/// `0`. Never negative.
///
/// # Errors
/// If `text` is no duration: the first mistake, read from the left.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let (mut rest, mut smaller, mut total_ms) = (text, UNITS.as_slice(), 0_i64);
    while !rest.is_empty() {
        let (digits, behind) = split(rest, |byte| byte.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| invalid())?;
        let (unit, behind) = split(behind, |byte| !byte.is_ascii_digit());
        if unit.is_empty() {
            return Err(invalid());
        }
        if UNITS.iter().all(|(name, _)| *name != unit) {
            return Err(DurationError::UnknownUnit { unit: unit.to_owned(), text: text.to_owned() });
        }
        let place = smaller.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let (_, unit_ms) = smaller[place];
        smaller = &smaller[place + 1..];
        total_ms = i64::try_from(number)
            .ok()
            .and_then(|number| number.checked_mul(unit_ms)?.checked_add(total_ms))
            .filter(|ms| *ms <= DURATION_MS_MAX)
            .ok_or(DurationError::OutOfRange)?;
        rest = behind;
    }
    Ok(total_ms)
}

/// Cuts a text behind its first bytes that are wanted. All ASCII digits or none of them: so it is cut between characters.
fn split(text: &str, wanted: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|byte| wanted(*byte)).count())
}

/// A duration as Prometheus prints it: `1h30m`, `0s`; weeks and years only if nothing smaller remains.
pub fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = if ms < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ms.unsigned_abs();
    for (unit, ms) in UNITS {
        let size = ms.unsigned_abs();
        let whole_only = matches!(unit, "y" | "w");
        if (whole_only && !rest.is_multiple_of(size)) || rest < size {
            continue;
        }
        out.push_str(&format!("{}{unit}", rest / size));
        rest %= size;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(parse(text).ok(), expect, "{text}");
        check("0", Some(0));
        check("5m", Some(300_000));
        check("1h30m", Some(5_400_000));
        check("1y2w3d4h5m6s7ms", Some(33_019_506_007));
        check("1ms", Some(1));
        check("100y", Some(3_153_600_000_000));
        check("292y", Some(9_208_512_000_000));
        check("300y", None);
        check("", None);
        check("5", None);
        check("m", None);
        check("1m1h", None);
        check("1h1h", None);
        check("1.5h", None);
        check("1x", None);
        check("1é", None);
    }

    #[test]
    fn the_first_mistake_counts() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expect.to_owned()), "{text}");
        };
        check("99999999999999999999s", "not a valid duration string: \"99999999999999999999s\"");
        check("300y", "duration out of range");
        check("300y1x", "duration out of range");
        check("1x300y", "unknown unit \"x\" in duration \"1x300y\"");
        check("1.5h", "unknown unit \".\" in duration \"1.5h\"");
        check("5m5hs", "unknown unit \"hs\" in duration \"5m5hs\"");
        check("1é", "unknown unit \"é\" in duration \"1é\"");
        check("1m1h", "not a valid duration string: \"1m1h\"");
        check("5m5", "not a valid duration string: \"5m5\"");
        check(".5m", "not a valid duration string: \".5m\"");
        check("", "empty duration string");
    }

    #[test]
    fn prints() {
        let check = |ms: i64, expect: &str| assert_eq!(format(ms), expect);
        check(0, "0s");
        check(300_000, "5m");
        check(5_400_000, "1h30m");
        check(86_400_000, "1d");
        check(90_000_000, "1d1h");
        check(7 * 86_400_000, "1w");
        check(8 * 86_400_000, "8d");
        check(365 * 86_400_000, "1y");
        check(-90_000, "-1m30s");
        check(1_500, "1s500ms");
    }
}
