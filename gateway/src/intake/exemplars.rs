//! Exemplars of pushed series, on their way to where exemplars are stored.

use std::sync::Arc;

use model::Labels;
use store::{NewExemplar, SampleBatch};
use wire::{Exemplar, Family, FlatSeries, flatten};

use crate::settings::Settings;

/// So many are written as one entry, which is bounded in bytes.
const EXEMPLARS_PER_ENTRY: usize = 1 << 13;

/// The exemplars of a push.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Exemplars(Vec<(Labels, Exemplar)>);

impl Exemplars {
    /// Those of checked families that can be stored. As with Prometheus, nobody is told of others: of times that samples may not have,
    /// or too many.
    pub(crate) fn of(families: &[Family], now_ms: i64, settings: &Settings) -> Self {
        let mut all = Vec::new();
        for family in families.iter().filter(|family| family.has_exemplars()) {
            for FlatSeries { name, labels, mut exemplars, .. } in flatten(family) {
                let latest_ms = now_ms.saturating_add(settings.samples_ahead_max_ms);
                exemplars.retain(|exemplar| {
                    exemplar.timestamp_ms.is_none_or(|at_ms| (0..=latest_ms).contains(&at_ms))
                });
                if exemplars.is_empty() {
                    continue;
                }
                exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.timestamp_ms.unwrap_or(now_ms)));
                exemplars.truncate(settings.exemplars_per_series_max);
                let mut series =
                    Labels::from_pairs(labels.into_iter().chain([(Arc::from(Labels::NAME), name)]));
                if settings.type_labels {
                    series = series.with_type_and_unit(family.r#type, &family.unit);
                }
                all.extend(exemplars.into_iter().map(|exemplar| (series.clone(), exemplar)));
            }
        }
        Self(all)
    }

    /// What is stored of them with a push of this stamp. Those without a time have that of the push.
    pub(crate) fn batches(&self, pushed_ms: i64) -> impl Iterator<Item = SampleBatch> + '_ {
        let new = move |(series, exemplar): &(Labels, Exemplar)| {
            let exemplar = exemplar.stored(pushed_ms)?;
            Some(NewExemplar { series: series.clone(), exemplar, pushed_ms: Some(pushed_ms) })
        };
        let batch = move |some: &[(Labels, Exemplar)]| SampleBatch::of_exemplars(some.iter().filter_map(new));
        self.0.chunks(EXEMPLARS_PER_ENTRY).map(batch).filter(|batch| !batch.is_empty())
    }
}
