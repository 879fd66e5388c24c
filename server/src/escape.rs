//! Texts as parts of URLs.

/// A text as part of a URL, with these bytes as they are besides letters and digits.
pub(crate) fn escaped(text: &str, as_they_are: &[u8]) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || as_they_are.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}
