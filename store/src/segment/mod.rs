//! One flush as one Parquet file: what it holds, apart from how it is encoded.

mod columns;
mod decode;
mod encode;
mod error;
mod histogram;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Change, GroupKey, Labels, Metadata, MetricType, Value};

pub(crate) use decode::decode;
pub(crate) use encode::{checksum, encode};
pub use error::SegmentError;

use crate::fold::Scope;
use crate::tail::StampedPush;

/// The version that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Everything that a segment holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    /// Whose stamps these are.
    pub(crate) writer: u64,
    /// What ends, in stamp order.
    pub(crate) clears: Vec<ClearRow>,
    /// What is known about families, by name.
    pub(crate) descriptions: Vec<Description>,
    /// What is set, in order of metric name, fingerprint and time.
    pub(crate) rows: Vec<Row>,
}

/// At this time, what the scope holds ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClearRow {
    pub(crate) at_us: i64,
    pub(crate) group: GroupKey,
    pub(crate) scope: Scope,
}

/// From this time on, the family is described so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) at_us: i64,
    pub(crate) family: Arc<str>,
    pub(crate) metadata: Metadata,
}

/// From this time on, the series has this value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) labels: Labels,
    pub(crate) at_us: i64,
    pub(crate) group: GroupKey,
    pub(crate) family: Arc<str>,
    pub(crate) r#type: MetricType,
    pub(crate) value: Value,
}

impl Segment {
    /// The rows of some pushes of one writer.
    pub(crate) fn from_pushes<'a>(writer: u64, pushes: impl IntoIterator<Item = &'a StampedPush>) -> Self {
        let mut segment = Self { writer, ..Self::default() };
        let mut descriptions: BTreeMap<Arc<str>, Description> = BTreeMap::new();
        for StampedPush { stamp, push, .. } in pushes {
            let at_us = stamp.at_us;
            let clears = &mut segment.clears;
            let mut clear = |scope| clears.push(ClearRow { at_us, group: push.group, scope });
            match push.change {
                Change::Delete => clear(Scope::Group),
                Change::ReplaceGroup => clear(Scope::GroupButFailure),
                Change::ReplaceFamilies => {
                    push.families.iter().for_each(|family| clear(Scope::Family(Arc::clone(&family.name))));
                }
            }
            for family in &push.families {
                let metadata =
                    Metadata { r#type: family.r#type, help: Arc::clone(&family.help), unit: "".into() };
                let description = Description { at_us, family: Arc::clone(&family.name), metadata };
                descriptions.insert(Arc::clone(&family.name), description);
                segment.rows.extend(family.series.iter().map(|series| Row {
                    labels: series.labels.clone(),
                    at_us,
                    group: push.group,
                    family: Arc::clone(&family.name),
                    r#type: family.r#type,
                    value: series.value.clone(),
                }));
            }
        }
        segment.descriptions = descriptions.into_values().collect();
        // every row is compared often: compute its key once
        segment.rows.sort_by_cached_key(|row| {
            (Arc::<str>::from(row.labels.metric_name()), row.labels.fingerprint(), row.at_us)
        });
        segment
    }

    /// How many rows the file has.
    pub(crate) fn row_count(&self) -> usize {
        self.clears.len() + self.descriptions.len() + self.rows.len()
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        // label sets are shared between the rows of a series, so this is on the safe side
        let labels: usize = self.rows.iter().map(|row| row.labels.len() * 40 + 16).sum();
        labels
            + self.rows.len() * size_of::<Row>()
            + self.clears.len() * size_of::<ClearRow>()
            + self.descriptions.len() * 200
    }
}

#[cfg(test)]
mod tests;
