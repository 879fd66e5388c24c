//! Checked families to what the store takes.

use std::sync::Arc;

use model::{Change, GroupKey, Labels, MetricType, Push, PushedFamily, PushedSeries};
use wire::{Family, flatten};

use super::body::too_many_series;
use super::check::check;
use super::error::IntakeError;
use super::{PUSH_FAILURE_TIME, PUSH_TIME, labels, limits};
use crate::settings::Settings;

const PUSH_TIME_HELP: &str = "Last Unix time when changing this group in the Pushgateway succeeded.";

/// A push of these families to a group. The two families that the gateway keeps itself are taken out of what was sent.
pub(crate) fn push(
    change: Change,
    group: &Labels,
    mut families: Vec<Family>,
    at_us: i64,
    settings: &Settings,
) -> Result<Push, IntakeError> {
    families.retain(|family| !matches!(&*family.name, PUSH_TIME | PUSH_FAILURE_TIME));
    families.sort_by(|a, b| a.name.cmp(&b.name));
    for family in &mut families {
        limits::check_family(&family.name, &family.help, settings)?;
        for metric in &mut family.metrics {
            labels::force(metric, group);
            limits::check_labels(&family.name, metric, settings)?;
        }
    }
    check(&families).map_err(IntakeError::Inconsistent)?;
    let mut pushed = Vec::with_capacity(families.len() + 1);
    let mut series = 0;
    for family in families {
        let family = pushed_family(family);
        series += family.series.len();
        if series > settings.series_per_push_max {
            return Err(too_many_series(settings.series_per_push_max));
        }
        pushed.push(family);
    }
    pushed.push(push_time(group, at_us));
    Ok(Push::new(GroupKey::of(group), change, pushed))
}

/// The end of a group.
pub(crate) fn deletion(group: &Labels) -> Push {
    Push::new(GroupKey::of(group), Change::Delete, Vec::new())
}

fn pushed_family(family: Family) -> PushedFamily {
    let metric_name: Arc<str> = Labels::NAME.into();
    let series = flatten(&family).into_iter().map(|series| {
        let labels = series.labels.into_iter().chain([(Arc::clone(&metric_name), series.name)]);
        PushedSeries::new(Labels::from_pairs(labels), series.value)
    });
    let series = series.collect();
    PushedFamily {
        name: family.name,
        r#type: family.r#type,
        help: family.help,
        unit: family.unit,
        replaces: false,
        series,
    }
}

fn push_time(group: &Labels, at_us: i64) -> PushedFamily {
    let mut labels = group.to_builder();
    labels.set(Labels::NAME, PUSH_TIME);
    // exact to the microsecond until the year 2255
    let seconds = at_us as f64 / 1e6;
    PushedFamily {
        name: PUSH_TIME.into(),
        r#type: MetricType::Gauge,
        help: PUSH_TIME_HELP.into(),
        series: vec![PushedSeries::float(labels.build(), seconds)],
        ..PushedFamily::default()
    }
}
