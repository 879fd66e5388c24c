//! Series that a script loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use mayfly_query::syntax::SeriesItem;
use mayfly_query::{SeriesSource, SourceError, SourceNotes};
use model::{CounterReset, Histogram, Labels, Samples, Selection, Series};

/// All samples of all series, in memory.
#[derive(Default)]
pub(crate) struct Memory {
    series: BTreeMap<Labels, BTreeMap<i64, Sample>>,
    /// Start timestamps, by series and time of the sample.
    starts: BTreeMap<Labels, BTreeMap<i64, i64>>,
}

#[derive(Clone)]
enum Sample {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl Memory {
    /// Adds start timestamps, given relative to samples at 0, `step_ms` and so on.
    pub(crate) fn load_starts(&mut self, labels: &Labels, offsets_ms: &[Option<i64>], step_ms: i64) {
        let starts = self.starts.entry(labels.clone()).or_default();
        for (at_ms, offset_ms) in (0..).map(|index: i64| index * step_ms).zip(offsets_ms) {
            if let Some(offset_ms) = offset_ms {
                starts.insert(at_ms, at_ms + offset_ms);
            }
        }
    }

    /// Adds samples: the first at 0, each `step_ms` behind the one before.
    pub(crate) fn load(&mut self, labels: &Labels, items: &[SeriesItem], step_ms: i64) {
        let samples = self.series.entry(labels.clone()).or_default();
        let times = (0..).map(|index: i64| index * step_ms);
        for (at_ms, item) in times.zip(items) {
            let sample = match item {
                SeriesItem::Gap => continue,
                SeriesItem::Float(value) => Sample::Float(*value),
                SeriesItem::Histogram { value, .. } => Sample::Histogram(Arc::clone(value)),
            };
            samples.insert(at_ms, sample);
        }
        state_resets(samples);
    }
}

/// Says of each histogram what the storage of Prometheus would say: what continues the one before is known to, what
/// starts anew begins a chunk, of which nothing is known.
fn state_resets(samples: &mut BTreeMap<i64, Sample>) {
    let mut before: Option<Arc<Histogram>> = None;
    for sample in samples.values_mut() {
        let Sample::Histogram(histogram) = sample else {
            before = None;
            continue;
        };
        if histogram.counter_reset != CounterReset::Gauge {
            let given = Arc::clone(histogram);
            let continues = before.is_some_and(|before| same_chunk(&before, &given));
            let counter_reset = if continues { CounterReset::NotReset } else { CounterReset::Unknown };
            *histogram = Arc::new(Histogram { counter_reset, ..(*given).clone() });
            before = Some(given);
        } else {
            before = None;
        }
    }
}

fn same_chunk(before: &Histogram, histogram: &Histogram) -> bool {
    histogram.counter_reset != CounterReset::Reset
        && histogram.schema == before.schema
        && histogram.zero_threshold == before.zero_threshold
        && histogram.custom_bounds == before.custom_bounds
        && !model::is_stale_nan(histogram.sum)
        && !histogram.has_shrunk_since(before)
}

#[async_trait]
impl SeriesSource for Memory {
    async fn select(&self, selection: &Selection, _: &SourceNotes) -> Result<Vec<Series>, SourceError> {
        let matching = self.series.iter().filter(|(labels, _)| selection.matches(labels));
        let mut result = Vec::new();
        for (labels, all) in matching {
            let mut samples = Samples::default();
            for (&at_ms, sample) in all.range(selection.start_ms..=selection.end_ms.max(selection.start_ms)) {
                samples.timestamps_ms.push(at_ms);
                match sample {
                    Sample::Float(value) => samples.values.push(*value),
                    Sample::Histogram(_) => samples.values.push(0.0),
                }
                if let Sample::Histogram(histogram) = sample {
                    samples.histograms.resize(samples.values.len() - 1, None);
                    samples.histograms.push(Some(Arc::clone(histogram)));
                } else if !samples.histograms.is_empty() {
                    samples.histograms.push(None);
                }
            }
            if let Some(starts) = self.starts.get(labels) {
                let start = |at_ms: &i64| starts.get(at_ms).copied().unwrap_or(0);
                samples.start_ms = samples.timestamps_ms.iter().map(start).collect();
            }
            if !samples.is_empty() {
                result.push(Series { labels: labels.clone(), samples, ..Series::default() });
            }
        }
        Ok(result)
    }
}
