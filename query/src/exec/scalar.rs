//! Numbers along a grid.

use std::ops::Deref;

use super::{Counted, ExecError, Executor, Result, Weight};
use crate::plan::{CallNode, Node, NodeKind};
use crate::syntax::{BinaryOp, Function, ValueType};

/// A number at each time of a grid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Constant(f64),
    Steps(Vec<f64>),
}

impl Scalar {
    pub(super) fn at(&self, index: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values[index],
        }
    }

    fn zip(&self, other: &Self, count: usize, compute: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Constant(left), Self::Constant(right)) => Self::Constant(compute(*left, *right)),
            _ => Self::Steps((0..count).map(|index| compute(self.at(index), other.at(index))).collect()),
        }
    }

    fn map(self, compute: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(compute(value)),
            Self::Steps(values) => Self::Steps(values.into_iter().map(compute).collect()),
        }
    }
}

/// Numbers along a grid that count as samples while they live, as those of a series do.
pub(super) struct HeldScalar<'a> {
    scalar: Scalar,
    counted: Counted<'a>,
}

impl Deref for HeldScalar<'_> {
    type Target = Scalar;

    fn deref(&self) -> &Scalar {
        &self.scalar
    }
}

impl<'a> HeldScalar<'a> {
    pub(super) fn into_parts(self) -> (Scalar, Counted<'a>) {
        (self.scalar, self.counted)
    }

    /// Computes a number from two at each time.
    pub(super) fn zip(self, other: &Self, count: usize, compute: impl Fn(f64, f64) -> f64) -> Result<Self> {
        let mut counted = self.counted;
        if let (Scalar::Constant(_), Scalar::Steps(_)) = (&self.scalar, &other.scalar) {
            counted.add(row(count))?;
        }
        Ok(Self { scalar: self.scalar.zip(&other.scalar, count, compute), counted })
    }
}

/// What a number at each of so many times counts as.
fn row(count: usize) -> Weight {
    let samples = count as u64;
    Weight { samples, bytes: samples.saturating_mul(8) }
}

impl<'a> Executor<'a> {
    pub(super) fn scalar(&self, node: &Node) -> Result<HeldScalar<'a>> {
        let Some(figures) = self.figures(node) else { return self.scalar_of(node) };
        figures.begin();
        let began_us = self.budget.now_us();
        let scalar = self.scalar_of(node);
        figures.take(self.budget.now_us() - began_us);
        if scalar.is_ok() {
            figures.give(1, node.grid.count as u64);
        }
        scalar
    }

    fn scalar_of(&self, node: &Node) -> Result<HeldScalar<'a>> {
        match &node.kind {
            NodeKind::Number(value) => self.constant(*value),
            NodeKind::Once(inner) => self.constant(self.once(|| Ok(self.scalar(inner)?.at(0)))?),
            NodeKind::Negate(operand) => {
                let HeldScalar { scalar, counted } = self.scalar(operand)?;
                Ok(HeldScalar { scalar: scalar.map(|value| -value), counted })
            }
            NodeKind::Binary(binary) => {
                let (innermost, links) = binary.chain(node);
                let mut left = self.scalar(innermost)?;
                for (node, link) in links {
                    let right = self.scalar(&link.right)?;
                    let compute = |left, right| of_scalars(link.op, left, right);
                    left = left.zip(&right, node.grid.count, compute)?;
                }
                Ok(left)
            }
            NodeKind::Call(call) => self.scalar_call(call, node),
            _ => Err(ExecError::Internal { what: "a scalar was expected" }),
        }
    }

    fn constant(&self, value: f64) -> Result<HeldScalar<'a>> {
        let counted = self.context.budget.held(Weight::default())?;
        Ok(HeldScalar { scalar: Scalar::Constant(value), counted })
    }

    fn scalar_call(&self, call: &CallNode, node: &Node) -> Result<HeldScalar<'a>> {
        match (call.function, call.arguments.as_slice()) {
            (Function::Time, []) => {
                let counted = self.context.budget.held(row(node.grid.count))?;
                let scalar = Scalar::Steps(node.grid.times().map(seconds).collect());
                Ok(HeldScalar { scalar, counted })
            }
            (Function::Scalar, [operand]) => {
                let counted = self.context.budget.held(row(operand.grid.count))?;
                Ok(HeldScalar { scalar: self.scalar_of_vector(operand)?, counted })
            }
            (Function::MinOf | Function::MaxOf, [a, b]) => {
                let (a, b) = (self.scalar(a)?, self.scalar(b)?);
                let pick = if call.function == Function::MinOf { go_min } else { go_max };
                a.zip(&b, node.grid.count, pick)
            }
            _ => Err(ExecError::Internal { what: "a function that gives a scalar was expected" }),
        }
    }

    /// The value where exactly one series has one.
    fn scalar_of_vector(&self, operand: &Node) -> Result<Scalar> {
        let mut values = vec![f64::NAN; operand.grid.count];
        let mut found = vec![0_u8; operand.grid.count];
        self.each_line(operand, &mut |line| {
            // histograms do not count
            for (index, value) in line.points.floats() {
                found[index] = found[index].saturating_add(1);
                values[index] = if found[index] == 1 { value } else { f64::NAN };
            }
            Ok(())
        })?;
        Ok(Scalar::Steps(values))
    }

    /// The parameter of an operation whose type is checked already.
    pub(super) fn is_scalar(node: &Node) -> bool {
        node.value_type == ValueType::Scalar
    }
}

/// Milliseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// Go's `math.Max`: infinite if either is, else NaN if either is.
pub(super) fn go_max(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    if most < f64::INFINITY && (a.is_nan() || b.is_nan()) { f64::NAN } else { most }
}

/// Go's `math.Min`: infinite if either is, else NaN if either is.
pub(super) fn go_min(a: f64, b: f64) -> f64 {
    let least = a.min(b);
    if least > f64::NEG_INFINITY && (a.is_nan() || b.is_nan()) { f64::NAN } else { least }
}

/// An operation on two scalars; comparisons give 1 or 0.
pub(super) fn of_scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() {
        f64::from(u8::from(compare(op, left, right)))
    } else {
        arithmetic(op, left, right)
    }
}

/// An operation on two floats of vectors: comparisons keep the left value or drop it, with `bool` they give 1 or 0.
/// `None` if floats are not what the operator is for.
pub(super) fn of_floats(op: BinaryOp, return_bool: bool) -> Option<fn(f64, f64) -> Option<f64>> {
    macro_rules! operation {
        (compare $op:ident) => {
            match return_bool {
                true => |a, b| Some(f64::from(u8::from(compare(BinaryOp::$op, a, b)))),
                false => |a, b| compare(BinaryOp::$op, a, b).then_some(a),
            }
        };
        ($op:ident) => {
            |a, b| Some(arithmetic(BinaryOp::$op, a, b))
        };
    }
    Some(match op {
        BinaryOp::Add => operation!(Add),
        BinaryOp::Sub => operation!(Sub),
        BinaryOp::Mul => operation!(Mul),
        BinaryOp::Div => operation!(Div),
        BinaryOp::Mod => operation!(Mod),
        BinaryOp::Pow => operation!(Pow),
        BinaryOp::Atan2 => operation!(Atan2),
        BinaryOp::Equal => operation!(compare Equal),
        BinaryOp::NotEqual => operation!(compare NotEqual),
        BinaryOp::Greater => operation!(compare Greater),
        BinaryOp::Less => operation!(compare Less),
        BinaryOp::GreaterEqual => operation!(compare GreaterEqual),
        BinaryOp::LessEqual => operation!(compare LessEqual),
        _ => return None,
    })
}

/// A comparison.
#[expect(clippy::float_cmp, reason = "that is what the operator asks for")]
#[inline]
pub(super) fn compare(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::Less => left < right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::LessEqual => left <= right,
        _ => false,
    }
}

/// Arithmetic.
#[inline]
pub(super) fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        _ => f64::NAN,
    }
}
