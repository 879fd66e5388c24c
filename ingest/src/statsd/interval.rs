//! What comes between two flushes, added up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{Labels, Merge, MetricType, PushedFamily, PushedSeries, Value};
use wire::statsd::{Measured, Sample};
use xxhash_rust::xxh3::xxh3_64;

use super::StatsdSettings;
use super::gauges::{Gauges, labels_bytes};
use super::observed::Observed;

/// Series by their labels.
#[derive(Debug)]
pub(super) struct Interval {
    series: HashMap<Labels, Sum>,
    /// What each metric is, in this interval.
    types: HashMap<Arc<str>, MetricType>,
    members: usize,
    /// About how much memory the series take.
    bytes: usize,
    gauges: Gauges,
    /// Sets that had members in the interval before.
    sets: HashSet<Labels>,
    series_max: usize,
    members_max: usize,
    bytes_max: usize,
}

/// About what a series takes beside its labels.
const SERIES_BYTES: usize = 256;
/// About what a histogram takes with all the buckets that it may have.
const HISTOGRAM_BYTES: usize = 6 << 10;

#[derive(Debug)]
enum Sum {
    Counter(f64),
    Gauge(f64),
    /// Hashes of its members.
    Set(HashSet<u64>),
    Histogram(Box<Observed>),
}

impl Sum {
    fn of(measured: Measured<'_>, gauge_before: impl FnOnce() -> f64) -> Self {
        match measured {
            Measured::Count(_) => Self::Counter(0.0),
            Measured::Gauge(_) | Measured::GaugeDelta(_) => Self::Gauge(gauge_before()),
            Measured::Seconds(_) | Measured::Observation(_) => Self::Histogram(Box::default()),
            Measured::Member(_) => Self::Set(HashSet::new()),
        }
    }

    fn r#type(&self) -> MetricType {
        match self {
            Self::Counter(_) => MetricType::Counter,
            Self::Gauge(_) | Self::Set(_) => MetricType::Gauge,
            Self::Histogram(_) => MetricType::Histogram,
        }
    }
}

impl Interval {
    pub(super) fn new(settings: &StatsdSettings) -> Self {
        Self {
            series: HashMap::new(),
            types: HashMap::new(),
            members: 0,
            bytes: 0,
            gauges: Gauges::default(),
            sets: HashSet::new(),
            series_max: settings.series_max,
            members_max: settings.members_max,
            bytes_max: settings.bytes_max,
        }
    }

    /// Series so far.
    pub(super) fn len(&self) -> usize {
        self.series.len()
    }

    /// Adds the samples of one line to its series, or says why it cannot. Of a set some may have been added then. What `admit` says
    /// of a series that has not come since the last flush holds.
    pub(super) fn add(
        &mut self,
        labels: &Labels,
        samples: &[Sample<'_>],
        admit: impl Fn() -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        for sample in samples {
            self.add_one(labels, sample, &admit)?;
        }
        Ok(())
    }

    fn add_one(
        &mut self,
        labels: &Labels,
        sample: &Sample<'_>,
        admit: &impl Fn() -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let Sample { measured, weight } = *sample;
        if !self.series.contains_key(labels) {
            if self.series.len() >= self.series_max {
                return Err("series_max");
            }
            let sum = Sum::of(measured, || self.gauges.value(labels));
            let r#type = sum.r#type();
            let of_histogram = if r#type == MetricType::Histogram { HISTOGRAM_BYTES } else { 0 };
            let bytes = self.bytes + SERIES_BYTES + labels_bytes(labels) + of_histogram;
            if bytes > self.bytes_max {
                return Err("bytes_max");
            }
            let name = labels.get_shared(Labels::NAME).cloned().unwrap_or_default();
            if self.types.get(&name).is_some_and(|before| *before != r#type) {
                return Err("type_conflict");
            }
            admit()?;
            self.types.insert(name, r#type);
            self.bytes = bytes;
            self.series.insert(labels.clone(), sum);
        }
        let Some(sum) = self.series.get_mut(labels) else { return Ok(()) };
        match (sum, measured) {
            (Sum::Counter(sum), Measured::Count(count)) => add(sum, count * weight),
            (Sum::Gauge(value), Measured::Gauge(new)) => {
                *value = new;
                Ok(())
            }
            (Sum::Gauge(value), Measured::GaugeDelta(delta)) => add(value, delta),
            (Sum::Histogram(observed), Measured::Seconds(value) | Measured::Observation(value)) => {
                if !(value * weight).is_finite() {
                    return Err("overflow");
                }
                observed.add(value, weight);
                Ok(())
            }
            (Sum::Set(members), Measured::Member(member)) => {
                let member = xxh3_64(member.as_bytes());
                if self.members >= self.members_max && !members.contains(&member) {
                    return Err("members_max");
                }
                self.members += usize::from(members.insert(member));
                Ok(())
            }
            _ => Err("type_conflict"),
        }
    }

    /// What is to be pushed, in order of names and labels. The next interval begins.
    pub(super) fn end(&mut self, settings: &StatsdSettings) -> Vec<PushedFamily> {
        let mut families: BTreeMap<Arc<str>, PushedFamily> = BTreeMap::new();
        // nothing has come for a set that had members: it has none now, unless it has become something else
        let mut sets = std::mem::take(&mut self.sets);
        sets.retain(|labels| {
            let r#type = self.types.get(labels.metric_name());
            !self.series.contains_key(labels) && r#type.is_none_or(|r#type| *r#type == MetricType::Gauge)
        });
        self.types.clear();
        (self.members, self.bytes) = (0, 0);
        let mut all: Vec<_> = std::mem::take(&mut self.series).into_iter().collect();
        all.extend(sets.into_iter().map(|labels| (labels, Sum::Set(HashSet::new()))));
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (labels, sum) in all {
            let name = labels.get_shared(Labels::NAME).cloned().unwrap_or_default();
            let family = families.entry(Arc::clone(&name)).or_insert_with(|| PushedFamily {
                name,
                r#type: sum.r#type(),
                ..PushedFamily::default()
            });
            let shown = match settings.type_labels {
                true => labels.with_type_and_unit(family.r#type, ""),
                false => labels.clone(),
            };
            family.series.push(match sum {
                Sum::Counter(sum) => PushedSeries::float(shown, sum).merging(Merge::Add),
                Sum::Gauge(value) => {
                    self.gauges.set(labels, value);
                    PushedSeries::float(shown, value)
                }
                Sum::Set(members) => {
                    if !members.is_empty() {
                        self.sets.insert(labels);
                    }
                    PushedSeries::float(shown, members.len() as f64)
                }
                Sum::Histogram(observed) => {
                    let histogram = Value::Histogram(Arc::new(observed.histogram()));
                    PushedSeries::new(shown, histogram).merging(Merge::Add)
                }
            });
        }
        self.gauges.end_interval(settings.gauges_max, settings.bytes_max);
        families.into_values().collect()
    }
}

/// Adds what does not make it infinite.
fn add(sum: &mut f64, term: f64) -> Result<(), &'static str> {
    let new = *sum + term;
    if !new.is_finite() {
        return Err("overflow");
    }
    *sum = new;
    Ok(())
}
