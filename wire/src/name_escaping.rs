//! Names outside `[a-zA-Z_:][a-zA-Z0-9_:]*`, for readers who do not know UTF-8 names.

use std::borrow::Cow;

use model::name::{is_legacy_label_name, is_legacy_metric_name};

/// How such a name is shown. The words are those of the `escaping` parameter of an `Accept` header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escaping {
    /// `allow-utf-8`: as it is, in quotes.
    AllowUtf8,
    /// `underscores`: `_` for every character that is not allowed. Different names may become the same.
    #[default]
    Underscores,
    /// `dots`: `_dot_` for a dot, `__` for an underscore and for anything else.
    Dots,
    /// `values`: `U__`, then `_2e_` for a dot and so on. [`unescape_values`] brings the name back.
    Values,
}

impl Escaping {
    /// The scheme with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "allow-utf-8" => Self::AllowUtf8,
            "underscores" => Self::Underscores,
            "dots" => Self::Dots,
            "values" => Self::Values,
            _ => return None,
        })
    }

    /// The name of the scheme.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    /// A metric name in this scheme.
    pub fn metric_name(self, name: &str) -> Cow<'_, str> {
        self.name(name, is_legacy_metric_name(name))
    }

    /// A label name in this scheme.
    pub fn label_name(self, name: &str) -> Cow<'_, str> {
        self.name(name, is_legacy_label_name(name))
    }

    fn name(self, name: &str, legacy: bool) -> Cow<'_, str> {
        if name.is_empty() {
            return Cow::Borrowed(name);
        }
        match self {
            Self::AllowUtf8 => Cow::Borrowed(name),
            Self::Underscores | Self::Values if legacy => Cow::Borrowed(name),
            Self::Dots if legacy && !name.contains('_') => Cow::Borrowed(name),
            Self::Underscores => Cow::Owned(each(name, |_, escaped| escaped.push('_'))),
            Self::Dots => Cow::Owned(dots(name)),
            Self::Values => Cow::Owned(format!("U__{}", values(name))),
        }
    }
}

fn allowed(index: usize, char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_' || char == ':' || (char.is_ascii_digit() && index > 0)
}

fn each(name: &str, replace: impl Fn(char, &mut String)) -> String {
    let mut escaped = String::with_capacity(name.len() + 8);
    for (index, char) in name.char_indices() {
        if allowed(index, char) { escaped.push(char) } else { replace(char, &mut escaped) }
    }
    escaped
}

fn dots(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len() + 8);
    for (index, char) in name.char_indices() {
        match char {
            '.' => escaped.push_str("_dot_"),
            '_' => escaped.push_str("__"),
            _ if allowed(index, char) => escaped.push(char),
            _ => escaped.push_str("__"),
        }
    }
    escaped
}

fn values(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len() + 8);
    for (index, char) in name.char_indices() {
        match char {
            '_' => escaped.push_str("__"),
            _ if allowed(index, char) => escaped.push(char),
            _ => escaped.push_str(&format!("_{:x}_", u32::from(char))),
        }
    }
    escaped
}

/// Brings a name back that was escaped by [`Escaping::Values`]. A name that was not, or not well, stays as it is.
pub fn unescape_values(name: &str) -> Cow<'_, str> {
    match name.strip_prefix("U__").and_then(unescaped) {
        Some(original) => Cow::Owned(original),
        None => Cow::Borrowed(name),
    }
}

fn unescaped(mut rest: &str) -> Option<String> {
    let mut original = String::with_capacity(rest.len());
    while let Some(at) = rest.find('_') {
        original.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find('_')?;
        match &rest[..end] {
            "" => original.push('_'),
            hex if hex.len() <= 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                original.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
            }
            _ => return None,
        }
        rest = &rest[end + 1..];
    }
    original.push_str(rest);
    Some(original)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn schemes() {
        let check = |name: &str, underscores: &str, dots: &str, values: &str| {
            let of = |scheme: Escaping| scheme.metric_name(name).into_owned();
            let found = [
                of(Escaping::AllowUtf8),
                of(Escaping::Underscores),
                of(Escaping::Dots),
                of(Escaping::Values),
            ];
            assert_eq!(found, [name, underscores, dots, values]);
        };
        check("up", "up", "up", "up");
        check("a_b", "a_b", "a__b", "a_b");
        check("a.b", "a_b", "a_dot_b", "U__a_2e_b");
        check("a_b.c:d", "a_b_c:d", "a__b_dot_c:d", "U__a__b_2e_c:d");
        check("1é", "__", "____", "U___31__e9_");
        check("", "", "", "");
    }

    #[test]
    fn what_is_not_well_escaped_stays() {
        let check = |name: &str, expect: &str| assert_eq!(unescape_values(name), expect);
        check("U__foo_2e_bar", "foo.bar");
        check("U____x", "_x");
        check("foo_2e_bar", "foo_2e_bar");
        check("U__foo_2e", "U__foo_2e");
        check("U__foo_zz_", "U__foo_zz_");
        check("U__foo_d800_", "U__foo_d800_");
        check("U__foo_", "U__foo_");
        check("U__foo_0000041_", "U__foo_0000041_");
    }

    proptest! {
        #[test]
        fn values_round_trip(name in "\\PC{1,12}") {
            prop_assume!(!name.starts_with("U__"));
            let escaped = Escaping::Values.metric_name(&name);
            prop_assert_eq!(unescape_values(&escaped), &*name);
        }
    }
}
