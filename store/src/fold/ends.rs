//! When what groups hold ends: because a push says so, or because the group expires; and which pushes do not count at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{GroupKey, RetryKey, Stamp};

use super::epochs::end;
use super::retries;

/// The family whose values a PUT leaves alone, and that is no sign of life.
pub(crate) const PUSH_FAILURE_FAMILY: &str = "push_failure_time_seconds";

/// The family that every push sets.
pub(crate) const PUSH_TIME_FAMILY: &str = "push_time_seconds";

/// What an event ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// What runs say has expired.
    expired: Vec<(GroupKey, Expired)>,
    /// Keyed pushes that counted and are not among `pushes`.
    counted: Vec<(u128, Stamp)>,
}

/// An expiry that came true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expired {
    pub(crate) at: Stamp,
    /// What ended the group after it, where only that is known.
    pub(crate) until: Option<Stamp>,
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
    /// Not among those of the whole group: in a run a push has the stamp of an expiry in its microsecond.
    expiries: Vec<Expired>,
}

impl Heads {
    pub(crate) fn clear(&mut self, stamp: Stamp, scope: Scope) {
        self.clears.push((stamp, scope));
    }

    pub(crate) fn push(&mut self, pushed: Pushed) {
        self.pushes.push(pushed);
    }

    /// A group expired then; what ended it after that, if anything did before a push.
    pub(crate) fn expire(&mut self, group: GroupKey, at_us: i64, until_us: Option<i64>) {
        self.expired.push((group, Expired { at: end(at_us), until: until_us.map(end) }));
    }

    /// A push with this retry key counted then, and is not given here.
    pub(crate) fn counted(&mut self, key: u128, stamp: Stamp) {
        self.counted.push((key, stamp));
    }

    /// Drops the pushes that repeat others, and tells which.
    fn drop_repeated(&mut self) -> HashSet<Stamp> {
        let repeated = retries::repeated(&self.pushes, &self.counted);
        self.clears.retain(|(stamp, _)| !repeated.contains(stamp));
        self.pushes.retain(|pushed| !repeated.contains(&pushed.stamp));
        repeated
    }

    /// What follows from all of it. Of pushes that repeat others nothing is left after that.
    pub(crate) fn ends(&mut self) -> Ends {
        let repeated = self.drop_repeated();
        let found = expiries(&self.clears, &self.pushes).into_iter();
        let found = found.map(|(group, at)| (group, Expired { at, until: None }));
        let mut ends = Ends { repeated, ..Ends::default() };
        for (stamp, scope) in &self.clears {
            ends.add(*stamp, scope.clone());
        }
        for (group, expired) in self.expired.iter().copied().chain(found) {
            ends.by_group.entry(group).or_default().expiries.push(expired);
        }
        ends.everything.sort_unstable();
        for of_group in ends.by_group.values_mut() {
            let OfGroup { whole, but_failure, families, expiries } = of_group;
            [whole, but_failure].into_iter().chain(families.values_mut()).for_each(|stamps| {
                stamps.sort_unstable();
                stamps.dedup();
            });
            // of two that say the same, the one that says more
            expiries.sort_unstable_by_key(|expired| (expired.at, std::cmp::Reverse(expired.until)));
            expiries.dedup_by_key(|expired| expired.at);
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
    let of_clears = clears.iter().filter_map(|(stamp, scope)| Some((scope.sign_of()?, (*stamp, None))));
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
                expiries.push((group, end(until_us)));
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

    /// When the group expired, in ascending order, and what ended it after that, if that is known.
    pub(crate) fn expiries(&self, group: GroupKey) -> impl Iterator<Item = Expired> {
        let (family, known) = (self.of(group, PUSH_TIME_FAMILY), self.of_group(group));
        known.into_iter().flat_map(|known| &known.expiries).map(move |&Expired { at, until }| Expired {
            at,
            until: until.into_iter().chain(family.after_expiry(at)).min(),
        })
    }

    /// What ends the values of one family of one group.
    pub(crate) fn of(&self, group: GroupKey, family: &str) -> FamilyEnds<'_> {
        let of_group = self.of_group(group);
        let but_failure = of_group.filter(|_| family != PUSH_FAILURE_FAMILY);
        let of_family = of_group.and_then(|of_group| of_group.families.get(family));
        FamilyEnds {
            told: [
                &self.everything,
                of_group.map_or(&[], |of_group| &of_group.whole),
                but_failure.map_or(&[], |of_group| &of_group.but_failure),
                of_family.map_or(&[], Vec::as_slice),
            ],
            expiries: of_group.map_or(&[], |of_group| &of_group.expiries),
        }
    }

    fn of_group(&self, group: GroupKey) -> Option<&OfGroup> {
        self.by_group.get(&group)
    }
}

/// What ends the values of one family of one group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FamilyEnds<'a> {
    /// By pushes.
    told: [&'a [Stamp]; 4],
    expiries: &'a [Expired],
}

impl FamilyEnds<'_> {
    /// The first end after a stamp.
    pub(crate) fn after(&self, stamp: Stamp) -> Option<Stamp> {
        self.first_told(|end| end > stamp).into_iter().chain(self.expiry_after(stamp)).min()
    }

    /// The first end after an expiry. It comes before all that is stamped in its microsecond, whoever has stamped it: a run does
    /// not say that.
    fn after_expiry(&self, expiry: Stamp) -> Option<Stamp> {
        self.first_told(|end| end >= expiry).into_iter().chain(self.expiry_after(expiry)).min()
    }

    fn first_told(&self, is_after: impl Fn(Stamp) -> bool) -> Option<Stamp> {
        let next = |stamps: &[Stamp]| stamps.get(stamps.partition_point(|end| !is_after(*end))).copied();
        self.told.iter().filter_map(|stamps| next(stamps)).min()
    }

    fn expiry_after(&self, stamp: Stamp) -> Option<Stamp> {
        let next = self.expiries.partition_point(|expired| expired.at <= stamp);
        self.expiries.get(next).map(|expired| expired.at)
    }
}

/// What has to be kept of what heads say once everything before some time is known, and the values before it know what ended
/// them. All of it sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Condensed {
    /// Of each scope the first end.
    pub(crate) clears: Vec<(Stamp, Scope)>,
    /// Of each group the first sign of life, where no clear is it, and the last one where that leaves an expiry open.
    pub(crate) pushes: Vec<Pushed>,
    /// The expiries that came true.
    pub(crate) expired: Vec<(GroupKey, Expired)>,
}

/// The first and the last sign of life of a group, and when the group expires after each.
#[derive(Clone, Copy, Debug)]
struct Signs {
    first: (Stamp, Option<i64>),
    last: (Stamp, Option<i64>),
}

impl Heads {
    /// What has to be kept of it when everything before `end_us` is known. `ends` are what [`Heads::ends`] has made of it.
    pub(crate) fn condensed(&self, ends: &Ends, end_us: i64) -> Condensed {
        let mut firsts: HashMap<&Scope, Stamp> = HashMap::new();
        let mut signs: HashMap<GroupKey, Signs> = HashMap::new();
        let mut sign = |group, sign: (Stamp, Option<i64>)| {
            let known = signs.entry(group).or_insert(Signs { first: sign, last: sign });
            known.first = known.first.min(sign);
            known.last = known.last.max(sign);
        };
        for (stamp, scope) in &self.clears {
            let first = firsts.entry(scope).or_insert(*stamp);
            *first = (*first).min(*stamp);
            if let Some(group) = scope.sign_of() {
                sign(group, (*stamp, None));
            }
        }
        self.pushes.iter().for_each(|pushed| sign(pushed.group, (pushed.stamp, pushed.until_us)));
        let first_clears: HashSet<(GroupKey, Stamp)> =
            firsts.iter().filter_map(|(scope, stamp)| Some((scope.sign_of()?, *stamp))).collect();
        let last_wipe = ends.everything.last();
        let mut condensed = Condensed::default();
        for (group, Signs { first, last }) in signs {
            let pushed = |stamp, until_us| Pushed { stamp, group, until_us, retry_key: None };
            let is_open = last.1.is_some_and(|until_us| until_us >= end_us)
                && last_wipe.is_none_or(|wipe| *wipe <= last.0);
            let is_last = is_open && first.0 == last.0;
            if !is_last && !first_clears.contains(&(group, first.0)) {
                condensed.pushes.push(pushed(first.0, None));
            }
            if is_open {
                condensed.pushes.push(pushed(last.0, last.1));
            }
        }
        condensed.clears = firsts.into_iter().map(|(scope, stamp)| (stamp, scope.clone())).collect();
        condensed.expired = ends.expired_before(end_us);
        condensed.clears.sort_unstable();
        condensed.pushes.sort_unstable_by_key(|pushed| (pushed.stamp, pushed.group));
        condensed
    }
}

impl Scope {
    /// The group of whose life it is a sign.
    fn sign_of(&self) -> Option<GroupKey> {
        match self {
            Self::Everything => None,
            Self::Family(_, family) if **family == *PUSH_FAILURE_FAMILY => None,
            Self::Group(group) | Self::GroupButFailure(group) | Self::Family(group, _) => Some(*group),
        }
    }
}

impl Ends {
    /// The expiries that came true before `end_us`, and what ended those groups after that and before `end_us`.
    fn expired_before(&self, end_us: i64) -> Vec<(GroupKey, Expired)> {
        let is_known = |stamp: &Stamp| stamp.at_us < end_us;
        let of_group = |group: &GroupKey| {
            let group = *group;
            let known = self.expiries(group).filter(move |expired| is_known(&expired.at));
            known.map(move |Expired { at, until }| (group, Expired { at, until: until.filter(is_known) }))
        };
        let mut expired: Vec<_> = self.by_group.keys().flat_map(of_group).collect();
        expired.sort_unstable_by_key(|(group, expired)| (expired.at, *group));
        expired
    }
}
