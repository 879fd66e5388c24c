//! The tree of a parsed expression.
//!
//! Every node knows its bytes in the text. The tree is what the user wrote: parentheses, durations and the order of
//! modifiers that matter stay; nothing is folded. Trees are not cloned: chains of operators may be very long, and all
//! that walks them goes along [`Binary::chain`] instead of recursing to the left.

use std::mem;
use std::sync::Arc;

use model::Matcher;

use super::function::Signature;
use super::operator::{AggregateOp, BinaryOp};
use super::position::ByteRange;

/// An expression.
#[derive(Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub range: ByteRange,
}

/// The kinds of expressions.
#[derive(Debug, PartialEq)]
pub enum ExprKind {
    /// `5`, `0x1f`, `1h30m`
    Number(Number),
    /// `"text"`
    String(String),
    /// `(…)`
    Paren(Box<Expr>),
    /// `-x`, `+x`
    Unary(Box<Unary>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `sum by (job) (x)`
    Aggregate(Box<Aggregate>),
    /// `rate(x[5m])`
    Call(Box<Call>),
    /// `x{a="b"}`
    Selector(Box<Selector>),
    /// `x[5m]`
    Range(Box<RangeSelector>),
    /// `x[5m:1m]`
    Subquery(Box<Subquery>),
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// Its value; of a duration, in seconds.
    pub value: f64,
    /// Whether it was written as a duration.
    pub is_duration: bool,
}

/// A sign before an expression.
#[derive(Debug, PartialEq)]
pub struct Unary {
    /// Whether the sign is a minus.
    pub negative: bool,
    /// What it stands before.
    pub operand: Expr,
}

/// Two operands and what is done with them.
#[derive(Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
    /// Whether `bool` stands behind the operator.
    pub return_bool: bool,
    /// How series of the two sides find each other.
    pub matching: Matching,
}

/// How series of the two sides of a binary operation find each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// `on (…)` or `ignoring (…)`, if written.
    pub labels: Option<MatchingLabels>,
    /// `group_left (…)` or `group_right (…)`, if written.
    pub group: Option<Grouping>,
    /// What stands in for a missing partner on the left.
    pub fill_left: Option<f64>,
    /// What stands in for a missing partner on the right.
    pub fill_right: Option<f64>,
}

/// The labels that must be equal on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchingLabels {
    /// True for `on`: exactly these; false for `ignoring`: all but these.
    pub on: bool,
    /// The labels.
    pub names: Vec<Arc<str>>,
}

/// Which side may have several series per match, and what is copied to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The side that may have several.
    pub many: Side,
    /// Labels that the other side gives to the result.
    pub include: Vec<Arc<str>>,
}

/// A side of a binary operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the operator.
    Left,
    /// Behind it.
    Right,
}

/// An aggregation over series.
#[derive(Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub op: AggregateOp,
    /// The parameter of those that have one.
    pub parameter: Option<Expr>,
    /// What is aggregated.
    pub operand: Expr,
    /// True for `without (…)`.
    pub without: bool,
    /// The labels of `by` or `without`.
    pub labels: Vec<Arc<str>>,
}

/// A function call.
#[derive(Debug, PartialEq)]
pub struct Call {
    /// Which function.
    pub function: &'static Signature,
    /// Its arguments.
    pub arguments: Vec<Expr>,
}

/// `name{matchers}`, with its modifiers.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// The name before the braces, or alone in quotes inside of them.
    pub name: Option<Arc<str>>,
    /// All conditions, that on the name included.
    pub matchers: Vec<Matcher>,
    /// `@` and `offset`.
    pub shift: Shift,
    /// `anchored` or `smoothed`.
    pub edges: Edges,
}

/// A selector over a range of time. The modifiers are those of the selector.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSelector {
    /// What is selected.
    pub selector: Selector,
    /// The bytes of the selector without its range.
    pub selector_range: ByteRange,
    /// How far back.
    pub range: Duration,
}

/// An expression evaluated at many times.
#[derive(Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub operand: Expr,
    /// How far back.
    pub range: Duration,
    /// How often; the default interval if absent.
    pub step: Option<Duration>,
    /// `@` and `offset`.
    pub shift: Shift,
}

/// Moves of the time at which something is evaluated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shift {
    /// `offset`
    pub offset: Option<Duration>,
    /// `@`
    pub at: Option<At>,
}

/// The argument of `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A time in milliseconds.
    Time(i64),
    /// `start()`
    Start,
    /// `end()`
    End,
}

/// How the edges of a window are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// As always: only what lies inside.
    #[default]
    Plain,
    /// `anchored`: the sample before the window counts as its start.
    Anchored,
    /// `smoothed`: values at the edges are interpolated.
    Smoothed,
}

/// A duration, or an expression that gives one.
#[derive(Clone, Debug, PartialEq)]
pub enum Duration {
    /// Milliseconds.
    Ms(i64),
    /// Computed when the query is planned, because it may contain `step()` and `range()`.
    Computed(Box<DurationExpr>),
}

/// Arithmetic on durations, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    /// What it is.
    pub kind: DurationKind,
    /// Where it stands.
    pub range: ByteRange,
}

/// The kinds of duration expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// A number or a duration.
    Number(Number),
    /// `(…)`
    Paren(Box<DurationExpr>),
    /// A sign; true for minus.
    Sign(bool, Box<DurationExpr>),
    /// Two operands.
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `step()`
    Step,
    /// `range()`
    Range,
    /// `min_of(a, b)`
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
}

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One number per time.
    Scalar,
    /// A set of series with one value each per time.
    Vector,
    /// A set of series with a range of samples each.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// The name in the HTTP API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// The name in the documentation and in error messages.
    pub fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }
}

impl Expr {
    /// What the expression yields.
    pub fn value_type(&self) -> ValueType {
        let mut expr = self;
        loop {
            match &expr.kind {
                ExprKind::Number(_) => return ValueType::Scalar,
                ExprKind::String(_) => return ValueType::String,
                ExprKind::Paren(inner) => expr = inner,
                ExprKind::Unary(unary) => expr = &unary.operand,
                ExprKind::Binary(binary) => {
                    if binary.right.value_type() != ValueType::Scalar {
                        return ValueType::Vector;
                    }
                    expr = &binary.left;
                    if !matches!(expr.kind, ExprKind::Binary(_) | ExprKind::Paren(_) | ExprKind::Unary(_)) {
                        let scalar = expr.value_type() == ValueType::Scalar;
                        return if scalar { ValueType::Scalar } else { ValueType::Vector };
                    }
                }
                ExprKind::Aggregate(_) | ExprKind::Selector(_) => return ValueType::Vector,
                ExprKind::Call(call) => return call.function.returns,
                ExprKind::Range(_) | ExprKind::Subquery(_) => return ValueType::Matrix,
            }
        }
    }

    /// The expression without parentheses around it.
    pub fn without_parens(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// The selectors in it, those of ranges among them.
    pub fn selectors(&self) -> Vec<&Selector> {
        let (mut found, mut rest) = (Vec::new(), vec![self]);
        while let Some(expr) = rest.pop() {
            match &expr.kind {
                ExprKind::Number(_) | ExprKind::String(_) => {}
                ExprKind::Paren(inner) => rest.push(inner),
                ExprKind::Unary(unary) => rest.push(&unary.operand),
                ExprKind::Binary(binary) => rest.extend([&binary.left, &binary.right]),
                ExprKind::Aggregate(aggregate) => {
                    rest.extend(&aggregate.parameter);
                    rest.push(&aggregate.operand);
                }
                ExprKind::Call(call) => rest.extend(&call.arguments),
                ExprKind::Selector(selector) => found.push(&**selector),
                ExprKind::Range(range) => found.push(&range.selector),
                ExprKind::Subquery(subquery) => rest.push(&subquery.operand),
            }
        }
        found
    }

    fn placeholder() -> Self {
        let number = Number { value: 0.0, is_duration: false };
        Self { kind: ExprKind::Number(number), range: ByteRange::default() }
    }
}

impl Binary {
    /// The expressions `a`, `b`, `c` … of a chain like `a + b * x + c`, which grows to the left and may be long: first
    /// the innermost left operand, then each operation from the inside out.
    pub fn chain<'a>(&'a self, outermost: &'a Expr) -> (&'a Expr, Vec<(&'a Expr, &'a Self)>) {
        let mut links = vec![(outermost, self)];
        let mut innermost = &self.left;
        while let ExprKind::Binary(binary) = &innermost.kind {
            links.push((innermost, binary));
            innermost = &binary.left;
        }
        links.reverse();
        (innermost, links)
    }
}

/// Chains of operators grow to the left without a limit, so they must not be dropped by recursion.
impl Drop for Binary {
    fn drop(&mut self) {
        let mut next = mem::replace(&mut self.left, Expr::placeholder());
        while let ExprKind::Binary(binary) = &mut next.kind {
            let inner = mem::replace(&mut binary.left, Expr::placeholder());
            next = inner;
        }
    }
}
