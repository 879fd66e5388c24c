//! Numbers, as Go reads them.

/// A text that is no number, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("invalid syntax")]
    Syntax,
    #[error("value out of range")]
    Range,
}

/// The value of a number literal: decimal, hexadecimal or (with a leading 0) octal digits, `_` between digits, `Inf`
/// and `NaN` in any case.
///
/// # Errors
/// If it has no value, or one outside of the range of a float.
pub(crate) fn parse(text: &str) -> Result<f64, NumberError> {
    if text.ends_with('_') {
        return Err(NumberError::Syntax);
    }
    let digits = text.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        return whole(hex, 16);
    }
    if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        // what is too large for a whole number is a decimal number
        return whole(&lower[1..], 8).or_else(|_| decimal(&lower));
    }
    decimal(&lower)
}

fn decimal(digits: &str) -> Result<f64, NumberError> {
    let value: f64 = digits.parse().map_err(|_| NumberError::Syntax)?;
    if value.is_finite() { Ok(value) } else { Err(NumberError::Range) }
}

fn whole(digits: &str, radix: u32) -> Result<f64, NumberError> {
    #[expect(clippy::cast_precision_loss, reason = "a literal is a float")]
    i64::from_str_radix(digits, radix).map(|value| value as f64).map_err(|_| NumberError::Syntax)
}

#[cfg(test)]
mod tests {
    use super::{NumberError, parse};

    #[test]
    fn numbers() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(parse(text).ok(), expect, "{text}");
        check("1", Some(1.0));
        check("5.", Some(5.0));
        check(".5", Some(0.5));
        check("1_000_000", Some(1e6));
        check(".123_456", Some(0.123456));
        check("4.67e-3", Some(0.00467));
        check("0x8f", Some(143.0));
        check("0x_53_AB", Some(f64::from(0x53AB)));
        check("0755", Some(493.0));
        check("08", Some(8.0));
        check("0", Some(0.0));
        check("Inf", Some(f64::INFINITY));
        check("1e400", None);
        check("0x", None);
        assert!(parse("nAn").is_ok_and(f64::is_nan));
        for text in ["0x", "0x_", "5_", ".5.", "2e-", "0x1ffffffffffffffffffff"] {
            assert_eq!(parse(text), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse("1e400"), Err(NumberError::Range));
    }
}
