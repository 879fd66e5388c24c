//! Floats as Go prints them, which is how every text around Prometheus shows them.

/// Go's `strconv.FormatFloat(v, 'g', -1, 64)`, and `%v`: the fewest digits that read back as the same number, with an
/// exponent if that is below -4 or at least 6. Bucket bounds and the text exposition use it.
pub fn shortest(value: f64) -> String {
    with_exponent_outside(value, -4, 6)
}

fn with_exponent_outside(value: f64, low: i32, high: i32) -> String {
    if let Some(special) = special(value) {
        return special.to_owned();
    }
    let (digits, exponent) = decompose(value);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if exponent < low || exponent >= high {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    format!("{sign}{}", plain(&digits, exponent))
}

/// As OpenMetrics prints a bound: like [`shortest`], and `.0` behind a whole number. Prometheus 3 brings the values of `le`
/// and `quantile` into this form when it scrapes, whatever the exposition says.
pub fn bound(value: f64) -> String {
    let mut text = shortest(value);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// As Prometheus' HTTP API prints sample values: plain digits, with an exponent below 1e-6 and from 1e21 on.
pub fn api(value: f64) -> String {
    with_exponent_outside(value, -6, 21)
}

/// Writes what [`api`] gives: most of an answer's bytes are numbers.
pub fn write_api(out: &mut String, value: f64) {
    if value.is_finite() {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        // neither very large nor very small: as it is, but a whole number has no point
        if !text.contains('e') {
            out.push_str(text.strip_suffix(".0").unwrap_or(text));
            return;
        }
    }
    out.push_str(&api(value));
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("+Inf")
    } else if value == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// The shortest digits of |value| and the exponent of the first: 0.00123 is ("123", -3).
fn decompose(value: f64) -> (String, i32) {
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn plain(digits: &str, exponent: i32) -> String {
    let point = exponent + 1;
    let Ok(point) = usize::try_from(point) else {
        return format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    };
    if point == 0 {
        format!("0.{digits}")
    } else if point >= digits.len() {
        format!("{digits}{}", "0".repeat(point - digits.len()))
    } else {
        format!("{}.{}", &digits[..point], &digits[point..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let check = |value: f64, expect: &str| assert_eq!(bound(value), expect);
        check(1.0, "1.0");
        check(0.0, "0.0");
        check(-1.0, "-1.0");
        check(0.25, "0.25");
        check(1000.0, "1000.0");
        check(1e6, "1e+06");
        check(f64::INFINITY, "+Inf");
        check(f64::NAN, "NaN");
    }

    #[test]
    fn what_is_written_is_what_is_given() {
        use proptest::prelude::*;
        let check = |value: f64| {
            let mut written = String::new();
            write_api(&mut written, value);
            assert_eq!(written, api(value));
        };
        proptest!(|(bits in any::<u64>(), whole in any::<i32>(), part in 0.0..1.0)| {
            check(f64::from_bits(bits));
            check(f64::from(whole));
            check(f64::from(whole) * part);
        });
        for exponent in -30..30 {
            for digits in [1.0, -1.0, 1.5, 9.999_999_999_999_999] {
                check(digits * 10_f64.powi(exponent));
            }
        }
        for value in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::MAX] {
            check(value);
        }
    }

    #[test]
    fn like_go() {
        let check =
            |value: f64, go: &str, in_api: &str| assert_eq!((&*shortest(value), &*api(value)), (go, in_api));
        check(0.0, "0", "0");
        check(-0.0, "-0", "-0");
        check(1.0, "1", "1");
        check(0.5, "0.5", "0.5");
        check(-123.25, "-123.25", "-123.25");
        check(1e6, "1e+06", "1000000");
        check(123456789.0, "1.23456789e+08", "123456789");
        check(0.0001, "0.0001", "0.0001");
        check(0.00001, "1e-05", "0.00001");
        check(1e-7, "1e-07", "1e-07");
        check(1e20, "1e+20", "100000000000000000000");
        check(1e21, "1e+21", "1e+21");
        check(f64::NAN, "NaN", "NaN");
        check(f64::INFINITY, "+Inf", "+Inf");
        check(f64::NEG_INFINITY, "-Inf", "-Inf");
        check(5e-324, "5e-324", "5e-324");
    }
}
