//! Checked families to what the store takes.

use std::sync::Arc;

use model::{Change, GroupKey, Labels, Merge, MetricType, Push, PushedFamily, PushedSeries};
use store::SampleBatch;
use wire::{Family, flatten};

use super::body::too_many_series;
use super::check::check;
use super::error::IntakeError;
use super::exemplars::Exemplars;
use super::{PUSH_FAILURE_TIME, PUSH_TIME, labels, limits, timed};
use crate::aggregate::{self, Merges};
use crate::settings::Settings;
use crate::terms::Terms;

/// The help of [`PUSH_FAILURE_TIME`].
pub(crate) const PUSH_FAILURE_HELP: &str =
    "Last Unix time when changing this group in the Pushgateway failed.";
const PUSH_TIME_HELP: &str = "Last Unix time when changing this group in the Pushgateway succeeded.";

/// What was made of a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intake {
    pub(crate) push: Push,
    /// What is to be stored beside it, at times of its own.
    pub(crate) samples: SampleBatch,
    /// Exemplars of what was pushed.
    pub(crate) exemplars: Exemplars,
    /// The families of the body as they were checked, in order of names: metrics have the labels of their group.
    pub(crate) families: Vec<Family>,
}

impl Intake {
    /// The labels of everything that is to be stored.
    pub(crate) fn all_series(&self) -> impl Iterator<Item = &Labels> {
        let pushed = self.push.families.iter().flat_map(|family| &family.series);
        pushed.map(|series| &series.labels).chain(self.samples.series.iter().map(|(labels, _)| labels))
    }
}

/// A push of these families to a group. The two families that the gateway keeps itself are taken out of what was sent, and so is what
/// has a time of its own, if it may have one.
pub(crate) fn push(
    terms: &Terms,
    group: &Labels,
    mut families: Vec<Family>,
    at_us: i64,
    settings: &Settings,
) -> Result<Intake, IntakeError> {
    let timestamps = settings.timestamps && terms.change != Change::Merge;
    families.retain(|family| !matches!(&*family.name, PUSH_TIME | PUSH_FAILURE_TIME));
    families.sort_by(|a, b| a.name.cmp(&b.name));
    let mut merges: Vec<Option<Merges>> = Vec::with_capacity(families.len());
    for family in &mut families {
        let is_aggregated = terms.change == Change::Merge;
        merges.push(is_aggregated.then(|| aggregate::merges(family, terms.gauges)).transpose()?);
        limits::check_family(&family.name, &family.help, settings)?;
        for metric in &mut family.metrics {
            labels::force(metric, group);
            limits::check_labels(&family.name, metric, settings)?;
        }
    }
    check(&families, timestamps).map_err(IntakeError::Inconsistent)?;
    let samples = match timestamps {
        true => timed::take(&mut families, at_us.div_euclid(1_000), settings)?,
        false => SampleBatch::default(),
    };
    let exemplars = Exemplars::of(&families, at_us.div_euclid(1_000), settings);
    let mut pushed = Vec::with_capacity(families.len() + 1);
    let mut series = samples.series.len();
    for (family, merges) in families.iter().zip(&merges) {
        let family = match merges {
            Some(merges) => merged_family(family, merges),
            None => pushed_family(family),
        };
        let family = told(family, settings);
        series += family.series.len();
        if series > settings.series_per_push_max {
            return Err(too_many_series(settings.series_per_push_max));
        }
        pushed.push(family);
    }
    // exact to the microsecond until the year 2255
    pushed.push(told(own_family(group, PUSH_TIME, PUSH_TIME_HELP, at_us as f64 / 1e6), settings));
    let push = Push { ttl_us: terms.ttl_us, ..Push::new(GroupKey::of(group), terms.change, pushed) };
    Ok(Intake { push, samples, exemplars, families })
}

/// That a push to a group was refused. If the group `is_new`, it is there from now on, and nothing was ever pushed to it.
pub(crate) fn failure(group: &Labels, is_new: bool, at_us: i64, settings: &Settings) -> Push {
    let mut families = vec![own_family(group, PUSH_FAILURE_TIME, PUSH_FAILURE_HELP, at_us as f64 / 1e6)];
    if is_new {
        families.push(own_family(group, PUSH_TIME, PUSH_TIME_HELP, 0.0));
    }
    let families = families.into_iter().map(|family| told(family, settings)).collect();
    Push::new(GroupKey::of(group), Change::ReplaceFamilies, families)
}

/// The end of a group.
pub(crate) fn deletion(group: &Labels) -> Push {
    Push::new(GroupKey::of(group), Change::Delete, Vec::new())
}

/// Where types and units are labels, the series of a family get those of it, as when Prometheus scrapes them.
fn told(mut family: PushedFamily, settings: &Settings) -> PushedFamily {
    if settings.type_labels {
        for series in &mut family.series {
            series.labels = series.labels.with_type_and_unit(family.r#type, &family.unit);
        }
    }
    family
}

fn pushed_family(family: &Family) -> PushedFamily {
    let metric_name: Arc<str> = Labels::NAME.into();
    let series = flatten(family).into_iter().map(|series| {
        let labels = series.labels.into_iter().chain([(Arc::clone(&metric_name), series.name)]);
        let start_us = series.created_ms.map(|ms| ms.saturating_mul(1_000));
        PushedSeries { start_us, ..PushedSeries::new(Labels::from_pairs(labels), series.value) }
    });
    let series = series.collect();
    PushedFamily {
        name: Arc::clone(&family.name),
        r#type: family.r#type,
        help: Arc::clone(&family.help),
        unit: Arc::clone(&family.unit),
        replaces: false,
        series,
    }
}

/// A family whose metrics meet what is held each in its own way.
fn merged_family(family: &Family, merges: &Merges) -> PushedFamily {
    let part = |metrics| Family { metrics, ..without_metrics(family) };
    let mut pushed = PushedFamily { replaces: merges.replaces_family, ..pushed_family(&part(Vec::new())) };
    for merge in [Merge::Set, Merge::Add, Merge::Min, Merge::Max] {
        let of_merge = family.metrics.iter().zip(&merges.of_metrics).filter(|(_, known)| **known == merge);
        let part = part(of_merge.map(|(metric, _)| metric.clone()).collect());
        pushed.series.extend(pushed_family(&part).series.into_iter().map(|series| series.merging(merge)));
    }
    pushed
}

fn without_metrics(family: &Family) -> Family {
    let Family { name, help, unit, r#type, metrics: _ } = family;
    Family {
        name: Arc::clone(name),
        help: Arc::clone(help),
        unit: Arc::clone(unit),
        r#type: *r#type,
        metrics: Vec::new(),
    }
}

/// One of the two families that the gateway keeps itself.
fn own_family(group: &Labels, name: &str, help: &str, seconds: f64) -> PushedFamily {
    let labels = group.to_builder().set(Labels::NAME, name).build();
    PushedFamily {
        name: name.into(),
        r#type: MetricType::Gauge,
        help: help.into(),
        series: vec![PushedSeries::float(labels, seconds)],
        ..PushedFamily::default()
    }
}
