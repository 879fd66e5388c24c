//! Functions over windows: `rate(x[5m])`, `max_over_time(x[1h:1m])`.
//!
//! A window is a range of indices into the samples of a series, found by pointers that only move forward; nothing is
//! copied, except from series that have stale markers or both floats and histograms.

mod bare;
mod columns;
mod edges;
mod histograms;
mod moving;
mod over_time;
mod pushed;
mod rate;
mod regression;
mod remarks;
mod series;
mod starts;
mod steps;

use super::points::{Line, Points};
use super::scalar::Scalar;
use super::{Counted, Executor, Result, Sink, Tally, names};
use crate::fragment::Leaf;
use crate::plan::{Node, WindowNode, Windowed};
use crate::syntax::Function;
use series::keeps_name;

/// The float samples of one series in one window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RangeWindow<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    /// Start timestamps, 0 where not known; empty if none is.
    pub(crate) starts: &'a [i64],
    /// The window is `(start_ms, end_ms]`.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The time of the evaluation; `offset` and `@` move the window, but not this.
    pub(crate) eval_ms: i64,
    /// The numbers among the function's arguments.
    pub(crate) parameters: [f64; 2],
}

/// A function over the float samples of a window.
pub(crate) type RangeFunction = fn(&RangeWindow<'_>) -> Option<f64>;

/// What a function does with the floats of a window.
pub(crate) fn over_samples(function: Function) -> Option<RangeFunction> {
    Some(match function {
        Function::Rate => rate::rate,
        Function::Increase => rate::increase,
        Function::Delta => rate::delta,
        Function::Irate => rate::irate,
        Function::Idelta => rate::idelta,
        Function::Changes => over_time::changes,
        Function::Resets => over_time::resets,
        Function::AvgOverTime => over_time::avg,
        Function::SumOverTime => over_time::sum,
        Function::MinOverTime => over_time::min,
        Function::MaxOverTime => over_time::max,
        Function::StddevOverTime => over_time::stddev,
        Function::StdvarOverTime => over_time::stdvar,
        Function::QuantileOverTime => over_time::quantile,
        Function::MadOverTime => over_time::mad,
        Function::TsOfFirstOverTime => over_time::ts_of_first,
        Function::TsOfLastOverTime => over_time::ts_of_last,
        Function::TsOfMinOverTime => over_time::ts_of_min,
        Function::TsOfMaxOverTime => over_time::ts_of_max,
        Function::Deriv => regression::deriv,
        Function::PredictLinear => regression::predict_linear,
        Function::DoubleExponentialSmoothing => regression::smoothed,
        _ => return None,
    })
}

impl<'a> Executor<'a> {
    pub(super) fn windows(&self, node: &WindowNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let windows = &node.windows;
        let (parameters, _counted) = self.window_parameters(node)?;
        if windows.function == Function::AbsentOverTime {
            return self.absent_over_time(node, &parameters, sink);
        }
        if !self.may_collide(node, outer) {
            return self.window_lines(node, &parameters, sink);
        }
        let mut held = self.nothing_held();
        self.window_lines(node, &parameters, &mut |line| self.hold(&mut held, line))?;
        names::merge_same(std::mem::take(&mut held.lines))?.into_iter().try_for_each(sink)
    }

    /// Whether series may become the same by losing their names.
    pub(super) fn may_collide(&self, node: &WindowNode, outer: &Node) -> bool {
        !keeps_name(node.windows.function) && !self.settings.delayed_name_removal && !self.has_one_name(outer)
    }

    /// The arguments that are numbers; they count as long as what comes with them lives.
    pub(super) fn window_parameters(&self, node: &WindowNode) -> Result<(Vec<Scalar>, Vec<Counted<'a>>)> {
        let mut parameters = (Vec::new(), Vec::new());
        for parameter in &node.parameters {
            let (scalar, counted) = self.scalar(parameter)?.into_parts();
            parameters.0.push(scalar);
            parameters.1.push(counted);
        }
        Ok(parameters)
    }

    fn window_lines(&self, node: &WindowNode, parameters: &[Scalar], sink: &mut Sink<'_>) -> Result<()> {
        match &node.of {
            Windowed::Selection(selection) => {
                let leaf = Leaf::Windows(node.windows.clone(), parameters.to_vec());
                self.leaf_lines(*selection, leaf, sink)
            }
            Windowed::Subquery(inner) => {
                let windows = &node.windows;
                let mut tally = Tally::new(self.tally.borrow().is_wanted(), windows.grid.count);
                let ((), inside) = self.in_subquery(inner, &mut |line| {
                    let weight = line.points.weight();
                    self.budget.hold(weight)?;
                    let series = columns::as_series(&line, inner.grid);
                    let (drop_name, points) = (line.drop_name, Points::default());
                    let line =
                        self.window_line(&series, drop_name, windows, parameters, points, &mut tally)?;
                    self.budget.release(weight);
                    if line.points.is_empty() { Ok(()) } else { sink(line) }
                })?;
                tally.forget_read();
                tally.absorb_read(&inside, inner.grid, windows.times, windows.range_ms);
                self.tally.borrow_mut().absorb(&tally);
                Ok(())
            }
        }
    }

    /// Hands over the lines of a subquery. What its values are made of is not looked at by the windows over them; it was
    /// read, and is counted apart, for the steps of the subquery.
    fn in_subquery(&self, inner: &Node, sink: &mut Sink<'_>) -> Result<((), Tally)> {
        let wanted = self.tally.borrow().is_wanted();
        let count = if wanted { inner.grid.count } else { 0 };
        let _counted = self.budget.held(Tally::weight_of(count))?;
        self.apart(wanted, count, || self.each_line(inner, sink))
    }

    fn absent_over_time(&self, node: &WindowNode, parameters: &[Scalar], sink: &mut Sink<'_>) -> Result<()> {
        let count = node.windows.grid.count;
        let mut covered = vec![false; count];
        self.window_lines(node, parameters, &mut |line| {
            line.points.floats().for_each(|(index, _)| covered[index] = true);
            Ok(())
        })?;
        let points = Points::of_floats(count, |index| (!covered[index]).then_some(1.0));
        sink(Line { labels: node.absent_labels.clone(), drop_name: false, points })
    }
}
