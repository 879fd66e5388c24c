//! Samples in a row that make a chunk, cut where Prometheus cuts them.

use std::iter::Peekable;
use std::sync::Arc;

use model::{CounterReset, Histogram, Value, is_stale_nan, stale_nan};

use super::layout::{Layout, any_lost};
use crate::protobuf::native::is_whole;

/// A run has no more samples than this.
pub(super) const SAMPLES_MAX: usize = 120;

/// What a run consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Floats,
    /// Histograms whose counts are all whole.
    Histograms,
    FloatHistograms,
}

/// Samples of one kind, in order of time; one at least.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) times_ms: Vec<i64>,
    /// As long as the times, or empty.
    pub(super) floats: Vec<f64>,
    /// As long as the times, or empty. Of one that is a stale marker only the sum counts.
    pub(super) histograms: Vec<Arc<Histogram>>,
    /// What is known about a counter reset before the first of them; or that they are gauges.
    pub(super) reset: CounterReset,
    /// The buckets of all of them.
    pub(super) layout: Layout,
}

/// Cuts samples, in order of time, into runs.
pub(super) fn runs(points: impl Iterator<Item = (i64, Value)>) -> impl Iterator<Item = Run> {
    let mut runs = Runs { points: points.peekable(), before: None };
    std::iter::from_fn(move || runs.next())
}

struct Runs<I: Iterator> {
    points: Peekable<I>,
    /// The kind of the run before, and what is known about a reset behind it.
    before: Option<(Kind, CounterReset)>,
}

impl<I: Iterator<Item = (i64, Value)>> Runs<I> {
    fn next(&mut self) -> Option<Run> {
        let (at_ms, value) = self.points.next()?;
        let (kind, reset) = match self.before.take() {
            Some((kind, reset)) => (kind_behind(Some(kind), &value), reset),
            None => (kind_behind(None, &value), CounterReset::Unknown),
        };
        let mut run = Run::beginning(kind, reset);
        run.push(at_ms, value);
        while let Some((_, next)) = self.points.peek() {
            if let Err(reset) = run.takes(next) {
                self.before = Some((kind, reset));
                break;
            }
            if let Some((at_ms, value)) = self.points.next() {
                run.push(at_ms, value);
            }
        }
        Some(run)
    }
}

/// The kind of a sample. A stale marker is of the kind of what it ends.
fn kind_behind(before: Option<Kind>, value: &Value) -> Kind {
    match (value, before) {
        (Value::Float(value), Some(kind)) if is_stale_nan(*value) => kind,
        (Value::Histogram(histogram), Some(kind)) if is_stale(histogram) && kind != Kind::Floats => kind,
        (Value::Float(_), _) => Kind::Floats,
        (Value::Histogram(histogram), _) if is_all_whole(histogram) => Kind::Histograms,
        (Value::Histogram(_), _) => Kind::FloatHistograms,
    }
}

fn is_all_whole(histogram: &Histogram) -> bool {
    let counts = histogram.positive_counts.iter().chain(&histogram.negative_counts);
    counts.chain([&histogram.count, &histogram.zero_count]).all(|count| is_whole(*count))
}

pub(super) fn is_stale(histogram: &Histogram) -> bool {
    is_stale_nan(histogram.sum)
}

impl Run {
    fn beginning(kind: Kind, reset: CounterReset) -> Self {
        Self {
            kind,
            times_ms: Vec::new(),
            floats: Vec::new(),
            histograms: Vec::new(),
            reset,
            layout: Layout::default(),
        }
    }

    /// Whether a sample may stand behind the others.
    ///
    /// # Errors
    /// What is known about a reset at the beginning of the next run, if it may not.
    fn takes(&self, value: &Value) -> Result<(), CounterReset> {
        if self.times_ms.len() >= SAMPLES_MAX || kind_behind(Some(self.kind), value) != self.kind {
            return Err(CounterReset::Unknown);
        }
        let (Value::Histogram(next), Some(last)) = (value, self.histograms.last()) else {
            let of_gauges = self.reset == CounterReset::Gauge;
            return if of_gauges { Err(self.unlike_gauges()) } else { Ok(()) };
        };
        if next.counter_reset == CounterReset::Gauge {
            return self.takes_gauge(last, next);
        }
        let any_less = || next.zero_count < last.zero_count || any_lost(last, next);
        match next.counter_reset {
            _ if self.reset == CounterReset::Gauge => Err(self.unlike_gauges()),
            CounterReset::Reset => Err(CounterReset::Reset),
            _ if is_stale(next) => Ok(()),
            _ if is_stale(last) => Err(CounterReset::Unknown),
            _ if next.count < last.count => Err(CounterReset::Reset),
            _ if !have_same_scale(last, next) => Err(CounterReset::Unknown),
            _ if !have_same_bounds(last, next) || any_less() => Err(CounterReset::Reset),
            _ => Ok(()),
        }
    }

    fn takes_gauge(&self, last: &Histogram, next: &Histogram) -> Result<(), CounterReset> {
        let fits =
            is_stale(next) || !is_stale(last) && have_same_scale(last, next) && have_same_bounds(last, next);
        if self.reset == CounterReset::Gauge && fits { Ok(()) } else { Err(CounterReset::Gauge) }
    }

    /// What Prometheus notes where counters follow gauges.
    fn unlike_gauges(&self) -> CounterReset {
        match self.kind {
            Kind::Histograms => CounterReset::NotReset,
            Kind::Floats | Kind::FloatHistograms => CounterReset::Unknown,
        }
    }

    fn push(&mut self, at_ms: i64, value: Value) {
        let is_first = self.times_ms.is_empty();
        self.times_ms.push(at_ms);
        let histogram = match (value, self.kind) {
            (Value::Float(value), Kind::Floats) => return self.floats.push(value),
            (Value::Float(_), _) => Arc::new(Histogram { sum: stale_nan(), ..Histogram::default() }),
            (Value::Histogram(histogram), _) => histogram,
        };
        if is_first && matches!(histogram.counter_reset, CounterReset::Gauge | CounterReset::Reset) {
            self.reset = histogram.counter_reset;
        }
        // a stale marker has no buckets
        match is_stale(&histogram) {
            true => {}
            false if is_first => self.layout = Layout::of(&histogram),
            false => self.layout.widen(&histogram),
        }
        self.histograms.push(histogram);
    }

    /// What a reader of the run knows about a counter reset before one of its histograms.
    pub(super) fn reset_before(&self, index: usize) -> CounterReset {
        match (self.reset, index) {
            (CounterReset::Gauge, _) => CounterReset::Gauge,
            (_, 1..) => CounterReset::NotReset,
            (CounterReset::Reset, 0) => CounterReset::Reset,
            _ => CounterReset::Unknown,
        }
    }
}

fn have_same_scale(a: &Histogram, b: &Histogram) -> bool {
    a.schema == b.schema && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
}

fn have_same_bounds(a: &Histogram, b: &Histogram) -> bool {
    let bits = |histogram: &Histogram| {
        histogram.custom_bounds.iter().map(|bound| bound.to_bits()).collect::<Vec<_>>()
    };
    a.custom_bounds.len() == b.custom_bounds.len() && bits(a) == bits(b)
}
