//! What a writer takes: pushes, or samples.

use std::fmt::Debug;
use std::sync::Arc;

use model::{Labels, Metadata, Push, PushedSeries, Samples, Teller, Value};

use crate::log::Logged;
use crate::segment::{Description, Segment};
use crate::tail::Stamped;

/// One atomic thing that a writer acknowledges. Which entries share a segment does not matter to readers.
pub trait Entry: Logged + Debug + Send + Sync + Sized + 'static {
    /// Whether the times of its rows are stamps.
    const TIMES_ARE_STAMPS: bool;

    /// About how much memory it takes.
    fn memory_bytes(&self) -> usize;

    /// The rows of some entries of one writer, given in stamp order.
    #[doc(hidden)]
    fn segment(writer: u64, entries: &[Arc<Stamped<Self>>]) -> Segment;
}

const PER_SERIES: usize = 96;
const PER_LABEL: usize = 48;

fn labels_bytes(labels: &Labels) -> usize {
    labels.iter().map(|label| PER_LABEL + label.name.len() + label.value.len()).sum()
}

fn histogram_bytes(histogram: &model::Histogram) -> usize {
    let counts = histogram.positive_counts.len() + histogram.negative_counts.len();
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    128 + 8 * (counts + spans + histogram.custom_bounds.len())
}

impl Entry for Push {
    const TIMES_ARE_STAMPS: bool = true;

    fn memory_bytes(&self) -> usize {
        let of_series = |series: &PushedSeries| {
            let histogram = match &series.value {
                Value::Float(_) => 0,
                Value::Histogram(histogram) => histogram_bytes(histogram),
            };
            PER_SERIES + labels_bytes(&series.labels) + histogram
        };
        let texts: usize =
            self.families.iter().map(|family| family.name.len() + family.help.len() + 64).sum();
        self.families.iter().flat_map(|family| &family.series).map(of_series).sum::<usize>() + texts + 128
    }

    fn segment(writer: u64, entries: &[Arc<Stamped<Self>>]) -> Segment {
        Segment::from_pushes(writer, entries.iter().map(|entry| &**entry))
    }
}

/// Samples that carry their own time. Of samples of one series with the same time, the one that was written last counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBatch {
    /// The series, in any order.
    pub series: Vec<(Labels, Samples)>,
    /// What is known of metric families besides, by their names. What was told last counts.
    pub families: Vec<(Arc<str>, Metadata)>,
    /// Whose word on them that is; `None`: everybody's.
    pub told_by: Option<Teller>,
}

impl SampleBatch {
    /// Some series, of whose families nothing is told.
    pub fn of(series: Vec<(Labels, Samples)>) -> Self {
        Self { series, ..Self::default() }
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.families.is_empty()
    }
}

impl Entry for SampleBatch {
    const TIMES_ARE_STAMPS: bool = false;

    fn memory_bytes(&self) -> usize {
        let of_series = |(labels, samples): &(Labels, Samples)| {
            let histograms = samples.histograms.iter().flatten().map(|histogram| histogram_bytes(histogram));
            PER_SERIES + labels_bytes(labels) + 16 * samples.len() + histograms.sum::<usize>()
        };
        let of_family = |(family, metadata): &(Arc<str>, Metadata)| {
            PER_SERIES + family.len() + metadata.help.len() + metadata.unit.len()
        };
        let families = self.families.iter().map(of_family).sum::<usize>();
        self.series.iter().map(of_series).sum::<usize>() + families + 128
    }

    fn segment(writer: u64, entries: &[Arc<Stamped<Self>>]) -> Segment {
        let mut segment = Segment::from_samples(writer, entries.iter().flat_map(|entry| &entry.entry.series));
        let told = entries.iter().flat_map(|entry| {
            let SampleBatch { families, told_by, .. } = &*entry.entry;
            families.iter().map(|(family, metadata)| Description {
                stamp: entry.stamp,
                family: Arc::clone(family),
                told_by: *told_by,
                metadata: metadata.clone(),
            })
        });
        segment.describe(writer, told);
        segment
    }
}
