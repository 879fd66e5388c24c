//! What pushes mean, played one after the other, slowly and literally.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Change, GroupKey, Labels, Merge, MetricType, Push, RETRY_WINDOW_US, Stamp, Value};

const FAILURE: &str = "push_failure_time_seconds";

/// What a group holds of one plain series.
#[derive(Clone, Debug)]
struct Plain {
    family: String,
    kind: (MetricType, Merge),
    values: Vec<f64>,
    last: Stamp,
}

impl Plain {
    fn value(&self) -> f64 {
        match self.kind.1 {
            Merge::Set => self.values[self.values.len() - 1],
            Merge::Add => self.values.iter().sum(),
            Merge::Min => self.values.iter().copied().fold(f64::INFINITY, f64::min),
            Merge::Max => self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// What a group holds of the buckets of `h`.
#[derive(Clone, Debug)]
struct Buckets {
    merge: Merge,
    /// Bounds and counts of every push, ascending.
    pushes: Vec<Vec<(f64, f64)>>,
    last: Stamp,
    since_ms: i64,
}

impl Buckets {
    fn bounds(&self) -> BTreeSet<u64> {
        self.pushes.iter().flatten().map(|(bound, _)| bound.to_bits()).collect()
    }

    fn count(&self, bound: f64) -> f64 {
        let of_push = |push: &Vec<(f64, f64)>| {
            push.iter().rfind(|(known, _)| *known <= bound).map_or(0.0, |(_, count)| *count)
        };
        self.pushes.iter().map(of_push).sum()
    }
}

#[derive(Clone, Debug, Default)]
struct Group {
    plain: BTreeMap<Labels, Plain>,
    buckets: Option<Buckets>,
    until_us: Option<i64>,
}

impl Group {
    fn end(&mut self, of: impl Fn(&str) -> bool) {
        self.plain.retain(|_, plain| !of(&plain.family));
        if of("h") {
            self.buckets = None;
        }
    }

    fn shown(&self) -> Vec<(Labels, f64, Stamp)> {
        let plain = self.plain.iter().map(|(labels, plain)| (labels.clone(), plain.value(), plain.last));
        let buckets = self.buckets.iter().flat_map(|buckets| {
            let count =
                |bits| (bucket(f64::from_bits(bits)), buckets.count(f64::from_bits(bits)), buckets.last);
            buckets.bounds().into_iter().map(count).collect::<Vec<_>>()
        });
        plain.chain(buckets).collect()
    }
}

fn bucket(bound: f64) -> Labels {
    let le = if bound.is_infinite() { "+Inf".to_owned() } else { format!("{bound:.1}") };
    Labels::from_pairs([("__name__", "h_bucket".to_owned()), ("le", le)])
}

/// What holds at every millisecond.
pub(crate) struct Reference {
    /// From when on, in ms, what holds; in order.
    states: Vec<(i64, BTreeMap<Labels, f64>)>,
    /// Bounds that appear when their histogram has counted: shown one millisecond before with what they would have been.
    before: HashMap<(Labels, i64), f64>,
}

impl Reference {
    /// Of what is deleted, by series and stamp, nothing is shown: what such a push names is held no more.
    pub(crate) fn without(stamped: &[(Stamp, Push)], is_deleted: &dyn Fn(&Labels, Stamp) -> bool) -> Self {
        let mut player = Player { groups: BTreeMap::new(), counted: HashMap::new(), is_deleted };
        let mut reference = Self { states: vec![(i64::MIN, BTreeMap::new())], before: HashMap::new() };
        for (stamp, push) in stamped {
            player.expire(stamp.at_us, &mut reference);
            player.play(*stamp, push, &mut reference);
            reference.states.push((stamp.at_us.div_euclid(1_000), player.shown()));
        }
        player.expire(i64::MAX, &mut reference);
        reference
    }

    /// What is wrong with what was found at a time; empty if nothing is. A bound that appears when its histogram has counted
    /// may be there one millisecond earlier, with what it would have been.
    pub(crate) fn different(&self, found: &BTreeMap<Labels, f64>, at_ms: i64) -> String {
        let state = self.states.iter().rfind(|(from_ms, _)| *from_ms <= at_ms);
        let expect = state.map(|(_, state)| state.clone()).unwrap_or_default();
        let of_both: BTreeSet<&Labels> = found.keys().chain(expect.keys()).collect();
        let wrong = of_both.into_iter().filter(|labels| {
            let (found, expect) = (found.get(*labels), expect.get(*labels));
            let before = || self.before.get(&((*labels).clone(), at_ms));
            found != expect && !(expect.is_none() && found == before())
        });
        let show = |labels: &Labels| {
            format!("{labels}: found {:?}, expected {:?}; ", found.get(labels), expect.get(labels))
        };
        wrong.map(show).collect()
    }
}

struct Player<'d> {
    groups: BTreeMap<GroupKey, Group>,
    counted: HashMap<u128, i64>,
    is_deleted: &'d dyn Fn(&Labels, Stamp) -> bool,
}

impl Player<'_> {
    fn shown(&self) -> BTreeMap<Labels, f64> {
        let mut top: BTreeMap<Labels, (Stamp, f64)> = BTreeMap::new();
        for (labels, value, last) in self.groups.values().flat_map(Group::shown) {
            let known = top.entry(labels).or_insert((last, value));
            if known.0 < last {
                *known = (last, value);
            }
        }
        top.into_iter().map(|(labels, (_, value))| (labels, value)).collect()
    }

    /// Ends the groups whose time has come, one after the other.
    fn expire(&mut self, now_us: i64, reference: &mut Reference) {
        loop {
            let due = self.groups.iter().filter_map(|(key, group)| Some((group.until_us?, *key))).min();
            let Some((until_us, key)) = due.filter(|(until_us, _)| *until_us <= now_us) else { return };
            self.groups.remove(&key);
            reference.states.push((until_us.div_euclid(1_000), self.shown()));
        }
    }

    fn play(&mut self, stamp: Stamp, push: &Push, reference: &mut Reference) {
        if let Some(retry) = push.retry_key {
            let counted = self.counted.get(&retry.key);
            if counted.is_some_and(|counted| stamp.at_us - counted < RETRY_WINDOW_US) {
                return;
            }
            self.counted.insert(retry.key, stamp.at_us);
        }
        if push.change == Change::Wipe {
            self.groups.clear();
        }
        let group = self.groups.entry(push.group).or_default();
        let is_alive = push.families.iter().any(|family| &*family.name != FAILURE);
        let says_when = push.ttl_us.is_some() || push.retry_key.is_some();
        let ends_group = matches!(push.change, Change::ReplaceGroup | Change::Delete);
        if is_alive || says_when || ends_group {
            group.until_us = push.ttl_us.map(|ttl_us| stamp.at_us + i64::try_from(ttl_us).expect("small"));
        }
        match push.change {
            Change::ReplaceGroup => group.end(|family| family != FAILURE),
            Change::Delete => group.end(|_| true),
            _ => {}
        }
        for family in &push.families {
            let name = &*family.name;
            if push.change == Change::ReplaceFamilies || push.change == Change::Merge && family.replaces {
                group.end(|known| known == name);
            }
            let mut counts = Vec::new();
            for series in &family.series {
                let Value::Float(value) = series.value else { continue };
                if (self.is_deleted)(&series.labels, stamp) {
                    group.plain.remove(&series.labels);
                    if series.labels.get("le").is_some() {
                        // all of them are, or none
                        group.buckets = None;
                    }
                    continue;
                }
                if let Some(bound) = series.labels.get("le") {
                    counts.push((bound.parse().expect("a bound"), value));
                    continue;
                }
                let kind = (family.r#type, series.merge);
                let plain = group
                    .plain
                    .get(&series.labels)
                    .filter(|known| known.kind == kind && known.family == name);
                let mut values = plain.map(|known| known.values.clone()).unwrap_or_default();
                values.push(value);
                let plain = Plain { family: name.to_owned(), kind, values, last: stamp };
                group.plain.insert(series.labels.clone(), plain);
            }
            if let Some(merge) = family.series.first().map(|series| series.merge)
                && !counts.is_empty()
            {
                group.add_buckets(counts, merge, stamp, reference);
            }
        }
    }
}

impl Group {
    fn add_buckets(
        &mut self,
        counts: Vec<(f64, f64)>,
        merge: Merge,
        stamp: Stamp,
        reference: &mut Reference,
    ) {
        let now_ms = stamp.at_us.div_euclid(1_000);
        let goes_on = |known: &&mut Buckets| known.merge == merge && merge != Merge::Set;
        match self.buckets.as_mut().filter(goes_on) {
            Some(known) => {
                let bounds = known.bounds();
                for (bound, _) in &counts {
                    let before = known.count(*bound);
                    if !bounds.contains(&bound.to_bits()) && before != 0.0 && known.since_ms < now_ms {
                        reference.before.insert((bucket(*bound), now_ms - 1), before);
                    }
                }
                known.pushes.push(counts);
                known.last = stamp;
            }
            None => {
                let pushes = vec![counts];
                self.buckets = Some(Buckets { merge, pushes, last: stamp, since_ms: now_ms });
            }
        }
    }
}
