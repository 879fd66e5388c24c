//! Functions over windows: `rate(x[5m])`, `max_over_time(x[1h:1m])`.
//!
//! A window is a range of indices into the samples of a series, found by pointers that only move forward; nothing is
//! copied, except from series that have stale markers or both floats and histograms.

mod bare;
mod columns;
mod edges;
mod histograms;
mod over_time;
mod pushed;
mod rate;
mod regression;
mod starts;

use model::{Series, Value};

use super::points::{Line, Points};
use super::remarks;
use super::scalar::{Scalar, seconds};
use super::{ExecError, Executor, Result, Sink};
use crate::plan::{MatrixNode, Node, WindowNode, Windowed};
use crate::steps::{self, StepWindows};
use crate::syntax::{Edges, Function, Signature};
use columns::{Columns, Cursor};
use edges::EdgeWindow;
use histograms::MixedWindow;

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

/// How a function is evaluated.
#[derive(Clone, Copy)]
enum Job {
    Floats(RangeFunction),
    /// Functions that ask only which samples there are, of whatever kind.
    Samples(Function),
}

impl Executor<'_> {
    pub(super) fn windows(&self, node: &WindowNode, outer: &Node, sink: &mut Sink<'_>) -> Result<()> {
        let function = node.function;
        let job = match function {
            Function::CountOverTime
            | Function::PresentOverTime
            | Function::LastOverTime
            | Function::FirstOverTime
            | Function::AbsentOverTime => Job::Samples(function),
            _ => match over_samples(function) {
                Some(evaluate) => Job::Floats(evaluate),
                None => return Err(ExecError::not_supported(format!("the function {}", name_of(function)))),
            },
        };
        let parameters =
            node.parameters.iter().map(|parameter| self.scalar(parameter)).collect::<Result<Vec<_>>>()?;
        self.check_parameters(function, &parameters, node, outer)?;
        let count = outer.grid.count;
        let mut covered = vec![false; if function == Function::AbsentOverTime { count } else { 0 }];
        let mut seen = std::collections::HashSet::new();
        let keeps_name = matches!(function, Function::LastOverTime | Function::FirstOverTime);
        let check_same = !keeps_name && !self.settings.delayed_name_removal && !self.has_one_name(outer);
        self.each_series(&node.matrix, &mut |series, drop_name| {
            let points = self.over_windows(series, node, outer, job, &parameters)?;
            if function == Function::AbsentOverTime {
                points.floats().for_each(|(index, _)| covered[index] = true);
                return Ok(());
            }
            if points.is_empty() {
                return Ok(());
            }
            let mut line = Line { labels: series.labels.clone(), drop_name, points };
            if !keeps_name {
                self.drop_name(&mut line);
            }
            if check_same && !seen.insert(line.labels.clone()) {
                return Err(ExecError::SameLabelset);
            }
            self.remark_on_counter(function, series, &line.points, node);
            sink(line)
        })?;
        if function == Function::AbsentOverTime {
            let points = Points::of_floats(count, |index| (!covered[index]).then_some(1.0));
            sink(Line { labels: node.absent_labels.clone(), drop_name: false, points })?;
        }
        Ok(())
    }

    /// Hands over each series that windows are laid over, and whether its name is to go.
    fn each_series(
        &self,
        matrix: &MatrixNode,
        each: &mut dyn FnMut(&Series, bool) -> Result<()>,
    ) -> Result<()> {
        match &matrix.of {
            Windowed::Selection(selection) => {
                for series in &self.data[*selection] {
                    self.budget.check_time()?;
                    each(series, false)?;
                }
                Ok(())
            }
            Windowed::Subquery(inner) => self.each_line(inner, &mut |line| {
                let weight = line.points.weight();
                self.budget.hold(weight)?;
                let done = each(&columns::as_series(&line, inner.grid), line.drop_name);
                self.budget.release(weight);
                done
            }),
        }
    }

    fn over_windows(
        &self,
        series: &Series,
        node: &WindowNode,
        outer: &Node,
        job: Job,
        parameters: &[Scalar],
    ) -> Result<Points> {
        let (function, matrix) = (node.function, &node.matrix);
        let columns = Columns::of(&series.samples);
        let mut floats = Cursor::over(&columns.times);
        let mut histograms = Cursor::over(&columns.histogram_times);
        let mut step_windows = StepWindows::over(&series.steps, self.settings.hold_interval_ms);
        let mut points = Points::default();
        let range_s = seconds(matrix.range_ms);
        for (index, end_ms) in matrix.times.times().enumerate() {
            let start_ms = end_ms.saturating_sub(matrix.range_ms);
            let mut in_floats = floats.at(start_ms, end_ms);
            let mut in_histograms = histograms.at(start_ms, end_ms);
            let numbers = [parameter(parameters, 0, index), parameter(parameters, 1, index)];
            let newest_sample = columns.newest(&in_floats, &in_histograms);
            let steps = step_windows.at(start_ms, end_ms);
            // the window belongs to the stream that holds its newest fact
            if let Some(steps) = steps.filter(|steps| {
                newest_sample.is_none_or(|sample| series.steps.from_ms[steps.end - 1] >= sample)
            }) {
                if matrix.edges == Edges::Smoothed {
                    return Err(ExecError::not_supported("the modifier smoothed for pushed series"));
                }
                if pushed::has_histograms(&steps) {
                    let name = series.labels.metric_name();
                    if let Some(value) = self.pushed_histograms(node, name, steps, numbers)? {
                        points.push_value(index, value);
                    }
                    continue;
                }
                match steps::evaluate(function, steps, numbers) {
                    Some(Some(value)) => points.push(index, value),
                    Some(None) => {}
                    None => {
                        return Err(ExecError::not_supported(format!(
                            "{} of pushed series",
                            name_of(function)
                        )));
                    }
                }
                continue;
            }
            match matrix.edges {
                Edges::Plain => {}
                Edges::Smoothed => {
                    let window = EdgeWindow {
                        name: series.labels.metric_name(),
                        columns: &columns,
                        floats: in_floats,
                        histograms: in_histograms,
                        start_ms,
                        end_ms,
                        lookback_ms: self.settings.lookback_ms,
                    };
                    if let Some(value) = self.smoothed(node, &window) {
                        points.push_value(index, value);
                    }
                    continue;
                }
                Edges::Anchored => {
                    let oldest_ms = start_ms.saturating_sub(self.settings.lookback_ms);
                    (in_floats, in_histograms) =
                        edges::with_anchor(&columns, in_floats, in_histograms, oldest_ms);
                }
            }
            let window = RangeWindow {
                times: &columns.times[in_floats.clone()],
                values: &columns.values[in_floats.clone()],
                starts: columns.starts.get(in_floats.clone()).unwrap_or(&[]),
                start_ms,
                end_ms,
                eval_ms: outer.grid.at(index),
                parameters: numbers,
            };
            if matches!(function, Function::Rate | Function::Increase) {
                let times = columns.histogram_times.get(in_histograms.clone()).unwrap_or(&[]);
                let starts = columns.histogram_starts.get(in_histograms.clone()).unwrap_or(&[]);
                if starts::overlap(window.times, window.starts) || starts::overlap(times, starts) {
                    self.warn_or_info(true, node, remarks::overlapping_start(series.labels.metric_name()));
                }
            }
            match job {
                Job::Samples(function) => {
                    if let Some(value) =
                        over_time::of_any_kind(function, &columns, &in_floats, &in_histograms)
                    {
                        points.push_value(index, value);
                    }
                }
                Job::Floats(_) if matrix.edges == Edges::Anchored && edges::changes_value(function) => {
                    let histograms = &columns.histograms[in_histograms];
                    let name = series.labels.metric_name();
                    if let Some(value) = self.unstretched(node, name, window.values, histograms, range_s) {
                        points.push_value(index, value);
                    }
                }
                Job::Floats(evaluate) if !in_histograms.is_empty() => {
                    let mixed = MixedWindow {
                        name: series.labels.metric_name(),
                        columns: &columns,
                        histograms: in_histograms,
                        floats: window,
                    };
                    if let Some(value) = self.with_histograms(node, evaluate, &mixed) {
                        points.push_value(index, value);
                    }
                }
                Job::Floats(_) if in_floats.is_empty() => {}
                Job::Floats(evaluate) => {
                    if let Some(value) = evaluate(&window) {
                        points.push_value(index, Value::Float(value));
                    }
                }
            }
        }
        Ok(points)
    }

    fn check_parameters(
        &self,
        function: Function,
        parameters: &[Scalar],
        node: &WindowNode,
        outer: &Node,
    ) -> Result<()> {
        let count = outer.grid.count;
        let all = |parameter: &Scalar, accept: fn(f64) -> bool| {
            (0..count).map(|index| parameter.at(index)).find(|value| !accept(*value))
        };
        match (function, parameters) {
            (Function::QuantileOverTime, [phi]) => {
                if let Some(phi) = all(phi, |phi| (0.0..=1.0).contains(&phi)) {
                    let text = remarks::quantile_out_of_range(phi);
                    self.notes.borrow_mut().warn(node.parameters[0].range, text);
                }
                Ok(())
            }
            (Function::DoubleExponentialSmoothing, [smoothing, trend]) => {
                for (what, symbol, parameter) in [("smoothing", "sf", smoothing), ("trend", "tf", trend)] {
                    if let Some(value) = all(parameter, |value| value > 0.0 && value < 1.0) {
                        return Err(ExecError::BadFactor { what, symbol, value: format!("{value:.6}") });
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A rate of something that is not named like a counter deserves a remark.
    fn remark_on_counter(&self, function: Function, series: &Series, points: &Points, node: &WindowNode) {
        if !matches!(function, Function::Rate | Function::Increase) || points.floats().next().is_none() {
            return;
        }
        let name = series.labels.metric_name();
        let like_a_counter =
            ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if !name.is_empty() && !like_a_counter {
            let text = format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                crate::syntax::quoted(name)
            );
            self.notes.borrow_mut().info(node.matrix.range, text);
        }
    }
}

fn parameter(parameters: &[Scalar], which: usize, index: usize) -> f64 {
    parameters.get(which).map_or(0.0, |parameter| parameter.at(index))
}

/// The name of a function, for messages.
pub(super) fn name_of(function: Function) -> &'static str {
    Signature::all()
        .iter()
        .find(|signature| signature.function == function)
        .map_or("?", |signature| signature.name)
}
