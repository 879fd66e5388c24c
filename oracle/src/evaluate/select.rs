//! What selectors and subqueries find.

use model::{Labels, Selection, Series, is_stale_nan};
use query::syntax::{Edges, Expr, ExprKind, Selector};

use super::edges::Edged;
use super::{Element, Failed, Moment, Native, Result, Sample, Vector, milliseconds, seconds};

/// What a range selector or a subquery finds of one series: the window is `(start_ms, end_ms]`.
pub(super) struct Window<'a> {
    pub(super) labels: Labels,
    /// Whether the name is to go away at the end of the query.
    pub(super) drops_name: bool,
    pub(super) found: Found<'a>,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

pub(super) enum Found<'a> {
    /// Times and values, at least one.
    Samples(Vec<(i64, Sample)>),
    /// Values whose first and last count as they are.
    Edged(Edged),
    /// A pushed series, of which something may hold in the window.
    Steps(&'a Series),
}

impl<'a> Moment<'a> {
    /// All numbers of a series, in `(after_ms, last_ms]`; of a pushed one, the virtual ones.
    pub(super) fn seen(&self, series: &Series, after_ms: i64, last_ms: i64) -> Vec<(i64, f64)> {
        if !series.steps.is_empty() {
            return self.virtual_samples(series, after_ms, last_ms);
        }
        let inside = samples_of(series).filter(|(at_ms, _)| *at_ms > after_ms && *at_ms <= last_ms);
        inside.filter_map(|(at_ms, sample)| Some((at_ms, sample?.float()?))).collect()
    }

    fn matching(&self, selector: &Selector) -> impl Iterator<Item = &'a Series> + use<'a> {
        let selection = Selection { matchers: selector.matchers.clone(), start_ms: 0, end_ms: 0 };
        self.oracle.series.iter().filter(move |series| selection.matches(&series.labels))
    }

    pub(super) fn instant_selector(&self, selector: &Selector) -> Result<Vector> {
        let at_ms = self.shifted(&selector.shift)?;
        if selector.edges == Edges::Smoothed {
            let between = |series: &'a Series| {
                let value = Sample::Float(self.between(series, at_ms)?);
                Some(Element { labels: series.labels.clone(), drops_name: false, value })
            };
            return Ok(self.matching(selector).filter_map(between).collect());
        }
        let found = self.matching(selector).filter_map(|series| {
            let value = if series.steps.is_empty() {
                let (_, value) = self.newest(series, at_ms)?;
                value
            } else {
                Sample::Float(series.steps.values[holding(series, at_ms)?])
            };
            Some(Element { labels: series.labels.clone(), drops_name: false, value })
        });
        Ok(found.collect())
    }

    /// When the values that a selector finds were taken, in seconds.
    pub(super) fn times_of(&self, selector: &Selector) -> Result<Vector> {
        let at_ms = self.shifted(&selector.shift)?;
        let interval = self.oracle.hold_interval_ms;
        let found = self.matching(selector).filter_map(|series| {
            let time = if series.steps.is_empty() {
                self.newest(series, at_ms)?.0
            } else {
                let scrape =
                    (0..interval).map(|back| at_ms - back).find(|ms| ms.rem_euclid(interval) == 0)?;
                scrape.max(series.steps.from_ms[holding(series, at_ms)?])
            };
            let element = Element { labels: series.labels.clone(), ..Element::unnamed(0.0) };
            Some(self.renamed(element, Sample::Float(seconds(time))))
        });
        Ok(found.collect())
    }

    /// The newest sample that is not too old, unless the series has ended with it.
    pub(super) fn newest(&self, series: &Series, at_ms: i64) -> Option<(i64, Sample)> {
        let newest = samples_of(series).filter(|(time, _)| *time <= at_ms).last();
        let (time, sample) = newest.filter(|(time, _)| *time > at_ms - self.oracle.lookback_ms)?;
        Some((time, sample?))
    }

    /// The windows of all series. Whether they hold counters matters to lines between samples only.
    pub(super) fn windows(&self, expr: &Expr, counter: bool) -> Result<Vec<Window<'a>>> {
        match &expr.without_parens().kind {
            ExprKind::Range(range) => {
                let end_ms = self.shifted(&range.selector.shift)?;
                let start_ms = end_ms - milliseconds(&range.range)?;
                // what holds at the start of a window is the base of steps anyway
                let is_smoothed = range.selector.edges == Edges::Smoothed;
                let is_anchored = range.selector.edges == Edges::Anchored;
                let window = |series: &'a Series| {
                    let found = if is_smoothed {
                        Found::Edged(self.smoothed(series, (start_ms, end_ms), counter))
                    } else if is_anchored && series.steps.is_empty() {
                        Found::Edged(self.anchored(series, start_ms, end_ms))
                    } else if series.steps.is_empty() {
                        let inside = samples_of(series).filter(|(at, _)| *at > start_ms && *at <= end_ms);
                        Found::Samples(inside.filter_map(|(at, sample)| Some((at, sample?))).collect())
                    } else {
                        Found::Steps(series)
                    };
                    Window { labels: series.labels.clone(), drops_name: false, found, start_ms, end_ms }
                };
                Ok(self.matching(&range.selector).map(window).filter(Window::has_any).collect())
            }
            ExprKind::Subquery(subquery) => {
                let end_ms = self.shifted(&subquery.shift)?;
                let start_ms = end_ms - milliseconds(&subquery.range)?;
                let step_ms = match &subquery.step {
                    Some(step) => milliseconds(step)?,
                    None => self.oracle.subquery_step_ms,
                };
                let mut windows: Vec<Window<'a>> = Vec::new();
                for at_ms in multiples(step_ms, start_ms, end_ms) {
                    let value = Moment { at_ms, ..*self }.eval(&subquery.operand)?;
                    let vector = match value {
                        super::Value::Scalar(value) => vec![Element::unnamed(value)],
                        super::Value::Vector(vector) => vector,
                        super::Value::Text(_) => return Err(Failed("a subquery of a text".to_owned())),
                    };
                    for Element { labels, drops_name, value } in vector {
                        let value = match value {
                            Sample::Float(value) => Sample::Float(value),
                            Sample::Histogram(histogram) => Sample::Histogram(histogram.without_reset()),
                        };
                        match windows.iter_mut().find(|window| window.labels == labels) {
                            Some(Window { found: Found::Samples(samples), .. }) => {
                                samples.push((at_ms, value));
                            }
                            _ => {
                                let found = Found::Samples(vec![(at_ms, value)]);
                                windows.push(Window { labels, drops_name, found, start_ms, end_ms });
                            }
                        }
                    }
                }
                Ok(windows)
            }
            _ => Err(Failed("no range vector".to_owned())),
        }
    }
}

/// The times and values of all samples; `None` where the series ends.
fn samples_of(series: &Series) -> impl Iterator<Item = (i64, Option<Sample>)> {
    let samples = &series.samples;
    (0..samples.timestamps_ms.len()).map(|index| {
        let sample = match samples.histograms.get(index) {
            Some(Some(histogram)) if is_stale_nan(histogram.sum) => None,
            Some(Some(histogram)) => Some(Sample::Histogram(Native::from(&**histogram))),
            _ if is_stale_nan(samples.values[index]) => None,
            _ => Some(Sample::Float(samples.values[index])),
        };
        (samples.timestamps_ms[index], sample)
    })
}

impl Window<'_> {
    fn has_any(&self) -> bool {
        match &self.found {
            Found::Samples(samples) => !samples.is_empty(),
            Found::Edged(Edged { values, .. }) => !values.is_empty(),
            Found::Steps(series) => {
                let steps = &series.steps;
                // some millisecond in (start, end] lies in some [from, until)
                let (first, last) = (self.start_ms + 1, self.end_ms);
                (0..steps.len()).any(|step| steps.from_ms[step] <= last && first < steps.until_ms[step])
            }
        }
    }
}

/// The absolute multiples of an interval in `(start_ms, end_ms]`.
pub(super) fn multiples(interval_ms: i64, start_ms: i64, end_ms: i64) -> impl Iterator<Item = i64> {
    let first = (start_ms + 1..).find(move |ms| ms.rem_euclid(interval_ms) == 0).unwrap_or(i64::MAX);
    std::iter::successors(Some(first), move |ms| Some(ms + interval_ms)).take_while(move |ms| *ms <= end_ms)
}

/// The step of a pushed series that holds at a time.
pub(super) fn holding(series: &Series, at_ms: i64) -> Option<usize> {
    let steps = &series.steps;
    (0..steps.len()).find(|&step| steps.from_ms[step] <= at_ms && at_ms < steps.until_ms[step])
}
