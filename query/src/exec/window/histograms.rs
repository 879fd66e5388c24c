//! Functions over windows that contain native histograms.

use std::ops::Range;
use std::sync::Arc;

use model::{CounterReset, Histogram, HistogramMean, HistogramSum, Value};

use super::columns::Columns;
use super::rate::Before;
use super::{RangeFunction, RangeWindow, rate, starts};
use crate::exec::Context;
use crate::exec::remarks::{self, Combination};
use crate::exec::scalar::seconds;
use crate::plan::Windows;
use crate::syntax::Function;

/// The samples of one series in one window; at least one is a histogram.
pub(super) struct MixedWindow<'a> {
    pub(super) name: &'a str,
    pub(super) columns: &'a Columns<'a>,
    pub(super) histograms: Range<usize>,
    /// The floats among them, and the bounds of the window.
    pub(super) floats: RangeWindow<'a>,
}

/// How histograms are to be subtracted.
pub(super) struct Counting<'a> {
    /// Whether they are counters, which may start anew.
    pub(super) counter: bool,
    /// Whether the first is known to have counted from zero.
    pub(super) from_zero: bool,
    /// Whether the one at an index starts anew.
    pub(super) anew: &'a dyn Fn(usize) -> bool,
}

/// A sample of either kind.
#[derive(Clone, Copy)]
enum Either<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

impl<'a> MixedWindow<'a> {
    fn times(&self) -> &'a [i64] {
        &self.columns.histogram_times[self.histograms.clone()]
    }

    fn histograms(&self) -> &'a [Arc<Histogram>] {
        &self.columns.histograms[self.histograms.clone()]
    }

    fn starts(&self) -> &'a [i64] {
        self.columns.histogram_starts.get(self.histograms.clone()).unwrap_or(&[])
    }

    fn is_mixed(&self) -> bool {
        !self.floats.times.is_empty()
    }

    /// All samples in the order of time.
    fn samples(&self) -> Vec<(i64, Either<'a>)> {
        let floats = self.floats.times.iter().zip(self.floats.values);
        let histograms = self.times().iter().zip(self.histograms());
        let mut all: Vec<_> = floats.map(|(at, value)| (*at, Either::Float(*value))).collect();
        all.extend(histograms.map(|(at, histogram)| (*at, Either::Histogram(histogram))));
        all.sort_by_key(|(at, _)| *at);
        all
    }
}

impl Context<'_> {
    /// What a function makes of a window with histograms in it.
    pub(super) fn with_histograms(
        &self,
        node: &Windows,
        of_floats: RangeFunction,
        window: &MixedWindow<'_>,
    ) -> Option<Value> {
        let as_histogram = |histogram: Option<Histogram>| histogram.map(|it| Value::Histogram(Arc::new(it)));
        match node.function {
            Function::Rate | Function::Increase | Function::Delta => as_histogram(self.change(node, window)),
            Function::Irate | Function::Idelta => self.last_change(node, window),
            Function::SumOverTime | Function::AvgOverTime => as_histogram(self.together(node, window)),
            Function::Changes => Some(Value::Float(count_pairs(window, changed))),
            Function::Resets if window.is_mixed() => Some(Value::Float(count_pairs(window, reset))),
            Function::Resets => {
                let (all, times, starts) = (window.histograms(), window.times(), window.starts());
                let anew = |index: &usize| {
                    all[*index].starts_anew_after(&all[index - 1])
                        || starts::begins_anew(times, starts, *index)
                };
                #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
                Some(Value::Float((1..all.len()).filter(anew).count() as f64))
            }
            Function::TsOfFirstOverTime => window.samples().first().map(|(at, _)| Value::Float(seconds(*at))),
            Function::TsOfLastOverTime => window.samples().last().map(|(at, _)| Value::Float(seconds(*at))),
            _ if window.is_mixed() => {
                self.warn_or_info(false, node, remarks::ignored_in_range(window.name));
                of_floats(&window.floats).map(Value::Float)
            }
            _ => None,
        }
    }

    pub(super) fn warn_or_info(&self, warn: bool, node: &Windows, text: String) {
        let mut notes = self.notes.borrow_mut();
        // the place is that of the first argument, whichever it is
        let first_argument = match node.function {
            Function::QuantileOverTime => node.parameter_range,
            _ => node.range,
        };
        if warn {
            notes.warn(first_argument, text);
        } else {
            notes.info(first_argument, text);
        }
    }

    /// The change between the first and the last histogram, stretched to the edges of the window if they are near.
    fn change(&self, node: &Windows, window: &MixedWindow<'_>) -> Option<Histogram> {
        if window.is_mixed() {
            self.warn_or_info(true, node, remarks::mixed_kinds(window.name));
            return None;
        }
        let histograms = window.histograms();
        let counter = node.function != Function::Delta;
        let (times, starts) = (window.times(), window.starts());
        let zero_ms = starts::zero_inside(times, starts, window.floats.start_ms).filter(|_| counter);
        if histograms.len() < 2 && zero_ms.is_none() {
            return None;
        }
        let anew = |index: usize| {
            histograms[index].starts_anew_after(&histograms[index - 1])
                || starts::begins_anew(times, starts, index)
        };
        let counting = Counting { counter, from_zero: zero_ms.is_some(), anew: &anew };
        let mut change = self.difference(node, window.name, histograms, &counting)?;
        let count = change.value().count;
        let zero_share =
            (counter && count > 0.0 && histograms[0].count >= 0.0).then(|| histograms[0].count / count);
        let before = zero_ms.map_or(Before::Share(zero_share), Before::Zero);
        let mut factor = rate::stretch(times, window.floats.start_ms, window.floats.end_ms, before);
        if node.function == Function::Rate {
            factor /= seconds(window.floats.end_ms - window.floats.start_ms);
        }
        change.scale(factor);
        Some(change.value())
    }

    /// Last minus first, with what resets have taken away if they are counters.
    pub(super) fn difference(
        &self,
        node: &Windows,
        name: &str,
        histograms: &[Arc<Histogram>],
        counting: &Counting<'_>,
    ) -> Option<HistogramSum> {
        let counter = counting.counter;
        let (first, last) = (histograms.first()?, histograms.last()?);
        let is_gauge = |histogram: &Arc<Histogram>| histogram.counter_reset == CounterReset::Gauge;
        if counter && histograms.iter().any(is_gauge) {
            self.warn_or_info(true, node, remarks::not_a_counter(name));
        }
        if !(counter || is_gauge(first) && is_gauge(last)) {
            self.warn_or_info(true, node, remarks::not_a_gauge(name));
        }
        // what a reset ends at once does not matter, not even how its buckets lie
        let skip_first = counter && histograms.len() > 1 && (counting.anew)(1) && !counting.from_zero;
        let skipped = usize::from(skip_first);
        let relevant = &histograms[skipped..];
        let between = if counter { relevant } else { &[Arc::clone(first), Arc::clone(last)][..] };
        if between.iter().any(|one| one.has_custom_bounds() != last.has_custom_bounds()) {
            self.warn_or_info(true, node, remarks::mixed_buckets(name));
            return None;
        }
        let mut change = HistogramSum::of(last);
        // before zero buckets are made the same: how far one reaches depends on the buckets that it meets
        for one in between {
            change.coarsen_to(one.schema);
        }
        let (mut subtracted, mut added) = (false, false);
        if !skip_first && !counting.from_zero {
            subtracted = change.subtract(first).ok()?.bounds_reconciled;
        }
        if counter {
            for index in (skipped + 1..histograms.len()).filter(|&index| (counting.anew)(index)) {
                added |= change.add(&histograms[index - 1]).ok()?.bounds_reconciled;
            }
        }
        if subtracted {
            self.warn_or_info(false, node, remarks::bounds_reconciled(Combination::Subtraction));
        }
        if added {
            self.warn_or_info(false, node, remarks::bounds_reconciled(Combination::Addition));
        }
        change.set_gauge();
        Some(change)
    }

    /// The change between the last two samples.
    fn last_change(&self, node: &Windows, window: &MixedWindow<'_>) -> Option<Value> {
        let samples = window.samples();
        let starts = window.starts();
        let anew = window.histograms().len() > 1
            && starts::begins_anew(window.times(), starts, window.times().len() - 1);
        let [.., (before_ms, before), (last_ms, last)] = samples.as_slice() else { return None };
        let elapsed_s = seconds(last_ms - before_ms);
        let per_s = node.function == Function::Irate;
        match (before, last) {
            (Either::Histogram(before), Either::Histogram(last)) => {
                let both_gauges = [before, last].iter().all(|it| it.counter_reset == CounterReset::Gauge);
                let any_gauge = [before, last].iter().any(|it| it.counter_reset == CounterReset::Gauge);
                if per_s && any_gauge {
                    self.warn_or_info(true, node, remarks::not_a_counter(window.name));
                }
                if !per_s && !both_gauges {
                    self.warn_or_info(true, node, remarks::not_a_gauge(window.name));
                }
                let mut change = HistogramSum::of(last);
                if !per_s || !(anew || last.starts_anew_after(before)) {
                    match change.subtract(before) {
                        Ok(found) if found.bounds_reconciled => {
                            let text = remarks::bounds_reconciled(Combination::Subtraction);
                            self.warn_or_info(false, node, text);
                        }
                        Ok(_) => {}
                        Err(_) => {
                            self.warn_or_info(true, node, remarks::mixed_buckets(window.name));
                            return None;
                        }
                    }
                }
                change.set_gauge();
                if per_s {
                    change.divide(elapsed_s);
                }
                Some(Value::Histogram(Arc::new(change.value())))
            }
            (Either::Float(before), Either::Float(last)) => {
                let change = if per_s && last < before { *last } else { last - before };
                Some(Value::Float(if per_s { change / elapsed_s } else { change }))
            }
            _ => {
                self.warn_or_info(true, node, remarks::mixed_kinds(window.name));
                None
            }
        }
    }

    /// The sum or the mean.
    fn together(&self, node: &Windows, window: &MixedWindow<'_>) -> Option<Histogram> {
        if window.is_mixed() {
            self.warn_or_info(true, node, remarks::mixed_kinds(window.name));
            return None;
        }
        let (first, rest) = window.histograms().split_first()?;
        let mut found = model::SumRemarks::default();
        let mut add_all = |add: &mut dyn FnMut(&Histogram) -> Result<model::SumRemarks, _>| {
            for histogram in rest {
                match add(histogram) {
                    Ok(remarks) => found = found.and(remarks),
                    Err(model::IncompatibleBuckets) => {
                        self.warn_or_info(true, node, remarks::mixed_buckets(window.name));
                        return None;
                    }
                }
            }
            Some(())
        };
        let result = if node.function == Function::SumOverTime {
            let mut sum = HistogramSum::of(first);
            add_all(&mut |histogram| sum.add(histogram))?;
            sum.value()
        } else {
            let mut mean = HistogramMean::of(first);
            add_all(&mut |histogram| mean.add(histogram))?;
            mean.value()
        };
        if found.resets_conflict {
            self.warn_or_info(true, node, remarks::resets_conflict(Combination::Aggregation));
        }
        if found.bounds_reconciled {
            self.warn_or_info(false, node, remarks::bounds_reconciled(Combination::Aggregation));
        }
        Some(result)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn count_pairs(window: &MixedWindow<'_>, counts: fn(Either<'_>, Either<'_>) -> bool) -> f64 {
    window.samples().windows(2).filter(|pair| counts(pair[0].1, pair[1].1)).count() as f64
}

#[expect(clippy::float_cmp, reason = "that is what a change is")]
fn changed(before: Either<'_>, now: Either<'_>) -> bool {
    match (before, now) {
        (Either::Float(before), Either::Float(now)) => before != now && !(before.is_nan() && now.is_nan()),
        (Either::Histogram(before), Either::Histogram(now)) => !now.same_data(before),
        _ => true,
    }
}

fn reset(before: Either<'_>, now: Either<'_>) -> bool {
    match (before, now) {
        (Either::Float(before), Either::Float(now)) => now < before,
        (Either::Histogram(before), Either::Histogram(now)) => now.starts_anew_after(before),
        _ => true,
    }
}
