//! What rules record, written as samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use alert::{RuleSample, SampleSink, SinkError};
use async_trait::async_trait;
use model::{Labels, Samples, Value};
use store::{SampleBatch, Writer};

/// The samples stream of a tenant.
#[derive(Debug)]
pub struct RuleSamples {
    writer: Arc<Writer<SampleBatch>>,
}

impl RuleSamples {
    /// Writes by this writer.
    pub fn new(writer: Arc<Writer<SampleBatch>>) -> Self {
        Self { writer }
    }
}

#[async_trait]
impl SampleSink for RuleSamples {
    async fn write(&self, samples: &[RuleSample]) -> Result<(), SinkError> {
        if samples.is_empty() {
            return Ok(());
        }
        let written = self.writer.push(batch(samples)).await;
        written.map(|_| ()).map_err(|error| SinkError(error.into()))
    }
}

/// Samples by series, each in order of time.
pub(crate) fn batch(samples: &[RuleSample]) -> SampleBatch {
    let mut series: BTreeMap<&Labels, BTreeMap<i64, &Value>> = BTreeMap::new();
    for sample in samples {
        series.entry(&sample.labels).or_default().insert(sample.timestamp_ms, &sample.value);
    }
    let series = series.into_iter().map(|(labels, points)| {
        let mut samples = Samples::default();
        for (at_ms, value) in points {
            samples.push_value(at_ms, value);
        }
        (labels.clone(), samples)
    });
    SampleBatch::of(series.collect())
}
