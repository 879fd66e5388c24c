//! Samples that are stored at once.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, Metadata, Samples};
use store::{NewExemplar, SampleBatch};

use super::lines::Sample;

/// A batch of about so many bytes in memory is full, and makes a segment.
const BYTES_MAX: usize = 8 << 20;

const PER_SAMPLE: usize = 16;
const PER_SERIES: usize = 160;
const PER_LABEL: usize = 64;

/// Samples, exemplars, and what is told of families.
#[derive(Debug, Default)]
pub(super) struct Batch {
    series: HashMap<Labels, Vec<(i64, f64)>>,
    exemplars: Vec<NewExemplar>,
    families: Vec<(Arc<str>, Metadata)>,
    bytes: usize,
}

/// What is to be written of a batch.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) samples: SampleBatch,
    pub(super) exemplars: Vec<NewExemplar>,
    pub(super) count: u64,
}

impl Batch {
    /// What is said of families that were told before counts no more.
    pub(super) fn told(&mut self, families: Vec<(Arc<str>, Metadata)>) {
        for (family, metadata) in families {
            self.bytes += PER_SERIES + family.len() + metadata.help.len() + metadata.unit.len();
            self.families.push((family, metadata));
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        let Sample { labels, at_ms, value, exemplar } = sample;
        if let Some(exemplar) = exemplar {
            self.bytes += labels_bytes(&exemplar.series) + labels_bytes(&exemplar.exemplar.labels);
            self.exemplars.push(exemplar);
        }
        self.bytes += PER_SAMPLE;
        if let Some(points) = self.series.get_mut(&labels) {
            points.push((at_ms, value));
        } else {
            self.bytes += labels_bytes(&labels);
            self.series.insert(labels, vec![(at_ms, value)]);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX
    }

    /// In order of time; of one time, what came last.
    pub(super) fn entries(self) -> Entries {
        let Self { series, exemplars, mut families, .. } = self;
        let count = series.values().map(|points| points.len() as u64).sum();
        let mut series: Vec<_> =
            series.into_iter().map(|(labels, points)| (labels, ordered(points))).collect();
        series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        families.retain(|(_, metadata)| *metadata != Metadata::default());
        Entries { samples: SampleBatch { series, families, told_by: None }, exemplars, count }
    }
}

fn labels_bytes(labels: &Labels) -> usize {
    let texts = labels.iter().map(|label| PER_LABEL + label.name.len() + label.value.len());
    PER_SERIES + texts.sum::<usize>()
}

fn ordered(mut points: Vec<(i64, f64)>) -> Samples {
    if !points.is_sorted_by(|a, b| a.0 < b.0) {
        // the last first, so that it is the one that stays
        points.reverse();
        points.sort_by_key(|(at_ms, _)| *at_ms);
        points.dedup_by_key(|(at_ms, _)| *at_ms);
    }
    let mut samples = Samples::default();
    points.into_iter().for_each(|(at_ms, value)| samples.push(at_ms, value));
    samples
}
