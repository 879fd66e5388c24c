//! Operations between two operands.
//!
//! Chains like `a + b * c - d` grow to the left without a limit, so they are walked, not recursed into: operations with
//! a scalar wait until the series come by, a join collects both of its sides.

mod fill;
mod join;
mod set;
mod values;

use model::Value;

use super::points::{Line, Points};
use super::scalar::{HeldScalar, arithmetic, compare, of_scalars};
use super::{ExecError, Executor, Held, Result, Sink, names};
use crate::plan::{BinaryNode, Node};
use crate::syntax::{BinaryOp, ByteRange, Side};

/// The left operand of the next operation of a chain.
enum Left<'n, 'a> {
    Scalar(HeldScalar<'a>),
    Node(&'n Node),
    Lines(Held<'a>),
}

/// An operation with a scalar that waits for series.
struct Pending<'a> {
    op: BinaryOp,
    scalar: HeldScalar<'a>,
    /// Whether the scalar stands on the left.
    scalar_first: bool,
    return_bool: bool,
    range: ByteRange,
}

impl<'a> Executor<'a> {
    pub(super) fn binary(&self, binary: &BinaryNode, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let (innermost, links) = binary.chain(node);
        let mut pending: Vec<Pending<'a>> = Vec::new();
        let mut left = match Self::is_scalar(innermost) {
            true => Left::Scalar(self.scalar(innermost)?),
            false => Left::Node(innermost),
        };
        for (node, link) in links {
            let (op, return_bool) = (link.op, link.return_bool);
            left = match (left, Self::is_scalar(&link.right)) {
                (Left::Scalar(scalar), true) => {
                    let right = self.scalar(&link.right)?;
                    Left::Scalar(scalar.zip(&right, node.grid.count, |a, b| of_scalars(op, a, b))?)
                }
                (Left::Scalar(scalar), false) => {
                    pending.push(Pending { op, scalar, scalar_first: true, return_bool, range: node.range });
                    Left::Node(&link.right)
                }
                (vector, true) => {
                    let scalar = self.scalar(&link.right)?;
                    pending.push(Pending { op, scalar, scalar_first: false, return_bool, range: node.range });
                    vector
                }
                (vector, false) => {
                    let left = self.gather(vector, &std::mem::take(&mut pending))?;
                    let right = self.collect(&link.right)?;
                    let mut held = self.nothing_held();
                    for line in self.vectors(link, node, &left.lines, &right.lines)? {
                        self.hold(&mut held, line)?;
                    }
                    Left::Lines(held)
                }
            };
        }
        self.emit(left, &pending, sink)
    }

    fn gather(&self, left: Left<'_, 'a>, pending: &[Pending<'_>]) -> Result<Held<'a>> {
        if let (Left::Lines(_), true) = (&left, pending.is_empty()) {
            return match left {
                Left::Lines(held) => Ok(held),
                _ => Err(ExecError::Internal { what: "series were expected" }),
            };
        }
        let mut held = self.nothing_held();
        self.emit(left, pending, &mut |line| self.hold(&mut held, line))?;
        Ok(held)
    }

    /// Hands the series to `sink`, after all operations with scalars that wait for them.
    fn emit(&self, left: Left<'_, 'a>, pending: &[Pending<'_>], sink: &mut Sink<'_>) -> Result<()> {
        let renames = pending.iter().any(|pending| loses_name(pending.op, pending.return_bool));
        let mut held = self.nothing_held();
        let compute = |mut line: Line, out: &mut Sink<'_>| {
            for operation in pending {
                self.with_scalar(operation, &mut line)?;
            }
            if line.points.is_empty() { Ok(()) } else { out(line) }
        };
        let may_collide = |one_name: bool| renames && !self.settings.delayed_name_removal && !one_name;
        match left {
            Left::Scalar(_) => return Err(ExecError::Internal { what: "series were expected" }),
            Left::Node(node) if may_collide(self.has_one_name(node)) => {
                self.each_line(node, &mut |line| compute(line, &mut |line| self.hold(&mut held, line)))?;
            }
            Left::Node(node) => return self.each_line(node, &mut |line| compute(line, sink)),
            Left::Lines(mut lines) => {
                for line in std::mem::take(&mut lines.lines) {
                    compute(line, &mut |line| {
                        held.lines.push(line);
                        Ok(())
                    })?;
                }
                if !may_collide(false) {
                    return std::mem::take(&mut held.lines).into_iter().try_for_each(sink);
                }
            }
        }
        names::merge_same(std::mem::take(&mut held.lines))?.into_iter().try_for_each(sink)
    }

    fn with_scalar(&self, operation: &Pending<'_>, line: &mut Line) -> Result<()> {
        let Pending { op, scalar, scalar_first, return_bool, range } = operation;
        if op.is_trim() || line.points.has_histograms() {
            line.points.map_values(|index, value| {
                let scalar = Value::Float(scalar.at(index));
                let (left, right) = if *scalar_first { (&scalar, &value) } else { (&value, &scalar) };
                match (self.of_values(*op, left, right, *range)?, return_bool) {
                    ((holds, _), true) => Some(Value::Float(f64::from(u8::from(holds)))),
                    // a comparison keeps what the vector has
                    ((true, _), false) if op.is_comparison() => Some(value),
                    ((true, result), false) => Some(result),
                    ((false, _), false) => None,
                }
            });
            if loses_name(*op, *return_bool) {
                self.drop_name(line);
            }
            return Ok(());
        }
        line.points.map_floats(|index, value| {
            let (left, right) = match scalar_first {
                true => (scalar.at(index), value),
                false => (value, scalar.at(index)),
            };
            if !op.is_comparison() {
                return Some(arithmetic(*op, left, right));
            }
            match (compare(*op, left, right), return_bool) {
                (holds, true) => Some(f64::from(u8::from(holds))),
                (true, false) => Some(value),
                (false, false) => None,
            }
        });
        if loses_name(*op, *return_bool) {
            self.drop_name(line);
        }
        Ok(())
    }

    fn vectors(&self, link: &BinaryNode, node: &Node, left: &[Line], right: &[Line]) -> Result<Vec<Line>> {
        let count = node.grid.count;
        match link.op {
            BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => set::combine(link, left, right),
            _ => {
                let signature = join::Signature::new(&link.matching);
                let (mut for_left, mut for_right) = (link.matching.fill_left, link.matching.fill_right);
                if link.matching.group.as_ref().is_some_and(|group| group.many == Side::Right) {
                    // as in Prometheus, where the side that may have many counts as the left one
                    std::mem::swap(&mut for_left, &mut for_right);
                }
                let all_left = fill::filled(left, right, &signature, for_left, count);
                let all_right = fill::filled(right, left, &signature, for_right, count);
                self.join(link, node, &all_left, &all_right)
            }
        }
    }
}

/// Whether the result of an operation is no longer what the name of its operand says.
fn loses_name(op: BinaryOp, return_bool: bool) -> bool {
    return_bool || !(op.is_comparison() || op.is_trim())
}

/// At which places of a grid any of the lines has a value.
pub(super) fn presence<'l>(lines: impl IntoIterator<Item = &'l Points>, count: usize) -> Vec<bool> {
    let mut present = vec![false; count];
    for points in lines {
        for index in points.places() {
            present[index] = present[index] || points.has(index);
        }
    }
    present
}
