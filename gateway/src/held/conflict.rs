//! The checks of a push against what other groups hold.

use std::collections::HashSet;

use model::{Change, GroupKey, MetricType};
use wire::Family;

use super::claim::Claim;
use super::table::Table;
use crate::intake::{FAULTS_MAX, Inconsistency, MetricFault, dump, type_name};

/// What a push wants, in two forms of the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) group: GroupKey,
    pub(super) change: Change,
    pub(super) claims: &'a [Claim],
    /// For the texts of faults.
    pub(super) families: &'a [Family],
}

/// The contradictions between a push and what will be held beside it.
pub(super) fn conflicts(table: &Table, wanted: &Wanted<'_>) -> Vec<Inconsistency> {
    let named: HashSet<&str> = wanted.claims.iter().map(|claim| &*claim.name).collect();
    let beside = Beside { table, wanted, named };
    let mut faults = Vec::new();
    for (claim, family) in wanted.claims.iter().zip(wanted.families) {
        if let Some(collision) = beside.base_of(&claim.name).or_else(|| beside.part_of(claim)) {
            faults.push(collision);
        } else {
            beside.metric_faults(claim, family, &mut faults);
        }
        if faults.len() >= FAULTS_MAX {
            faults.truncate(FAULTS_MAX);
            break;
        }
    }
    faults
}

/// What stays when the push is applied.
struct Beside<'a> {
    table: &'a Table,
    wanted: &'a Wanted<'a>,
    named: HashSet<&'a str>,
}

const SUFFIXES: [&str; 3] = ["_count", "_sum", "_bucket"];

fn has_buckets(r#type: MetricType) -> bool {
    matches!(r#type, MetricType::Histogram | MetricType::GaugeHistogram)
}

impl Beside<'_> {
    /// The types as which a name is held beside the push.
    fn types(&self, name: &str) -> impl Iterator<Item = MetricType> {
        let group = self.wanted.group;
        let stays = self.wanted.change != Change::ReplaceGroup && !self.named.contains(name);
        let own = self.table.type_in(name, group).filter(|_| stays);
        self.table.types_elsewhere(name, group).chain(own)
    }

    /// The histogram or summary of which a family has the name of a part.
    fn base_of(&self, name: &str) -> Option<Inconsistency> {
        SUFFIXES.into_iter().find_map(|suffix| {
            let base = name.strip_suffix(suffix)?;
            let kind = self.types(base).find_map(|r#type| match r#type {
                r#type if has_buckets(r#type) => Some("histogram"),
                MetricType::Summary if suffix != "_bucket" => Some("summary"),
                _ => None,
            })?;
            Some(Inconsistency::PartCollides { name: name.to_owned(), kind, base: base.to_owned() })
        })
    }

    /// The family that has the name of a part of a histogram or summary.
    fn part_of(&self, claim: &Claim) -> Option<Inconsistency> {
        let parts = match claim.r#type {
            r#type if has_buckets(r#type) => &SUFFIXES[..],
            MetricType::Summary => &SUFFIXES[..2],
            _ => return None,
        };
        parts.iter().find_map(|suffix| {
            let part = format!("{}{suffix}", claim.name);
            self.types(&part).next()?;
            let kind = if *suffix == "_bucket" { "histogram" } else { "histogram or summary" };
            Some(Inconsistency::BaseCollides { kind, name: claim.name.to_string(), part })
        })
    }

    fn metric_faults(&self, claim: &Claim, family: &Family, faults: &mut Vec<Inconsistency>) {
        let group = self.wanted.group;
        let other_type =
            self.table.types_elsewhere(&claim.name, group).find(|r#type| *r#type != claim.r#type);
        for (hash, metric) in claim.metrics.iter().zip(&family.metrics) {
            let fault = match other_type {
                Some(other) => MetricFault::NotA(type_name(other)),
                None if self.table.is_elsewhere(*hash, group) => MetricFault::Duplicate,
                None => continue,
            };
            let (family, dump) = (claim.name.to_string(), dump(metric));
            faults.push(Inconsistency::Metric { family, dump, fault });
            if faults.len() >= FAULTS_MAX {
                return;
            }
        }
    }
}
