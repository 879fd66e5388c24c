//! From tokens to a tree: recursive descent, and operator precedence for binary expressions.
//!
//! Parsing stops at the first mistake. Time is linear in the length of the text; nesting is limited to [`DEPTH_MAX`],
//! chains of operators are not limited.

mod aggregation;
mod call;
mod duration;
mod expression;
mod literal;
mod matching;
mod postfix;
mod selector;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use model::{Labels, Matcher};

use super::ast::{Expr, ExprKind};
use super::error::ParseError;
use super::lexer;
use super::options::Options;
use super::position::ByteRange;
use super::token::{Kind, Token};
use super::{check, quote};

/// How deeply expressions may be nested: parentheses, calls, signs and powers.
pub const DEPTH_MAX: usize = 200;

/// Parses an expression and checks its types.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str, options: &Options) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, *options);
    if parser.peek().kind == Kind::EndOfInput {
        return Err(parser.error(ByteRange::default(), "no expression found in input"));
    }
    let expr = parser.expression(0)?;
    parser.expect_end()?;
    check::check(text, &expr)?;
    Ok(expr)
}

/// Parses `name{matchers}` without modifiers, as `match[]` holds it.
///
/// # Errors
/// The first mistake, and a selector that would select everything.
pub fn parse_metric_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text, Options::stable());
    let expr = parser.selector()?;
    parser.expect_end()?;
    check::check(text, &expr)?;
    match expr.kind {
        ExprKind::Selector(selector) => Ok(selector.matchers),
        _ => Err(parser.unexpected("", "")),
    }
}

/// Parses the name and labels of one series: `name{a="b"}`.
///
/// # Errors
/// The first mistake.
pub fn parse_metric(text: &str) -> Result<Labels, ParseError> {
    let mut parser = Parser::new(text, Options::stable());
    let labels = parser.metric()?;
    parser.expect_end()?;
    Ok(labels)
}

/// A position in a list of tokens.
pub(super) struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    lexer_error: Option<String>,
    next: usize,
    depth: usize,
    /// How many aggregations are open: a mistake inside of one, wherever it is, is told as one of the aggregation.
    aggregations: usize,
    options: Options,
    /// The end of the last token that closed something; nodes end there.
    last_end: usize,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl<'a> Parser<'a> {
    fn new(source: &'a str, options: Options) -> Self {
        let lexer::Tokens { list, error } = lexer::tokens(source);
        Self {
            source,
            tokens: list,
            lexer_error: error,
            next: 0,
            depth: 0,
            aggregations: 0,
            options,
            last_end: 0,
        }
    }

    fn peek(&self) -> Token {
        self.tokens[self.next]
    }

    fn peek_second(&self) -> Kind {
        self.tokens.get(self.next + 1).map_or(Kind::EndOfInput, |token| token.kind)
    }

    /// Takes a token; the last one stays.
    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.last_end = token.range.end;
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    fn take(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.advance())
    }

    fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Result<Token> {
        self.take(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    fn expect_end(&mut self) -> Result<()> {
        self.expect(Kind::EndOfInput, "", "").map(|_| ())
    }

    fn text(&self, token: Token) -> &'a str {
        token.text(self.source)
    }

    fn error(&self, range: ByteRange, message: impl Into<String>) -> ParseError {
        ParseError::new(self.source, range, message)
    }

    /// The next token cannot stand here.
    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.peek();
        if let (Kind::Error, Some(message)) = (token.kind, &self.lexer_error) {
            return self.error(token.range, message.clone());
        }
        let mut message = format!("unexpected {}", token.describe(self.source));
        let context = if context.is_empty() && self.aggregations > 0 { "aggregation" } else { context };
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error(token.range, message)
    }

    /// Counts one level of nesting.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= DEPTH_MAX {
            let message = format!("expression is nested too deeply, at most {DEPTH_MAX} levels are allowed");
            return Err(self.error(self.peek().range, message));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn unquote(&self, token: Token) -> Result<String> {
        let literal = self.text(token);
        quote::unquote(literal).ok_or_else(|| {
            self.error(token.range, format!("error unquoting string {literal}: invalid syntax"))
        })
    }

    fn unquote_shared(&self, token: Token) -> Result<Arc<str>> {
        self.unquote(token).map(Into::into)
    }
}
