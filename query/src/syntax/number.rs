//! Numbers, as Go reads them.

/// The value of a number literal: decimal, hexadecimal or (with a leading 0) octal digits, `_` between digits, `Inf`
/// and `NaN` in any case. `None` if it has no value or lies outside of the range of a float.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let digits = text.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Some(f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if let Some(hex) = lower.strip_prefix("0x") {
        return whole(hex, 16);
    }
    if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return whole(&lower[1..], 8);
    }
    let value: f64 = lower.parse().ok()?;
    value.is_finite().then_some(value)
}

fn whole(digits: &str, radix: u32) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a literal is a float")]
    i64::from_str_radix(digits, radix).ok().map(|value| value as f64)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers() {
        let check = |text: &str, expect: Option<f64>| assert_eq!(parse(text), expect, "{text}");
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
        assert!(parse("nAn").is_some_and(f64::is_nan));
    }
}
