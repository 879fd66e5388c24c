//! Binary expressions, signs, and what operators stand between.

use super::{Parser, Result};
use crate::syntax::ast::{Binary, Expr, ExprKind, Number, Unary};
use crate::syntax::operator::{BinaryOp, MULTIPLICATION};
use crate::syntax::token::{Keyword, Kind};

impl Parser<'_> {
    /// An expression whose operators bind at least as strongly as `precedence`.
    pub(super) fn expression(&mut self, precedence: u8) -> Result<Expr> {
        self.nested(|parser| {
            let mut left = parser.operand()?;
            while let Kind::Operator(op) = parser.peek().kind
                && op.precedence() >= precedence
            {
                left = parser.binary(left, op)?;
            }
            Ok(left)
        })
    }

    fn binary(&mut self, left: Expr, op: BinaryOp) -> Result<Expr> {
        self.advance();
        let (return_bool, matching) = self.matching()?;
        let binds = op.precedence() + u8::from(!op.is_right_associative());
        let right = self.expression(binds)?;
        let range = left.range.to(right.range);
        Ok(Expr {
            kind: ExprKind::Binary(Box::new(Binary { op, left, right, return_bool, matching })),
            range,
        })
    }

    fn operand(&mut self) -> Result<Expr> {
        let sign = self.peek();
        let negative = match sign.kind {
            Kind::Operator(BinaryOp::Add) => false,
            Kind::Operator(BinaryOp::Sub) => true,
            _ => {
                let primary = self.primary()?;
                return self.postfix(primary);
            }
        };
        self.advance();
        let operand = self.expression(MULTIPLICATION + 1)?;
        let range = sign.range.to(operand.range);
        let kind = match operand.kind {
            ExprKind::Number(number) => {
                let value = if negative { -number.value } else { number.value };
                ExprKind::Number(Number { value, ..number })
            }
            _ => ExprKind::Unary(Box::new(Unary { negative, operand })),
        };
        Ok(Expr { kind, range })
    }

    fn primary(&mut self) -> Result<Expr> {
        match self.peek().kind {
            Kind::Number | Kind::Duration => self.number_literal(),
            Kind::String => self.string_literal(),
            Kind::LeftParen => self.paren(),
            Kind::Identifier | Kind::TimeWord if self.peek_second() == Kind::LeftParen => self.call(),
            Kind::Aggregate(op) if self.is_aggregation() => self.aggregation(op),
            Kind::Identifier
            | Kind::TimeWord
            | Kind::MetricIdentifier
            | Kind::LeftBrace
            | Kind::Aggregate(_)
            | Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => self.selector(),
            Kind::Keyword(keyword) if keyword.may_name_a_metric() => self.selector(),
            _ => Err(self.unexpected("", "")),
        }
    }

    /// Whether an aggregation operator is meant as such, and not as the name of a metric.
    fn is_aggregation(&self) -> bool {
        matches!(self.peek_second(), Kind::LeftParen | Kind::Keyword(Keyword::By | Keyword::Without))
    }

    /// Whether the next token may be the first of an expression.
    pub(super) fn begins_expression(&self) -> bool {
        match self.peek().kind {
            Kind::Number
            | Kind::Duration
            | Kind::String
            | Kind::LeftParen
            | Kind::LeftBrace
            | Kind::Identifier
            | Kind::TimeWord
            | Kind::MetricIdentifier
            | Kind::Aggregate(_)
            | Kind::Operator(
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::And | BinaryOp::Or | BinaryOp::Unless,
            ) => true,
            Kind::Keyword(keyword) => keyword.may_name_a_metric(),
            _ => false,
        }
    }

    fn paren(&mut self) -> Result<Expr> {
        let open = self.advance();
        let inner = self.expression(0)?;
        let close = self.expect(Kind::RightParen, "", "")?;
        Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), range: open.range.to(close.range) })
    }
}
