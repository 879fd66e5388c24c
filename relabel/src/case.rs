//! Upper and lower case as Go has it: one character for one.

/// Every character in lower case.
pub(crate) fn lower(text: &str) -> String {
    text.chars().map(|c| one(c.to_lowercase(), c, lower_alone(c))).collect()
}

/// Every character in upper case.
pub(crate) fn upper(text: &str) -> String {
    text.chars().map(|c| one(c.to_uppercase(), c, upper_alone(c))).collect()
}

/// The only character of a mapping; where Unicode's full mapping has several, its simple one.
fn one(mut mapped: impl Iterator<Item = char>, original: char, alone: Option<char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(c), None) => c,
        _ => alone.unwrap_or(original),
    }
}

/// The one character that becomes two in lower case.
fn lower_alone(c: char) -> Option<char> {
    (c == '\u{130}').then_some('i')
}

/// Greek letters with an iota below have a title case of their own; the others of this kind stay as they are.
fn upper_alone(c: char) -> Option<char> {
    let code = u32::from(c);
    let add = match code {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => 9,
        _ => return None,
    };
    char::from_u32(code + add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_for_one() {
        assert_eq!((lower("AbÉΣ").as_str(), upper("abéς").as_str()), ("abéσ", "ABÉΣ"));
        assert_eq!((lower("İ").as_str(), upper("straße").as_str()), ("i", "STRAßE"));
        assert_eq!(upper("\u{1f80}\u{1fb3}\u{1f50}"), "\u{1f88}\u{1fbc}\u{1f50}");
    }
}
