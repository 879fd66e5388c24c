//! Aggregations that add up, folded as their series come by: only the groups are in memory.

use super::{Groups, Running};
use crate::exec::points::Line;
use crate::exec::{ExecError, Executor, Result, Sink};
use crate::fragment::{Fold, Fragment, GroupState, HistogramSeries, Leaf, Partial, Yield};
use crate::plan::{AggregateNode, Node, NodeKind, Windowed};
use crate::syntax::Function;

impl Executor<'_> {
    pub(super) fn running(&self, node: &AggregateNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let mut folded =
            Folded { executor: self, count: outer.grid.count, groups: Groups::of(node), running: Vec::new() };
        match self.foldable(node)? {
            Some(fragment) => self.folded(&node.operand, &fragment, &mut |partial| folded.merge(partial))?,
            None => self.each_line(&node.operand, &mut |line| folded.add(&line, node))?,
        }
        let Folded { groups, running, .. } = folded;
        for ((labels, drop_name), running) in groups.labels.into_iter().zip(running) {
            let weight = running.weight();
            let (points, trouble) = running.finish();
            self.remark_on_trouble(&trouble, node);
            sink(Line { labels, drop_name, points })?;
            self.budget.release(weight);
        }
        Ok(())
    }

    /// Runs the fragment of an aggregation, which evaluates what is aggregated too.
    fn folded(
        &self,
        operand: &Node,
        fragment: &Fragment,
        merge: &mut dyn FnMut(Partial) -> Result<()>,
    ) -> Result<()> {
        let Some(figures) = self.figures(operand) else { return self.run(fragment, merge) };
        figures.begin();
        let (began_us, mut of_merge_us) = (self.budget.now_us(), 0);
        let result = self.run(fragment, &mut |partial| {
            let given_us = self.budget.now_us();
            if partial.tally.is_wanted() {
                let (series, values) = partial.tally.gave();
                figures.give(series, values);
            }
            let merged = merge(partial);
            of_merge_us += self.budget.now_us() - given_us;
            merged
        });
        figures.take(self.budget.now_us() - began_us - of_merge_us);
        result
    }

    /// The aggregation as a fragment, if what it aggregates is one.
    fn foldable(&self, node: &AggregateNode) -> Result<Option<Fragment>> {
        let (selected, leaf) = match &node.operand.kind {
            NodeKind::Instant(instant) if self.times_may_collide(instant, &node.operand) => return Ok(None),
            NodeKind::Instant(instant) => (instant.selection, Leaf::Instant(instant.clone())),
            NodeKind::Window(window) => match window.of {
                Windowed::Selection(selected)
                    if window.windows.function != Function::AbsentOverTime
                        && !self.may_collide(window, &node.operand) =>
                {
                    let (parameters, _) = self.window_parameters(window)?;
                    (selected, Leaf::Windows(window.windows.clone(), parameters))
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let (without, labels) = (node.without, node.labels.clone());
        let fold = Fold { op: node.op, without, labels, range: node.operand_range };
        Ok(Some(self.fragment(selected, leaf, Some(fold))))
    }
}

/// What the groups of an aggregation have come to.
struct Folded<'a, 'n> {
    executor: &'a Executor<'a>,
    count: usize,
    groups: Groups<'n>,
    running: Vec<Running>,
}

impl Folded<'_, '_> {
    /// Adds a series.
    fn add(&mut self, line: &Line, node: &AggregateNode) -> Result<()> {
        let place = self.groups.place(line);
        if place == self.running.len() {
            self.executor.budget.hold(Running::weight_of(node.op, self.count))?;
            self.running.push(Running::new(node.op, self.count));
        }
        let running = &mut self.running[place];
        running.add(&line.points);
        if line.points.has_histograms() {
            if running.ignores_histograms() {
                self.executor.remark_on_ignored(node.op, node.operand_range);
            }
            running.add_histograms(&line.points, line.labels.metric_name());
        }
        Ok(())
    }

    /// Adds what the next series have come to.
    fn merge(&mut self, partial: Partial) -> Result<()> {
        self.executor.notes.borrow_mut().append(partial.notes);
        let Yield::Groups { groups, histograms } = partial.yields else {
            return Err(ExecError::Internal { what: "a fragment gave lines instead of groups" });
        };
        let mut places = Vec::with_capacity(groups.len());
        for GroupState { labels, drop_name, running } in groups {
            let place = self.groups.place_of(labels, drop_name);
            if place == self.running.len() {
                self.executor.budget.hold(running.weight())?;
                self.running.push(running);
            } else {
                self.running[place].merge(&running)?;
            }
            places.push(place);
        }
        for HistogramSeries { place, name, points } in histograms {
            self.running[places[place]].add_histograms(&points, &name);
        }
        Ok(())
    }
}
