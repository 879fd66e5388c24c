//! `sum by (job) (x)` and lists of labels.

use std::sync::Arc;

use super::{Parser, Result};
use crate::syntax::ast::{Aggregate, Expr, ExprKind};
use crate::syntax::operator::{AggregateOp, BinaryOp};
use crate::syntax::position::ByteRange;
use crate::syntax::token::{Keyword, Kind};

impl Parser<'_> {
    pub(super) fn aggregation(&mut self, op: AggregateOp) -> Result<Expr> {
        let name = self.advance();
        self.aggregations += 1;
        let mut modifier = self.aggregation_modifier()?;
        let mut arguments = self.arguments()?;
        self.aggregations -= 1;
        if modifier.is_none() {
            modifier = self.aggregation_modifier()?;
        }
        if self.peek().kind == Kind::Error {
            // what stands behind the aggregation has been read before it is looked at
            return Err(self.unexpected("", ""));
        }
        let range = ByteRange::new(name.range.start, self.last_end);
        if op.is_experimental() && !self.options.experimental_functions {
            let flag = "--enable-feature=promql-experimental-functions";
            return Err(self.error(range, format!("{op}() is experimental and must be enabled with {flag}")));
        }
        if arguments.is_empty() {
            return Err(self.error(range, "no arguments for aggregate expression provided"));
        }
        let wanted = 1 + usize::from(op.has_parameter());
        let given = arguments.len();
        let (Some(operand), true) = (arguments.pop(), given == wanted) else {
            return Err(self.error(
                range,
                format!(
                    "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
                ),
            ));
        };
        let (without, labels) = modifier.unwrap_or_default();
        let aggregate = Aggregate { op, parameter: arguments.pop(), operand, without, labels };
        Ok(Expr { kind: ExprKind::Aggregate(Box::new(aggregate)), range })
    }

    fn aggregation_modifier(&mut self) -> Result<Option<(bool, Vec<Arc<str>>)>> {
        let without = match self.peek().kind {
            Kind::Keyword(Keyword::By) => false,
            Kind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some((without, self.grouping_labels()?)))
    }

    /// `(a, b)`, where every word may be a label.
    pub(super) fn grouping_labels(&mut self) -> Result<Vec<Arc<str>>> {
        self.expect(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        loop {
            if self.take(Kind::RightParen).is_some() {
                return Ok(labels);
            }
            labels.push(self.grouping_label()?);
            if self.take(Kind::Comma).is_none() {
                self.expect(Kind::RightParen, "grouping opts", "\",\" or \")\"")?;
                return Ok(labels);
            }
        }
    }

    fn grouping_label(&mut self) -> Result<Arc<str>> {
        let token = self.peek();
        match token.kind {
            // the one keyword that upstream's grammar does not list here
            Kind::Keyword(Keyword::Without) => Err(self.unexpected("grouping opts", "label")),
            Kind::Identifier
            | Kind::TimeWord
            | Kind::MetricIdentifier
            | Kind::Aggregate(_)
            | Kind::Keyword(_)
            | Kind::Operator(BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::Atan2) => {
                self.advance();
                Ok(self.text(token).into())
            }
            Kind::String => {
                self.advance();
                let name = self.unquote_shared(token)?;
                if name.is_empty() {
                    return Err(self.error(token.range, format!("invalid label name for grouping: {name:?}")));
                }
                Ok(name)
            }
            _ => Err(self.unexpected("grouping opts", "label")),
        }
    }
}
