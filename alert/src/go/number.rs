//! Floats with a given precision: `%e`, `%f` and `%g`.

/// Go's `%.{digits}f`.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    special(value).unwrap_or_else(|| format!("{value:.digits$}"))
}

/// Go's `%e`, or with `None` the fewest digits that read back as the same number.
pub(crate) fn scientific(value: f64, digits: Option<usize>) -> String {
    if let Some(special) = special(value) {
        return special;
    }
    let text = match digits {
        Some(digits) => format!("{value:.digits$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Go's `%.{digits}g`: that many significant digits without trailing zeros.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if let Some(special) = special(value) {
        return special;
    }
    let digits = digits.max(1);
    let text = scientific(value, Some(digits - 1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let precision = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= precision {
        return format!("{}e{}", without_zeros(mantissa), &text[mantissa.len() + 1..]);
    }
    let decimals = usize::try_from(precision - 1 - exponent).unwrap_or(0);
    without_zeros(&fixed(value, decimals)).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn special(value: f64) -> Option<String> {
    if value.is_finite() {
        return None;
    }
    Some(model::float::shortest(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_go() {
        let check = |value: f64, g4: &str, e: &str| {
            assert_eq!((&*significant(value, 4), &*scientific(value, None)), (g4, e));
        };
        check(0.0, "0", "0e+00");
        check(1.0, "1", "1e+00");
        check(1234567.0, "1.235e+06", "1.234567e+06");
        check(0.12, "0.12", "1.2e-01");
        check(123.5, "123.5", "1.235e+02");
        check(9999.96, "1e+04", "9.99996e+03");
        check(0.00001234, "1.234e-05", "1.234e-05");
        check(-22.222, "-22.22", "-2.2222e+01");
        check(f64::INFINITY, "+Inf", "+Inf");
        check(f64::NAN, "NaN", "NaN");
        assert_eq!(fixed(2.5, 0), "2");
        assert_eq!(fixed(1.2345, 3), "1.234");
    }
}
