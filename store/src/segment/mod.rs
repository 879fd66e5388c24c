//! One flush as one Parquet file: what it holds, apart from how it is encoded.

mod batches;
mod block;
mod chunk;
mod columns;
mod compressor;
mod decode;
mod encode;
mod error;
mod filter;
mod footer;
mod head;
mod histogram;
mod hybrid;
mod index;
mod label_column;
mod label_values;
mod listing;
mod matched;
mod needs;
mod pages;
mod partial;
mod prune;
mod row_group;
mod rows;
mod seal;
mod series_table;
mod sift;
mod span;
mod split;
mod stream;
mod texts;
mod times;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use model::{
    Change, GroupKey, Labels, MatchOp, Metadata, Push, RetryKey, Samples, Selection, Stamp, Teller, Value,
};

pub(crate) use block::{Block, Blocks};
pub(crate) use decode::decode;
pub(crate) use encode::{PAGED_ROWS_MIN, checksum, encode, encode_paged};
pub use error::SegmentError;
pub(crate) use index::Texts;
pub(crate) use label_values::LabelValues;
pub(crate) use listing::Listing;
pub(crate) use matched::{Look, Matched, Matching};
pub(crate) use partial::{Decoding, Partial, Step, Wanted};
pub(crate) use rows::{Lost, Rows, Told};
pub(crate) use seal::{Page, Sealed, SealedFooter, footer_start};
pub(crate) use series_table::{Columns, Keys, SeriesTable, expected_bytes as table_bytes};
pub(crate) use sift::Fate;
pub(crate) use span::{Mark, Place, Span, weight};
pub(crate) use stream::Streamed;

use crate::fold::{Kind, PUSH_FAILURE_FAMILY, Scope};
use crate::tail::Stamped;
use rows::{NO_START_US, Row};

/// The newest version that this code reads. Runs and frames are of it.
pub(crate) const FORMAT: u32 = 2;

/// The version of what writers write.
const FORMAT_OF_SEGMENTS: u32 = 1;

/// Fewer series are looked through without an index.
const INDEXED_SERIES_MIN: usize = 32;

/// To look at so many series and rows of them takes less than to have another thread do it.
const LITTLE_SERIES_MAX: usize = 1_000;
const LITTLE_ROWS_MAX: usize = 50_000;

/// About what a label takes in memory.
const LABEL_BYTES: usize = 64;

/// About what a row of a series that has no other takes in memory.
pub(crate) const ROW_BYTES: usize = 512;

/// About how many rows of a segment in memory have a mark.
const MARK_ROWS: usize = 4_096;

/// Everything that a segment holds: pushes, or samples. Rows are flat arrays in which each series has a range, so that a series costs
/// little and a row next to nothing beside its time and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Whose stamps these are.
    pub(crate) writer: u64,
    /// Whether some of it was pushed to be added up, and not just to replace what was there.
    pub(crate) aggregates: bool,
    /// What ends, in stamp order.
    pub(crate) clears: Vec<ClearRow>,
    /// The pushes of which more is to be said than what they end and set, in stamp order.
    pub(crate) pushes: Vec<PushRow>,
    /// Which groups expired; only in runs and frames.
    pub(crate) expiries: Vec<ExpireRow>,
    /// What is known about families, by name.
    pub(crate) descriptions: Vec<Description>,
    /// In order of metric name, fingerprint and group.
    pub(crate) series: Vec<SeriesRows>,
    /// What is set, added or sampled.
    pub(crate) rows: Rows,
    /// For questions about some of the series.
    pub(crate) index: index::LabelIndex,
}

/// Whether so many series are put together in no time, of which some have so many rows.
pub(crate) fn is_little(series: usize, rows_of_some: impl FnOnce() -> Option<usize>) -> bool {
    series == 0 || (series <= LITTLE_SERIES_MAX && series * rows_of_some().unwrap_or(0) <= LITTLE_ROWS_MAX)
}

/// At this time, what the scope holds ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClearRow {
    pub(crate) stamp: Stamp,
    pub(crate) scope: Scope,
}

/// A group expired at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpireRow {
    pub(crate) at_us: i64,
    pub(crate) group: GroupKey,
    /// When the group was ended after that, if that was before anybody pushed to it again.
    pub(crate) until_us: Option<i64>,
}

/// A push to a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PushRow {
    pub(crate) stamp: Stamp,
    pub(crate) group: GroupKey,
    /// When the group expires, unless it is pushed to again before.
    pub(crate) until_us: Option<i64>,
    pub(crate) retry_key: Option<RetryKey>,
}

/// From this time on, the family is described so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Description {
    pub(crate) stamp: Stamp,
    pub(crate) family: Arc<str>,
    /// Whose word it is; `None`: everybody's.
    pub(crate) told_by: Option<Teller>,
    pub(crate) metadata: Metadata,
}

impl Description {
    /// Of one of these, the last counts.
    pub(crate) fn key(&self) -> (Arc<str>, Option<Teller>) {
        (Arc::clone(&self.family), self.told_by)
    }
}

/// A series and where its rows stand; a pushed series as one group holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SeriesRows {
    /// All of them, or those that were asked for.
    pub(crate) labels: Labels,
    /// Of all labels.
    pub(crate) fingerprint: i64,
    /// `None`: samples.
    pub(crate) held: Option<Held>,
    pub(crate) range: Range<usize>,
}

/// Who holds a pushed series, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) group: GroupKey,
    pub(crate) kind: Kind,
}

/// A row on its way into a run or a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placing<'a> {
    pub(crate) at_us: i64,
    pub(crate) value: &'a Value,
    /// When the client began to count, if it said so.
    pub(crate) start_us: Option<i64>,
    pub(crate) told: Told<'a>,
}

impl SeriesRows {
    /// The order of series in a file, and which are the same.
    pub(crate) fn order(&self) -> (&str, i64, &Labels, Option<GroupKey>) {
        let group = self.held.as_ref().map(|held| held.group);
        (self.labels.metric_name(), self.fingerprint, &self.labels, group)
    }
}

/// A pushed value on its way into its place.
struct Placed<'a> {
    name: &'a str,
    fingerprint: i64,
    labels: &'a Labels,
    held: Held,
    row: Row<'a>,
}

impl Placed<'_> {
    fn order(&self) -> (&str, i64, &Labels, GroupKey, i64) {
        (self.name, self.fingerprint, self.labels, self.held.group, self.row.at_us)
    }
}

/// Samples of a series on their way into their place.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// The place of its metric name among all.
    name: usize,
    fingerprint: i64,
    labels: &'a Labels,
    samples: &'a Samples,
}

impl<'a> Part<'a> {
    fn of((labels, samples): &'a (Labels, Samples), names: &[&str]) -> Self {
        let name = names.partition_point(|name| *name < labels.metric_name());
        Self { name, fingerprint: labels.fingerprint(), labels, samples }
    }

    fn order(&self) -> (usize, i64, &Labels) {
        (self.name, self.fingerprint, self.labels)
    }
}

/// A sample as what it is kept as.
struct Sampled {
    at_us: i64,
    value: Value,
    start_us: i64,
}

impl Sampled {
    fn as_row(&self) -> Row<'_> {
        Row { at_us: self.at_us, value: &self.value, start_us: self.start_us, told: Told::default() }
    }
}

fn row_of(samples: &Samples, index: usize) -> Sampled {
    let histogram = samples.histograms.get(index).and_then(Clone::clone);
    let start_ms = samples.start_ms.get(index).copied().filter(|start_ms| *start_ms != 0);
    Sampled {
        at_us: samples.timestamps_ms[index].saturating_mul(1_000),
        value: histogram.map_or(Value::Float(samples.values[index]), Value::Histogram),
        start_us: start_ms.map_or(NO_START_US, |start_ms| start_ms.saturating_mul(1_000)),
    }
}

impl Segment {
    /// The rows of some pushes of one writer.
    pub(crate) fn from_pushes<'a>(writer: u64, pushes: impl IntoIterator<Item = &'a Stamped<Push>>) -> Self {
        let mut segment = Self { writer, ..Self::default() };
        let mut descriptions: BTreeMap<(&str, Option<Teller>), Description> = BTreeMap::new();
        let mut placed: Vec<Placed<'_>> = Vec::new();
        for Stamped { stamp, entry: push, .. } in pushes {
            // as it will be read: with the writer of the file
            let (stamp, group) = (Stamp { writer, ..*stamp }, push.group);
            segment.aggregates |= push.change == Change::Merge;
            segment.pushes.extend(push_row(stamp, push));
            segment.clears.extend(ends(push).map(|scope| ClearRow { stamp, scope }));
            for family in &push.families {
                let (help, unit) = (Arc::clone(&family.help), Arc::clone(&family.unit));
                let metadata = Metadata { r#type: family.r#type, help, unit };
                let (name, told_by) = (Arc::clone(&family.name), push.told_by);
                let description = Description { stamp, family: name, told_by, metadata };
                descriptions.insert((&family.name, told_by), description);
                placed.extend(family.series.iter().map(|series| Placed {
                    name: series.labels.metric_name(),
                    fingerprint: series.labels.fingerprint(),
                    labels: &series.labels,
                    held: Held {
                        group,
                        kind: Kind {
                            family: Arc::clone(&family.name),
                            r#type: family.r#type,
                            merge: series.merge,
                        },
                    },
                    row: Row {
                        at_us: stamp.at_us,
                        value: &series.value,
                        start_us: series.start_us.unwrap_or(NO_START_US),
                        told: Told::default(),
                    },
                }));
            }
        }
        segment.descriptions = descriptions.into_values().collect();
        placed.sort_by(|a, b| a.order().cmp(&b.order()));
        segment.rows.reserve(placed.len());
        for Placed { labels, fingerprint, held, row, .. } in placed {
            segment.place(labels, fingerprint, Some(held), row);
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
        let all: Vec<&(Labels, Samples)> = series.into_iter().collect();
        let mut names: Vec<&str> = Vec::new();
        for (labels, _) in &all {
            let name = labels.metric_name();
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        names.dedup();
        // metric names are compared once per series, and then their places
        let mut parts: Vec<Part<'_>> = all.into_iter().map(|series| Part::of(series, &names)).collect();
        parts.sort_by(|a, b| a.order().cmp(&b.order()));
        // arrays that grow are in memory twice
        segment.rows.reserve(parts.iter().map(|part| part.samples.len()).sum());
        segment.series.reserve(parts.len());
        for of_series in parts.chunk_by(|a, b| a.labels == b.labels) {
            let Part { labels, fingerprint, samples, .. } = of_series[0];
            let mut place = |samples: &Samples, index| {
                segment.place(labels, fingerprint, None, row_of(samples, index).as_row());
            };
            if of_series.len() == 1 && samples.timestamps_ms.is_sorted_by(|a, b| a < b) {
                (0..samples.len()).for_each(|index| place(samples, index));
                continue;
            }
            let mut order: Vec<(i64, &Samples, usize)> = of_series
                .iter()
                .flat_map(|part| {
                    (0..part.samples.len()).map(|i| (part.samples.timestamps_ms[i], part.samples, i))
                })
                .collect();
            if !order.is_sorted_by(|a, b| a.0 < b.0) {
                // the later written first, so that it is the one that stays
                order.reverse();
                order.sort_by_key(|(at_ms, ..)| *at_ms);
                order.dedup_by_key(|(at_ms, ..)| *at_ms);
            }
            order.into_iter().for_each(|(_, samples, index)| place(samples, index));
        }
        segment
    }

    /// Says what families are: of several things that are told of one, in order of stamps, the last.
    pub(crate) fn describe(&mut self, writer: u64, told: impl Iterator<Item = Description>) {
        let mut last: BTreeMap<(Arc<str>, Option<Teller>), Description> = BTreeMap::new();
        for description in told {
            let stamp = Stamp { writer, ..description.stamp };
            last.insert(description.key(), Description { stamp, ..description });
        }
        self.descriptions = last.into_values().collect();
    }

    /// Adds a row behind the last: to the last series, if it is that one.
    pub(crate) fn add(
        &mut self,
        labels: &Labels,
        fingerprint: i64,
        held: Option<Held>,
        placing: Placing<'_>,
    ) {
        let Placing { at_us, value, start_us, told } = placing;
        let start_us = start_us.unwrap_or(NO_START_US);
        self.place(labels, fingerprint, held, Row { at_us, value, start_us, told });
    }

    /// Adds another row to the last series.
    pub(crate) fn add_more(&mut self, placing: Placing<'_>) {
        let Placing { at_us, value, start_us, told } = placing;
        let start_us = start_us.unwrap_or(NO_START_US);
        self.place_again(Row { at_us, value, start_us, told });
    }

    /// Adds a row behind the last: to the last series, if it is that one.
    fn place(&mut self, labels: &Labels, fingerprint: i64, held: Option<Held>, row: Row<'_>) {
        let is_same = |last: &SeriesRows| {
            last.fingerprint == fingerprint && last.held == held && last.labels == *labels
        };
        if self.series.last().is_some_and(is_same) {
            self.place_again(row);
            return;
        }
        let at = self.rows.len();
        self.rows.push(row);
        self.series.push(SeriesRows { labels: labels.clone(), fingerprint, held, range: at..at + 1 });
    }

    /// Adds a row to the last series.
    fn place_again(&mut self, row: Row<'_>) {
        self.rows.push(row);
        if let Some(last) = self.series.last_mut() {
            last.range.end += 1;
        }
    }

    /// Adds float samples behind the last row: to the last series, if it is that one.
    fn place_plain(&mut self, labels: &Labels, fingerprint: i64, at_us: &[i64], values: &[f64]) {
        let from = self.rows.len();
        self.rows.extend_plain(at_us, values);
        let to = self.rows.len();
        let is_same = |last: &SeriesRows| {
            last.fingerprint == fingerprint && last.held.is_none() && last.labels == *labels
        };
        match self.series.last_mut() {
            Some(last) if is_same(last) => last.range.end = to,
            _ => {
                let (labels, range) = (labels.clone(), from..to);
                self.series.push(SeriesRows { labels, fingerprint, held: None, range });
            }
        }
    }

    /// First and last time of any row that says what a series held.
    pub(crate) fn time_range(&self) -> Option<(i64, i64)> {
        let of_clears = self.clears.iter().map(|clear| clear.stamp.at_us);
        let of_pushes = self.pushes.iter().map(|push| push.stamp.at_us);
        let of_head = of_clears.chain(of_pushes).chain(self.expiries.iter().map(|expiry| expiry.at_us));
        let times = || of_head.clone().chain(self.rows.at_us.iter().copied());
        Some((times().min()?, times().max()?))
    }

    /// The series of a span that a selection asks for.
    pub(crate) fn matching<'a>(
        &'a self,
        selection: &'a Selection,
        span: &Span,
    ) -> impl Iterator<Item = &'a SeriesRows> + use<'a> {
        let (indexed, others) = self.candidates(selection, span);
        let indexed = indexed.iter().filter_map(|&place| self.series.get(place as usize));
        indexed.chain(others).filter(|series| selection.matches(&series.labels))
    }

    /// Where they stand among all series.
    pub(crate) fn matching_places<'a>(
        &'a self,
        selection: &'a Selection,
        span: &Span,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let (indexed, others) = self.candidates(selection, span);
        let start = self.range(selection.metric_name(), span).start;
        let places = indexed.iter().map(|&place| place as usize).chain(start..start + others.len());
        places.filter(|&place| selection.matches(&self.series[place].labels))
    }

    /// The labels of the series that match and have a row of the time.
    pub(crate) fn labels_within<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a Labels> {
        let series = self.matching_places(selection, &Span::default()).map(|place| &self.series[place]);
        let has_rows = |series: &&SeriesRows| !self.rows_within(series, selection).is_empty();
        series.filter(has_rows).map(|series| &series.labels)
    }

    /// First and last time of its rows, if it has any.
    pub(crate) fn times_us(&self) -> Option<(i64, i64)> {
        let of_series = |series: &SeriesRows| {
            let times = &self.rows.at_us[series.range.clone()];
            Some((*times.first()?, *times.last()?))
        };
        self.series.iter().filter_map(of_series).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The names of the labels of its series, each once.
    pub(crate) fn label_names(&self) -> Texts {
        self.index.names(&self.series)
    }

    /// The values of a label of its series, each once.
    pub(crate) fn label_values(&self, name: &str) -> Texts {
        self.index.values(&self.series, name)
    }

    /// How many series have to be looked at to know which ones a selection asks for.
    pub(crate) fn candidate_count(&self, selection: &Selection) -> usize {
        let (indexed, others) = self.candidates(selection, &Span::default());
        indexed.len() + others.len()
    }

    /// Whether the series that a selection asks for are put together in no time.
    pub(crate) fn is_little(&self, selection: &Selection) -> bool {
        let places = self.named(selection.metric_name());
        let ends = || [&self.series[places.start], &self.series[places.end - 1]];
        // what was pushed holds, so all of its rows are looked at
        let all = || ends()[1].range.end - ends()[0].range.start;
        let within = || ends().map(|series| self.rows_within(series, selection).len()).into_iter().max();
        let rows_of_some = || match ends()[0].held {
            Some(_) => Some(all().div_ceil(places.len())),
            None => within(),
        };
        is_little(places.len(), rows_of_some) && self.head_rows() <= LITTLE_SERIES_MAX
    }

    /// The rows of a series that lie within the time of a selection.
    pub(crate) fn rows_within(&self, series: &SeriesRows, selection: &Selection) -> Range<usize> {
        let (start_us, end_us) = (
            selection.start_ms.saturating_mul(1_000),
            selection.end_ms.saturating_mul(1_000).saturating_add(999),
        );
        let times = &self.rows.at_us[series.range.clone()];
        let first = times.partition_point(|&at_us| at_us < start_us);
        let end = first + times[first..].partition_point(|&at_us| at_us <= end_us);
        series.range.start + first..series.range.start + end
    }

    /// Says that many selections will ask for some of the series each.
    pub(crate) fn expect_many(&self, selections: &[Selection]) {
        self.index.expect_many();
        if let Some(selection) = selections.first() {
            self.candidate_count(selection);
        }
    }

    /// The series of a span among which a selection finds its own: by their places, or in a row.
    fn candidates(&self, selection: &Selection, span: &Span) -> (&[u32], &[SeriesRows]) {
        let range = self.range(selection.metric_name(), span);
        if range.len() < INDEXED_SERIES_MIN || !self.index.is_worth_it() {
            return (&[], &self.series[range]);
        }
        let exact = selection.matchers.iter().filter(|matcher| {
            matcher.op == MatchOp::Equal && !matcher.value.is_empty() && *matcher.name != *Labels::NAME
        });
        let places = exact.filter_map(|m| self.index.places(&self.series, &m.name, &m.value));
        match places.min_by_key(|places| places.len()) {
            Some(places) => {
                let start = places.partition_point(|&place| (place as usize) < range.start);
                let end = places.partition_point(|&place| (place as usize) < range.end);
                (&places[start..end], &[])
            }
            None => (&[], &self.series[range]),
        }
    }

    /// Where the series of a metric name, or all, stand that are in a span.
    fn range(&self, name: Option<&str>, span: &Span) -> Range<usize> {
        let of_name = self.named(name);
        let series = &self.series[of_name.clone()];
        // sorted by metric name and fingerprint
        let is_after = |series: &SeriesRows| span.is_after(series.labels.metric_name(), series.fingerprint);
        let start = match span.from {
            Some(_) => series.partition_point(is_after),
            None => 0,
        };
        let end = match span.to {
            Some(_) => series.partition_point(|series| {
                let (name, fingerprint) = (series.labels.metric_name(), series.fingerprint);
                !span.is_before(name, fingerprint)
            }),
            None => series.len(),
        };
        let first = of_name.start;
        first + start.min(end)..first + end
    }

    /// Where the series of a metric name stand, or all.
    fn named(&self, name: Option<&str>) -> Range<usize> {
        let (Some(name), Some(first), Some(last)) = (name, self.series.first(), self.series.last()) else {
            return 0..self.series.len();
        };
        if first.labels.metric_name() == name && last.labels.metric_name() == name {
            return 0..self.series.len();
        }
        // sorted by metric name
        let start = self.series.partition_point(|series| series.labels.metric_name() < name);
        let length = self.series[start..].partition_point(|series| series.labels.metric_name() == name);
        start..start + length
    }

    /// Takes label sets from another segment where they are the same, so that they are in memory once. Says about how many
    /// bytes that spares.
    pub(crate) fn share_labels(&mut self, other: &Self) -> usize {
        let mut others = other.series.iter().peekable();
        let mut shared = 0;
        for series in &mut self.series {
            let at = (series.labels.metric_name(), series.fingerprint);
            while others.next_if(|other| (other.labels.metric_name(), other.fingerprint) < at).is_some() {}
            if let Some(other) = others.peek().filter(|other| other.labels == series.labels) {
                series.labels = other.labels.clone();
                shared += series.labels.len() * LABEL_BYTES;
            }
        }
        shared
    }

    /// Where rows stand that may match one of some selections, by name, each with its [`weight`].
    pub(crate) fn marks(&self, matching: &[Selection]) -> Vec<Mark> {
        let mut marks: Vec<Mark> = Vec::new();
        for selection in matching {
            let mut rest = &self.series[self.named(selection.metric_name())];
            while let Some(first) = rest.first() {
                // a mark costs more than a row
                let enough = first.range.start + MARK_ROWS;
                let series = rest.partition_point(|series| series.range.start < enough).max(1);
                let rows = rest[series - 1].range.end - first.range.start;
                marks.push((
                    Place { name: first.labels.metric_name().into(), fingerprint: first.fingerprint },
                    weight(rows, series),
                ));
                rest = &rest[series..];
            }
        }
        marks
    }

    /// How many rows the file has.
    pub(crate) fn row_count(&self) -> usize {
        self.head_rows() + self.rows.len()
    }

    /// How many of them say what ends, what was pushed and what is described.
    fn head_rows(&self) -> usize {
        self.clears.len() + self.pushes.len() + self.expiries.len() + self.descriptions.len()
    }

    /// The stamp of a row.
    pub(crate) fn stamp(&self, row: usize) -> Stamp {
        Stamp { at_us: self.rows.at_us[row], writer: self.rows.writer(row).unwrap_or(self.writer) }
    }

    /// The stamps of the head, in no order.
    pub(crate) fn head_stamps(&self) -> impl Iterator<Item = Stamp> + '_ {
        let of_clears = self.clears.iter().map(|clear| clear.stamp);
        let of_pushes = self.pushes.iter().map(|push| push.stamp);
        of_clears.chain(of_pushes).chain(self.descriptions.iter().map(|description| description.stamp))
    }

    /// The version whose readers understand it.
    fn format(&self) -> u32 {
        let tells = self.rows.tells() || !self.expiries.is_empty() || self.has_writers();
        if tells { FORMAT } else { FORMAT_OF_SEGMENTS }
    }

    /// Whether some stamps are another writer's than the file's.
    fn has_writers(&self) -> bool {
        !self.rows.writers.is_empty() || self.head_stamps().any(|stamp| stamp.writer != self.writer)
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        // texts are shared, so this is on the safe side
        let of_series = |series: &SeriesRows| {
            size_of::<SeriesRows>() + series.labels.len() * LABEL_BYTES + 16 + index::INDEX_BYTES
        };
        let histograms: usize = self
            .rows
            .histograms
            .iter()
            .map(|h| h.as_ref().map_or(8, |h| 200 + 8 * h.positive_counts.len()))
            .sum();
        self.series.iter().map(of_series).sum::<usize>()
            + self.rows.len() * 16
            + self.rows.start_us.len() * 8
            + histograms
            + self.clears.len() * size_of::<ClearRow>()
            + self.pushes.len() * size_of::<PushRow>()
            + self.expiries.len() * size_of::<ExpireRow>()
            + (self.rows.until_us.len() + self.rows.writers.len() + self.rows.since_us.len()) * 8
            + (self.rows.lost.len() + self.rows.lost_histograms.len()) * 8
            + self.descriptions.len() * 200
    }
}

/// What is to be said of a push besides what it ends and sets. What a PUT or POST ends says already that it was there.
fn push_row(stamp: Stamp, push: &Push) -> Option<PushRow> {
    let until_us = push.ttl_us.map(|ttl_us| stamp.at_us.saturating_add_unsigned(ttl_us));
    // a push that only tells of a failure is no sign of life
    let is_alive = push.families.iter().any(|family| *family.name != *PUSH_FAILURE_FAMILY);
    let is_unseen = push.change == Change::Merge && is_alive;
    let needed = until_us.is_some() || push.retry_key.is_some() || is_unseen;
    needed.then_some(PushRow { stamp, group: push.group, until_us, retry_key: push.retry_key })
}

/// What a push ends before it sets or adds anything.
fn ends(push: &Push) -> impl Iterator<Item = Scope> + '_ {
    let group = push.group;
    let whole = match push.change {
        Change::Delete => Some(Scope::Group(group)),
        Change::ReplaceGroup => Some(Scope::GroupButFailure(group)),
        Change::Wipe => Some(Scope::Everything),
        Change::ReplaceFamilies | Change::Merge => None,
    };
    let families = push.families.iter().filter(move |family| match push.change {
        Change::ReplaceFamilies => true,
        Change::Merge => family.replaces,
        _ => false,
    });
    whole.into_iter().chain(families.map(move |family| Scope::Family(group, Arc::clone(&family.name))))
}

#[cfg(test)]
mod tests;
