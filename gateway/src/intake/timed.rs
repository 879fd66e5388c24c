//! Samples that have a time of their own: they are no part of what a group holds.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Labels, MetricType, Samples, Value};
use store::SampleBatch;
use wire::{Family, Metric, flatten};

use super::error::IntakeError;
use crate::settings::Settings;

/// Takes metrics that have a time out of checked families, and the families of which nothing is left.
pub(super) fn take(
    families: &mut Vec<Family>,
    now_ms: i64,
    settings: &Settings,
) -> Result<SampleBatch, IntakeError> {
    let mut points: HashMap<Labels, Vec<Point>> = HashMap::new();
    let mut told = Vec::new();
    for family in families.iter_mut() {
        let of_time = |metric: &mut Metric| metric.timestamp_ms.is_some();
        let timed: Vec<Metric> = family.metrics.extract_if(.., of_time).collect();
        if !timed.is_empty() {
            told.push((Arc::clone(&family.name), family.metadata()));
        }
        for metric in timed {
            let at_ms = metric.timestamp_ms.unwrap_or_default();
            check_time(&family.name, at_ms, now_ms, settings)?;
            for (labels, point) in of_metric(family, metric, at_ms, settings) {
                points.entry(labels).or_default().push(point);
            }
        }
    }
    families.retain(|family| !family.metrics.is_empty());
    let mut series: Vec<(Labels, Samples)> =
        points.into_iter().map(|(labels, points)| (labels, samples(points))).collect();
    series.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(SampleBatch { series, families: told, told_by: None })
}

struct Point {
    at_ms: i64,
    value: Value,
    /// 0 if it is not known.
    start_ms: i64,
}

fn check_time(family: &str, at_ms: i64, now_ms: i64, settings: &Settings) -> Result<(), IntakeError> {
    let (ahead_ms, max_ms) = (at_ms.saturating_sub(now_ms), settings.samples_ahead_max_ms);
    if ahead_ms > max_ms {
        let family = family.to_owned();
        return Err(IntakeError::Ahead { family, ahead_ms, max_ms });
    }
    if at_ms < 0 { Err(IntakeError::Before1970 { family: family.to_owned() }) } else { Ok(()) }
}

fn of_metric(family: &Family, metric: Metric, at_ms: i64, settings: &Settings) -> Vec<(Labels, Point)> {
    let alone = Family {
        name: family.name.clone(),
        r#type: family.r#type,
        metrics: vec![metric],
        ..Family::default()
    };
    let point = |flat: wire::FlatSeries| {
        let labels = flat.labels.into_iter().chain([(Labels::NAME.into(), flat.name)]);
        let mut labels = Labels::from_pairs(labels);
        if settings.type_labels && family.r#type != MetricType::Untyped {
            labels = labels.with_type_and_unit(family.r#type, &family.unit);
        }
        // nothing begins to count after it has counted
        let start_ms = flat.created_ms.filter(|start_ms| (1..=at_ms).contains(start_ms)).unwrap_or(0);
        (labels, Point { at_ms, value: flat.value, start_ms })
    };
    flatten(&alone).into_iter().map(point).collect()
}

/// In order of time.
fn samples(mut points: Vec<Point>) -> Samples {
    points.sort_by_key(|point| point.at_ms);
    let mut samples = Samples::default();
    for Point { at_ms, value, start_ms } in points {
        samples.push_value(at_ms, &value);
        if start_ms != 0 {
            // as many as samples, once one is known
            samples.start_ms.resize(samples.len() - 1, 0);
            samples.start_ms.push(start_ms);
        }
    }
    samples
}
