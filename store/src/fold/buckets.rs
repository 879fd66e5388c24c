//! Classic histograms are added as a whole: on the union of their bounds, a missing bound having the count of the next
//! lower one.

use std::collections::{BTreeMap, HashMap};

use model::{GroupKey, Labels, MetricType, Selection, Stamp, Value};

use super::epochs::Carried;
use super::event::{Event, Kind, SeriesEvents};

const BOUND: &str = "le";

/// What the names of all buckets end in.
pub(crate) const BUCKET_SUFFIX: &str = "_bucket";

/// A histogram with more bounds than this, all pushes together, is not completed: what a push of few bounds says about
/// the others would be more than was pushed. Its buckets are added each by itself.
pub(crate) const HISTOGRAM_BOUNDS_MAX: usize = 1_024;

/// The selection by which to read, so that all buckets of a histogram are there.
pub(crate) fn widened(selection: &Selection) -> Selection {
    let matchers = selection.matchers.iter().filter(|matcher| *matcher.name != *BOUND).cloned().collect();
    Selection { matchers, ..*selection }
}

/// The buckets of one histogram of one group.
struct Buckets {
    /// In ascending order of bounds.
    series: Vec<(f64, Labels)>,
}

/// Adds to every bucket what the pushes say that lack its bound.
pub(crate) fn complete(all: &mut HashMap<Labels, SeriesEvents>) {
    for (group, buckets) in histograms(all) {
        complete_one(all, group, &buckets);
    }
}

fn histograms(all: &HashMap<Labels, SeriesEvents>) -> Vec<(GroupKey, Buckets)> {
    let mut histograms: HashMap<(GroupKey, Labels), Buckets> = HashMap::new();
    for (labels, series) in all {
        let Some(bound) = labels.get(BOUND).and_then(|bound| bound.parse::<f64>().ok()) else { continue };
        for (group, events) in series.iter() {
            let carried = events.carried().map(Carried::kind);
            if events.kinds.iter().chain(carried).any(|kind| is_bucket(kind, labels)) {
                let histogram = labels.to_builder().remove(BOUND).build();
                let buckets =
                    histograms.entry((*group, histogram)).or_insert_with(|| Buckets { series: Vec::new() });
                buckets.series.push((bound, labels.clone()));
            }
        }
    }
    histograms
        .into_iter()
        .filter(|(_, buckets)| buckets.series.len() <= HISTOGRAM_BOUNDS_MAX)
        .map(|((group, _), mut buckets)| {
            buckets.series.sort_by(|a, b| a.0.total_cmp(&b.0));
            (group, buckets)
        })
        .collect()
}

/// The labels of the histogram whose bucket a series is.
pub(crate) fn histogram_of(kind: &Kind, labels: &Labels) -> Option<Labels> {
    let is_bound = labels.get(BOUND).is_some_and(|bound| bound.parse::<f64>().is_ok());
    (is_bound && is_bucket(kind, labels)).then(|| labels.to_builder().remove(BOUND).build())
}

fn is_bucket(kind: &Kind, labels: &Labels) -> bool {
    matches!(kind.r#type, MetricType::Histogram | MetricType::GaugeHistogram)
        && labels.metric_name().strip_suffix(BUCKET_SUFFIX) == Some(&*kind.family)
}

/// The count of a bound, by its index, and what that has lost.
type Count = (usize, f64, f64);

/// What one push says about one histogram: its kind, and the counts of the bounds that it has, ascending by their index, each with
/// what a run says of when it ended.
struct Said {
    kind: Kind,
    counts: Vec<(Count, Option<i64>)>,
}

impl Said {
    /// Lets bounds that are deleted be bounds that the push lacks: they end where they begin, and others do not.
    fn without_deleted(&mut self, stamp: Stamp) {
        let is_left = |(_, until_us): &(Count, Option<i64>)| *until_us != Some(stamp.at_us);
        if self.counts.iter().any(is_left) {
            self.counts.retain(is_left);
        }
    }

    /// What a run says of all bounds of a push.
    fn until_us(&self) -> Option<i64> {
        self.counts.iter().filter_map(|(_, until_us)| *until_us).max()
    }
}

/// What a frame lacks of bounds that appeared after it.
fn complete_carried(all: &mut HashMap<Labels, SeriesEvents>, group: GroupKey, buckets: &Buckets) {
    let carried: Vec<Option<Carried>> = buckets
        .series
        .iter()
        .map(|(_, labels)| {
            let carried = all.get(labels)?.get(group)?.carried()?;
            is_bucket(carried.kind(), labels).then(|| carried.clone())
        })
        .collect();
    let Some(any) = carried.iter().flatten().next() else { return };
    let mut lower: Option<&Carried> = None;
    for ((_, labels), carried) in buckets.series.iter().zip(&carried) {
        match carried {
            Some(carried) => lower = Some(carried),
            None => {
                let events = all.get_mut(labels).and_then(|series| series.get_mut(group));
                if let Some(events) = events {
                    events.carry(any.implied(lower));
                }
            }
        }
    }
}

fn complete_one(all: &mut HashMap<Labels, SeriesEvents>, group: GroupKey, buckets: &Buckets) {
    complete_carried(all, group, buckets);
    let mut pushes: BTreeMap<Stamp, Said> = BTreeMap::new();
    for (index, (_, labels)) in buckets.series.iter().enumerate() {
        let Some(events) = all.get(labels).and_then(|series| series.get(group)) else { continue };
        for event in &events.events {
            let (kind, Value::Float(count)) = (&events.kinds[event.kind], &event.value) else { continue };
            if is_bucket(kind, labels) {
                let said = pushes
                    .entry(event.stamp)
                    .or_insert_with(|| Said { kind: kind.clone(), counts: Vec::new() });
                // a segment that was read twice says the same twice
                if said.counts.last().is_none_or(|((last, ..), _)| *last < index) {
                    said.counts.push(((index, *count, event.lost), event.until_us));
                }
            }
        }
    }
    pushes.iter_mut().for_each(|(stamp, said)| said.without_deleted(*stamp));
    if pushes.values().all(|said| said.counts.len() == buckets.series.len()) {
        return;
    }
    for (index, (_, labels)) in buckets.series.iter().enumerate() {
        let Some(events) = all.get_mut(labels).and_then(|series| series.get_mut(group)) else { continue };
        for (stamp, said) in &pushes {
            let next = said.counts.partition_point(|((known, ..), _)| *known <= index);
            let lower = next.checked_sub(1).map(|place| said.counts[place].0);
            if lower.is_some_and(|(known, ..)| known == index) {
                continue;
            }
            let (count, lost) = lower.map_or((0.0, 0.0), |(_, count, lost)| (count, lost));
            let kind = events.kind(&said.kind);
            let value = Value::Float(count);
            let until_us = said.until_us();
            events.events.push(Event { stamp: *stamp, kind, value, is_implied: true, until_us, lost });
        }
    }
}
