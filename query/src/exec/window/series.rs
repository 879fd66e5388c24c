//! One series under windows.

use std::ops::Range;

use model::{Series, Value};

use super::columns::{Columns, Cursor};
use super::edges::EdgeWindow;
use super::histograms::MixedWindow;
use super::moving::Moving;
use super::{RangeFunction, RangeWindow, edges, over_samples, over_time, starts};
use crate::exec::points::{Line, Points};
use crate::exec::scalar::{Scalar, seconds};
use crate::exec::tally::FirstSeen;
use crate::exec::{Context, ExecError, Result, Tally, of_histogram, remarks};
use crate::plan::Windows;
use crate::steps::{StepWindow, StepWindows};
use crate::syntax::{Edges, Function};

/// How a function is evaluated.
#[derive(Clone, Copy)]
enum Job {
    Floats(RangeFunction),
    /// Functions that ask only which samples there are, of whatever kind.
    Samples(Function),
}

impl Job {
    fn of(function: Function) -> Result<Self> {
        match function {
            Function::CountOverTime
            | Function::PresentOverTime
            | Function::LastOverTime
            | Function::FirstOverTime
            | Function::AbsentOverTime => Ok(Self::Samples(function)),
            _ => match over_samples(function) {
                Some(evaluate) => Ok(Self::Floats(evaluate)),
                None => Err(ExecError::not_supported(format!("the function {}", function.name()))),
            },
        }
    }
}

/// How many windows are evaluated between two looks at the time.
pub(super) const WINDOWS_BETWEEN_CHECKS: usize = 256;

/// What windows give, and how many samples they hold.
pub(super) struct Found<'f> {
    pub(super) points: &'f mut Points,
    pub(super) tally: &'f mut Tally,
}

/// The windows of one series at one time.
struct At<'a> {
    /// Its place in the grid.
    index: usize,
    start_ms: i64,
    end_ms: i64,
    floats: Range<usize>,
    histograms: Range<usize>,
    columns: &'a Columns<'a>,
    name: &'a str,
}

impl At<'_> {
    /// How many samples these are, as Prometheus counts them.
    fn weight_of(&self, floats: &Range<usize>, histograms: &Range<usize>) -> u64 {
        let histograms = &self.columns.histograms[histograms.clone()];
        let of_histograms = histograms.iter().map(|histogram| of_histogram(histogram).samples).sum::<u64>();
        floats.len() as u64 + of_histograms
    }
}

impl Context<'_> {
    /// The line that the function makes of a series.
    pub(in crate::exec) fn window_line(
        &self,
        series: &Series,
        drop_name: bool,
        node: &Windows,
        parameters: &[Scalar],
        mut points: Points,
        tally: &mut Tally,
    ) -> Result<Line> {
        let found = Found { points: &mut points, tally };
        if node.edges == Edges::Smoothed && !series.steps.is_empty() {
            let lookback_ms = self.settings.lookback_ms;
            let first_ms = node.times.start_ms.saturating_sub(node.range_ms).saturating_sub(lookback_ms);
            let last_ms = node.times.end_ms().saturating_add(lookback_ms);
            let (sampled, _held) = self.with_virtual_samples(series, first_ms, last_ms)?;
            self.over_windows(&sampled, node, parameters, found)?;
        } else {
            self.over_windows(series, node, parameters, found)?;
        }
        let mut line = Line { labels: series.labels.clone(), drop_name, points };
        if !line.points.is_empty() {
            self.remark_on_counter(&series.labels, node, &line.points);
            self.remark_on_quantile(node, parameters, &line.points);
            if !keeps_name(node.function) {
                self.drop_name(&mut line);
            }
        }
        Ok(line)
    }

    /// What the function makes of each window over a series.
    fn over_windows(
        &self,
        series: &Series,
        node: &Windows,
        parameters: &[Scalar],
        found: Found<'_>,
    ) -> Result<()> {
        let job = Job::of(node.function)?;
        let columns = Columns::of(&series.samples).with_starts(self.settings.start_timestamps);
        let numbers = |index: usize| {
            let numbers = [parameter(parameters, 0, index), parameter(parameters, 1, index)];
            checked(node.function, numbers)
        };
        let only_floats = series.steps.is_empty() && columns.histogram_times.is_empty();
        if let (Job::Floats(evaluate), Edges::Plain, true) = (job, node.edges, only_floats) {
            let name = series.labels.metric_name();
            return self.over_floats(&columns, node, name, evaluate, numbers, found);
        }
        let only_steps = series.samples.is_empty() && series.steps.histograms.is_empty();
        if only_steps {
            return self.over_steps(series, node, numbers, found);
        }
        let Found { points, tally } = found;
        let mut floats = Cursor::over(&columns.times);
        let mut histograms = Cursor::over(&columns.histogram_times);
        let mut step_windows = StepWindows::over(&series.steps, self.settings.hold_interval_ms);
        let [mut seen_floats, mut seen_histograms, mut seen_steps] = [FirstSeen::default(); 3];
        let places = self.places_of(series, node);
        let _room = self.budget.room(places.len())?;
        points.reserve(places.clone());
        for index in places {
            if index % WINDOWS_BETWEEN_CHECKS == 0 {
                self.budget.check_time()?;
            }
            let end_ms = node.times.at(index);
            let start_ms = end_ms.saturating_sub(node.range_ms);
            let at = At {
                index,
                start_ms,
                end_ms,
                floats: floats.at(start_ms, end_ms),
                histograms: histograms.at(start_ms, end_ms),
                columns: &columns,
                name: series.labels.metric_name(),
            };
            let newest_sample = columns.newest(&at.floats, &at.histograms);
            // the window belongs to the stream that holds its newest fact
            let steps = step_windows.at(start_ms, end_ms).filter(|steps| {
                newest_sample.is_none_or(|sample| series.steps.from_ms[steps.end - 1] >= sample)
            });
            if steps.is_none() && newest_sample.is_none() && node.edges == Edges::Plain {
                continue;
            }
            let numbers = numbers(index)?;
            let value = match steps {
                Some(steps) => {
                    let inside = steps.first..steps.end;
                    tally.add(index, inside.len() as u64, seen_steps.of(&inside).len() as u64);
                    let steps = StepWindow { eval_ms: node.grid.at(index), ..steps };
                    self.of_steps(node, at.name, steps, numbers)?
                }
                None => {
                    if tally.is_wanted() {
                        let new = (seen_floats.of(&at.floats), seen_histograms.of(&at.histograms));
                        let all = at.weight_of(&at.floats, &at.histograms);
                        tally.add(index, all, at.weight_of(&new.0, &new.1));
                    }
                    self.of_samples(node, job, at, numbers)
                }
            };
            value.into_iter().for_each(|value| points.push_value(index, value));
        }
        Ok(())
    }

    /// The windows that may hold something of a series.
    pub(super) fn places_of(&self, series: &Series, node: &Windows) -> Range<usize> {
        let (samples, steps) = (&series.samples.timestamps_ms, &series.steps);
        // at their edges windows may look this much further
        let beyond_ms = if node.edges == Edges::Plain { 0 } else { self.settings.lookback_ms };
        let first = [samples.first(), steps.from_ms.first()].into_iter().flatten().min();
        let last = [samples.last(), steps.until_ms.last()].into_iter().flatten().max();
        let (Some(first), Some(last)) = (first, last) else { return 0..0 };
        let last_ms = last.saturating_add(node.range_ms).saturating_add(beyond_ms);
        node.times.places(first.saturating_sub(beyond_ms), last_ms)
    }

    /// Windows over floats alone.
    fn over_floats(
        &self,
        columns: &Columns<'_>,
        node: &Windows,
        name: &str,
        evaluate: RangeFunction,
        numbers: impl Fn(usize) -> Result<[f64; 2]>,
        Found { points, tally }: Found<'_>,
    ) -> Result<()> {
        let (times, values): (&[i64], &[f64]) = (&columns.times, &columns.values);
        let (Some(&oldest_ms), Some(&newest_ms)) = (times.first(), times.last()) else { return Ok(()) };
        let places = node.times.places(oldest_ms, newest_ms.saturating_add(node.range_ms - 1));
        let looks_at_starts =
            !columns.starts.is_empty() && matches!(node.function, Function::Rate | Function::Increase);
        let _room = self.budget.room(places.len())?;
        points.reserve(places.clone());
        let mut cursor = Cursor::over(times);
        let mut moving = Moving::of(node, columns);
        let mut first_seen = FirstSeen::default();
        for index in places {
            if index % WINDOWS_BETWEEN_CHECKS == 0 {
                self.budget.check_time()?;
            }
            let end_ms = node.times.at(index);
            let start_ms = end_ms.saturating_sub(node.range_ms);
            let inside = cursor.at(start_ms, end_ms);
            if inside.is_empty() {
                continue;
            }
            tally.add(index, inside.len() as u64, first_seen.of(&inside).len() as u64);
            let window = RangeWindow {
                times: &times[inside.clone()],
                values: &values[inside.clone()],
                starts: columns.starts.get(inside.clone()).unwrap_or(&[]),
                start_ms,
                end_ms,
                eval_ms: node.grid.at(index),
                parameters: numbers(index)?,
            };
            if looks_at_starts && starts::overlap(window.times, window.starts) {
                self.warn_or_info(true, node, remarks::overlapping_start(name));
            }
            let value = match &mut moving {
                Some(moving) => moving.at(&window, &inside),
                None => evaluate(&window),
            };
            if let Some(value) = value {
                points.push(index, value);
            }
        }
        Ok(())
    }

    /// Samples of any kind in one window.
    fn of_samples(&self, node: &Windows, job: Job, at: At<'_>, numbers: [f64; 2]) -> Option<Value> {
        let At { index, start_ms, end_ms, mut floats, mut histograms, columns, name } = at;
        match node.edges {
            Edges::Plain => {}
            Edges::Smoothed => {
                let lookback_ms = self.settings.lookback_ms;
                let window = EdgeWindow { name, columns, floats, histograms, start_ms, end_ms, lookback_ms };
                return self.smoothed(node, &window);
            }
            Edges::Anchored => {
                let oldest_ms = start_ms.saturating_sub(self.settings.lookback_ms);
                (floats, histograms) = edges::with_anchor(columns, floats, histograms, oldest_ms);
            }
        }
        let window = RangeWindow {
            times: &columns.times[floats.clone()],
            values: &columns.values[floats.clone()],
            starts: columns.starts.get(floats.clone()).unwrap_or(&[]),
            start_ms,
            end_ms,
            eval_ms: node.grid.at(index),
            parameters: numbers,
        };
        if matches!(node.function, Function::Rate | Function::Increase) {
            let times = columns.histogram_times.get(histograms.clone()).unwrap_or(&[]);
            let starts = columns.histogram_starts.get(histograms.clone()).unwrap_or(&[]);
            if starts::overlap(window.times, window.starts) || starts::overlap(times, starts) {
                self.warn_or_info(true, node, remarks::overlapping_start(name));
            }
        }
        match job {
            Job::Samples(function) => over_time::of_any_kind(function, columns, &floats, &histograms),
            Job::Floats(_) if node.edges == Edges::Anchored && edges::changes_value(node.function) => {
                let histograms = &columns.histograms[histograms];
                self.unstretched(node, name, window.values, histograms, seconds(node.range_ms))
            }
            Job::Floats(evaluate) if !histograms.is_empty() => {
                let mixed = MixedWindow { name, columns, histograms, floats: window };
                self.with_histograms(node, evaluate, &mixed)
            }
            Job::Floats(_) if floats.is_empty() => None,
            Job::Floats(evaluate) => evaluate(&window).map(Value::Float),
        }
    }
}

/// Numbers that a function takes.
///
/// # Errors
/// If they are none. Where a window has no samples, nobody looks at them.
fn checked(function: Function, numbers: [f64; 2]) -> Result<[f64; 2]> {
    if function == Function::DoubleExponentialSmoothing {
        for (what, symbol, value) in [("smoothing", "sf", numbers[0]), ("trend", "tf", numbers[1])] {
            if !(value > 0.0 && value < 1.0) {
                return Err(ExecError::BadFactor { what, symbol, value: format!("{value:.6}") });
            }
        }
    }
    Ok(numbers)
}

/// Whether the result is still what the name says.
pub(in crate::exec) fn keeps_name(function: Function) -> bool {
    // what `absent_over_time` gives is no series of its own
    matches!(function, Function::LastOverTime | Function::FirstOverTime | Function::AbsentOverTime)
}

fn parameter(parameters: &[Scalar], which: usize, index: usize) -> f64 {
    parameters.get(which).map_or(0.0, |parameter| parameter.at(index))
}
