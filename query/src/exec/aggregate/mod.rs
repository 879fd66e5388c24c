//! Aggregations: `sum by (job) (x)`.
//!
//! What adds up ([`running`]) is folded into the scan: only the groups are in memory. What picks or ranks ([`ranked`])
//! collects its series.

mod histograms;
mod ranked;
mod running;

use std::collections::HashMap;

use model::Labels;

use super::names::is_metadata;
use super::points::Line;
use super::remarks::{self, Combination};
use super::{Executor, Result, Sink};
use crate::plan::{AggregateNode, Node};
use crate::syntax::AggregateOp;

use histograms::Trouble;
use running::Running;

/// Finds the group of a series.
struct Groups<'n> {
    node: &'n AggregateNode,
    places: HashMap<Labels, usize>,
    labels: Vec<(Labels, bool)>,
}

impl<'n> Groups<'n> {
    fn new(node: &'n AggregateNode) -> Self {
        Self { node, places: HashMap::new(), labels: Vec::new() }
    }

    /// The number of the group that a series belongs to; groups are numbered as they appear.
    fn place(&mut self, line: &Line) -> usize {
        let listed = |name: &str| self.node.labels.iter().any(|label| &**label == name);
        let labels = match self.node.without {
            true => line.labels.to_builder().retain(|name| !is_metadata(name) && !listed(name)).build(),
            false => line.labels.to_builder().retain(listed).build(),
        };
        let next = self.labels.len();
        let place = *self.places.entry(labels.clone()).or_insert(next);
        if place == next {
            // a name that is to go away also goes from what is grouped by it
            self.labels.push((labels, line.drop_name));
        } else {
            self.labels[place].1 |= line.drop_name;
        }
        place
    }
}

impl Executor<'_> {
    pub(super) fn aggregate(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        match node.op {
            AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Count
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Group
            | AggregateOp::Stddev
            | AggregateOp::Stdvar => self.running(node, outer, sink),
            AggregateOp::Quantile => self.quantiles(node, outer, sink),
            AggregateOp::CountValues => self.count_values(node, outer, sink),
            AggregateOp::Topk | AggregateOp::Bottomk => self.topk(node, outer, sink),
            AggregateOp::Limitk => self.limitk(node, outer, sink),
            AggregateOp::LimitRatio => self.limit_ratio(node, outer, sink),
        }
    }

    fn remark_on_ignored(&self, node: &AggregateNode) {
        let text = format!("ignored histogram in {} aggregation", node.op);
        self.notes.borrow_mut().info(node.operand.range, text);
    }

    fn remark_on_trouble(&self, trouble: Trouble, name: &str, node: &AggregateNode) {
        let (mut notes, range) = (self.notes.borrow_mut(), node.operand.range);
        if trouble.mixed_kinds {
            notes.warn(range, "encountered a mix of histograms and floats for aggregation");
        }
        if trouble.incompatible {
            notes.warn(range, remarks::mixed_buckets(name));
        }
        if trouble.remarks.resets_conflict {
            notes.warn(range, remarks::resets_conflict(Combination::Aggregation));
        }
        if trouble.remarks.bounds_reconciled {
            notes.info(range, remarks::bounds_reconciled(Combination::Aggregation));
        }
    }

    fn running(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let count = outer.grid.count;
        let mut groups = Groups::new(node);
        let mut running: Vec<Running> = Vec::new();
        self.each_line(&node.operand, &mut |line| {
            let place = groups.place(&line);
            if place == running.len() {
                self.budget.hold(count as u64)?;
                running.push(Running::new(node.op, count));
            }
            if line.points.has_histograms() && running[place].ignores_histograms() {
                self.remark_on_ignored(node);
            }
            running[place].add(&line.points);
            Ok(())
        })?;
        for ((labels, drop_name), running) in groups.labels.into_iter().zip(running) {
            let (points, trouble) = running.finish();
            self.remark_on_trouble(trouble, labels.metric_name(), node);
            sink(Line { labels, drop_name, points })?;
            self.budget.release(count as u64);
        }
        Ok(())
    }
}
