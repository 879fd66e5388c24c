//! Durations as promtool's --step has them: Go's, with days, weeks and years.

/// Seconds of `1h30m`, `1.5s`, `200ms`, `7d`.
///
/// # Errors
/// What is no duration, in Go's words.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(0.0);
    }
    let (mut rest, mut sum) = (text, 0.0);
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let is_of_number = |char: char| char.is_ascii_digit() || char == '.';
        let end = rest.find(|char| !is_of_number(char)).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest.find(is_of_number).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 7.0 * 86_400.0,
            "y" => 365.0 * 86_400.0,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        sum += number * unit;
        rest = &rest[end..];
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expect: Result<f64, &str>| {
            assert_eq!(seconds(text), expect.map_err(str::to_owned), "{text}");
        };
        check("1h30m", Ok(5_400.0));
        check("1.5s", Ok(1.5));
        check("5d", Ok(432_000.0));
        check("0", Ok(0.0));
        check("5", Err("time: missing unit in duration \"5\""));
        check("5x", Err("time: unknown unit \"x\" in duration \"5x\""));
        check("", Err("time: invalid duration \"\""));
        check("-5s", Err("time: invalid duration \"-5s\""));
    }
}
