//! What of an OTLP export can be stored: what was counted since a start as samples, what was counted since the last export as
//! pushes that add up.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Grant, Refused};
use model::{
    Change, GroupKey, Labels, Merge, MetricType, Push, PushedFamily, PushedSeries, RetryKey, Samples,
};
use store::{NewExemplar, SampleBatch};
use wire::otlp::{Export, Resource};
use wire::remote_write::Faults;
use wire::{Family, FlatSeries, Metric, flatten};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::accept::{Times, Told, stored_exemplars};
use crate::labels::Fault;
use crate::settings::Settings;

/// What is to be stored, and what of the export is not.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) batch: SampleBatch,
    pub(crate) pushes: Vec<Push>,
    pub(crate) exemplars: Vec<NewExemplar>,
    /// Series that get a value.
    pub(crate) written: u64,
    /// One for each data point that is not taken.
    pub(crate) faults: Faults,
    /// What is wrong with `target_info` of resources: it stands for no data point.
    pub(crate) remarks: Faults,
}

/// Sorts out an export at this time. `body` tells it from others: a sender that was not answered sends the same bytes again, and
/// what they add counts once. If anything of it is not allowed by the grant, nothing is.
pub(crate) fn accept(
    export: Export,
    body: &[u8],
    now_us: i64,
    settings: &Settings,
    grant: &Grant,
) -> Result<Accepted, Refused> {
    let Export { resources, faults } = export;
    let mut accepted = Accepted { faults, ..Accepted::default() };
    let checks = Checks { times: Times::at(now_us.div_euclid(1_000), settings), settings };
    let mut told = Told::default();
    for Resource { identity, info, cumulative, delta } in resources {
        let mut newest_ms = None;
        for family in &cumulative {
            let mut is_new = false;
            for metric in &family.metrics {
                let Some(point) = checks.point(family, metric, &mut accepted) else { continue };
                newest_ms = newest_ms.max(Some(point.at_ms));
                is_new = true;
                accepted.add_samples(point, grant)?;
            }
            if is_new {
                told.add(|| Arc::clone(&family.name), &family.metadata(), settings);
            }
        }
        let mut deltas = Deltas::default();
        for (family, metric) in delta.iter().flat_map(|f| f.metrics.iter().map(move |metric| (f, metric))) {
            let Some(point) = checks.point(family, metric, &mut accepted) else { continue };
            newest_ms = newest_ms.max(Some(point.at_ms));
            deltas.add(family, metric, point.series);
        }
        let pushes = deltas.pushes(&identity, now_us, settings);
        if !pushes.is_empty() {
            grant.check_group(&identity)?;
        }
        let pushed = pushes.iter().flat_map(|push| &push.families).flat_map(|family| &family.series);
        pushed.map(|series| &series.labels).try_for_each(|series| grant.check_series(series))?;
        accepted.pushes.extend(pushes);
        // of a resource of which nothing is taken nothing is told
        if let (Some(info), Some(at_ms)) = (info, newest_ms) {
            for metric in &info.metrics {
                match checks.series(&info, metric) {
                    Ok(series) => accepted.add_samples(Point { series, at_ms }, grant)?,
                    Err(fault) => fault.add_to(&mut accepted.remarks, |text| fault_of(&info, text)),
                }
            }
            told.add(|| Arc::clone(&info.name), &info.metadata(), settings);
        }
    }
    (accepted.batch.families, accepted.batch.told_by) = (told.into_families(), grant.teller());
    // a key of its own for each push, since one body may hold several for one group
    let (key, body) = (xxh3_128(body), xxh3_64(body));
    for (index, push) in accepted.pushes.iter_mut().enumerate() {
        accepted.written += push.families.iter().map(|family| family.series.len() as u64).sum::<u64>();
        let of_push = [key, index as u128, push.group.0].map(u128::to_le_bytes).concat();
        push.retry_key = Some(RetryKey { key: xxh3_128(&of_push), body });
        push.told_by = grant.teller();
    }
    Ok(accepted)
}

impl Accepted {
    fn add_samples(&mut self, Point { series, at_ms }: Point, grant: &Grant) -> Result<(), Refused> {
        series.iter().try_for_each(|series| grant.check_series(&series.labels))?;
        self.written += series.len() as u64;
        self.batch.series.extend(series.into_iter().map(|series| sample(series, at_ms)));
        Ok(())
    }
}

fn fault_of(family: &Family, fault: &str) -> String {
    format!("metric {:?}: {fault}", family.name)
}

/// A series with all its labels.
struct Series {
    labels: Labels,
    flat: FlatSeries,
}

/// The series of one data point, which is taken whole or not at all.
struct Point {
    series: Vec<Series>,
    at_ms: i64,
}

/// What every data point has to keep to.
struct Checks<'a> {
    times: Times,
    settings: &'a Settings,
}

impl Checks<'_> {
    /// A data point within the limits, of which exemplars are taken. What is wrong with another is a fault.
    fn point(&self, family: &Family, metric: &Metric, accepted: &mut Accepted) -> Option<Point> {
        let at_ms = metric.timestamp_ms.unwrap_or_default();
        let checked = self.series(family, metric).and_then(|series| self.times.check(at_ms).map(|()| series));
        match checked {
            Ok(series) => {
                // each has a time of its own, so one that is sent again is the same
                accepted.exemplars.extend(exemplars(&series, &self.times, self.settings));
                Some(Point { series, at_ms })
            }
            Err(fault) => {
                fault.add_to(&mut accepted.faults, |text| fault_of(family, text));
                None
            }
        }
    }

    /// The series of a metric, if their labels are within the limits.
    fn series(&self, family: &Family, metric: &Metric) -> Result<Vec<Series>, Fault> {
        let alone = Family {
            name: Arc::clone(&family.name),
            help: "".into(),
            unit: "".into(),
            r#type: family.r#type,
            metrics: vec![metric.clone()],
        };
        let limits = self.settings.label_limits();
        let series = flatten(&alone).into_iter().map(|flat| {
            let name = (Labels::NAME.into(), Arc::clone(&flat.name));
            let mut labels = Labels::from_pairs(flat.labels.iter().cloned().chain([name]));
            if self.settings.type_labels {
                labels = labels.with_type_and_unit(family.r#type, &family.unit);
            }
            limits.check(&labels).map_err(|excess| Fault::of_labels(excess, &labels))?;
            Ok(Series { labels, flat })
        });
        series.collect()
    }
}

fn exemplars(series: &[Series], times: &Times, settings: &Settings) -> Vec<NewExemplar> {
    let of_series =
        |series: &Series| stored_exemplars(&series.labels, &series.flat.exemplars, times, settings);
    series.iter().flat_map(of_series).collect()
}

fn sample(series: Series, at_ms: i64) -> (Labels, Samples) {
    let mut samples = Samples::default();
    samples.push_value(at_ms, &series.flat.value);
    // nothing begins to count after it has counted
    if let Some(start_ms) = series.flat.created_ms.filter(|start_ms| (1..=at_ms).contains(start_ms)) {
        samples.start_ms = vec![start_ms];
    }
    (series.labels, samples)
}

/// Deltas of one resource. A push says one thing about a series, so what was sent twice goes to the next one.
#[derive(Default)]
struct Deltas {
    pushes: Vec<HashMap<Arc<str>, PushedFamily>>,
    /// How often a metric has been seen.
    seen: HashMap<(Arc<str>, Labels), usize>,
}

impl Deltas {
    fn add(&mut self, family: &Family, metric: &Metric, series: Vec<Series>) {
        let labels = Labels::from_pairs(metric.labels.iter().cloned());
        let count = self.seen.entry((Arc::clone(&family.name), labels)).or_default();
        let index = *count;
        *count += 1;
        if index == self.pushes.len() {
            self.pushes.push(HashMap::new());
        }
        let pushed = self.pushes[index].entry(Arc::clone(&family.name)).or_insert_with(|| PushedFamily {
            name: Arc::clone(&family.name),
            r#type: family.r#type,
            help: Arc::clone(&family.help),
            unit: Arc::clone(&family.unit),
            ..PushedFamily::default()
        });
        pushed.series.extend(series.into_iter().map(|series| {
            let start_us = series.flat.created_ms.map(|ms| ms.saturating_mul(1_000));
            let set = PushedSeries::new(series.labels, series.flat.value);
            PushedSeries { start_us, ..set.merging(Merge::Add) }
        }));
    }

    fn pushes(self, group: &Labels, now_us: i64, settings: &Settings) -> Vec<Push> {
        let push = |families: HashMap<Arc<str>, PushedFamily>| {
            let mut families: Vec<PushedFamily> = families.into_values().collect();
            families.push(push_time(group, now_us));
            families.sort_by(|a, b| a.name.cmp(&b.name));
            let ttl_us = settings.push_ttl_ms.map(|ms| ms.saturating_mul(1_000));
            Push { ttl_us, ..Push::new(GroupKey::of(group), Change::Merge, families) }
        };
        self.pushes.into_iter().map(push).collect()
    }
}

/// By which the gateway knows the group, shows it, and lets it be deleted.
pub(crate) fn push_time(group: &Labels, now_us: i64) -> PushedFamily {
    const NAME: &str = "push_time_seconds";
    let labels = group.to_builder().set(Labels::NAME, NAME).build();
    PushedFamily {
        name: NAME.into(),
        r#type: MetricType::Gauge,
        help: "Last Unix time when changing this group in the Pushgateway succeeded.".into(),
        series: vec![PushedSeries::float(labels, now_us as f64 / 1e6)],
        ..PushedFamily::default()
    }
}
