//! The grammar of today: names and values of any characters, quoted if they hold any that mean something.

use model::MatchOp;

use super::{Matcher, MatcherError};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Op(MatchOp),
    /// Without quotes, or unquoted.
    Text(String),
}

pub(super) fn read(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let wrong = |rest: &[(Token, &str)], expected: &str| {
        let found =
            rest.first().map_or("end of input".to_owned(), |(_, shown)| format!("unexpected {shown}"));
        Err(MatcherError(format!("{found}: expected {expected}")))
    };
    let braces = matches!(rest.first(), Some((Token::Open, _)));
    if braces {
        rest = &rest[1..];
    }
    let mut matchers = Vec::new();
    while !matches!(rest.first(), None | Some((Token::Close, _))) {
        let [(Token::Text(name), _), ..] = rest else { return wrong(rest, "label name") };
        rest = &rest[1..];
        let [(Token::Op(op), _), ..] = rest else {
            return wrong(rest, "an operator such as '=', '!=', '=~' or '!~'");
        };
        rest = &rest[1..];
        let [(Token::Text(value), _), ..] = rest else { return wrong(rest, "label value") };
        rest = &rest[1..];
        matchers.push(Matcher::new(name, *op, value)?);
        match rest.first() {
            Some((Token::Comma, _)) => rest = &rest[1..],
            None | Some((Token::Close, _)) => {}
            Some(_) => return wrong(rest, "a comma or close brace"),
        }
    }
    match (braces, rest) {
        (true, [(Token::Close, _)]) | (false, []) => Ok(matchers),
        (true, [(Token::Close, _), after @ ..]) => wrong(after, "end of input"),
        (true, _) => wrong(rest, "close brace"),
        (false, _) => Err(MatcherError("}: expected opening brace".to_owned())),
    }
}

/// Characters that stand for themselves only in quotes.
fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

fn tokens(text: &str) -> Result<Vec<(Token, &str)>, MatcherError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '{' => (Token::Open, 1),
            '}' => (Token::Close, 1),
            ',' => (Token::Comma, 1),
            '=' if rest.starts_with("=~") => (Token::Op(MatchOp::Regex), 2),
            '=' => (Token::Op(MatchOp::Equal), 1),
            '!' if rest.starts_with("!=") => (Token::Op(MatchOp::NotEqual), 2),
            '!' if rest.starts_with("!~") => (Token::Op(MatchOp::NotRegex), 2),
            '"' => {
                let length =
                    quoted_length(rest).ok_or_else(|| MatcherError(format!("{rest}: missing end \"")))?;
                let value = unquote(&rest[1..length - 1])
                    .ok_or_else(|| MatcherError(format!("{}: invalid input", &rest[..length])))?;
                (Token::Text(value), length)
            }
            c if is_reserved(c) => return Err(MatcherError(format!("{c}: invalid input"))),
            _ => {
                let length = rest.find(is_reserved).unwrap_or(rest.len());
                (Token::Text(rest[..length].to_owned()), length)
            }
        };
        tokens.push((token, &rest[..length]));
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// How long a quoted text is, with both of its quotes.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}

/// What stands between double quotes in Go.
fn unquote(body: &str) -> Option<String> {
    // escapes of bytes may make up a character together
    let mut bytes = Vec::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\n' => return None,
            '\\' => match chars.next()? {
                'a' => '\u{07}',
                'b' => '\u{08}',
                'f' => '\u{0c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{0b}',
                c @ ('\\' | '"') => c,
                'u' => char::from_u32(number(&mut chars, 4, 16)?)?,
                'U' => char::from_u32(number(&mut chars, 8, 16)?)?,
                'x' => {
                    bytes.push(u8::try_from(number(&mut chars, 2, 16)?).ok()?);
                    continue;
                }
                first @ '0'..='7' => {
                    let code = first.to_digit(8)? * 64 + number(&mut chars, 2, 8)?;
                    bytes.push(u8::try_from(code).ok()?);
                    continue;
                }
                _ => return None,
            },
            c => c,
        };
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn number(chars: &mut std::str::Chars<'_>, digits: usize, radix: u32) -> Option<u32> {
    (0..digits).try_fold(0, |number, _| Some(number * radix + chars.next()?.to_digit(radix)?))
}
