//! Numbers as the text format allows them.

/// A float in Go's syntax without hexadecimal and underscores: unlike Rust's, its NaN has no sign and too large a number
/// is an error.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let allowed = if value.is_nan() { unsigned.len() == text.len() } else { value.is_finite() || !is_number };
    allowed.then_some(value)
}

/// A whole number.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        let check = |text: &str, expect: Option<f64>| {
            assert_eq!(float(text.as_bytes()).map(f64::to_bits), expect.map(f64::to_bits), "{text}");
        };
        check("1", Some(1.0));
        check("+5", Some(5.0));
        check(".5", Some(0.5));
        check("5.", Some(5.0));
        check("-0", Some(-0.0));
        check("1E5", Some(1e5));
        check("1e-400", Some(0.0));
        check("NaN", Some(f64::NAN));
        check("nan", Some(f64::NAN));
        check("-iNf", Some(f64::NEG_INFINITY));
        check("+Infinity", Some(f64::INFINITY));
        for refused in [
            "", ".", "-nan", "+nan", "infi", "1e400", "-1e400", "0x10", "0x1p3", "1_0", "1e", "e5", "1 ",
            "+-1",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn integers() {
        let check = |text: &str, expect| assert_eq!(integer(text.as_bytes()), expect, "{text}");
        check("-5", Some(-5));
        check("+5", Some(5));
        check("1.5", None);
        check("99999999999999999999", None);
        check("", None);
    }
}
