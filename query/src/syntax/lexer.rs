//! Cuts a text into tokens.
//!
//! The whole text is cut before parsing starts: what a character means depends only on the brackets around it. Behind
//! `{` every word is a label name; behind `[` there is a duration, which may be computed, and a colon stands alone.

use super::position::ByteRange;
use super::quote::quoted;
use super::token::{Keyword, Kind, Token, of_word};
use crate::syntax::operator::BinaryOp;

/// The tokens of a text. The last is the end of the input, or an error whose words stand beside.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) list: Vec<Token>,
    pub(crate) error: Option<String>,
}

/// Cuts `source`.
pub(crate) fn tokens(source: &str) -> Tokens {
    let mut lexer = Lexer::new(source);
    let mut list = Vec::with_capacity(source.len() / 3 + 2);
    loop {
        let token = match lexer.next() {
            Ok(token) => token,
            Err(failure) => {
                list.push(Token { kind: Kind::Error, range: failure.range });
                return Tokens { list, error: Some(failure.message) };
            }
        };
        list.push(token);
        if token.kind == Kind::EndOfInput {
            return Tokens { list, error: None };
        }
    }
}

/// A place at which the lexer cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) range: ByteRange,
    pub(crate) message: String,
}

pub(crate) struct Lexer<'a> {
    pub(crate) source: &'a str,
    pub(crate) at: usize,
    pub(crate) start: usize,
    parens: usize,
    in_brackets: bool,
    in_braces: bool,
    /// Between `[` and the first number behind it.
    before_duration: bool,
    had_duration: bool,
    after_colon: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self {
            source,
            at: 0,
            start: 0,
            parens: 0,
            in_brackets: false,
            in_braces: false,
            before_duration: false,
            had_duration: false,
            after_colon: false,
        }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.source[self.at..].chars().next()
    }

    pub(crate) fn peek_byte(&self, ahead: usize) -> u8 {
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(crate) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek_byte(0) == wanted && self.at < self.source.len();
        self.at += usize::from(found);
        found
    }

    fn take_of(&mut self, wanted: &[u8]) -> bool {
        wanted.iter().any(|byte| self.take(*byte))
    }

    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.at < self.source.len() && wanted(self.peek_byte(0)) {
            self.at += 1;
        }
    }

    pub(crate) fn token(&self, kind: Kind) -> Token {
        Token { kind, range: ByteRange::new(self.start, self.at) }
    }

    pub(crate) fn fail<T>(&self, message: impl Into<String>) -> Result<T, Failure> {
        Err(Failure { range: ByteRange::new(self.start, self.at.max(self.start)), message: message.into() })
    }

    pub(crate) fn skip_space_and_comments(&mut self) {
        loop {
            self.take_while(is_space);
            if self.peek_byte(0) != b'#' {
                return;
            }
            self.take_while(|byte| byte != b'\n');
        }
    }

    pub(crate) fn next(&mut self) -> Result<Token, Failure> {
        if self.before_duration {
            return self.begin_of_duration();
        }
        self.skip_space_and_comments();
        self.start = self.at;
        let Some(first) = self.peek() else { return self.end() };
        if first == '"' || first == '\'' || first == '`' {
            return self.string(first);
        }
        if self.in_braces {
            return self.inside_braces(first);
        }
        if first.is_ascii_digit() || first == '.' && self.peek_byte(1).is_ascii_digit() {
            return self.number_or_duration();
        }
        if first.is_ascii_alphabetic() || first == '_' || first == ':' && !self.in_brackets {
            if self.in_brackets && !self.duration_word() {
                return self.fail(format!("unexpected character: {}, expected ':'", quote_char(first)));
            }
            return Ok(if self.in_brackets { self.token(Kind::TimeWord) } else { self.word() });
        }
        self.sign(first)
    }

    /// Up to the first number behind `[` only that may stand of which durations are computed.
    fn begin_of_duration(&mut self) -> Result<Token, Failure> {
        self.take_while(is_space);
        self.start = self.at;
        let Some(first) = self.peek() else {
            return self.fail("unexpected end of input in duration expression");
        };
        match first {
            '+' | '-' | '*' | '/' | '%' | '^' | ',' | '(' | ')' => self.sign(first),
            ']' => {
                self.before_duration = false;
                self.sign(first)
            }
            ':' if !self.had_duration => {
                (self.at, self.start) = (self.at + 1, self.at + 1);
                self.fail("unexpected colon before duration in duration expression")
            }
            ':' if self.after_colon => {
                (self.at, self.start) = (self.at + 1, self.at + 1);
                self.fail("unexpected repeated colon in duration expression")
            }
            ':' => self.sign(first),
            _ if first.is_ascii_digit() || first == '.' && self.peek_byte(1).is_ascii_digit() => {
                (self.before_duration, self.had_duration) = (false, true);
                self.number_or_duration()
            }
            _ if self.duration_word() => {
                self.had_duration = true;
                Ok(self.token(Kind::TimeWord))
            }
            _ => self.fail(format!("unexpected character in duration expression: {}", quote_char(first))),
        }
    }

    /// Takes a word of which durations are computed.
    fn duration_word(&mut self) -> bool {
        self.take_while(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let word = self.source[self.start..self.at].to_ascii_lowercase();
        matches!(word.as_str(), "step" | "range" | "min_of" | "max_of")
    }

    fn end(&self) -> Result<Token, Failure> {
        if self.in_braces {
            self.fail("unexpected end of input inside braces")
        } else if self.parens > 0 {
            self.fail("unclosed left parenthesis")
        } else if self.in_brackets {
            self.fail("unclosed left bracket")
        } else {
            Ok(self.token(Kind::EndOfInput))
        }
    }

    fn inside_braces(&mut self, first: char) -> Result<Token, Failure> {
        if first.is_ascii_alphabetic() || first == '_' {
            self.take_while(is_word);
            return Ok(self.token(Kind::Identifier));
        }
        self.at += first.len_utf8();
        let kind = match first {
            ',' => Kind::Comma,
            '=' if self.take(b'~') => Kind::EqualRegex,
            '=' => Kind::Assign,
            '!' if self.take(b'~') => Kind::NotRegex,
            '!' if self.take(b'=') => Kind::Operator(BinaryOp::NotEqual),
            '!' => return self.unexpected_after('!', " inside braces"),
            '{' => return self.fail("unexpected left brace '{'"),
            '}' => {
                self.in_braces = false;
                Kind::RightBrace
            }
            other => return self.fail(format!("unexpected character inside braces: {}", quote_char(other))),
        };
        Ok(self.token(kind))
    }

    fn sign(&mut self, first: char) -> Result<Token, Failure> {
        self.at += first.len_utf8();
        let operator = |op| Ok(Kind::Operator(op));
        let kind = match first {
            ',' => Ok(Kind::Comma),
            '*' => operator(BinaryOp::Mul),
            '/' => operator(BinaryOp::Div),
            '%' => operator(BinaryOp::Mod),
            '+' => operator(BinaryOp::Add),
            '-' => operator(BinaryOp::Sub),
            '^' => operator(BinaryOp::Pow),
            '=' if self.take(b'=') => operator(BinaryOp::Equal),
            '=' if self.peek_byte(0) == b'~' => return self.unexpected_after('=', ""),
            '=' => Ok(Kind::Assign),
            '!' if self.take(b'=') => operator(BinaryOp::NotEqual),
            '!' => return self.unexpected_after('!', ""),
            '<' if self.take(b'=') => operator(BinaryOp::LessEqual),
            '<' if self.take(b'/') => operator(BinaryOp::TrimUpper),
            '<' => operator(BinaryOp::Less),
            '>' if self.take(b'=') => operator(BinaryOp::GreaterEqual),
            '>' if self.take(b'/') => operator(BinaryOp::TrimLower),
            '>' => operator(BinaryOp::Greater),
            '@' => Ok(Kind::At),
            _ => self.bracket(first),
        }?;
        Ok(self.token(kind))
    }

    fn bracket(&mut self, first: char) -> Result<Kind, Failure> {
        match first {
            '(' => {
                self.parens += 1;
                Ok(Kind::LeftParen)
            }
            ')' if self.parens == 0 => {
                // the place is the one behind it
                self.start = self.at;
                self.fail("unexpected right parenthesis ')'")
            }
            ')' => {
                self.parens -= 1;
                Ok(Kind::RightParen)
            }
            '{' => {
                self.in_braces = true;
                Ok(Kind::LeftBrace)
            }
            '[' if self.in_brackets => self.fail("unexpected left bracket '['"),
            '[' => {
                (self.in_brackets, self.before_duration, self.after_colon) = (true, true, false);
                Ok(Kind::LeftBracket)
            }
            ']' if !self.in_brackets => self.fail("unexpected right bracket ']'"),
            ']' => {
                self.in_brackets = false;
                Ok(Kind::RightBracket)
            }
            ':' if self.after_colon => self.fail("unexpected colon ':'"),
            ':' => {
                self.after_colon = true;
                Ok(Kind::Colon)
            }
            other => self.fail(format!("unexpected character: {}", quote_char(other))),
        }
    }

    fn unexpected_after<T>(&self, sign: char, place: &str) -> Result<T, Failure> {
        let next = quote_char(self.peek().unwrap_or(char::REPLACEMENT_CHARACTER));
        self.fail(format!("unexpected character after '{sign}'{place}: {next}"))
    }

    pub(crate) fn word(&mut self) -> Token {
        self.take_while(|byte| is_word(byte) || byte == b':');
        let kind = match of_word(&self.source[self.start..self.at]) {
            // without a parenthesis it is a name
            Kind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)
                if !self.paren_follows() =>
            {
                Kind::Identifier
            }
            kind => kind,
        };
        self.token(kind)
    }

    fn paren_follows(&self) -> bool {
        let rest = &self.source.as_bytes()[self.at..];
        rest.iter().find(|byte| !is_space(**byte)) == Some(&b'(')
    }

    fn number_or_duration(&mut self) -> Result<Token, Failure> {
        if self.number(Digits::AnyBase) {
            return Ok(self.token(Kind::Number));
        }
        if self.rest_of_duration() {
            return Ok(self.token(Kind::Duration));
        }
        self.fail(format!("bad number or duration syntax: {}", quoted(&self.source[self.start..self.at])))
    }

    /// Takes what may be a number: digits with `_` between them, a dot, an exponent; or `0x` and hexadecimal digits. What
    /// it takes and is no number all the same has no value. Where it cannot go on it has taken the character that is wrong.
    pub(crate) fn number(&mut self, digits: Digits) -> bool {
        let start = self.at;
        let hex = digits == Digits::AnyBase && self.take(b'0') && self.take_of(b"xX");
        if hex {
            self.take(b'_');
        }
        let is_digit = |byte: u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        self.take(b'.');
        if is_digit(self.peek_byte(0)) {
            self.at += 1;
        }
        let (mut dot, mut exponent) = (false, false);
        loop {
            // behind an exponent's sign and an underscore the input must go on
            let goes_on = match self.peek_byte(0) {
                b'.' if dot => {
                    self.at += 1;
                    false
                }
                b'.' => {
                    self.at += 1;
                    dot = true;
                    !self.take_of(b"_.") && !hex
                }
                b'e' | b'E' if exponent => {
                    self.at += 1;
                    false
                }
                b'e' | b'E' => {
                    self.at += 1;
                    exponent = true;
                    self.take_of(b"+-");
                    !self.take_of(b"._eE") && self.at < self.source.len()
                }
                b'_' => {
                    self.at += 1;
                    !self.take_of(b"._eE") && self.at < self.source.len()
                }
                byte if is_digit(byte) => {
                    self.take_while(is_digit);
                    true
                }
                _ => break,
            };
            if !goes_on {
                return false;
            }
        }
        let next = self.peek_byte(0);
        self.at > start && (!is_word(next) || digits == Digits::DecimalBeforeTimes && next == b'x')
    }

    /// Takes what makes a duration of a number: a unit, and more numbers with units. What the units mean is for others.
    fn rest_of_duration(&mut self) -> bool {
        if !self.take_of(b"smhdwy") {
            return false;
        }
        self.take(b's');
        while self.peek_byte(0).is_ascii_digit() {
            self.take_while(|byte| byte.is_ascii_digit());
            if !self.take_of(b"smhdw") {
                return false;
            }
            self.take(b's');
        }
        let ends = !is_word(self.peek_byte(0));
        self.at += usize::from(!ends);
        ends
    }

    pub(crate) fn string(&mut self, quote: char) -> Result<Token, Failure> {
        self.at += 1;
        let raw = quote == '`';
        loop {
            let Some(next) = self.peek() else { return self.unterminated(raw) };
            self.at += next.len_utf8();
            if next == quote {
                return Ok(self.token(Kind::String));
            }
            if raw {
                continue;
            }
            if next == '\n' {
                return self.unterminated(raw);
            }
            if next == '\\' {
                self.escape(quote)?;
            }
        }
    }

    /// Takes what stands behind a backslash.
    fn escape(&mut self, quote: char) -> Result<(), Failure> {
        const UNFINISHED: &str = "escape sequence not terminated";
        let Some(escaped) = self.peek() else { return self.fail(UNFINISHED) };
        let (digits, radix) = match escaped {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => (0, 0),
            _ if escaped == quote => (0, 0),
            '0'..='7' => (3, 8),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            _ => return self.fail(format!("unknown escape sequence {}", code_point(escaped))),
        };
        // octal digits stand right behind the backslash
        self.at += if radix == 8 { 0 } else { escaped.len_utf8() };
        let mut value = 0_u32;
        for _ in 0..digits {
            let Some(next) = self.peek() else { return self.fail(UNFINISHED) };
            let Some(digit) = next.to_digit(radix) else {
                return self.fail(format!("illegal character {} in escape sequence", code_point(next)));
            };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.at += 1;
        }
        let is_character = char::from_u32(value).is_some() && (digits > 3 || value <= 0xff);
        if is_character {
            return Ok(());
        }
        self.fail("escape sequence is an invalid Unicode code point")
    }

    fn unterminated<T>(&self, raw: bool) -> Result<T, Failure> {
        self.fail(if raw { "unterminated raw string" } else { "unterminated quoted string" })
    }
}

/// Which digits a number has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digits {
    /// Decimal, octal or hexadecimal.
    AnyBase,
    /// Decimal, and `x` may follow: `3x5` in a description of a series is 3, repeated.
    DecimalBeforeTimes,
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// As `%#U` of Go prints it.
fn code_point(character: char) -> String {
    format!("U+{:04X} '{character}'", u32::from(character))
}

pub(crate) fn quote_char(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("{other:?}"),
    }
}
