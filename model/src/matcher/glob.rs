//! Regular expressions that are hardly more than text, read and matched without a regular expression: `5..`,
//! `api-.*`, `10\.0\..+:9100`, `a|b|c`. Most matchers are like that, and compiling one costs more than a whole query.

use std::sync::Arc;

use super::pattern::Pattern;

/// What a value must have, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// This text.
    Text(Arc<str>),
    /// One character, whichever.
    One,
    /// Any number of characters.
    Run,
}

/// Characters that mean something else than themselves, and may stand behind a backslash to mean themselves.
const SPECIAL: &str = r"\.+*?()|[]{}^$";

/// The pattern, if it is as simple as that.
pub(super) fn parse(pattern: &str) -> Option<Pattern> {
    let mut alternatives = vec![Vec::new()];
    let mut text = String::new();
    let mut characters = pattern.chars().peekable();
    let flush = |text: &mut String, pieces: &mut Vec<Piece>| {
        if !text.is_empty() {
            pieces.push(Piece::Text(text.as_str().into()));
            text.clear();
        }
    };
    while let Some(character) = characters.next() {
        let pieces = alternatives.last_mut()?;
        match character {
            '\\' => text.push(characters.next().filter(|next| SPECIAL.contains(*next))?),
            '.' => {
                flush(&mut text, pieces);
                match characters.peek() {
                    Some('*') => pieces.push(Piece::Run),
                    Some('+') => pieces.extend([Piece::One, Piece::Run]),
                    _ => pieces.push(Piece::One),
                }
                characters.next_if(|next| matches!(next, '*' | '+'));
            }
            '|' => {
                flush(&mut text, pieces);
                alternatives.push(Vec::new());
            }
            special if SPECIAL.contains(special) => return None,
            plain => text.push(plain),
        }
        // what is repeated otherwise is for others to read
        if characters.peek().is_some_and(|next| matches!(next, '*' | '+' | '?' | '{')) {
            return None;
        }
    }
    flush(&mut text, alternatives.last_mut()?);
    match alternatives.as_slice() {
        [pieces] => Some(of_pieces(pieces)),
        _ => {
            let text = |pieces: &Vec<Piece>| match pieces.as_slice() {
                [] => Some(Arc::from("")),
                [Piece::Text(text)] => Some(Arc::clone(text)),
                _ => None,
            };
            let mut values = alternatives.iter().map(text).collect::<Option<Vec<Arc<str>>>>()?;
            values.sort_unstable();
            values.dedup();
            Some(Pattern::Listed(values.into()))
        }
    }
}

fn of_pieces(pieces: &[Piece]) -> Pattern {
    match pieces {
        [] => Pattern::Listed([Arc::from("")].into()),
        [Piece::Text(text)] => Pattern::Listed([Arc::clone(text)].into()),
        [Piece::Run] => Pattern::Anything,
        [Piece::One, Piece::Run] => Pattern::NotEmpty,
        [Piece::Text(text), Piece::Run] => Pattern::StartsWith(Arc::clone(text)),
        [Piece::Run, Piece::Text(text)] => Pattern::EndsWith(Arc::clone(text)),
        [Piece::Run, Piece::Text(text), Piece::Run] => Pattern::Contains(Arc::clone(text)),
        _ => Pattern::Pieces(pieces.into()),
    }
}

/// Whether a value is made of these pieces.
pub(super) fn matches(pieces: &[Piece], value: &str) -> bool {
    let (mut next, mut rest) = (0, value);
    // behind the last run: the piece, and the shortest rest that has not been tried
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let fits = match pieces.get(next) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Piece::Text(text)) => rest.strip_prefix(&**text),
            Some(Piece::One) => without_first(rest),
            Some(Piece::Run) if next + 1 == pieces.len() => return true,
            Some(Piece::Run) => {
                retry = Some((next + 1, rest));
                Some(rest)
            }
        };
        if let Some(behind) = fits {
            (next, rest) = (next + 1, behind);
            continue;
        }
        // the run takes one character more
        let Some((piece, shorter)) = retry.and_then(|(piece, tried)| Some((piece, without_first(tried)?)))
        else {
            return false;
        };
        retry = Some((piece, shorter));
        (next, rest) = (piece, shorter);
    }
}

fn without_first(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next()?;
    Some(characters.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn simple_patterns_are_read() {
        let check = |pattern: &str, matching: &[&str], others: &[&str]| {
            let read = parse(pattern).unwrap_or_else(|| panic!("{pattern} is simple"));
            for value in matching {
                assert!(read.is_match(value), "{pattern} and {value:?}");
            }
            for value in others {
                assert!(!read.is_match(value), "{pattern} and {value:?}");
            }
        };
        check("5..", &["500", "5\nä"], &["50", "5000", "400", ""]);
        check("a|b|", &["a", "b", ""], &["c", "ab", "a|b"]);
        check(r"10\.0\..+:9100", &["10.0.1:9100", "10.0.:9100:9100"], &["10.0.:9100", "10x0.1:9100"]);
        check(".*a.*b", &["ab", "xaxb", "abab"], &["ba", "abx", ""]);
        check("a.*.b", &["axb", "axxb"], &["ab"]);
        check("", &[""], &["a"]);
        for pattern in
            ["a*", "a.?", ".{2}", "(a)", "[ab]", "^a", "a$", r"\d", r"a\", ".*?", ".+*", "a.|b", "a|*"]
        {
            assert!(parse(pattern).is_none(), "{pattern} is not simple");
        }
    }

    proptest! {
        /// They match what the compiled expression matches.
        #[test]
        fn simple_patterns_are_the_regular_expressions(
            pattern in r"([ab|é.-]|\.\*|\.\+|\\\.|\\\||.\+){0,6}",
            values in prop::collection::vec("[abé.|\n-]{0,6}", 0..20),
        ) {
            if let Some(read) = parse(&pattern) {
                let compiled = Pattern::compiled(&pattern).expect("is a regular expression");
                for value in &values {
                    prop_assert_eq!(read.is_match(value), compiled.is_match(value), "{:?} and {:?}", pattern, value);
                }
            }
        }
    }
}
