//! Names of metrics and labels, as VictoriaMetrics makes them where they are to be those of Prometheus.

/// The name of the metric of a field.
pub(super) fn metric(measurement: &str, field: &str) -> String {
    legal(&format!("{measurement}_{field}"), |char| char == ':')
}

/// The name of the label of a tag.
pub(super) fn label(tag: &str) -> String {
    legal(tag, |_| false)
}

/// What is no letter, digit or `_` becomes `_`, and a digit at the beginning gets one.
fn legal(name: &str, also: impl Fn(char) -> bool) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() || also(char) { char } else { '_' };
    let digit = name.starts_with(|char: char| char.is_ascii_digit());
    digit.then_some('_').into_iter().chain(name.chars().map(plain)).collect()
}
