//! Names, as statsd_exporter makes those of Prometheus of them.

/// Every character other than a letter, a digit or `_` becomes `_`, dashes that follow each other become one, and there is one before
/// a digit at the beginning.
pub(super) fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len() + 1);
    if name.starts_with(|char: char| char.is_ascii_digit()) {
        escaped.push('_');
    }
    let mut before = ' ';
    for char in name.chars() {
        if char != '-' || before != '-' {
            escaped.push(if char.is_ascii_alphanumeric() { char } else { '_' });
        }
        before = char;
    }
    escaped
}
