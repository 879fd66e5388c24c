//! The order of an answer.

use crate::exec::{Executor, Result, Sink, order};
use crate::plan::Node;
use crate::syntax::Function;

impl Executor<'_> {
    /// The answer to a range query has one order only.
    pub(super) fn remark_on_order(&self, node: &Node) {
        let text = "sort is ineffective for range queries since results are always ordered by labels";
        self.notes.borrow_mut().warn(node.range, text);
    }

    /// Sorts by value; NaN comes last, whichever way. In a range query the order is that of the labels.
    pub(super) fn sort(
        &self,
        function: Function,
        operand: &Node,
        node: &Node,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        // inside of a subquery there are many times, in the answer to an instant query one
        if !self.settings.instant {
            self.remark_on_order(node);
        }
        if node.grid.count != 1 {
            return self.each_line(operand, &mut |mut line| {
                // histograms have no place in the order, here neither
                line.points.map_floats(|_, value| Some(value));
                if line.points.is_empty() { Ok(()) } else { sink(line) }
            });
        }
        let mut held = self.collect(operand)?;
        let mut lines = std::mem::take(&mut held.lines);
        // histograms have no place in the order
        lines.retain(|line| line.points.float(0).is_some());
        lines.sort_by(|a, b| {
            let (a, b) = (a.points.float(0).unwrap_or(f64::NAN), b.points.float(0).unwrap_or(f64::NAN));
            match function {
                Function::SortDesc => order::nan_last(-a, -b),
                _ => order::nan_last(a, b),
            }
        });
        lines.into_iter().try_for_each(sink)
    }
}
