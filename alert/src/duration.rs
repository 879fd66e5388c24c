//! Durations as Prometheus writes them: `1h30m`, `500ms`, `0`.

use crate::go;

/// A text that is no duration; the message is that of Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing at all.
    #[error("empty duration string")]
    Empty,
    /// Not of the form `1y2w3d4h5m6s7ms`.
    #[error("not a valid duration string: {}", go::quote(.text))]
    Invalid {
        /// What the user wrote.
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

/// Milliseconds of a duration such as `1h30m`.
///
/// # Errors
/// If `text` is no duration.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let invalid = || DurationError::Invalid { text: text.to_owned() };
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        if number.is_empty() {
            return Err(invalid());
        }
        let number: i64 = number.parse().map_err(|_| DurationError::OutOfRange)?;
        total_ms = number
            .checked_mul(*unit_ms)
            .and_then(|ms| total_ms.checked_add(ms))
            .filter(|ms| *ms <= DURATION_MS_MAX)
            .ok_or(DurationError::OutOfRange)?;
        rest = &rest[digits + letters..];
    }
    Ok(total_ms)
}

/// Like [`parse`], with an optional minus sign.
///
/// # Errors
/// If `text` is no duration.
pub(crate) fn parse_signed(text: &str) -> Result<i64, DurationError> {
    match text.strip_prefix('-') {
        Some(rest) => parse(rest).map(|ms| -ms),
        None => parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expect: Result<i64, &str>| {
            assert_eq!(
                parse(text).map_err(|error| error.to_string()),
                expect.map_err(str::to_owned),
                "{text}"
            );
        };
        check("0", Ok(0));
        check("0s", Ok(0));
        check("324ms", Ok(324));
        check("1h30m", Ok(5_400_000));
        check("1y2w3d4h5m6s7ms", Ok(33_019_506_007));
        check("", Err("empty duration string"));
        check("1", Err(r#"not a valid duration string: "1""#));
        check("1m1h", Err(r#"not a valid duration string: "1m1h""#));
        check("-1m", Err(r#"not a valid duration string: "-1m""#));
        check("1.5h", Err(r#"not a valid duration string: "1.5h""#));
        check("5 m", Err(r#"not a valid duration string: "5 m""#));
        check("294y", Err("duration out of range"));
        check("99999999999999999999s", Err("duration out of range"));
        assert_eq!(parse_signed("-1m"), Ok(-60_000));
    }
}
