//! Durations as Prometheus writes them: `1h30m`, `500ms`, `0`.

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing at all.
    #[error("empty duration string")]
    Empty,
    /// Not of the form `1y2w3d4h5m6s7ms`.
    #[error("not a valid duration string")]
    Invalid,
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

/// Milliseconds of a duration such as `1h30m`; never negative.
///
/// # Errors
/// If `text` is no duration.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    match text {
        "" => return Err(DurationError::Empty),
        "0" => return Ok(0),
        _ => {}
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or(DurationError::Invalid)?;
        if number.is_empty() {
            return Err(DurationError::Invalid);
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
