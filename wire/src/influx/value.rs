//! Values of fields.

/// What a field without quotes says; `None` if that is no value.
pub(super) fn number(text: &str) -> Option<f64> {
    match text {
        "t" | "T" | "true" | "True" | "TRUE" => return Some(1.0),
        "f" | "F" | "false" | "False" | "FALSE" => return Some(0.0),
        _ => {}
    }
    if let Some(integer) = text.strip_suffix('i') {
        return integer.parse().ok().map(|integer: i64| integer as f64);
    }
    if let Some(integer) = text.strip_suffix('u') {
        return integer.parse().ok().map(|integer: u64| integer as f64);
    }
    // no words for infinity, and none for what is no number
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes()
        .all(|byte| is_digit(&byte))
        .then(|| text.parse().ok())?
        .filter(|number: &f64| number.is_finite())
}
