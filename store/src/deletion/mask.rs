//! A segment, run or frame without what is deleted.

use std::collections::HashMap;
use std::sync::Arc;

use model::{GroupKey, Labels, MetricType, Selection};

use super::recorded::{Condition, Recorded};
use crate::fold::{PUSH_FAILURE_FAMILY, Scope};
use crate::layout::Minute;
use crate::manifest::{Manifest, Object};
use crate::segment::{ClearRow, Fate, PushRow, Segment, SeriesRows};

/// Deletions that a file may still have something of.
#[derive(Clone, Debug)]
pub(crate) struct Mask(Vec<(Recorded, Selection)>);

impl Mask {
    /// For a run or a frame that was written with the first deletions in mind; `None`: with all of them.
    pub(crate) fn of_merged(manifest: &Manifest, deleted: u64) -> Option<Arc<Self>> {
        Self::of(manifest, |recorded| recorded.number > deleted)
    }

    /// For a segment of a minute; `None`: it came after all of them.
    pub(crate) fn of_segment(manifest: &Manifest, minute: Minute) -> Option<Arc<Self>> {
        Self::of(manifest, |recorded| recorded.through >= minute)
    }

    fn of(manifest: &Manifest, is_meant: impl Fn(&Recorded) -> bool) -> Option<Arc<Self>> {
        let meant = Self::new(manifest.deletions.iter().filter(|recorded| is_meant(recorded)));
        (!meant.0.is_empty()).then(|| Arc::new(meant))
    }

    pub(crate) fn new<'r>(meant: impl Iterator<Item = &'r Recorded>) -> Self {
        Self(meant.map(|recorded| (recorded.clone(), recorded.selection())).collect())
    }

    /// Whether a file may have something of it, by what the manifest says of the file.
    pub(crate) fn may_touch(&self, object: &Object) -> bool {
        self.0.iter().any(|(recorded, selection)| {
            let is_named = match (&object.names, selection.metric_name()) {
                (Some((first, last)), Some(name)) => first.as_str() <= name && name <= last.as_str(),
                (Some(_), None) => true,
                (None, _) => false,
            };
            // a head says what families are called and described as; the sums of a frame began earlier than its rows are
            object.head_rows > 0
                || is_named && recorded.from_us.is_none_or(|from_us| from_us <= object.times_us.1)
        })
    }

    /// The segment without what is deleted; `None`: it has nothing of it.
    pub(crate) fn apply(&self, segment: &Segment) -> Option<Segment> {
        let sifted = segment.sift(|series| self.judge(segment, series));
        let is_covered = |recorded: &Recorded, at_us: i64, family: &str, r#type| {
            recorded.from_us.is_none()
                && at_us <= recorded.to_us
                && covers(&recorded.matchers, family, r#type)
        };
        let any = |at_us: i64, family: &str, r#type| {
            self.0.iter().any(|(recorded, _)| is_covered(recorded, at_us, family, r#type))
        };
        let types: HashMap<&str, MetricType> =
            segment.descriptions.iter().map(|d| (&*d.family, d.metadata.r#type)).collect();
        let is_nameless = |clear: &&ClearRow| match &clear.scope {
            Scope::Family(_, family) => any(clear.stamp.at_us, family, types.get(&**family).copied()),
            _ => false,
        };
        let mut descriptions = segment.descriptions.clone();
        descriptions.retain(|d| !any(d.stamp.at_us, &d.family, Some(d.metadata.r#type)));
        let is_same_head = descriptions.len() == segment.descriptions.len()
            && !segment.clears.iter().any(|c| is_nameless(&c));
        if sifted.is_none() && is_same_head {
            return None;
        }
        let mut left = match sifted {
            Some(left) => left,
            None => {
                Segment { series: segment.series.clone(), rows: segment.rows.clone(), ..Segment::default() }
            }
        };
        // what a family ends that nobody can name any more is still a sign of life of its group
        let signs = segment.clears.iter().filter(is_nameless).filter_map(sign);
        left.pushes = segment.pushes.iter().copied().chain(signs).collect();
        left.pushes.sort_by_key(|push| push.stamp);
        left.clears = segment.clears.iter().filter(|clear| !is_nameless(clear)).cloned().collect();
        (left.writer, left.aggregates) = (segment.writer, segment.aggregates);
        (left.descriptions, left.expiries) = (descriptions, segment.expiries.clone());
        Some(left)
    }

    /// What becomes of the rows of a series; `None`: all stay.
    fn judge<'a>(
        &'a self,
        segment: &'a Segment,
        series: &SeriesRows,
    ) -> Option<impl Fn(usize) -> Fate + use<'a>> {
        let of_series = self.0.iter().filter(|(_, selection)| selection.matches(&series.labels));
        let meant: Vec<&Recorded> = of_series.map(|(recorded, _)| recorded).collect();
        let is_pushed = series.held.is_some();
        let judge = move |row: usize| {
            let (at_us, since_us) = (segment.rows.at_us[row], segment.rows.since_us(row));
            let touches = |recorded: &&&Recorded| recorded.touches(since_us.unwrap_or(at_us), at_us);
            let mut touching = meant.iter().filter(touches).peekable();
            if touching.peek().is_none() {
                Fate::Stays
            } else if !is_pushed || touching.any(|recorded| recorded.from_us.is_none()) {
                // nothing is left before it that it could have ended
                Fate::Goes
            } else {
                Fate::Ends
            }
        };
        let is_touched = |row| !matches!(judge(row), Fate::Stays);
        series.range.clone().any(is_touched).then_some(judge)
    }
}

/// A push to the group, where the end of a family was one.
fn sign(clear: &ClearRow) -> Option<PushRow> {
    let group: GroupKey = match &clear.scope {
        Scope::Family(group, family) if **family != *PUSH_FAILURE_FAMILY => *group,
        _ => return None,
    };
    Some(PushRow { stamp: clear.stamp, group, until_us: None, retry_key: None })
}

/// Whether all series of a family are meant, whatever their other labels.
fn covers(matchers: &[Condition], family: &str, r#type: Option<MetricType>) -> bool {
    if matchers.iter().any(|Condition(matcher)| *matcher.name != *Labels::NAME) {
        return false;
    }
    let is_meant = |suffix: &str| {
        let name = format!("{family}{suffix}");
        matchers.iter().all(|Condition(matcher)| matcher.matches(&name))
    };
    let suffixes: &[&str] = match r#type {
        Some(MetricType::Gauge | MetricType::Untyped) => &[""],
        Some(MetricType::Counter) if family.ends_with("_total") => &[""],
        Some(MetricType::Counter) => &["", "_total"],
        _ => &["", "_bucket", "_sum", "_count", "_total", "_info"],
    };
    suffixes.iter().all(|suffix| is_meant(suffix))
}
