//! Recording rules: the answer under another name.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Labels, Value};

use super::{At, StepError};
use crate::ports::RuleSample;

/// The samples that a recording rule writes.
pub(super) fn record(
    name: &Arc<str>,
    rule_labels: &[(Arc<str>, Arc<str>)],
    limit: usize,
    vector: Vec<(Labels, Value)>,
    at: At,
) -> Result<Vec<RuleSample>, StepError> {
    let mut seen = BTreeSet::new();
    let mut samples = Vec::with_capacity(vector.len());
    for (labels, value) in vector {
        let mut builder = labels.to_builder();
        builder.set(Labels::NAME, name.clone());
        for (name, value) in rule_labels {
            builder.set(name.clone(), value.clone());
        }
        let labels = builder.build();
        if !seen.insert(labels.clone()) {
            return Err(StepError::DuplicateSeries);
        }
        samples.push(RuleSample { labels, timestamp_ms: at.sample_ms(), value });
    }
    if limit > 0 && samples.len() > limit {
        return Err(StepError::TooManySeries { limit, series: samples.len() });
    }
    Ok(samples)
}
