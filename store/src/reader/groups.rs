//! What each group of pushed series holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{GroupKey, Labels, Metadata, Value};

use super::gather::{Gathered, Identity};
use super::told::Viewer;
use crate::fold::{PUSH_TIME_FAMILY, SeriesEvents, fold};

/// A group that is there, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveGroup {
    /// Its key.
    pub key: GroupKey,
    /// Its grouping labels.
    pub labels: Labels,
    /// When it expires unless it is pushed to again, in µs; `None`: never.
    pub until_us: Option<i64>,
    /// What it holds, in order of names.
    pub families: Vec<HeldFamily>,
}

/// A metric family of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldFamily {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, as last pushed by the group, and help and unit, as last pushed by any group.
    pub metadata: Metadata,
    /// When the group was last pushed this family, in µs.
    pub pushed_us: i64,
    /// Its series (flat: a histogram's buckets, sum and count are series of their own) with the values that hold, in
    /// order of labels.
    pub series: Vec<(Labels, Value)>,
}

impl Gathered {
    /// The groups that are there at `at_ms`, in order of labels. Of what a viewer does not see there is when a group was pushed to.
    pub(crate) fn into_live_groups(self, at_ms: i64, viewer: Option<&Viewer>) -> Vec<LiveGroup> {
        let mut unseen: HashSet<Arc<str>> = HashSet::new();
        let mut groups: HashMap<GroupKey, BTreeMap<Arc<str>, HeldFamily>> = HashMap::new();
        let mut untils: HashMap<GroupKey, Option<i64>> = HashMap::new();
        for (Identity { labels, .. }, events) in self.series {
            for (key, group) in events {
                let Some((stamp, kind)) = group.last() else { continue };
                let (family, r#type) = (Arc::clone(&kind.family), kind.r#type);
                let alone = SeriesEvents::of(key, group);
                let steps = fold(alone, &self.ends, at_ms, at_ms);
                let Some(index) = steps.at(at_ms) else { continue };
                let histogram = steps.histograms.get(index).cloned().flatten();
                let value = histogram.map_or(Value::Float(steps.values[index]), Value::Histogram);
                if *family == *PUSH_TIME_FAMILY {
                    untils.insert(key, self.ends.of(key, &family).after(stamp).map(|end| end.at_us));
                }
                if viewer.is_some_and(|viewer| !viewer.sees(&labels)) {
                    unseen.insert(Arc::clone(&family));
                    if *family != *PUSH_TIME_FAMILY {
                        continue;
                    }
                }
                let held = groups.entry(key).or_default();
                let held = held.entry(Arc::clone(&family)).or_insert_with(|| {
                    let metadata = Metadata { r#type, ..Metadata::default() };
                    HeldFamily { name: family, metadata, pushed_us: stamp.at_us, series: Vec::new() }
                });
                if stamp.at_us > held.pushed_us {
                    (held.pushed_us, held.metadata.r#type) = (stamp.at_us, r#type);
                }
                held.series.push((labels.clone(), value));
            }
        }
        for held in groups.values_mut().flat_map(BTreeMap::values_mut) {
            let sees_all = !unseen.contains(&held.name);
            if let Some(told) = self.descriptions.seen(&held.name, viewer, sees_all) {
                held.metadata = Metadata { r#type: held.metadata.r#type, ..told.clone() };
            }
        }
        let mut live: Vec<LiveGroup> =
            groups.into_iter().filter_map(|(key, held)| group(key, *untils.get(&key)?, held)).collect();
        live.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        live
    }
}

/// `None` without a push time: what is left then is the failure time of a group that is gone.
fn group(key: GroupKey, until_us: Option<i64>, held: BTreeMap<Arc<str>, HeldFamily>) -> Option<LiveGroup> {
    let (labels, _) = held.get(PUSH_TIME_FAMILY)?.series.first()?;
    let labels = labels.without_metric_name();
    let mut families: Vec<HeldFamily> = held.into_values().collect();
    for family in &mut families {
        family.series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    }
    Some(LiveGroup { key, labels, until_us, families })
}
