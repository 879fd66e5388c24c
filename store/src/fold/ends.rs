//! When what groups hold ends: because a push says so, or because the group expires; and which pushes do not count at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{GroupKey, RetryKey, Stamp};

use super::retries;

/// The family whose values a PUT leaves alone, and that is no sign of life.
pub(crate) const PUSH_FAILURE_FAMILY: &str = "push_failure_time_seconds";

/// What an event ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All groups: wipe.
    Everything,
    /// The whole group: DELETE.
    Group(GroupKey),
    /// The whole group but [`PUSH_FAILURE_FAMILY`]: PUT.
    GroupButFailure(GroupKey),
    /// One family of the group: POST.
    Family(GroupKey, Arc<str>),
}

/// That there was a push to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) stamp: Stamp,
    pub(crate) group: GroupKey,
    /// When the group expires, unless it is pushed to again before.
    pub(crate) until_us: Option<i64>,
    pub(crate) retry_key: Option<RetryKey>,
}

/// What heads of segments say, in any order and perhaps repeatedly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heads {
    clears: Vec<(Stamp, Scope)>,
    pushes: Vec<Pushed>,
}

/// When what ends.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    everything: Vec<Stamp>,
    by_group: HashMap<GroupKey, OfGroup>,
    repeated: HashSet<Stamp>,
}

/// Stamps in ascending order.
#[derive(Debug, Default)]
struct OfGroup {
    whole: Vec<Stamp>,
    but_failure: Vec<Stamp>,
    families: HashMap<Arc<str>, Vec<Stamp>>,
    expiries: Vec<Stamp>,
}

impl Heads {
    pub(crate) fn clear(&mut self, stamp: Stamp, scope: Scope) {
        self.clears.push((stamp, scope));
    }

    pub(crate) fn push(&mut self, pushed: Pushed) {
        self.pushes.push(pushed);
    }

    /// What follows from all of it.
    pub(crate) fn ends(mut self) -> Ends {
        let repeated = retries::repeated(&self.pushes);
        self.clears.retain(|(stamp, _)| !repeated.contains(stamp));
        self.pushes.retain(|pushed| !repeated.contains(&pushed.stamp));
        let expiries = expiries(&self.clears, &self.pushes);
        let mut ends = Ends { repeated, ..Ends::default() };
        for (stamp, scope) in self.clears {
            ends.add(stamp, scope);
        }
        for (group, stamp) in expiries {
            let of_group = ends.by_group.entry(group).or_default();
            of_group.whole.push(stamp);
            of_group.expiries.push(stamp);
        }
        ends.everything.sort_unstable();
        for of_group in ends.by_group.values_mut() {
            let OfGroup { whole, but_failure, families, expiries } = of_group;
            [whole, but_failure, expiries].into_iter().chain(families.values_mut()).for_each(|stamps| {
                stamps.sort_unstable();
                stamps.dedup();
            });
        }
        ends
    }
}

/// The expiries that come true: those before which nothing else is pushed to their group.
fn expiries(clears: &[(Stamp, Scope)], pushes: &[Pushed]) -> Vec<(GroupKey, Stamp)> {
    let mut signs: HashMap<GroupKey, Vec<(Stamp, Option<i64>)>> = HashMap::new();
    for pushed in pushes.iter().filter(|pushed| pushed.until_us.is_some()) {
        signs.entry(pushed.group).or_default();
    }
    if signs.is_empty() {
        return Vec::new();
    }
    let mut wipes: Vec<Stamp> =
        clears.iter().filter(|(_, scope)| *scope == Scope::Everything).map(|(stamp, _)| *stamp).collect();
    wipes.sort_unstable();
    let of_clears = clears.iter().filter_map(|(stamp, scope)| match scope {
        Scope::Everything => None,
        Scope::Family(_, family) if **family == *PUSH_FAILURE_FAMILY => None,
        Scope::Group(group) | Scope::GroupButFailure(group) | Scope::Family(group, _) => {
            Some((*group, (*stamp, None)))
        }
    });
    let of_pushes = pushes.iter().map(|pushed| (pushed.group, (pushed.stamp, pushed.until_us)));
    for (group, sign) in of_clears.chain(of_pushes) {
        if let Some(signs) = signs.get_mut(&group) {
            signs.push(sign);
        }
    }
    let mut expiries = Vec::new();
    for (group, mut signs) in signs {
        // a push with an expiry says the same time twice where it also ends something
        signs.sort_unstable();
        signs.dedup();
        for (index, (stamp, until_us)) in signs.iter().enumerate() {
            let Some(until_us) = *until_us else { continue };
            let next = signs[index + 1..].iter().map(|(next, _)| next).find(|next| *next > stamp);
            let wipe = wipes.get(wipes.partition_point(|wipe| wipe <= stamp));
            if next.into_iter().chain(wipe).all(|next| until_us <= next.at_us) {
                expiries.push((group, Stamp { at_us: until_us, writer: 0 }));
            }
        }
    }
    expiries
}

impl Ends {
    fn add(&mut self, stamp: Stamp, scope: Scope) {
        match scope {
            Scope::Everything => self.everything.push(stamp),
            Scope::Group(group) => self.by_group.entry(group).or_default().whole.push(stamp),
            Scope::GroupButFailure(group) => self.by_group.entry(group).or_default().but_failure.push(stamp),
            Scope::Family(group, family) => {
                self.by_group.entry(group).or_default().families.entry(family).or_default().push(stamp);
            }
        }
    }

    /// Whether the push of this stamp repeats another and does not count.
    pub(crate) fn is_repeated(&self, stamp: Stamp) -> bool {
        !self.repeated.is_empty() && self.repeated.contains(&stamp)
    }

    /// When the group expired, in ascending order.
    pub(crate) fn expiries(&self, group: GroupKey) -> &[Stamp] {
        self.by_group.get(&group).map_or(&[], |of_group| &of_group.expiries)
    }

    /// What ends the values of one family of one group.
    pub(crate) fn of(&self, group: GroupKey, family: &str) -> FamilyEnds<'_> {
        let of_group = self.by_group.get(&group);
        let but_failure = of_group.filter(|_| family != PUSH_FAILURE_FAMILY);
        let of_family = of_group.and_then(|of_group| of_group.families.get(family));
        FamilyEnds([
            &self.everything,
            of_group.map_or(&[], |of_group| &of_group.whole),
            but_failure.map_or(&[], |of_group| &of_group.but_failure),
            of_family.map_or(&[], Vec::as_slice),
        ])
    }
}

/// What ends the values of one family of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FamilyEnds<'a>([&'a [Stamp]; 4]);

impl FamilyEnds<'_> {
    /// The first end after a stamp.
    pub(crate) fn after(&self, stamp: Stamp) -> Option<Stamp> {
        let next = |stamps: &[Stamp]| stamps.get(stamps.partition_point(|end| *end <= stamp)).copied();
        self.0.iter().filter_map(|stamps| next(stamps)).min()
    }
}
