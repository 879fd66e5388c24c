//! Plans `info`: which info series are read, and for which times.

use model::{Labels, MatchOp, Matcher};

use super::PlanError;
use super::build::{Builder, Result};
use super::grid::Grid;
use super::node::{Asked, CallNode, InstantNode, Node, NodeKind};
use crate::syntax::{Call, Expr, ExprKind, ValueType};

/// The info metric that is meant if none is named.
const TARGET_INFO: &str = "target_info";

impl Builder {
    pub(super) fn info(&mut self, call: &Call, grid: Grid) -> Result<(NodeKind, bool)> {
        let operand = self.expr(&call.arguments[0], grid)?;
        let steady = operand.steady;
        let operand = if steady { operand.node } else { operand.part() };
        let matchers = match call.arguments.get(1).map(|argument| &argument.without_parens().kind) {
            Some(ExprKind::Selector(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        // info series are looked up at the time of the samples that they describe
        let times = self.reference(&call.arguments[0], grid)?;
        let oldest = times.start_ms.saturating_sub(self.limits.lookback_ms).saturating_add(1);
        let selection = self.select(&with_name(matchers)?, oldest, times.end_ms());
        let range = call.arguments.get(1).unwrap_or(&call.arguments[0]).range;
        let instant = InstantNode { selection, times, asked: Asked::Value, smoothed: false, range };
        let info = Node::new(NodeKind::Instant(instant), range, grid, ValueType::Vector);
        let node = CallNode {
            function: call.function.function,
            arguments: vec![operand, info],
            absent_labels: Labels::empty(),
        };
        Ok((NodeKind::Call(Box::new(node)), steady))
    }

    /// The times of the first selector in an expression, `@` and offsets applied.
    fn reference(&self, expr: &Expr, grid: Grid) -> Result<Grid> {
        match &expr.kind {
            ExprKind::Selector(selector) => self.shifted(&selector.shift, grid),
            ExprKind::Range(range) => self.shifted(&range.selector.shift, grid),
            ExprKind::Subquery(subquery) => {
                let times = self.shifted(&subquery.shift, grid)?;
                self.reference(&subquery.operand, times)
            }
            ExprKind::Paren(inner) => self.reference(inner, grid),
            ExprKind::Unary(unary) => self.reference(&unary.operand, grid),
            ExprKind::Aggregate(aggregate) => self.reference(&aggregate.operand, grid),
            ExprKind::Binary(binary) => {
                let (innermost, links) = binary.chain(expr);
                let operands = std::iter::once(innermost).chain(links.iter().map(|(_, link)| &link.right));
                self.first_reference(operands, grid)
            }
            ExprKind::Call(call) => self.first_reference(call.arguments.iter(), grid),
            ExprKind::Number(_) | ExprKind::String(_) => Ok(grid),
        }
    }

    fn first_reference<'e>(&self, mut all: impl Iterator<Item = &'e Expr>, grid: Grid) -> Result<Grid> {
        let vector = all.find(|expr| matches!(expr.value_type(), ValueType::Vector | ValueType::Matrix));
        vector.map_or(Ok(grid), |expr| self.reference(expr, grid))
    }
}

/// Without a condition on the name `target_info` is meant; conditions that only exclude names choose among `…_info`.
fn with_name(mut matchers: Vec<Matcher>) -> Result<Vec<Matcher>> {
    let on_name = |matcher: &&Matcher| &*matcher.name == Labels::NAME;
    let positive = |matcher: &Matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex);
    let (op, value) = if !matchers.iter().any(|matcher| on_name(&matcher)) {
        (MatchOp::Equal, TARGET_INFO)
    } else if !matchers.iter().filter(on_name).any(positive) {
        (MatchOp::Regex, ".+_info")
    } else {
        return Ok(matchers);
    };
    let matcher = Matcher::new(Labels::NAME, op, value);
    matchers.push(matcher.map_err(|_| PlanError::NotSupported { what: "this info metric" })?);
    Ok(matchers)
}
