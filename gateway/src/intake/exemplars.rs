//! Exemplars of pushed series, on their way to where exemplars are stored.

use std::sync::Arc;

use model::Labels;
use store::{NewExemplar, SampleBatch};
use wire::{Exemplar, Family, FlatSeries, flatten};

use crate::settings::Settings;

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

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is stored of them with a push of this stamp. Those without a time have that of the push.
    pub(crate) fn batches(&self, pushed_ms: i64) -> impl Iterator<Item = SampleBatch> + '_ {
        let new = move |(series, exemplar): &(Labels, Exemplar)| {
            let exemplar = exemplar.stored(pushed_ms)?;
            Some(NewExemplar { series: series.clone(), exemplar, pushed_ms: Some(pushed_ms) })
        };
        SampleBatch::entries_of_exemplars(self.0.iter().filter_map(new))
    }
}

#[cfg(test)]
mod tests {
    use model::MetricType;
    use wire::{Metric, MetricValue};

    use super::*;

    #[test]
    fn the_newest_stay_that_may_be_stored() {
        const NOW_MS: i64 = 1_000_000;
        let check = |ats_ms: &[Option<i64>], expect_ms: &[i64]| {
            let exemplar = |at_ms: &Option<i64>| Exemplar { timestamp_ms: *at_ms, ..Exemplar::default() };
            let exemplars = ats_ms.iter().map(exemplar).collect();
            let metric = Metric { exemplars, ..Metric::new(Vec::new(), MetricValue::Counter(1.0)) };
            let (name, r#type) = ("a_total".into(), MetricType::Counter);
            let families = [Family { name, r#type, metrics: vec![metric], ..Family::default() }];
            let settings = Settings { exemplars_per_series_max: 2, ..Settings::default() };
            let batches: Vec<SampleBatch> =
                Exemplars::of(&families, NOW_MS, &settings).batches(NOW_MS + 1).collect();
            let series = batches.iter().flat_map(|batch| &batch.series);
            let found: Vec<i64> = series.map(|(_, samples)| samples.timestamps_ms[0]).collect();
            assert_eq!(found, expect_ms, "{ats_ms:?}");
        };
        check(&[Some(1), Some(3), Some(2)], &[3, 2]);
        // without a time it is of the push
        check(&[Some(1), None, Some(2)], &[NOW_MS + 1, 2]);
        let latest_ms = NOW_MS + Settings::default().samples_ahead_max_ms;
        check(&[Some(latest_ms), Some(latest_ms + 1), Some(-1)], &[latest_ms]);
        check(&[], &[]);
    }
}
