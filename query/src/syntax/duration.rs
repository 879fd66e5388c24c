//! Durations like `1h30m`.

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// There is nothing.
    #[error("empty duration string")]
    Empty,
    /// Not whole numbers with units, from the longest unit to the shortest.
    #[error("not a valid duration string: {text:?}")]
    Invalid {
        /// What stands there.
        text: String,
    },
    /// Longer than 292 years, Go's longest duration.
    #[error("duration out of range")]
    OutOfRange,
}

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The most milliseconds that Go's nanosecond durations can hold.
const MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Milliseconds of a duration: whole numbers with the units y, w, d, h, m, s and ms, each at most once, the longest
/// first; or `0`.
///
/// # Errors
/// If it is none.
pub fn parse_duration_ms(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits_end = rest.bytes().position(|byte| !byte.is_ascii_digit()).ok_or_else(invalid)?;
        let (digits, tail) = rest.split_at(digits_end);
        let unit_end = tail.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, ms) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        if digits.is_empty() {
            return Err(invalid());
        }
        let count: u64 = digits.parse().map_err(|_| DurationError::OutOfRange)?;
        total = count
            .checked_mul(*ms)
            .and_then(|part| total.checked_add(part))
            .filter(|&total| total <= MAX_MS)
            .ok_or(DurationError::OutOfRange)?;
        rest = tail;
    }
    Ok(total.cast_signed())
}

/// A duration as Prometheus prints it: `1h30m`, `0s`; weeks, days and years only if nothing smaller remains.
pub fn format_duration_ms(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = if ms < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ms.unsigned_abs();
    for (unit, size) in UNITS {
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
        let check =
            |text: &str, expect: Option<i64>| assert_eq!(parse_duration_ms(text).ok(), expect, "{text}");
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
    }

    #[test]
    fn prints() {
        let check = |ms: i64, expect: &str| assert_eq!(format_duration_ms(ms), expect);
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
