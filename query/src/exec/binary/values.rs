//! Operations between two samples, floats or native histograms.

use std::sync::Arc;

use model::{Histogram, HistogramSum, Trim, Value};

use crate::exec::Executor;
use crate::exec::remarks::{self, Combination};
use crate::exec::scalar::{arithmetic, compare};
use crate::syntax::{BinaryOp, ByteRange};

impl Executor<'_> {
    /// The result: whether it is kept, and the value. `None` where the operation makes no sense, with a remark.
    pub(super) fn of_values(
        &self,
        op: BinaryOp,
        left: &Value,
        right: &Value,
        range: ByteRange,
    ) -> Option<(bool, Value)> {
        match (left, right) {
            (Value::Float(left), Value::Float(right)) if op.is_comparison() => {
                Some((compare(op, *left, *right), Value::Float(*left)))
            }
            (Value::Float(left), Value::Float(right)) if !op.is_trim() => {
                Some((true, Value::Float(arithmetic(op, *left, *right))))
            }
            (Value::Histogram(left), Value::Histogram(right)) => self.of_histograms(op, left, right, range),
            (Value::Histogram(histogram), Value::Float(by)) if op == BinaryOp::Mul => {
                Some(kept(histogram.scaled(*by)))
            }
            (Value::Float(by), Value::Histogram(histogram)) if op == BinaryOp::Mul => {
                Some(kept(histogram.scaled(*by)))
            }
            (Value::Histogram(histogram), Value::Float(by)) if op == BinaryOp::Div => {
                Some(kept(histogram.divided(*by)))
            }
            (Value::Histogram(histogram), Value::Float(at)) if op == BinaryOp::TrimUpper => {
                Some(kept(histogram.trimmed(Trim::Upper, *at)))
            }
            (Value::Histogram(histogram), Value::Float(at)) if op == BinaryOp::TrimLower => {
                Some(kept(histogram.trimmed(Trim::Lower, *at)))
            }
            _ => {
                self.remark_on_types(op, left, right, range);
                None
            }
        }
    }

    fn of_histograms(
        &self,
        op: BinaryOp,
        left: &Arc<Histogram>,
        right: &Arc<Histogram>,
        range: ByteRange,
    ) -> Option<(bool, Value)> {
        let combination = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let holds = left.same_data(right) == (op == BinaryOp::Equal);
                return Some((holds, Value::Histogram(Arc::clone(left))));
            }
            BinaryOp::Add => Combination::Addition,
            BinaryOp::Sub => Combination::Subtraction,
            _ => {
                let (left, right) = (Value::Histogram(Arc::clone(left)), Value::Histogram(Arc::clone(right)));
                self.remark_on_types(op, &left, &right, range);
                return None;
            }
        };
        let mut sum = HistogramSum::of(left);
        let combined = match combination {
            Combination::Subtraction => sum.subtract(right),
            _ => sum.add(right),
        };
        let mut notes = self.notes.borrow_mut();
        let Ok(found) = combined else {
            notes.warn(range, format!("incompatible bucket layout encountered for binary operator {op}"));
            return None;
        };
        if found.resets_conflict {
            notes.warn(range, remarks::resets_conflict(combination));
        }
        if found.bounds_reconciled {
            notes.info(range, remarks::bounds_reconciled(combination));
        }
        if op == BinaryOp::Sub {
            sum.set_gauge();
        }
        Some(kept(sum.value()))
    }

    fn remark_on_types(&self, op: BinaryOp, left: &Value, right: &Value, range: ByteRange) {
        let kind = |value: &Value| match value {
            Value::Float(_) => "float",
            Value::Histogram(_) => "histogram",
        };
        let text = format!(
            "incompatible sample types encountered for binary operator \"{op}\": {} {op} {}",
            kind(left),
            kind(right)
        );
        self.notes.borrow_mut().info(range, text);
    }
}

fn kept(histogram: Histogram) -> (bool, Value) {
    (true, Value::Histogram(Arc::new(histogram)))
}
