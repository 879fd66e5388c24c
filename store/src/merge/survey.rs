//! What must be known of rows before a frame can be written: when groups that expired were last pushed to, and which histograms
//! have pushes of different bounds, of which one bucket cannot be folded without the others.

use std::collections::{HashMap, HashSet};

use model::{GroupKey, Labels, Stamp};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::frame::{FrameHeads, Surveyed};
use super::rounds::Round;
use crate::fold::{
    Carried, HISTOGRAM_BOUNDS_MAX, PUSH_TIME_FAMILY, SeriesEvents, carried, complete, histogram_of,
};
use crate::segment::{Held, Segment, SeriesRows};

/// A histogram of a group, by a hash of its labels.
type Histogram = (GroupKey, u128);

/// What one look at all rows tells.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    frames: usize,
    aggregates: bool,
    expired: HashSet<GroupKey>,
    last_pushes: HashMap<GroupKey, Stamp>,
    histograms: HashMap<Histogram, OfHistogram>,
    open: Option<(SeriesRows, Seen)>,
}

/// What the buckets of a histogram have in common.
#[derive(Debug)]
struct OfHistogram {
    bounds: usize,
    first: Pushes,
    is_uneven: bool,
}

/// Which pushes name a bucket: equal for two buckets only if the same pushes name both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pushes {
    count: u64,
    /// The sum of the hashes of their stamps.
    stamps: u64,
    is_carried: bool,
}

/// What was seen of one series of one group.
#[derive(Debug, Default)]
struct Seen {
    last: Option<(Stamp, bool)>,
    pushes: Pushes,
    /// As what kinds: a bucket of a histogram, and something else.
    kinds: (bool, bool),
}

impl Survey {
    pub(crate) fn new(heads: &FrameHeads) -> Self {
        let (frames, aggregates) = (heads.frames, heads.aggregates);
        Self { frames, aggregates, expired: heads.expired(), ..Self::default() }
    }

    pub(crate) fn take(&mut self, round: &Round) {
        for of_series in round.series().chunk_by(|(_, _, a), (_, _, b)| a.order() == b.order()) {
            let (_, _, series) = of_series[0];
            let mut seen = match self.open.take() {
                Some((open, seen)) if open.order() == series.order() => seen,
                Some((open, seen)) => {
                    self.note(&open, &seen);
                    Seen::default()
                }
                None => Seen::default(),
            };
            for (input, segment, rows) in of_series {
                seen.add(segment, rows, *input < self.frames);
            }
            if round.goes_on(series) {
                self.open = Some((series.clone(), seen));
            } else {
                self.note(series, &seen);
            }
        }
    }

    fn note(&mut self, series: &SeriesRows, seen: &Seen) {
        let Some(Held { group, .. }) = &series.held else { return };
        if let Some((stamp, true)) = seen.last
            && self.expired.contains(group)
        {
            let last = self.last_pushes.entry(*group).or_insert(stamp);
            *last = stamp.max(*last);
        }
        if !self.aggregates || !seen.kinds.0 {
            return;
        }
        let Some(histogram) = bounded(&series.labels) else { return };
        let pushes = seen.pushes;
        let known = self.histograms.entry((*group, histogram)).or_insert(OfHistogram {
            bounds: 0,
            first: pushes,
            is_uneven: false,
        });
        known.bounds += 1;
        known.is_uneven |= known.first != pushes || seen.kinds.1;
    }

    /// What is known now, and the histograms that have to be looked at as a whole.
    pub(crate) fn finish(mut self) -> (Surveyed, HashSet<Histogram>) {
        if let Some((open, seen)) = self.open.take() {
            self.note(&open, &seen);
        }
        let is_uneven = |of: &OfHistogram| of.is_uneven && of.bounds <= HISTOGRAM_BOUNDS_MAX;
        let uneven = self.histograms.into_iter().filter(|(_, of)| is_uneven(of)).map(|(key, _)| key);
        (Surveyed { last_pushes: self.last_pushes, ..Surveyed::default() }, uneven.collect())
    }
}

impl Seen {
    fn add(&mut self, segment: &Segment, rows: &SeriesRows, is_frame: bool) {
        let Some(Held { kind, .. }) = &rows.held else { return };
        let is_bucket = histogram_of(kind, &rows.labels).is_some();
        let is_push_time = *kind.family == *PUSH_TIME_FAMILY;
        for row in rows.range.clone() {
            let stamp = segment.stamp(row);
            if is_frame {
                // the newest counts, and it may say that nothing is held
                let (value, told) = (segment.rows.value(row), segment.rows.told(row));
                let is_told = Carried::new(kind.clone(), stamp, &value, told).is_told();
                self.pushes.is_carried = is_told && is_bucket;
                self.last = is_told.then_some((stamp, is_push_time));
                if !is_told {
                    continue;
                }
            } else {
                if is_bucket {
                    self.pushes.count += 1;
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&stamp.at_us.to_le_bytes());
                    bytes[8..].copy_from_slice(&stamp.writer.to_le_bytes());
                    self.pushes.stamps = self.pushes.stamps.wrapping_add(xxh3_64(&bytes));
                }
                if self.last.is_none_or(|(last, _)| last < stamp) {
                    self.last = Some((stamp, is_push_time));
                }
            }
            if is_bucket {
                self.kinds.0 = true;
            } else {
                self.kinds.1 = true;
            }
        }
    }
}

/// A hash of the labels of the histogram whose bucket a series may be.
fn bounded(labels: &Labels) -> Option<u128> {
    labels.get("le")?.parse::<f64>().ok()?;
    Some(xxh3_128(&labels.to_builder().remove("le").build().canonical_bytes()))
}

/// The events of histograms whose pushes have different bounds.
#[derive(Debug)]
pub(crate) struct Uneven {
    histograms: HashSet<Histogram>,
    events: HashMap<Labels, SeriesEvents>,
    rows: usize,
    rows_max: usize,
}

impl Uneven {
    pub(crate) fn new(histograms: HashSet<Histogram>, rows_max: usize) -> Self {
        Self { histograms, events: HashMap::new(), rows: 0, rows_max }
    }

    /// Takes rows of frames, oldest first, and of runs; false: there are more than there may be.
    pub(crate) fn take(&mut self, round: &Round) -> bool {
        for (_, segment, series) in round.series() {
            let Some(held) = &series.held else { continue };
            let is_asked = |histogram| self.histograms.contains(&(held.group, histogram));
            if bounded(&series.labels).is_some_and(is_asked) {
                self.rows += series.range.len();
                let of_series = self.events.entry(series.labels.clone()).or_default();
                of_series.group(held.group).add(segment, series, held);
            }
        }
        self.rows <= self.rows_max
    }

    /// What each bucket holds.
    pub(crate) fn finish(mut self, heads: &FrameHeads, surveyed: &mut Surveyed) {
        complete(&mut self.events);
        for (labels, groups) in self.events {
            for (group, events) in groups {
                let held = carried(events, group, &heads.ends);
                surveyed.uneven.insert((labels.clone(), group), held);
            }
        }
    }
}
