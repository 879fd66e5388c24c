//! Cuts a text into tokens.
//!
//! The whole text is cut before parsing starts: what a character means depends only on the brackets around it. Behind
//! `{` every word is a label name; behind `[` a colon stands alone.

use super::position::ByteRange;
use super::token::{Kind, Token, of_word};
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
    after_colon: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { source, at: 0, start: 0, parens: 0, in_brackets: false, in_braces: false, after_colon: false }
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
            return Ok(self.word());
        }
        self.sign(first)
    }

    fn end(&self) -> Result<Token, Failure> {
        if self.in_braces {
            self.fail("unexpected end of input inside braces")
        } else if self.in_brackets {
            self.fail("unclosed left bracket")
        } else if self.parens > 0 {
            self.fail("unclosed left parenthesis")
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
            ')' if self.parens == 0 => self.fail("unexpected right parenthesis ')'"),
            ')' => {
                self.parens -= 1;
                Ok(Kind::RightParen)
            }
            '{' => {
                self.in_braces = true;
                Ok(Kind::LeftBrace)
            }
            '}' => self.fail("unexpected right brace '}'"),
            '[' if self.in_brackets => self.fail("unexpected left bracket '['"),
            '[' => {
                (self.in_brackets, self.after_colon) = (true, false);
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
        let next = self.peek().map_or_else(|| "end of input".to_owned(), quote_char);
        self.fail(format!("unexpected character after '{sign}'{place}: {next}"))
    }

    pub(crate) fn word(&mut self) -> Token {
        let in_brackets = self.in_brackets;
        self.take_while(|byte| is_word(byte) || byte == b':' && !in_brackets);
        self.token(of_word(&self.source[self.start..self.at]))
    }

    fn number_or_duration(&mut self) -> Result<Token, Failure> {
        if self.number(Digits::AnyBase) {
            return Ok(self.token(Kind::Number));
        }
        let number_end = self.at;
        self.at = self.start;
        if self.duration() {
            return Ok(self.token(Kind::Duration));
        }
        self.at = self.at.max(number_end).min(self.source.len());
        self.fail(format!("bad number or duration syntax: {:?}", &self.source[self.start..self.at]))
    }

    /// Takes a number: digits with `_` between them, a dot, an exponent; or `0x` and hexadecimal digits.
    pub(crate) fn number(&mut self, digits: Digits) -> bool {
        let prefix = self.source.as_bytes().get(self.at..self.at + 2);
        let hex = digits == Digits::AnyBase && matches!(prefix, Some(b"0x" | b"0X"));
        if hex {
            self.at += 2;
            self.take(b'_');
        }
        let is_digit = |byte: u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        let (mut dot, mut exponent, mut any) = (false, false, false);
        loop {
            let byte = self.peek_byte(0);
            let next = self.peek_byte(1);
            if self.at < self.source.len() && is_digit(byte) {
                any = true;
            } else if byte == b'.' && !hex && !dot && !exponent && next != b'_' {
                dot = true;
            } else if matches!(byte, b'e' | b'E') && any && !exponent {
                exponent = true;
                if matches!(next, b'+' | b'-') {
                    self.at += 1;
                }
                if !self.peek_byte(1).is_ascii_digit() {
                    return false;
                }
            } else if byte == b'_' && any {
                if !is_digit(next) {
                    return false;
                }
            } else {
                break;
            }
            self.at += 1;
        }
        let next = self.peek_byte(0);
        any && next != b'.' && (!is_word(next) || digits == Digits::DecimalBeforeTimes && next == b'x')
    }

    /// Takes a duration: whole numbers, each with a unit.
    pub(crate) fn duration(&mut self) -> bool {
        loop {
            let digits = self.at;
            self.take_while(|byte| byte.is_ascii_digit());
            if self.at == digits {
                return false;
            }
            match self.peek_byte(0) {
                b'm' if self.peek_byte(1) == b's' => self.at += 2,
                b's' | b'm' | b'h' | b'd' | b'w' | b'y' => self.at += 1,
                _ => {
                    self.take_while(is_word);
                    return false;
                }
            }
            if !self.peek_byte(0).is_ascii_digit() {
                let ends = !is_word(self.peek_byte(0));
                self.take_while(is_word);
                return ends;
            }
        }
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
                match self.peek() {
                    Some(escaped) => self.at += escaped.len_utf8(),
                    None => return self.fail("escape sequence not terminated"),
                }
            }
        }
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

pub(crate) fn quote_char(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("{other:?}"),
    }
}
