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
/// If `text` is no duration. One of the wrong form is [`DurationError::Invalid`], however large its numbers are.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let parts = parts(text).ok_or_else(|| DurationError::Invalid { text: text.to_owned() })?;
    parts.into_iter().try_fold(0_i64, |total_ms, (number, unit_ms)| {
        let number: i64 = number.parse().map_err(|_| DurationError::OutOfRange)?;
        number
            .checked_mul(unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| *ms <= DURATION_MS_MAX)
            .ok_or(DurationError::OutOfRange)
    })
}

/// The numbers and their units, if they have the right form.
fn parts(text: &str) -> Option<Vec<(&str, i64)>> {
    let (mut rest, mut units, mut parts) = (text, UNITS.iter(), Vec::new());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit)?;
        if number.is_empty() {
            return None;
        }
        parts.push((number, *unit_ms));
        rest = &rest[digits + letters..];
    }
    Some(parts)
}

/// A duration as Prometheus prints it: `1h30m`, `0s`; weeks, days and years only if nothing smaller remains.
pub fn format(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = if ms < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ms.unsigned_abs();
    for (unit, ms) in UNITS {
        let size = ms.unsigned_abs();
        let whole_only = matches!(unit, "y" | "w" | "d");
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
    fn what_has_no_shape_is_not_out_of_range() {
        let check = |text: &str, expect: &str| {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(expect.to_owned()), "{text}");
        };
        check("99999999999999999999s", "duration out of range");
        check("300y", "duration out of range");
        check("99999999999999999999x", "not a valid duration string: \"99999999999999999999x\"");
        check("300y1x", "not a valid duration string: \"300y1x\"");
        check("", "empty duration string");
    }

    #[test]
    fn prints() {
        let check = |ms: i64, expect: &str| assert_eq!(format(ms), expect);
        check(0, "0s");
        check(300_000, "5m");
        check(5_400_000, "1h30m");
        check(86_400_000, "1d");
        check(90_000_000, "25h");
        check(7 * 86_400_000, "1w");
        check(8 * 86_400_000, "8d");
        check(365 * 86_400_000, "1y");
        check(-90_000, "-1m30s");
        check(1_500, "1s500ms");
    }
}
