//! One flush as one Parquet file: what it holds, apart from how it is encoded.

mod columns;
mod decode;
mod encode;
mod error;
mod histogram;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use model::{Change, GroupKey, Histogram, Labels, Metadata, MetricType, PushedFamily, PushedSeries, Value};

pub(crate) use decode::decode;
pub(crate) use encode::{checksum, encode};
pub use error::SegmentError;

use crate::fold::Scope;
use crate::tail::StampedPush;

/// The version that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Everything that a segment holds. Rows are flat arrays in which each series has a range, so that a series costs
/// little and a row next to nothing beside its time and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    /// Whose stamps these are.
    pub(crate) writer: u64,
    /// What ends, in stamp order.
    pub(crate) clears: Vec<ClearRow>,
    /// What is known about families, by name.
    pub(crate) descriptions: Vec<Description>,
    /// In order of metric name, fingerprint and group.
    pub(crate) series: Vec<SeriesRows>,
    /// What is set.
    pub(crate) rows: Rows,
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

/// A series as one group holds it, and where its rows stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesRows {
    pub(crate) labels: Labels,
    pub(crate) group: GroupKey,
    pub(crate) family: Arc<str>,
    pub(crate) r#type: MetricType,
    pub(crate) range: Range<usize>,
}

impl SeriesRows {
    /// Whether rows of both belong together.
    fn is_same(&self, other: &Self) -> bool {
        (&self.labels, self.group, &self.family, self.r#type)
            == (&other.labels, other.group, &other.family, other.r#type)
    }
}

/// From `at_us[i]` on, the series has the value i; ascending within a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) at_us: Vec<i64>,
    /// 0 where a histogram stands.
    pub(crate) values: Vec<f64>,
    /// Empty if all values are floats, else as long as `values`.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.at_us.len()
    }

    fn push(&mut self, at_us: i64, value: &Value) {
        self.at_us.push(at_us);
        match value {
            Value::Float(value) => {
                self.values.push(*value);
                if !self.histograms.is_empty() {
                    self.histograms.push(None);
                }
            }
            Value::Histogram(histogram) => {
                self.histograms.resize(self.values.len(), None);
                self.values.push(0.0);
                self.histograms.push(Some(Arc::clone(histogram)));
            }
        }
    }

    pub(crate) fn histogram(&self, row: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(row)?.as_ref()
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.histogram(row).map_or(Value::Float(self.values[row]), |h| Value::Histogram(Arc::clone(h)))
    }
}

/// A pushed value on its way into its place.
struct Pushed<'a> {
    name: &'a str,
    fingerprint: i64,
    group: GroupKey,
    at_us: i64,
    family: &'a PushedFamily,
    series: &'a PushedSeries,
}

impl Segment {
    /// The rows of some pushes of one writer.
    pub(crate) fn from_pushes<'a>(writer: u64, pushes: impl IntoIterator<Item = &'a StampedPush>) -> Self {
        let mut segment = Self { writer, ..Self::default() };
        let mut descriptions: BTreeMap<&str, Description> = BTreeMap::new();
        let mut pushed: Vec<Pushed<'_>> = Vec::new();
        for StampedPush { stamp, push, .. } in pushes {
            let (at_us, group) = (stamp.at_us, push.group);
            let clears = &mut segment.clears;
            let mut clear = |scope| clears.push(ClearRow { at_us, group, scope });
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
                descriptions.insert(&family.name, description);
                pushed.extend(family.series.iter().map(|series| Pushed {
                    name: series.labels.metric_name(),
                    fingerprint: series.labels.fingerprint(),
                    group,
                    at_us,
                    family,
                    series,
                }));
            }
        }
        segment.descriptions = descriptions.into_values().collect();
        segment.set(pushed);
        segment
    }

    /// Puts the values in order.
    fn set(&mut self, mut pushed: Vec<Pushed<'_>>) {
        // stable, so that of a series that a push names twice the last value is the later one
        pushed.sort_by_key(|p| (p.name, p.fingerprint, p.group, p.at_us));
        for Pushed { group, at_us, family, series, .. } in pushed {
            let end = self.rows.len();
            self.rows.push(at_us, &series.value);
            let found = SeriesRows {
                labels: series.labels.clone(),
                group,
                family: Arc::clone(&family.name),
                r#type: family.r#type,
                range: end..end + 1,
            };
            match self.series.last_mut() {
                Some(last) if last.is_same(&found) => last.range.end = end + 1,
                _ => self.series.push(found),
            }
        }
    }

    /// How many rows the file has.
    pub(crate) fn row_count(&self) -> usize {
        self.clears.len() + self.descriptions.len() + self.rows.len()
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        // texts are shared, so this is on the safe side
        let of_series = |series: &SeriesRows| size_of::<SeriesRows>() + series.labels.len() * 64 + 16;
        let histograms: usize = self
            .rows
            .histograms
            .iter()
            .map(|h| h.as_ref().map_or(8, |h| 200 + 8 * h.positive_counts.len()))
            .sum();
        self.series.iter().map(of_series).sum::<usize>()
            + self.rows.len() * 16
            + histograms
            + self.clears.len() * size_of::<ClearRow>()
            + self.descriptions.len() * 200
    }
}

#[cfg(test)]
mod tests;
