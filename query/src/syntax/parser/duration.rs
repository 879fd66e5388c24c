//! Durations in brackets and behind `offset`, which may be computed.

use super::{Parser, Result};
use crate::syntax::ast::{Duration, DurationExpr, DurationKind, Number};
use crate::syntax::operator::{BinaryOp, MULTIPLICATION};
use crate::syntax::position::ByteRange;
use crate::syntax::token::Kind;

/// Seconds that fit into Go's nanoseconds.
const SECONDS_MAX: f64 = 9_223_372_036.0;

const EXPECTED: &str = "number, duration, step(), or range()";

impl Parser<'_> {
    /// The width or step of a window, which must be more than nothing.
    pub(super) fn positive_duration(&mut self, expected: Option<&str>) -> Result<Duration> {
        let expr = self.duration_expression(0, "subquery selector", expected.unwrap_or(EXPECTED))?;
        let range = expr.range;
        let behind = self.peek();
        let is_letter = self.text(behind).starts_with(|first: char| first.is_ascii_alphabetic());
        if behind.kind == Kind::Error && !is_letter {
            // what stands behind the duration has been read before it is looked at
            return Err(self.unexpected("", ""));
        }
        if literal(&expr).is_some_and(|seconds| seconds <= 0.0) {
            return Err(self.error(range, "duration must be greater than 0"));
        }
        match duration(expr) {
            // less than a millisecond
            Duration::Ms(..=0) => Err(self.error(range, "duration must be greater than 0")),
            duration => Ok(duration),
        }
    }

    /// The one operand behind `offset`: a number with a sign or without, a call, or something in parentheses.
    pub(super) fn offset_duration(&mut self) -> Result<Duration> {
        self.duration_operand("offset", EXPECTED, false).map(duration)
    }

    fn duration_expression(&mut self, precedence: u8, context: &str, expected: &str) -> Result<DurationExpr> {
        self.nested(|parser| {
            let mut left = parser.duration_operand(context, expected, true)?;
            let mut length = 0;
            while let Kind::Operator(op) = parser.peek().kind
                && is_arithmetic(op)
                && op.precedence() >= precedence
            {
                // a chain becomes as deep as it is long
                length += 1;
                if length > super::DEPTH_MAX {
                    return Err(parser.error(parser.peek().range, "duration expression is too long"));
                }
                let operator = parser.advance();
                let binds = op.precedence() + u8::from(!op.is_right_associative());
                let right = parser.duration_expression(binds, context, expected)?;
                let complaint = match op {
                    BinaryOp::Div => "division by zero",
                    _ => "modulo by zero",
                };
                if matches!(op, BinaryOp::Div | BinaryOp::Mod) && literal(&right) == Some(0.0) {
                    return Err(parser.error(operator.range, complaint));
                }
                let range = left.range.to(right.range);
                left =
                    DurationExpr { kind: DurationKind::Binary(op, Box::new(left), Box::new(right)), range };
            }
            Ok(left)
        })
    }

    fn duration_operand(&mut self, context: &str, expected: &str, greedy: bool) -> Result<DurationExpr> {
        let token = self.peek();
        match token.kind {
            Kind::Operator(sign @ (BinaryOp::Add | BinaryOp::Sub)) => {
                self.advance();
                let operand = match greedy {
                    true => self.duration_expression(MULTIPLICATION + 1, context, expected)?,
                    false => self.nested(|parser| parser.duration_operand(context, expected, false))?,
                };
                let range = token.range.to(operand.range);
                let kind = match (sign, operand.kind) {
                    (BinaryOp::Sub, DurationKind::Number(number)) => {
                        DurationKind::Number(Number { value: -number.value, ..number })
                    }
                    (BinaryOp::Sub, kind) => {
                        DurationKind::Sign(true, Box::new(DurationExpr { kind, range: operand.range }))
                    }
                    (_, kind) => kind,
                };
                Ok(DurationExpr { kind, range })
            }
            Kind::Number | Kind::Duration => {
                self.advance();
                let number = self.number_of(token)?;
                self.check_duration(number, token.range)?;
                Ok(DurationExpr { kind: DurationKind::Number(number), range: token.range })
            }
            Kind::LeftParen => {
                self.advance();
                let inner = self.duration_expression(0, context, expected)?;
                let close = self.expect(Kind::RightParen, context, expected)?;
                let kind = match inner.kind {
                    // one pair is enough, and a number needs none
                    kind @ (DurationKind::Number(_) | DurationKind::Paren(_)) => kind,
                    _ => DurationKind::Paren(Box::new(inner)),
                };
                Ok(DurationExpr { kind, range: token.range.to(close.range) })
            }
            Kind::TimeWord => self.duration_call(context, expected),
            _ => Err(self.unexpected(context, expected)),
        }
    }

    fn duration_call(&mut self, context: &str, expected: &str) -> Result<DurationExpr> {
        let name = self.peek();
        let word = self.text(name).to_ascii_lowercase();
        let of_two = match word.as_str() {
            "step" | "range" => false,
            "min_of" | "max_of" => true,
            _ => return Err(self.unexpected(context, expected)),
        };
        self.advance();
        self.expect(Kind::LeftParen, context, expected)?;
        let kind = if of_two {
            let first = Box::new(self.duration_expression(0, context, expected)?);
            self.expect(Kind::Comma, context, expected)?;
            let second = Box::new(self.duration_expression(0, context, expected)?);
            if word == "min_of" {
                DurationKind::MinOf(first, second)
            } else {
                DurationKind::MaxOf(first, second)
            }
        } else if word == "step" {
            DurationKind::Step
        } else {
            DurationKind::Range
        };
        let close = self.expect(Kind::RightParen, context, expected)?;
        Ok(DurationExpr { kind, range: name.range.to(close.range) })
    }

    fn check_duration(&self, number: Number, range: ByteRange) -> Result<()> {
        if number.value.abs() <= SECONDS_MAX {
            return Ok(());
        }
        Err(self.error(range, "duration out of range"))
    }
}

/// The value of a number, with a sign or in parentheses too.
fn literal(expr: &DurationExpr) -> Option<f64> {
    match &expr.kind {
        DurationKind::Number(number) => Some(number.value),
        DurationKind::Sign(negative, operand) => {
            literal(operand).map(|value| if *negative { -value } else { value })
        }
        DurationKind::Paren(inner) => literal(inner),
        _ => None,
    }
}

/// A literal, or what must be computed later.
fn duration(expr: DurationExpr) -> Duration {
    let literal = match &expr.kind {
        DurationKind::Number(number) => Some(number.value),
        DurationKind::Sign(negative, operand) => match operand.kind {
            DurationKind::Number(number) if *negative => Some(-number.value),
            DurationKind::Number(number) => Some(number.value),
            _ => None,
        },
        _ => None,
    };
    match literal {
        #[expect(clippy::cast_possible_truncation, reason = "checked when the number was read")]
        Some(seconds) => Duration::Ms((seconds * 1e9).round() as i64 / 1_000_000),
        None => Duration::Computed(Box::new(expr)),
    }
}

fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow
    )
}
