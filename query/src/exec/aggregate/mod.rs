//! Aggregations: `sum by (job) (x)`.
//!
//! What adds up ([`running`]) is folded into the scan: only the groups are in memory. What picks or ranks ([`ranked`])
//! collects its series.

mod fold;
mod groups;
mod histograms;
mod ranked;
mod running;

use super::remarks::{self, Combination};
use super::{Context, ExecError, Executor, Result, Sink};
use crate::plan::{AggregateNode, Node};
use crate::syntax::{AggregateOp, ByteRange};

pub(super) use groups::Groups;
use histograms::Trouble;
pub(crate) use running::{Running, Spread};

impl Executor<'_> {
    pub(super) fn aggregate(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        match node.op {
            op if op.adds_up() => self.running(node, outer, sink),
            AggregateOp::Quantile => self.quantiles(node, outer, sink),
            AggregateOp::CountValues => self.count_values(node, outer, sink),
            AggregateOp::Topk | AggregateOp::Bottomk => self.topk(node, outer, sink),
            AggregateOp::Limitk => self.limitk(node, outer, sink),
            AggregateOp::LimitRatio => self.limit_ratio(node, outer, sink),
            _ => Err(ExecError::Internal { what: "an aggregation that nobody knows" }),
        }
    }

    fn remark_on_trouble(&self, trouble: &Trouble, node: &AggregateNode) {
        let (mut notes, range) = (self.notes.borrow_mut(), node.operand_range);
        if trouble.mixed_kinds {
            notes.warn(range, "encountered a mix of histograms and floats for aggregation");
        }
        if let Some(name) = &trouble.incompatible {
            notes.warn(range, remarks::mixed_buckets(name));
        }
        if trouble.remarks.resets_conflict {
            notes.warn(range, remarks::resets_conflict(Combination::Aggregation));
        }
        if trouble.remarks.bounds_reconciled {
            notes.info(range, remarks::bounds_reconciled(Combination::Aggregation));
        }
    }
}

impl Context<'_> {
    pub(super) fn remark_on_ignored(&self, op: AggregateOp, range: ByteRange) {
        self.notes.borrow_mut().info(range, format!("ignored histogram in {op} aggregation"));
    }
}
