//! Series that a script loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use model::{
    CounterReset, Histogram, HistogramSum, Labels, OPEN_END_MS, Samples, Selection, Series, Steps, Value,
    is_stale_nan,
};
use query::syntax::SeriesItem;
use query::{SeriesSource, SourceError, SourceNotes};

/// All samples and pushes of all series, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    series: BTreeMap<Labels, BTreeMap<i64, Value>>,
    /// Start timestamps, by series and time of the sample.
    starts: BTreeMap<Labels, BTreeMap<i64, i64>>,
    /// What was pushed and when.
    pushes: BTreeMap<Labels, BTreeMap<i64, Pushed>>,
}

/// What a push made of a series.
#[derive(Clone, Debug)]
enum Pushed {
    Ended,
    Set(Value),
    Added { total: Value, since_ms: i64 },
}

impl Pushed {
    /// What the series holds when `value` is added to it at a time.
    fn with(self, value: Value, at_ms: i64) -> Self {
        match (self, value) {
            (Self::Added { total: Value::Float(before), since_ms }, Value::Float(more)) => {
                Self::Added { total: Value::Float(before + more), since_ms }
            }
            (Self::Added { total: Value::Histogram(before), since_ms }, Value::Histogram(more)) => {
                let mut sum = HistogramSum::of(&before);
                match sum.add(&more) {
                    Ok(_) => Self::Added { total: Value::Histogram(Arc::new(sum.value())), since_ms },
                    Err(_) => Self::Added { total: Value::Histogram(more), since_ms: at_ms },
                }
            }
            (_, value) => Self::Added { total: value, since_ms: at_ms },
        }
    }
}

impl Memory {
    /// Adds start timestamps, given relative to samples at 0, `step_ms` and so on.
    pub(crate) fn load_starts(&mut self, labels: &Labels, offsets_ms: &[Option<i64>], step_ms: i64) {
        let starts = self.starts.entry(labels.clone()).or_default();
        for (at_ms, offset_ms) in times(step_ms).zip(offsets_ms) {
            if let Some(offset_ms) = offset_ms {
                starts.insert(at_ms, at_ms.saturating_add(*offset_ms));
            }
        }
    }

    /// Adds samples: the first at 0, each `step_ms` behind the one before.
    pub(crate) fn load(&mut self, labels: &Labels, items: &[SeriesItem], step_ms: i64) {
        self.load_from(0, labels, items, step_ms);
    }

    /// Adds samples: the first at `start_ms`, each `step_ms` behind the one before.
    pub fn load_from(&mut self, start_ms: i64, labels: &Labels, items: &[SeriesItem], step_ms: i64) {
        let samples = self.series.entry(labels.clone()).or_default();
        let at = |(at_ms, item)| Some((start_ms.saturating_add(at_ms), value(item)?));
        samples.extend(times(step_ms).zip(items).filter_map(at));
        state_resets(samples);
    }

    /// Adds one sample; one that is there at the same time is replaced.
    pub fn insert(&mut self, labels: Labels, at_ms: i64, value: Value) {
        let is_histogram = matches!(value, Value::Histogram(_));
        let samples = self.series.entry(labels).or_default();
        samples.insert(at_ms, value);
        if is_histogram {
            state_resets(samples);
        }
    }

    /// Adds pushes: the first at 0, each `step_ms` behind the one before; `stale` ends the series.
    pub(crate) fn load_pushes(&mut self, labels: &Labels, items: &[SeriesItem], step_ms: i64) {
        let pushes = self.pushes.entry(labels.clone()).or_default();
        for (at_ms, item) in times(step_ms).zip(items) {
            if let Some(value) = value(item) {
                let pushed = if is_end(&value) { Pushed::Ended } else { Pushed::Set(value) };
                pushes.insert(at_ms, pushed);
            }
        }
    }

    /// Likewise, but each value is added to what the series holds, which begins at zero.
    pub(crate) fn load_adds(&mut self, labels: &Labels, items: &[SeriesItem], step_ms: i64) {
        let pushes = self.pushes.entry(labels.clone()).or_default();
        let mut held = Pushed::Ended;
        for (at_ms, item) in times(step_ms).zip(items) {
            if let Some(value) = value(item) {
                held = if is_end(&value) { Pushed::Ended } else { held.with(value, at_ms) };
                pushes.insert(at_ms, held.clone());
            }
        }
    }

    fn samples(&self, labels: &Labels, selection: &Selection) -> Samples {
        let mut samples = Samples::default();
        let range = selection.start_ms..=selection.end_ms.max(selection.start_ms);
        for (&at_ms, value) in self.series.get(labels).into_iter().flat_map(|all| all.range(range.clone())) {
            samples.push_value(at_ms, value);
        }
        if let Some(starts) = self.starts.get(labels) {
            let start = |at_ms: &i64| starts.get(at_ms).copied().unwrap_or(0);
            samples.start_ms = samples.timestamps_ms.iter().map(start).collect();
        }
        samples
    }

    /// The steps that hold somewhere in the time of the selection.
    fn steps(&self, labels: &Labels, selection: &Selection) -> Steps {
        let mut steps = Steps::default();
        let Some(pushes) = self.pushes.get(labels) else { return steps };
        let ends = pushes.keys().skip(1).copied().chain([OPEN_END_MS]);
        for ((&from_ms, value), until_ms) in pushes.iter().zip(ends) {
            let (value, since_ms) = match value {
                Pushed::Ended => continue,
                Pushed::Set(value) => (value, None),
                Pushed::Added { total, since_ms } => (total, Some(*since_ms)),
            };
            if from_ms <= selection.end_ms && selection.start_ms < until_ms {
                steps.push_value(from_ms, until_ms, value);
                if let (Some(since_ms), Some(from_zero)) = (since_ms, steps.from_zero.last_mut()) {
                    *from_zero = since_ms == from_ms;
                    steps.started(since_ms);
                }
            }
        }
        steps
    }

    /// The series that a selection asks for, with what they hold in its time.
    pub fn selected(&self, selection: &Selection) -> Vec<Series> {
        let mut all: Vec<&Labels> = self.series.keys().chain(self.pushes.keys()).collect();
        all.sort();
        all.dedup();
        let series = all.into_iter().filter(|labels| selection.matches(labels)).map(|labels| Series {
            labels: labels.clone(),
            samples: self.samples(labels, selection),
            steps: self.steps(labels, selection),
        });
        series.filter(|series| !series.samples.is_empty() || !series.steps.is_empty()).collect()
    }
}

fn times(step_ms: i64) -> impl Iterator<Item = i64> {
    (0..).map(move |index: i64| index.saturating_mul(step_ms))
}

fn is_end(value: &Value) -> bool {
    matches!(value, Value::Float(value) if is_stale_nan(*value))
}

fn value(item: &SeriesItem) -> Option<Value> {
    match item {
        SeriesItem::Gap => None,
        SeriesItem::Float(value) => Some(Value::Float(*value)),
        SeriesItem::Histogram { value, .. } => Some(Value::Histogram(Arc::clone(value))),
    }
}

/// Says of each histogram what the storage of Prometheus would say: what continues the one before is known to, what
/// starts anew begins a chunk, of which nothing is known.
fn state_resets(samples: &mut BTreeMap<i64, Value>) {
    let mut before: Option<Arc<Histogram>> = None;
    for sample in samples.values_mut() {
        let Value::Histogram(histogram) = sample else {
            before = None;
            continue;
        };
        if histogram.counter_reset == CounterReset::Gauge {
            before = None;
            continue;
        }
        let given = Arc::clone(histogram);
        let continues = before.is_some_and(|before| same_chunk(&before, &given));
        let counter_reset = if continues { CounterReset::NotReset } else { CounterReset::Unknown };
        *histogram = Arc::new(Histogram { counter_reset, ..(*given).clone() });
        before = Some(given);
    }
}

fn same_chunk(before: &Histogram, histogram: &Histogram) -> bool {
    histogram.counter_reset != CounterReset::Reset
        && histogram.schema == before.schema
        && histogram.zero_threshold == before.zero_threshold
        && histogram.custom_bounds == before.custom_bounds
        && !is_stale_nan(histogram.sum)
        && !histogram.has_shrunk_since(before)
}

#[async_trait]
impl SeriesSource for Memory {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        Ok(self.selected(selection))
    }
}
