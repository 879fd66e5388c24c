//! The rules that a tree must keep beyond its grammar: types, numbers of arguments, modifiers that fit together.

use model::Labels;

use super::ast::{Aggregate, Binary, Call, Expr, ExprKind, Selector, Subquery, Unary, ValueType};
use super::error::ParseError;
use super::function::{Function, Variadic};
use super::operator::AggregateOp;
use super::position::ByteRange;

type Result<T, E = ParseError> = std::result::Result<T, E>;

/// Checks a tree that was parsed from `text`.
pub(super) fn check(text: &str, expr: &Expr) -> Result<()> {
    Check { text }.expr(expr).map(|_| ())
}

struct Check<'a> {
    text: &'a str,
}

impl Check<'_> {
    fn error<T>(&self, range: ByteRange, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.text, range, message))
    }

    /// Checks an expression and says what it yields.
    fn expr(&self, expr: &Expr) -> Result<ValueType> {
        match &expr.kind {
            ExprKind::Number(_) => Ok(ValueType::Scalar),
            ExprKind::String(_) => Ok(ValueType::String),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Unary(unary) => self.unary(unary, expr.range),
            ExprKind::Binary(binary) => self.chain(binary, expr),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, expr.range),
            ExprKind::Selector(selector) => self.selector(selector, expr.range).map(|()| ValueType::Vector),
            ExprKind::Range(range) => {
                self.selector(&range.selector, range.selector_range).map(|()| ValueType::Matrix)
            }
            ExprKind::Subquery(subquery) => self.subquery(subquery, expr.range),
        }
    }

    fn expect(&self, expr: &Expr, wanted: ValueType, context: &str) -> Result<()> {
        let found = self.expr(expr)?;
        if found == wanted {
            return Ok(());
        }
        let (wanted, found) = (wanted.documented(), found.documented());
        self.error(expr.range, format!("expected type {wanted} in {context}, got {found}"))
    }

    fn unary(&self, unary: &Unary, range: ByteRange) -> Result<ValueType> {
        match self.expr(&unary.operand)? {
            found @ (ValueType::Scalar | ValueType::Vector) => Ok(found),
            found => self.error(
                range,
                format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                    found.documented()
                ),
            ),
        }
    }

    fn chain(&self, binary: &Binary, outermost: &Expr) -> Result<ValueType> {
        let (innermost, links) = binary.chain(outermost);
        let mut left = self.expr(innermost)?;
        for (expr, binary) in links {
            left = self.binary(binary, expr.range, left)?;
        }
        Ok(left)
    }

    fn binary(&self, binary: &Binary, range: ByteRange, left: ValueType) -> Result<ValueType> {
        let right = self.expr(&binary.right)?;
        let op = binary.op;
        let both_scalar = left == ValueType::Scalar && right == ValueType::Scalar;
        if binary.return_bool && !op.is_comparison() {
            return self
                .error(self.operator(binary), "bool modifier can only be used on comparison operators");
        }
        if op.is_comparison() && !binary.return_bool && both_scalar {
            return self.error(self.operator(binary), "comparisons between scalars must use BOOL modifier");
        }
        self.matching(binary)?;
        for (side, found) in [(&binary.left, left), (&binary.right, right)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                let complaint = "binary expression must contain only scalar and instant vector types";
                return self.error(side.range, complaint);
            }
        }
        let both_vector = left == ValueType::Vector && right == ValueType::Vector;
        let matching = &binary.matching;
        if !both_vector {
            if matching.labels.as_ref().is_some_and(|labels| !labels.names.is_empty()) {
                return self.error(range, "vector matching only allowed between instant vectors");
            }
            if matching.fill_left.is_some() || matching.fill_right.is_some() {
                return self.error(range, "filling in missing series only allowed between instant vectors");
            }
            if op.is_set() {
                return self.error(
                    range,
                    format!("set operator {:?} not allowed in binary scalar expression", op.as_str()),
                );
            }
        } else if op.is_set() {
            if matching.group.is_some() {
                return self.error(range, format!("no grouping allowed for {:?} operation", op.as_str()));
            }
            if matching.fill_left.is_some() || matching.fill_right.is_some() {
                return self.error(range, "filling in missing series not allowed for set operators");
            }
        }
        Ok(if both_scalar { ValueType::Scalar } else { ValueType::Vector })
    }

    fn matching(&self, binary: &Binary) -> Result<()> {
        if let (Some(labels), Some(group)) = (&binary.matching.labels, &binary.matching.group)
            && labels.on
            && let Some(label) = labels.names.iter().find(|label| group.include.contains(label))
        {
            let complaint = format!("label {label:?} must not occur in ON and GROUP clause at once");
            return self.error(self.operator(binary), complaint);
        }
        Ok(())
    }

    /// The bytes between the operands, without space around them.
    fn operator(&self, binary: &Binary) -> ByteRange {
        let (start, end) = (binary.left.range.end, binary.right.range.start);
        let between = self.text.get(start..end).unwrap_or("");
        let start = start + (between.len() - between.trim_start().len());
        ByteRange::new(start, start + between.trim().len())
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<ValueType> {
        self.expect(&aggregate.operand, ValueType::Vector, "aggregation expression")?;
        if let Some(parameter) = &aggregate.parameter {
            let wanted = match aggregate.op {
                AggregateOp::CountValues => ValueType::String,
                _ => ValueType::Scalar,
            };
            self.expect(parameter, wanted, "aggregation parameter")?;
        }
        Ok(ValueType::Vector)
    }

    fn call(&self, call: &Call, range: ByteRange) -> Result<ValueType> {
        let function = call.function;
        let (given, listed) = (call.arguments.len(), function.arguments.len());
        let complain = |how: &str, wanted: usize| {
            let name = function.name;
            self.error(range, format!("expected {how}{wanted} argument(s) in call to {name:?}, got {given}"))
        };
        match function.variadic {
            Variadic::No if given != listed => return complain("", listed),
            Variadic::UpTo(_) | Variadic::Any if given + 1 < listed => {
                return complain("at least ", listed - 1);
            }
            Variadic::UpTo(more) if given > listed - 1 + more => {
                return complain("at most ", listed - 1 + more);
            }
            _ => {}
        }
        for (index, argument) in call.arguments.iter().enumerate() {
            let wanted = function.arguments[index.min(listed - 1)];
            if function.function == Function::Info && index == 1 {
                self.info_selector(argument)?;
            } else {
                self.expect(argument, wanted, &format!("call to function {:?}", function.name))?;
            }
        }
        Ok(function.returns)
    }

    /// The second argument of `info` may select everything, and has no name outside of its braces.
    fn info_selector(&self, argument: &Expr) -> Result<()> {
        match &argument.kind {
            ExprKind::Selector(selector) if selector.name.is_none() => Ok(()),
            ExprKind::Selector(_) => {
                self.error(argument.range, "expected label selectors only, got vector selector instead")
            }
            _ => self.error(argument.range, "expected label selectors only"),
        }
    }

    fn selector(&self, selector: &Selector, range: ByteRange) -> Result<()> {
        let mut names = selector.matchers.iter().filter(|matcher| &*matcher.name == Labels::NAME);
        if let Some(name) = &selector.name {
            // the last matcher is the one that the name outside of the braces gave
            let inside = selector.matchers.len() - 1;
            return match selector.matchers[..inside].iter().find(|matcher| &*matcher.name == Labels::NAME) {
                None => Ok(()),
                Some(other) => self.error(
                    range,
                    format!("metric name must not be set twice: {:?} or {:?}", name, other.value),
                ),
            };
        }
        if names.all(model::Matcher::matches_empty)
            && selector.matchers.iter().all(model::Matcher::matches_empty)
        {
            return self.error(range, "vector selector must contain at least one non-empty matcher");
        }
        Ok(())
    }

    fn subquery(&self, subquery: &Subquery, range: ByteRange) -> Result<ValueType> {
        match self.expr(&subquery.operand)? {
            ValueType::Vector => Ok(ValueType::Matrix),
            found => self.error(
                range,
                format!("subquery is only allowed on instant vector, got {} instead", found.as_str()),
            ),
        }
    }
}
