//! The table: which group holds which families and metrics, and how many groups hold a name as which type.
//!
//! Small on purpose: about 60 bytes per metric, so that a million live series fit anywhere.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::{Change, GroupKey, MetricType};

use super::claim::Claim;

/// The time of what never expires.
pub(super) const NEVER_US: i64 = i64::MAX;

/// What a push does to a group.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) group: GroupKey,
    pub(super) change: Change,
    pub(super) claims: Vec<Claim>,
    /// When the group is gone, unless it is pushed to again.
    pub(super) until_us: i64,
}

/// A place in [`Table::groups`].
pub(super) type Slot = u32;

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: HashMap<GroupKey, Slot>,
    groups: Slab<Group>,
    ids: HashMap<Arc<str>, u32>,
    names: Slab<Name>,
    owners: HashMap<u64, Slot>,
    expiries: BTreeSet<(i64, Slot)>,
}

#[derive(Debug)]
struct Group {
    key: GroupKey,
    until_us: i64,
    /// In order of ids of names.
    families: Vec<GroupFamily>,
}

#[derive(Debug)]
struct GroupFamily {
    name: u32,
    r#type: MetricType,
    metrics: Metrics,
}

/// Hashes of metrics. Most families of a group have one metric, which then needs no memory of its own.
#[derive(Debug)]
enum Metrics {
    One(u64),
    #[expect(
        clippy::box_collection,
        reason = "half as large as a vector, for the many families that need none"
    )]
    Many(Box<Vec<u64>>),
}

impl Metrics {
    fn of(metrics: Vec<u64>) -> Self {
        match metrics[..] {
            [one] => Self::One(one),
            _ => Self::Many(Box::new(metrics)),
        }
    }

    fn push(&mut self, metric: u64) {
        match self {
            Self::One(one) => *self = Self::Many(Box::new(vec![*one, metric])),
            Self::Many(many) => many.push(metric),
        }
    }

    fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

const TYPES: usize = 8;

fn index(r#type: MetricType) -> usize {
    match r#type {
        MetricType::Counter => 0,
        MetricType::Gauge => 1,
        MetricType::Histogram => 2,
        MetricType::GaugeHistogram => 3,
        MetricType::Summary => 4,
        MetricType::Untyped => 5,
        MetricType::Info => 6,
        MetricType::StateSet => 7,
    }
}

const TYPE_OF_INDEX: [MetricType; TYPES] = [
    MetricType::Counter,
    MetricType::Gauge,
    MetricType::Histogram,
    MetricType::GaugeHistogram,
    MetricType::Summary,
    MetricType::Untyped,
    MetricType::Info,
    MetricType::StateSet,
];

#[derive(Debug)]
struct Name {
    name: Arc<str>,
    /// How many groups hold it as each type.
    groups: [u32; TYPES],
}

impl Table {
    pub(super) fn has_group(&self, key: GroupKey) -> bool {
        self.slots.contains_key(&key)
    }

    pub(super) fn group_count(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn metric_count(&self) -> usize {
        self.owners.len()
    }

    /// The types as which groups hold a name, without what `group` holds of it.
    pub(super) fn types_elsewhere(&self, name: &str, group: GroupKey) -> impl Iterator<Item = MetricType> {
        let mut groups = self.ids.get(name).map_or([0; TYPES], |id| self.names.get(*id).groups);
        if let Some(own) = self.type_in(name, group) {
            groups[index(own)] -= 1;
        }
        TYPE_OF_INDEX.into_iter().zip(groups).filter(|(_, count)| *count > 0).map(|(r#type, _)| r#type)
    }

    /// As which type `group` holds a name.
    pub(super) fn type_in(&self, name: &str, group: GroupKey) -> Option<MetricType> {
        let (id, slot) = (*self.ids.get(name)?, *self.slots.get(&group)?);
        let families = &self.groups.get(slot).families;
        let at = families.binary_search_by_key(&id, |family| family.name).ok()?;
        Some(families[at].r#type)
    }

    /// Whether another group than `group` holds a metric.
    pub(super) fn is_elsewhere(&self, metric: u64, group: GroupKey) -> bool {
        self.owners.get(&metric).is_some_and(|owner| self.groups.get(*owner).key != group)
    }

    /// Forgets the groups that are gone by now.
    pub(super) fn expire(&mut self, now_us: i64) {
        while let Some((until_us, slot)) = self.expiries.first().copied()
            && until_us <= now_us
        {
            let key = self.groups.get(slot).key;
            self.remove_group(key);
        }
    }

    /// Notes what a push has done.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry.change {
            Change::Delete => self.remove_group(entry.group),
            Change::ReplaceGroup => {
                self.remove_group(entry.group);
                self.set(entry);
            }
            Change::ReplaceFamilies => self.set(entry),
            Change::Merge => self.merge(entry),
            Change::Wipe => *self = Self::default(),
        }
    }

    /// Keeps the groups of which it is told when they are gone, and no others.
    pub(super) fn settle(&mut self, untils: &HashMap<GroupKey, i64>) {
        let gone: Vec<GroupKey> =
            self.slots.keys().filter(|key| !untils.contains_key(key)).copied().collect();
        gone.into_iter().for_each(|key| self.remove_group(key));
        for (key, until_us) in untils {
            self.slot_of(*key, *until_us);
        }
    }

    fn set(&mut self, entry: Entry) {
        let slot = self.slot_of(entry.group, entry.until_us);
        for claim in entry.claims.into_iter().filter(|claim| !claim.metrics.is_empty()) {
            let id = self.id_of(&claim.name);
            let families = &self.groups.get(slot).families;
            if let Ok(at) = families.binary_search_by_key(&id, |family| family.name) {
                let old = self.groups.get_mut(slot).families.remove(at);
                self.names.get_mut(id).groups[index(claim.r#type)] += 1;
                self.release(slot, &old);
            } else {
                self.names.get_mut(id).groups[index(claim.r#type)] += 1;
            }
            self.owners.extend(claim.metrics.iter().map(|metric| (*metric, slot)));
            let families = &mut self.groups.get_mut(slot).families;
            let at = families.partition_point(|family| family.name < id);
            let metrics = Metrics::of(claim.metrics);
            families.insert(at, GroupFamily { name: id, r#type: claim.r#type, metrics });
        }
    }

    /// What an aggregating push names comes to what the group holds, unless it is of another type.
    fn merge(&mut self, entry: Entry) {
        let Entry { group, change, claims, until_us } = entry;
        let slot = self.slot_of(group, until_us);
        let mut others = Vec::new();
        for claim in claims {
            let id = self.ids.get(&claim.name).copied();
            let families = &mut self.groups.get_mut(slot).families;
            let at = id.and_then(|id| families.binary_search_by_key(&id, |family| family.name).ok());
            match at.map(|at| &mut families[at]).filter(|family| family.r#type == claim.r#type) {
                Some(family) => {
                    for metric in claim.metrics {
                        if self.owners.insert(metric, slot) != Some(slot) {
                            family.metrics.push(metric);
                        }
                    }
                }
                None => others.push(claim),
            }
        }
        self.set(Entry { group, change, claims: others, until_us });
    }

    fn slot_of(&mut self, key: GroupKey, until_us: i64) -> Slot {
        let slot = *self
            .slots
            .entry(key)
            .or_insert_with(|| self.groups.insert(Group { key, until_us: NEVER_US, families: Vec::new() }));
        let group = self.groups.get_mut(slot);
        if group.until_us != until_us {
            self.expiries.remove(&(group.until_us, slot));
            group.until_us = until_us;
            if until_us != NEVER_US {
                self.expiries.insert((until_us, slot));
            }
        }
        slot
    }

    fn id_of(&mut self, name: &Arc<str>) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.names.insert(Name { name: Arc::clone(name), groups: [0; TYPES] });
        self.ids.insert(Arc::clone(name), id);
        id
    }

    fn remove_group(&mut self, key: GroupKey) {
        let Some(slot) = self.slots.remove(&key) else { return };
        let group = self.groups.remove(slot);
        self.expiries.remove(&(group.until_us, slot));
        for family in &group.families {
            self.release(slot, family);
        }
    }

    /// What a family no longer holds.
    fn release(&mut self, slot: Slot, family: &GroupFamily) {
        for metric in family.metrics.as_slice() {
            // another writer may have let two groups hold the same: it is the other's then
            if self.owners.get(metric) == Some(&slot) {
                self.owners.remove(metric);
            }
        }
        let name = self.names.get_mut(family.name);
        name.groups[index(family.r#type)] -= 1;
        if name.groups == [0; TYPES] {
            let name = self.names.remove(family.name);
            self.ids.remove(&name.name);
        }
    }
}

/// Values with small numbers, which are used again.
#[derive(Debug)]
struct Slab<T> {
    values: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    fn insert(&mut self, value: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.values[at as usize] = Some(value);
            return at;
        }
        self.values.push(Some(value));
        u32::try_from(self.values.len() - 1).expect("memory ends before four billion groups")
    }

    fn get(&self, at: u32) -> &T {
        self.values[at as usize].as_ref().expect("a number that was given out")
    }

    fn get_mut(&mut self, at: u32) -> &mut T {
        self.values[at as usize].as_mut().expect("a number that was given out")
    }

    fn remove(&mut self, at: u32) -> T {
        self.free.push(at);
        self.values[at as usize].take().expect("a number that was given out")
    }
}
