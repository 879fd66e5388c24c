//! Numbers and strings.

use super::{Parser, Result};
use crate::syntax::ast::{Expr, ExprKind, Number};
use crate::syntax::operator::BinaryOp;
use crate::syntax::token::{Kind, Token};
use crate::syntax::{number, parse_duration_ms};

impl Parser<'_> {
    pub(super) fn number_literal(&mut self) -> Result<Expr> {
        let token = self.advance();
        Ok(Expr { kind: ExprKind::Number(self.number_of(token)?), range: token.range })
    }

    /// The value of a number or of a duration in seconds.
    pub(super) fn number_of(&self, token: Token) -> Result<Number> {
        let text = self.text(token);
        if token.kind == Kind::Duration {
            #[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 ms")]
            return parse_duration_ms(text)
                .map(|ms| Number { value: ms as f64 / 1_000.0, is_duration: true })
                .map_err(|error| self.error(token.range, error.to_string()));
        }
        number::parse(text).map(|value| Number { value, is_duration: false }).map_err(|error| {
            let message = format!("error parsing number: strconv.ParseFloat: parsing {text:?}: {error}");
            self.error(token.range, message)
        })
    }

    /// A number with a sign or without.
    pub(super) fn signed_number(&mut self) -> Option<Result<f64>> {
        let negative = self.peek().kind == Kind::Operator(BinaryOp::Sub);
        let signed = negative || self.peek().kind == Kind::Operator(BinaryOp::Add);
        let kind = if signed { self.peek_second() } else { self.peek().kind };
        if !matches!(kind, Kind::Number | Kind::Duration) {
            if signed {
                self.advance();
            }
            return None;
        }
        if signed {
            self.advance();
        }
        let token = self.advance();
        Some(self.number_of(token).map(|number| if negative { -number.value } else { number.value }))
    }

    pub(super) fn string_literal(&mut self) -> Result<Expr> {
        let token = self.advance();
        Ok(Expr { kind: ExprKind::String(self.unquote(token)?), range: token.range })
    }
}
