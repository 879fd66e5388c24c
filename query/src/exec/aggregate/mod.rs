//! Aggregations: `sum by (job) (x)`.
//!
//! What adds up ([`running`]) is folded into the scan: only the groups are in memory. What picks or ranks ([`ranked`])
//! collects its series.

mod ranked;
mod running;

use std::collections::HashMap;

use model::Labels;

use super::names::is_metadata;
use super::points::Line;
use super::{Executor, Result, Sink};
use crate::plan::{AggregateNode, Node};
use crate::syntax::AggregateOp;

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
            running[place].add(&line.points)
        })?;
        for ((labels, drop_name), running) in groups.labels.into_iter().zip(running) {
            sink(Line { labels, drop_name, points: running.finish() })?;
            self.budget.release(count as u64);
        }
        Ok(())
    }
}
