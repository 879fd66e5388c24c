//! Puts together what segments of pushes say about the series of a selection.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{
    GroupKey, Labels, Metadata, MetricType, NeededLabels, RetryKey, Selection, Series, Stamp, Value,
};

use super::LiveFamily;
use super::told::{Descriptions, Viewer};
use crate::fold::{Carried, Ends, GroupEvents, Heads, Pushed, SeriesEvents, complete, fold, widened};
use crate::segment::{Segment, SeriesRows, Span};

/// What tells a series from others: of its labels those that are needed, and the fingerprint of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) labels: Labels,
    pub(crate) fingerprint: i64,
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
pub(crate) struct Identified {
    pub(crate) series: Series,
    pub(crate) fingerprint: i64,
}

/// What is read of the pushes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushes {
    /// What was held before all segments: a full frame and those that say what differs from it, oldest first.
    pub(crate) frames: Vec<Arc<Segment>>,
    /// Runs and segments, in any order.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// The retry keys that counted before, or in runs, which have none.
    pub(crate) counted: Vec<(Stamp, RetryKey)>,
}

/// The events that concern a selection.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) series: HashMap<Identity, SeriesEvents>,
    pub(crate) ends: Arc<Ends>,
    /// From which these follow.
    pub(crate) heads: Heads,
    pub(crate) descriptions: Descriptions,
}

impl Gathered {
    /// `needed` are all labels if any of the segments aggregates.
    pub(crate) fn of(pushed: &Pushes, selection: &Selection, needed: &NeededLabels) -> Self {
        Self::within(pushed, selection, needed, &Span::default())
    }

    /// The same for the series of a span, which divides no name of buckets if any of the segments aggregates.
    pub(crate) fn within(pushed: &Pushes, selection: &Selection, needed: &NeededLabels, span: &Span) -> Self {
        let mut gathered = Self::heads_of(pushed, selection.end_ms);
        gathered.add_all(pushed, selection, needed, span);
        gathered
    }

    /// What is there for whatever selection ends then, before any row is read.
    pub(super) fn heads_of(pushed: &Pushes, end_ms: i64) -> Self {
        let Pushes { frames, segments, counted } = pushed;
        let mut gathered = Self::default();
        let mut heads = Heads::default();
        counted.iter().for_each(|(stamp, retry)| heads.counted(retry.key, *stamp));
        let mut known: HashSet<GroupKey> = HashSet::new();
        for frame in frames.iter().rev() {
            // of each group the newest frame that speaks of it counts
            gathered.add_head(&mut heads, frame, end_ms, |group| !known.contains(&group));
            known.extend(frame.pushes.iter().map(|push| push.group));
            known.extend(frame.expiries.iter().map(|expiry| expiry.group));
        }
        for segment in segments {
            gathered.add_head(&mut heads, segment, end_ms, |_| true);
        }
        gathered.ends = Arc::new(heads.ends());
        gathered.heads = heads;
        gathered
    }

    /// Takes the rows of a selection whose heads are known.
    pub(super) fn add_all(
        &mut self,
        pushed: &Pushes,
        selection: &Selection,
        needed: &NeededLabels,
        span: &Span,
    ) {
        let Pushes { frames, segments, .. } = pushed;
        let aggregates = frames.iter().chain(segments).any(|segment| segment.aggregates);
        let to_read = if aggregates { &widened(selection) } else { selection };
        for segment in frames.iter().chain(segments) {
            for series in segment.matching(to_read, span) {
                self.add_rows(segment, series, needed, selection.end_ms);
            }
        }
        if aggregates {
            let all = std::mem::take(&mut self.series).into_iter();
            let mut by_labels = all.map(|(identity, events)| (identity.labels, events)).collect();
            complete(&mut by_labels);
            let selected = by_labels.into_iter().filter(|(labels, _)| selection.matches(labels));
            self.series = selected.map(|(labels, events)| (Identity::of_all(labels), events)).collect();
        }
    }

    /// Takes what the head of a segment says up to a time, of the groups that are asked for.
    pub(super) fn add_head(
        &mut self,
        heads: &mut Heads,
        segment: &Segment,
        end_ms: i64,
        is_asked: impl Fn(GroupKey) -> bool,
    ) {
        for clear in segment.clears.iter().filter(|clear| is_before(clear.stamp.at_us, end_ms)) {
            heads.clear(clear.stamp, clear.scope.clone());
        }
        let expiries = segment.expiries.iter().filter(|expiry| is_before(expiry.at_us, end_ms));
        for expiry in expiries.filter(|expiry| is_asked(expiry.group)) {
            // what comes later is not asked for
            let until_us = expiry.until_us.filter(|until_us| is_before(*until_us, end_ms));
            heads.expire(expiry.group, expiry.at_us, until_us);
        }
        let pushes = segment.pushes.iter().filter(|push| is_before(push.stamp.at_us, end_ms));
        for push in pushes.filter(|push| is_asked(push.group)) {
            heads.push(Pushed {
                stamp: push.stamp,
                group: push.group,
                until_us: push.until_us,
                retry_key: push.retry_key,
            });
        }
        // files keep the last one of their time: what a family is does not depend on the time that is asked for
        segment.descriptions.iter().for_each(|description| self.descriptions.add(description));
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
        let group = series.group(held.group);
        group.reserve(count);
        let kind = group.kind(&held.kind);
        for row in rows.range.start..rows.range.start + count {
            let stamp = segment.stamp(row);
            let (value, told) = (segment.rows.value(row), segment.rows.told(row));
            if told.since_us.is_some() {
                group.carry(Carried::new(held.kind.clone(), stamp, &value, told));
            } else if !self.ends.is_repeated(stamp) {
                group.push_told(stamp, kind, value, told);
            }
        }
    }

    /// The series that hold something within the time.
    pub(crate) fn into_series(self, start_ms: i64, end_ms: i64) -> Vec<Identified> {
        let ends = self.ends;
        let folded = self.series.into_iter().map(|(Identity { labels, fingerprint }, events)| {
            let steps = fold(events, &ends, start_ms, end_ms);
            Identified { series: Series { labels, steps, ..Series::default() }, fingerprint }
        });
        folded.filter(|identified| !identified.series.steps.is_empty()).collect()
    }

    /// The values that hold at `at_ms`, by family, as far as a viewer sees them.
    pub(crate) fn into_live(self, at_ms: i64, viewer: Option<&Viewer>) -> Vec<LiveFamily> {
        let mut families: BTreeMap<Arc<str>, Live> = BTreeMap::new();
        for (Identity { labels, .. }, events) in self.series {
            let latest = events.iter().filter_map(|(_, group)| group.last()).max_by_key(|(stamp, _)| *stamp);
            let Some((stamp, kind)) = latest else { continue };
            let (name, told) = (Arc::clone(&kind.family), (stamp, kind.r#type));
            let pushed_us = match events.iter().count() {
                1 => Some(stamp.at_us),
                // of another group what was pushed later may have ended
                _ => events.iter().filter_map(|group| held_since(group, &self.ends, at_ms)).max(),
            };
            let steps = fold(events, &self.ends, at_ms, at_ms);
            let (Some(index), Some(pushed_us)) = (steps.at(at_ms), pushed_us) else {
                continue;
            };
            let histogram = steps.histograms.get(index).cloned().flatten();
            let value = histogram.map_or(Value::Float(steps.values[index]), Value::Histogram);
            let pushed_ms = pushed_us.div_euclid(1_000);
            let live = families.entry(name).or_default();
            if viewer.is_some_and(|viewer| !viewer.sees(&labels)) {
                live.has_unseen = true;
                continue;
            }
            if live.last.is_none_or(|(last, _)| last < told.0) {
                live.last = Some(told);
            }
            live.series.push((labels, value, pushed_ms));
        }
        families.retain(|_, live| !live.series.is_empty());
        let family = |(name, Live { mut series, last, has_unseen }): (Arc<str>, Live)| {
            series.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let pushed_ms = series.iter().map(|(.., pushed_ms)| *pushed_ms).collect();
            let series = series.into_iter().map(|(labels, value, _)| (labels, value)).collect();
            let metadata = self.descriptions.seen(&name, viewer, !has_unseen).cloned().unwrap_or_else(|| {
                let r#type = last.map(|(_, r#type)| r#type).unwrap_or_default();
                Metadata { r#type, ..Metadata::default() }
            });
            LiveFamily { name, metadata, series, pushed_ms }
        };
        families.into_iter().map(family).collect()
    }
}

/// What holds of a family.
#[derive(Default)]
struct Live {
    /// With when they were pushed, in milliseconds.
    series: Vec<(Labels, Value, i64)>,
    /// As what the family was pushed last, of those.
    last: Option<(Stamp, MetricType)>,
    /// Whether there are others, which the viewer does not see.
    has_unseen: bool,
}

/// When a group that holds something of a series was last pushed it.
fn held_since((group, events): &(GroupKey, GroupEvents), ends: &Ends, at_ms: i64) -> Option<i64> {
    let (stamp, _) = events.last()?;
    let alone = SeriesEvents::of(*group, events.clone());
    fold(alone, ends, at_ms, at_ms).at(at_ms).map(|_| stamp.at_us)
}

/// Whether a stamp lies in or before a millisecond.
fn is_before(at_us: i64, end_ms: i64) -> bool {
    at_us.div_euclid(1_000) <= end_ms
}
