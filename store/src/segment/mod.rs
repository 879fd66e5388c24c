//! One flush as one Parquet file: what it holds, apart from how it is encoded.

mod columns;
mod decode;
mod encode;
mod error;
mod histogram;
mod texts;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use model::{Change, GroupKey, Histogram, Labels, Metadata, MetricType, Push, Samples, Selection, Value};

pub(crate) use decode::decode;
pub(crate) use encode::{checksum, encode};
pub use error::SegmentError;

use crate::fold::Scope;
use crate::tail::Stamped;

/// The version that this code writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Everything that a segment holds: pushes, or samples. Rows are flat arrays in which each series has a range, so that a series costs
/// little and a row next to nothing beside its time and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
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

/// A series and where its rows stand; a pushed series as one group holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesRows {
    pub(crate) labels: Labels,
    /// `None`: samples.
    pub(crate) held: Option<Held>,
    pub(crate) range: Range<usize>,
}

/// Who holds a pushed series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) group: GroupKey,
    pub(crate) family: Arc<str>,
    pub(crate) r#type: MetricType,
}

/// At `at_us[i]` the series has the value i, and if it was pushed, from then on; ascending within a series.
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
struct Placed<'a> {
    name: &'a str,
    fingerprint: i64,
    labels: &'a Labels,
    held: Held,
    at_us: i64,
    value: &'a Value,
}

impl Placed<'_> {
    fn order(&self) -> (&str, i64, &Labels, GroupKey, i64) {
        (self.name, self.fingerprint, self.labels, self.held.group, self.at_us)
    }
}

impl Segment {
    /// The rows of some pushes of one writer.
    pub(crate) fn from_pushes<'a>(writer: u64, pushes: impl IntoIterator<Item = &'a Stamped<Push>>) -> Self {
        let mut segment = Self { writer, ..Self::default() };
        let mut descriptions: BTreeMap<&str, Description> = BTreeMap::new();
        let mut placed: Vec<Placed<'_>> = Vec::new();
        for Stamped { stamp, entry: push, .. } in pushes {
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
                let held = Held { group, family: Arc::clone(&family.name), r#type: family.r#type };
                placed.extend(family.series.iter().map(|series| Placed {
                    name: series.labels.metric_name(),
                    fingerprint: series.labels.fingerprint(),
                    labels: &series.labels,
                    held: held.clone(),
                    at_us,
                    value: &series.value,
                }));
            }
        }
        segment.descriptions = descriptions.into_values().collect();
        placed.sort_by(|a, b| a.order().cmp(&b.order()));
        for Placed { labels, held, at_us, value, .. } in placed {
            segment.place(labels, Some(held), at_us, value);
        }
        segment
    }

    /// The rows of some samples, in the order in which they were written: of those with the same series and time the
    /// last counts.
    pub(crate) fn from_samples<'a>(
        writer: u64,
        series: impl IntoIterator<Item = &'a (Labels, Samples)>,
    ) -> Self {
        let mut segment = Self { writer, ..Self::default() };
        let mut parts: Vec<(&str, i64, &Labels, &Samples)> = series
            .into_iter()
            .map(|(labels, samples)| (labels.metric_name(), labels.fingerprint(), labels, samples))
            .collect();
        parts.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
        for of_series in parts.chunk_by(|a, b| a.2 == b.2) {
            let mut order: Vec<(i64, &Samples, usize)> = of_series
                .iter()
                .flat_map(|(.., samples)| (0..samples.len()).map(|i| (samples.timestamps_ms[i], *samples, i)))
                .collect();
            if !order.is_sorted_by(|a, b| a.0 < b.0) {
                // the later written first, so that it is the one that stays
                order.reverse();
                order.sort_by_key(|(at_ms, ..)| *at_ms);
                order.dedup_by_key(|(at_ms, ..)| *at_ms);
            }
            for (at_ms, samples, index) in order {
                let histogram = samples.histograms.get(index).and_then(Clone::clone);
                let value = histogram.map_or(Value::Float(samples.values[index]), Value::Histogram);
                segment.place(of_series[0].2, None, at_ms.saturating_mul(1_000), &value);
            }
        }
        segment
    }

    /// Adds a row behind the last: to the last series, if it is that one.
    fn place(&mut self, labels: &Labels, held: Option<Held>, at_us: i64, value: &Value) {
        if self.series.last().is_some_and(|last| last.held == held && last.labels == *labels) {
            self.place_again(at_us, value);
            return;
        }
        let row = self.rows.len();
        self.rows.push(at_us, value);
        self.series.push(SeriesRows { labels: labels.clone(), held, range: row..row + 1 });
    }

    /// Adds a row to the last series.
    fn place_again(&mut self, at_us: i64, value: &Value) {
        self.rows.push(at_us, value);
        if let Some(last) = self.series.last_mut() {
            last.range.end += 1;
        }
    }

    /// First and last time of any row that says what a series held.
    pub(crate) fn time_range(&self) -> Option<(i64, i64)> {
        let of_clears = self.clears.iter().map(|clear| clear.at_us);
        let times = || of_clears.clone().chain(self.rows.at_us.iter().copied());
        Some((times().min()?, times().max()?))
    }

    /// The series that a selection asks for.
    pub(crate) fn matching<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a SeriesRows> {
        let of_name = match selection.metric_name() {
            Some(name) => {
                // sorted by metric name
                let start = self.series.partition_point(|series| series.labels.metric_name() < name);
                let length =
                    self.series[start..].partition_point(|series| series.labels.metric_name() == name);
                &self.series[start..start + length]
            }
            None => &self.series[..],
        };
        of_name.iter().filter(|series| selection.matches(&series.labels))
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
