//! How often something is expected: `every 24h, grace 1h`.

use crate::duration::{self, DurationError};

/// How often a job pushes, and how late it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    /// As it was written, without spaces around it.
    pub(super) text: String,
    /// How long after a push the next is late.
    pub(super) within_ms: i64,
}

/// A text that is no expectation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpectationError {
    #[error("{}: {reason}; expected \"every DURATION\" or \"every DURATION, grace DURATION\"", model::quote::quoted(.text))]
    Form { text: String, reason: &'static str },
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error("every must be longer than 0")]
    Zero,
}

impl Expectation {
    /// Reads `every DURATION`, with `grace DURATION` behind a comma if there is one.
    pub(super) fn parse(text: &str) -> Result<Self, ExpectationError> {
        let form = |reason| ExpectationError::Form { text: text.to_owned(), reason };
        let (mut every_ms, mut grace_ms) = (None, None);
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            let (Some(word), Some(length), None) = (words.next(), words.next(), words.next()) else {
                return Err(form("a word and a duration stand between commas"));
            };
            let place = match word {
                "every" => &mut every_ms,
                "grace" => &mut grace_ms,
                _ => return Err(form("there are every and grace")),
            };
            if place.replace(duration::parse(length)?).is_some() {
                return Err(form("a word may be there once"));
            }
        }
        let every_ms = every_ms.ok_or_else(|| form("every is missing"))?;
        if every_ms == 0 {
            return Err(ExpectationError::Zero);
        }
        let within_ms = every_ms.checked_add(grace_ms.unwrap_or(0)).ok_or(DurationError::OutOfRange)?;
        Ok(Self { text: text.trim().to_owned(), within_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let parsed = Expectation::parse(text).map(|expectation| expectation.within_ms);
            assert_eq!(parsed.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "{text}");
        };
        check("every 24h, grace 1h", Ok(25 * 3_600_000));
        check("  grace 500ms ,every  1m30s ", Ok(90_500));
        check("every 15m", Ok(900_000));
        let form = r#"; expected "every DURATION" or "every DURATION, grace DURATION""#;
        let bad = |text: &str, reason: &str| check(text, Err(&format!("{text:?}: {reason}{form}")));
        bad("", "a word and a duration stand between commas");
        bad("24h", "a word and a duration stand between commas");
        bad("every 24h grace 1h", "a word and a duration stand between commas");
        bad("every 24h,", "a word and a duration stand between commas");
        bad("each 24h", "there are every and grace");
        bad("grace 1h", "every is missing");
        bad("every 1h, every 2h", "a word may be there once");
        check("every 0s", Err("every must be longer than 0"));
        check("every day", Err(r#"not a valid duration string: "day""#));
        check("every 292y, grace 292y", Ok(584 * 365 * 24 * 3_600_000));
        check("every 300y", Err("duration out of range"));
    }
}
