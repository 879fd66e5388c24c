//! Evaluates a plan: pure computation on series that have been read.
//!
//! Series flow one at a time: [`Executor::each_line`] hands every series of a node, with its values at all times of the
//! node's grid, to a sink. A selector, a function over windows or an operation with a scalar holds one series; an
//! aggregation holds its groups. Only what must see all series at once (joins, `topk`, sorting) collects them. Series
//! come in the order of their labels and everything is added in that order, so equal queries give equal bits.

mod aggregate;
mod binary;
mod budget;
mod call;
mod context;
mod error;
mod flags;
mod instant;
mod interpolation;
mod mean;
mod names;
mod order;
mod points;
mod remarks;
mod resets;
mod scalar;
mod scan;
mod tally;
mod virtual_samples;
mod window;

pub(crate) use aggregate::{Running, Spread};
pub(crate) use budget::{Allowance, Budget, Counted, Weight};
pub(crate) use context::Context;
pub use error::ExecError;
pub(crate) use instant::{sample_value, step_value};
pub(crate) use mean::Mean;
pub(crate) use model::Compensated as Sum;
pub(crate) use order::nan_first;
pub(crate) use points::{Line, Points, of_histogram};
pub(crate) use resets::state_resets;
pub(crate) use scalar::Scalar;
pub(crate) use scan::evaluate;
pub(crate) use tally::Tally;
pub(crate) use window::{RangeWindow, over_samples};

use binary::presence;

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

use model::{Series, Value};

use crate::annotations::Annotations;
use crate::explain::{Explanation, Figures};
use crate::fragment::{FragmentRunner, Leaf, Limits};
use crate::plan::{Asked, InstantNode, Node, NodeKind, Plan};
use crate::value::MatrixSeries;

/// What the executor must know beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExecSettings {
    pub(crate) lookback_ms: i64,
    pub(crate) hold_interval_ms: i64,
    pub(crate) delayed_name_removal: bool,
    pub(crate) start_timestamps: bool,
    /// Whether a label `__type__` says what a counter is, instead of the name.
    pub(crate) type_labels: bool,
    /// Whether to count how many samples are looked at.
    pub(crate) tallied: bool,
    /// Whether the query asks for one time only.
    pub(crate) instant: bool,
}

/// What the fragments of a query have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Common {
    pub(crate) settings: ExecSettings,
    pub(crate) as_scraped_ms: Option<i64>,
    pub(crate) limits: Limits,
}

/// Evaluates one plan.
pub(crate) struct Executor<'a> {
    plan: &'a Plan,
    /// What was read for each selection of the plan, in the order of labels.
    data: &'a [Vec<Series>],
    /// Who evaluates what needs the series of one selection only.
    runner: &'a dyn FragmentRunner,
    /// What every fragment of the query has.
    common: Common,
    context: Context<'a>,
    /// What was looked at for the times of the node that is being evaluated.
    tally: RefCell<Tally>,
    /// Where it is told what each node comes to, if somebody wants to know.
    explanation: Option<&'a Explanation>,
}

impl<'a> Deref for Executor<'a> {
    type Target = Context<'a>;

    fn deref(&self) -> &Context<'a> {
        &self.context
    }
}

/// Takes the series of a node.
pub(crate) type Sink<'s> = dyn FnMut(Line) -> Result<()> + 's;

type Result<T, E = ExecError> = std::result::Result<T, E>;

/// Series that are held in memory.
struct Held<'a> {
    lines: Vec<Line>,
    weight: Weight,
    budget: &'a Budget,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.release(self.weight);
    }
}

impl<'a> Executor<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        data: &'a [Vec<Series>],
        runner: &'a dyn FragmentRunner,
        common: Common,
        budget: &'a Budget,
    ) -> Self {
        let context = Context::new(common.settings, budget);
        let tally = RefCell::new(Tally::new(common.settings.tallied, plan.root.grid.count));
        Self { plan, data, runner, common, context, tally, explanation: None }
    }

    /// The same, which tells there what each node comes to.
    pub(crate) fn explained_in(self, explanation: Option<&'a Explanation>) -> Self {
        Self { explanation, ..self }
    }

    /// Where it is told what a node comes to, if somebody wants to know.
    fn figures(&self, node: &Node) -> Option<&'a Figures> {
        self.explanation?.figures(node.watched)
    }

    /// The remarks that the evaluation left, and how many samples it looked at.
    pub(crate) fn into_remains(self) -> (Annotations, Tally) {
        (self.context.into_annotations(), self.tally.into_inner())
    }

    /// Evaluates something at other times than those of the node around it; what it looks at is counted apart.
    fn apart<T>(
        &self,
        wanted: bool,
        count: usize,
        evaluate: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Tally)> {
        let around = self.tally.replace(Tally::new(wanted, count));
        let result = evaluate();
        let found = self.tally.replace(around);
        Ok((result?, found))
    }

    /// Evaluates a value that is the same at all times. What it looks at counts for each.
    fn once<T>(&self, evaluate: impl FnOnce() -> Result<T>) -> Result<T> {
        let wanted = self.tally.borrow().is_wanted();
        let (result, found) = self.apart(wanted, 1, evaluate)?;
        self.tally.borrow_mut().absorb_everywhere(&found);
        Ok(result)
    }

    /// The number at each time of the root.
    pub(crate) fn root_scalar(&self) -> Result<Vec<f64>> {
        let scalar = self.scalar(&self.plan.root)?;
        Ok((0..self.plan.root.grid.count).map(|index| scalar.at(index)).collect())
    }

    /// The series of the root.
    pub(crate) fn root_lines(&self) -> Result<Vec<Line>> {
        let mut held = self.collect(&self.plan.root)?;
        let mut lines = std::mem::take(&mut held.lines);
        if self.settings.delayed_name_removal {
            for line in lines.iter_mut().filter(|line| line.drop_name) {
                line.labels = names::without_metadata(&line.labels);
            }
            lines = names::merge_same(lines)?;
        }
        Ok(lines)
    }

    /// The windows of the root, if it is a range selector or a subquery.
    pub(crate) fn root_matrix(&self) -> Result<Vec<MatrixSeries>> {
        match &self.plan.root.kind {
            NodeKind::Matrix(matrix) => self.bare_windows(matrix),
            _ => Err(ExecError::Internal { what: "the root is no range vector" }),
        }
    }

    /// Hands each series of a node to `sink`. Series without a value are left out.
    fn each_line(&self, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        match self.figures(node) {
            Some(figures) => self.each_watched_line(node, figures, sink),
            None => self.each_line_of(node, sink),
        }
    }

    /// Counts and measures what a node does. What `sink` does is done by others.
    fn each_watched_line(&self, node: &Node, figures: &Figures, sink: &mut Sink<'_>) -> Result<()> {
        figures.begin();
        figures.give(0, 0);
        let (began_us, mut of_sink_us) = (self.budget.now_us(), 0);
        let result = self.each_line_of(node, &mut |line| {
            let given_us = self.budget.now_us();
            figures.give(1, line.points.value_count());
            let taken = sink(line);
            of_sink_us += self.budget.now_us() - given_us;
            taken
        });
        figures.take(self.budget.now_us() - began_us - of_sink_us);
        result
    }

    fn each_line_of(&self, node: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let sink = &mut |line: Line| {
            self.budget.check_time()?;
            if line.points.is_empty() { Ok(()) } else { sink(line) }
        };
        match &node.kind {
            NodeKind::Once(inner) => self.once(|| {
                self.each_line(inner, &mut |line| {
                    sink(Line { points: line.points.held(node.grid.count), ..line })
                })
            }),
            NodeKind::Instant(instant) => {
                let leaf = Leaf::Instant(instant.clone());
                if !self.times_may_collide(instant, node) {
                    return self.leaf_lines(instant.selection, leaf, sink);
                }
                let mut held = self.nothing_held();
                self.leaf_lines(instant.selection, leaf, &mut |line| self.hold(&mut held, line))?;
                names::merge_same(std::mem::take(&mut held.lines))?.into_iter().try_for_each(sink)
            }
            NodeKind::Window(window) => self.windows(window, node, sink),
            NodeKind::Negate(operand) => self.negate(operand, sink),
            NodeKind::Binary(binary) => self.binary(binary, node, sink),
            NodeKind::Aggregate(aggregate) => self.aggregate(aggregate, node, sink),
            NodeKind::Call(call) => self.call(call, node, sink),
            NodeKind::Number(_) | NodeKind::String(_) | NodeKind::Matrix(_) => {
                Err(ExecError::Internal { what: "an instant vector was expected" })
            }
        }
    }

    /// Whether `timestamp` and the like may make several series the same.
    fn times_may_collide(&self, instant: &InstantNode, node: &Node) -> bool {
        instant.asked != Asked::Value && !self.settings.delayed_name_removal && !self.has_one_name(node)
    }

    fn collect(&self, node: &Node) -> Result<Held<'a>> {
        let mut held = self.nothing_held();
        self.each_line(node, &mut |line| self.hold(&mut held, line))?;
        Ok(held)
    }

    fn nothing_held(&self) -> Held<'a> {
        Held { lines: Vec::new(), weight: Weight::default(), budget: self.budget }
    }

    fn hold(&self, held: &mut Held<'_>, line: Line) -> Result<()> {
        let weight = line.points.weight();
        held.weight += weight;
        held.lines.push(line);
        self.budget.hold(weight)
    }

    /// Computes with every series of a node, so that they lose their names. Series that become the same are joined.
    fn each_computed(
        &self,
        operand: &Node,
        sink: &mut Sink<'_>,
        mut compute: impl FnMut(&mut Points) -> Result<()>,
    ) -> Result<()> {
        if self.settings.delayed_name_removal || self.has_one_name(operand) {
            return self.each_line(operand, &mut |mut line| {
                compute(&mut line.points)?;
                self.drop_name(&mut line);
                sink(line)
            });
        }
        let mut held = self.nothing_held();
        self.each_line(operand, &mut |mut line| {
            compute(&mut line.points)?;
            self.drop_name(&mut line);
            if line.points.is_empty() { Ok(()) } else { self.hold(&mut held, line) }
        })?;
        names::merge_same(std::mem::take(&mut held.lines))?.into_iter().try_for_each(sink)
    }

    fn negate(&self, operand: &Node, sink: &mut Sink<'_>) -> Result<()> {
        self.each_computed(operand, sink, |points| {
            if points.has_histograms() {
                points.map_values(|_, value| {
                    Some(match value {
                        Value::Float(value) => Value::Float(-value),
                        Value::Histogram(histogram) => Value::Histogram(Arc::new(histogram.scaled(-1.0))),
                    })
                });
            } else {
                points.map_floats(|_, value| Some(-value));
            }
            Ok(())
        })
    }

    /// The parameter of a function or aggregation, as text.
    fn text<'n>(&self, node: &'n Node) -> Result<&'n str> {
        match &node.kind {
            NodeKind::String(text) => Ok(text),
            _ => Err(ExecError::Internal { what: "a string was expected" }),
        }
    }
}

/// Splits the values of a line into the two columns of a result.
pub(crate) fn into_matrix_series(line: Line, time_of: impl Fn(usize) -> i64) -> MatrixSeries {
    let mut floats = Vec::with_capacity(line.points.floats().count());
    floats.extend(line.points.floats().map(|(index, value)| (time_of(index), value)));
    let histograms = line.points.histograms();
    let histograms = histograms.map(|(index, histogram)| (time_of(index), Arc::clone(histogram))).collect();
    MatrixSeries { labels: line.labels, floats, histograms }
}

/// The value of a line at the only time of an instant query.
pub(crate) fn first_value(line: &Line) -> Option<Value> {
    line.points.get(0)
}
