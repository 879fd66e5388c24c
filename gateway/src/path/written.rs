//! The path of a group, as a client writes it.

use ::base64::Engine;
use ::base64::engine::general_purpose::URL_SAFE;

/// The path of the group with these labels, of which the first is the job, below that of all pushes: `/job/backup/instance/a`. Any
/// value can stand in it.
pub fn group_path<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    labels.into_iter().map(|(name, value)| part(name, value)).collect()
}

/// A value that a path cannot have is encoded.
fn part(name: &str, value: &str) -> String {
    let (name, is_plain) =
        (escaped(name, b"-_."), !value.is_empty() && !value.contains('/') && value != "." && value != "..");
    match is_plain {
        true => format!("/{name}/{}", escaped(value, b"-_.~")),
        // nothing is encoded as the padding alone
        false if value.is_empty() => format!("/{name}@base64/="),
        false => format!("/{name}@base64/{}", URL_SAFE.encode(value)),
    }
}

/// With these bytes as they are besides letters and digits.
fn escaped(text: &str, as_they_are: &[u8]) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || as_they_are.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_any_value() {
        let check = |labels: &[(&str, &str)], expect: &str| {
            let all = [("job", "a b")].iter().chain(labels).copied();
            assert_eq!(group_path(all), format!("/job/a%20b{expect}"));
        };
        check(&[], "");
        check(&[("instance", "i-1"), ("zone", "ü%")], "/instance/i-1/zone/%C3%BC%25");
        check(&[("path", "/var/tmp")], "/path@base64/L3Zhci90bXA=");
        check(&[("empty", ""), ("up", "..")], "/empty@base64/=/up@base64/Li4=");
        check(&[("function_version", "$LATEST")], "/function_version/%24LATEST");
    }
}
