//! The table as the store tells it, part by part.

use std::collections::HashMap;

use model::{Change, GroupKey};
use store::HeldPart;

use super::claim::Claim;
use super::table::{Entry, NEVER_US, Table};
use crate::intake::{PUSH_FAILURE_TIME, PUSH_TIME};

/// What the store holds, as far as it was read.
#[derive(Debug)]
pub(crate) struct Filling {
    seed: u64,
    table: Table,
    /// When the groups are gone that are there.
    untils: HashMap<GroupKey, i64>,
}

impl Filling {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, table: Table::default(), untils: HashMap::new() }
    }

    /// Takes what was read. Takes time.
    pub(crate) fn add(&mut self, parts: &[HeldPart]) {
        for part in parts {
            match &*part.family {
                PUSH_TIME => drop(self.untils.insert(part.group, part.until_us.unwrap_or(NEVER_US))),
                // nobody can contradict it
                PUSH_FAILURE_TIME => {}
                _ => {
                    let claims = vec![Claim::of_stored(part, self.seed)];
                    let (group, change, until_us) = (part.group, Change::Merge, NEVER_US);
                    self.table.apply(Entry { group, change, claims, until_us });
                }
            }
        }
    }

    /// When all was read.
    pub(super) fn table(self) -> Table {
        let mut table = self.table;
        table.settle(&self.untils);
        table
    }
}
