//! Durations, with the error texts of Prometheus.

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
    /// A unit that is none, or that is none of durations.
    #[error("unknown unit {} in duration {}", go::quote(.unit), go::quote(.text))]
    UnknownUnit {
        /// What stands where a unit should.
        unit: String,
        /// What the user wrote.
        text: String,
    },
    /// More than fits in 64 bits of nanoseconds.
    #[error("duration out of range")]
    OutOfRange,
}

/// Milliseconds of a duration such as `1h30m`.
///
/// # Errors
/// If `text` is no duration.
pub fn parse(text: &str) -> Result<i64, DurationError> {
    model::duration::parse(text).map_err(|error| match error {
        model::duration::DurationError::Empty => DurationError::Empty,
        model::duration::DurationError::Invalid { text } => DurationError::Invalid { text },
        model::duration::DurationError::UnknownUnit { unit, text } => {
            DurationError::UnknownUnit { unit, text }
        }
        model::duration::DurationError::OutOfRange => DurationError::OutOfRange,
    })
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
        check("1.5h", Err(r#"unknown unit "." in duration "1.5h""#));
        check("5 m", Err(r#"unknown unit " m" in duration "5 m""#));
        check("294y", Err("duration out of range"));
        check("99999999999999999999s", Err(r#"not a valid duration string: "99999999999999999999s""#));
        assert_eq!(parse_signed("-1m"), Ok(-60_000));
    }
}
