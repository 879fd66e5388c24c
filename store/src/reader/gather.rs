//! Puts together what segments of pushes say about the series of a selection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Labels, Metadata, NeededLabels, Selection, Series, Stamp, Value};

use super::LiveFamily;
use crate::fold::{Ends, Heads, Pushed, SeriesEvents, complete, fold, widened};
use crate::segment::{Segment, SeriesRows};

/// What tells a series from others: of its labels those that are needed, and the fingerprint of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) labels: Labels,
    pub(super) fingerprint: i64,
}

impl Identity {
    pub(super) fn of(rows: &SeriesRows, needed: &NeededLabels) -> Self {
        let labels = match needed {
            NeededLabels::All => rows.labels.clone(),
            NeededLabels::These(_) => {
                let kept = rows.labels.iter().filter(|label| needed.includes(&label.name)).cloned();
                Labels::from_sorted(kept.collect())
            }
        };
        Self { labels, fingerprint: rows.fingerprint }
    }

    fn of_all(labels: Labels) -> Self {
        Self { fingerprint: labels.fingerprint(), labels }
    }
}

/// A series and the fingerprint of all of its labels.
#[derive(Clone, Debug)]
pub(super) struct Identified {
    pub(super) series: Series,
    pub(super) fingerprint: i64,
}

/// The events that concern a selection.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) series: HashMap<Identity, SeriesEvents>,
    pub(super) ends: Ends,
    /// By family: the latest description and when it was given.
    pub(super) descriptions: HashMap<Arc<str>, (Stamp, Metadata)>,
}

impl Gathered {
    /// `needed` are all labels if any of the segments aggregates.
    pub(super) fn of(segments: &[Arc<Segment>], selection: &Selection, needed: &NeededLabels) -> Self {
        let aggregates = segments.iter().any(|segment| segment.aggregates);
        let to_read = if aggregates { &widened(selection) } else { selection };
        let end_ms = selection.end_ms;
        let mut gathered = Self::default();
        let mut heads = Heads::default();
        for segment in segments {
            gathered.add_head(&mut heads, segment, end_ms);
        }
        gathered.ends = heads.ends();
        for segment in segments {
            for series in segment.matching(to_read) {
                gathered.add_rows(segment, series, needed, end_ms);
            }
        }
        if aggregates {
            let all = std::mem::take(&mut gathered.series).into_iter();
            let mut by_labels = all.map(|(identity, events)| (identity.labels, events)).collect();
            complete(&mut by_labels);
            let selected = by_labels.into_iter().filter(|(labels, _)| selection.matches(labels));
            gathered.series = selected.map(|(labels, events)| (Identity::of_all(labels), events)).collect();
        }
        gathered
    }

    /// Takes what the head of a segment says up to a time.
    pub(super) fn add_head(&mut self, heads: &mut Heads, segment: &Segment, end_ms: i64) {
        let stamp = |at_us| Stamp { at_us, writer: segment.writer };
        for clear in segment.clears.iter().filter(|clear| is_before(clear.at_us, end_ms)) {
            heads.clear(stamp(clear.at_us), clear.scope.clone());
        }
        for push in segment.pushes.iter().filter(|push| is_before(push.at_us, end_ms)) {
            heads.push(Pushed {
                stamp: stamp(push.at_us),
                group: push.group,
                until_us: push.until_us,
                retry_key: push.retry_key,
            });
        }
        for description in segment.descriptions.iter().filter(|d| is_before(d.at_us, end_ms)) {
            let stamp = stamp(description.at_us);
            let known = self.descriptions.get(&description.family);
            if known.is_none_or(|(known, _)| *known < stamp) {
                let metadata = description.metadata.clone();
                self.descriptions.insert(Arc::clone(&description.family), (stamp, metadata));
            }
        }
    }

    fn add_rows(&mut self, segment: &Segment, rows: &SeriesRows, needed: &NeededLabels, end_ms: i64) {
        let Some(held) = &rows.held else {
            return;
        };
        let ats = &segment.rows.at_us[rows.range.clone()];
        let count = ats.partition_point(|&at_us| is_before(at_us, end_ms));
        if count == 0 {
            return;
        }
        let series = self.series.entry(Identity::of(rows, needed)).or_default();
        let group = series.entry(held.group).or_default();
        let kind = group.kind(&held.kind);
        for (row, &at_us) in (rows.range.start..).zip(&ats[..count]) {
            let stamp = Stamp { at_us, writer: segment.writer };
            if !self.ends.is_repeated(stamp) {
                group.push(stamp, kind, segment.rows.value(row));
            }
        }
    }

    /// The series that hold something within the time.
    pub(super) fn into_series(self, start_ms: i64, end_ms: i64) -> Vec<Identified> {
        let ends = self.ends;
        let folded = self.series.into_iter().map(|(Identity { labels, fingerprint }, events)| {
            let steps = fold(events, &ends, start_ms, end_ms);
            Identified { series: Series { labels, steps, ..Series::default() }, fingerprint }
        });
        folded.filter(|identified| !identified.series.steps.is_empty()).collect()
    }

    /// The values that hold at `at_ms`, by family.
    pub(super) fn into_live(self, at_ms: i64) -> Vec<LiveFamily> {
        let mut families: BTreeMap<Arc<str>, LiveFamily> = BTreeMap::new();
        for (Identity { labels, .. }, events) in self.series {
            let latest = events.values().filter_map(|group| group.last()).max_by_key(|(stamp, _)| *stamp);
            let Some(name) = latest.map(|(_, kind)| Arc::clone(&kind.family)) else {
                continue;
            };
            let steps = fold(events, &self.ends, at_ms, at_ms);
            let Some(index) = steps.at(at_ms) else {
                continue;
            };
            let histogram = steps.histograms.get(index).cloned().flatten();
            let value = histogram.map_or(Value::Float(steps.values[index]), Value::Histogram);
            let family = families.entry(Arc::clone(&name)).or_insert_with(|| LiveFamily {
                metadata: self
                    .descriptions
                    .get(&name)
                    .map(|(_, metadata)| metadata.clone())
                    .unwrap_or_default(),
                name,
                series: Vec::new(),
            });
            family.series.push((labels, value));
        }
        let mut families: Vec<LiveFamily> = families.into_values().collect();
        for family in &mut families {
            family.series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        families
    }
}

/// Whether a stamp lies in or before a millisecond.
fn is_before(at_us: i64, end_ms: i64) -> bool {
    at_us.div_euclid(1_000) <= end_ms
}
