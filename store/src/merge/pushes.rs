//! Segments or runs of pushes become a run.

use model::{GroupKey, RetryKey, Stamp, Value};

use super::contested::Contested;
use super::rounds::Round;
use super::thin::Cells;
use super::{FileLimits, Filling, Span, head};
use crate::fold::{Ends, Kind};
use crate::segment::{Held, Lost, Placing, Segment, SeriesRows, Told};

/// A row of one of the inputs.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    stamp: Stamp,
    input: &'a Segment,
    kind: &'a Kind,
    row: usize,
}

/// An event on its way into the run.
#[derive(Clone, Debug)]
pub(super) struct Kept<'a> {
    pub(super) stamp: Stamp,
    pub(super) kind: &'a Kind,
    pub(super) value: Value,
    pub(super) lost: f64,
    pub(super) start_us: Option<i64>,
    pub(super) until_us: Option<i64>,
}

/// What must be known before the first row is merged.
#[derive(Debug)]
pub(crate) struct Known<'h> {
    /// What the heads of all inputs say; their rows are not looked at.
    pub(crate) heads: &'h [Segment],
    /// What lies outside it is left out, since a segment may go on into the next minute.
    pub(crate) span: Span,
    /// The retry keys of pushes before the span that counted.
    pub(crate) counted: &'h [(RetryKey, Stamp)],
    pub(crate) contested: Contested,
    /// Where rows may be joined; `None`: nowhere.
    pub(crate) cells: Option<Cells>,
    pub(crate) limits: FileLimits,
}

/// Merges segments, or runs, of pushes to one run of a span, of which they must hold all. The same inputs, in whatever order,
/// become the same run.
#[derive(Debug)]
pub(crate) struct PushMerge {
    span: Span,
    ends: Ends,
    contested: Contested,
    cells: Option<Cells>,
    /// The first rows of a series of which more may come.
    held: Option<Segment>,
    held_rows_max: usize,
    files: Filling,
    /// The retry keys that counted in segments, by key.
    pub(crate) keys: Vec<(RetryKey, Stamp)>,
    /// Rows that are not in the run since their pushes repeat others, or since they were read twice.
    pub(crate) repeated_rows: u64,
    /// Rows that were added to others.
    pub(crate) joined_rows: u64,
}

/// So many rows of a series wait for those that come after them, so that what may be joined is. Of a series that has more, what
/// waits is but the last cell.
const HELD_ROWS_MAX: usize = 1 << 16;

impl PushMerge {
    pub(crate) fn new(known: Known<'_>) -> Self {
        let Known { heads: inputs, span, counted, contested, cells, limits } = known;
        let mut heads = head::heads(inputs, span, counted);
        let ends = heads.ends();
        let mut run =
            Segment { aggregates: inputs.iter().any(|input| input.aggregates), ..Segment::default() };
        let keys = keys(inputs, span, &ends, &contested);
        head::condense(&mut run, inputs, (&heads, &ends), span, &contested);
        Self {
            span,
            ends,
            contested,
            cells,
            held: None,
            held_rows_max: HELD_ROWS_MAX,
            files: Filling::new(run, limits),
            keys,
            repeated_rows: 0,
            joined_rows: 0,
        }
    }

    /// The same, holding back no more rows than so many.
    #[cfg(test)]
    pub(crate) fn holding(self, held_rows_max: usize) -> Self {
        Self { held_rows_max, ..self }
    }

    /// Merges some rows, and gives the files that are full.
    pub(crate) fn take(&mut self, round: &Round) -> Vec<Segment> {
        let held = self.held.take();
        let inputs = held.iter().chain(&round.parts);
        let series = inputs.flat_map(|input| input.series.iter().map(move |series| (input, series)));
        let mut series: Vec<(&Segment, &SeriesRows)> = series.collect();
        series.sort_by(|(_, a), (_, b)| a.order().cmp(&b.order()));
        for of_series in series.chunk_by(|(_, a), (_, b)| a.order() == b.order()) {
            let SeriesRows { held: Some(Held { group, .. }), .. } = of_series[0].1 else {
                // samples have no events
                continue;
            };
            let mut places = places(of_series, self.span);
            let rows = places.len();
            places.retain(|place| !self.ends.is_repeated(place.stamp));
            places.dedup_by_key(|place| place.stamp);
            self.repeated_rows += (rows - places.len()) as u64;
            let complete = if round.goes_on(of_series[0].1) { self.complete(&places) } else { places.len() };
            self.merge(of_series[0].1, *group, &places, complete);
            if complete < places.len() {
                self.held = Some(held_back(of_series[0].1, *group, &places[complete..]));
            }
        }
        self.files.take_full()
    }

    /// How many of the places of a series need not wait for those that may come.
    fn complete(&self, places: &[Place<'_>]) -> usize {
        if places.len() <= self.held_rows_max {
            return 0;
        }
        let last = places.len() - 1;
        let Some(cells) = &self.cells else { return last };
        let cell = |place: usize| cells.cell(places[place].stamp.at_us);
        (1..=last).rev().find(|place| cell(*place) != cell(place - 1)).unwrap_or(last)
    }

    /// Adds the first of some places of one series of one group to the run.
    fn merge(&mut self, series: &SeriesRows, group: GroupKey, places: &[Place<'_>], complete: usize) {
        let mut kept = ended(places, complete, group, &self.ends, self.span);
        if let Some(cells) = &self.cells {
            self.joined_rows += cells.join(&series.labels, group, &mut kept, &self.contested);
        }
        let mut last_kind: Option<&Kind> = None;
        for event in kept {
            let Kept { stamp, kind, ref value, lost, start_us, until_us } = event;
            let writer = Some(self.contested.stamp(stamp).writer);
            let told = Told { until_us, writer, since_us: None, lost: Lost::Float(lost) };
            let goes_on = last_kind.is_some_and(|last| std::ptr::eq(last, kind) || last == kind);
            self.files.add(
                (&series.labels, series.fingerprint, goes_on),
                || Some(Held { group, kind: kind.clone() }),
                Placing { at_us: stamp.at_us, value, start_us, told },
            );
            last_kind = Some(kind);
        }
    }

    /// The last files: none that is full, one that is not.
    pub(crate) fn finish(self) -> Vec<Segment> {
        self.files.finish()
    }
}

/// Rows of one series of one group, as they were read.
fn held_back(series: &SeriesRows, group: GroupKey, places: &[Place<'_>]) -> Segment {
    let mut held = Segment::default();
    for Place { stamp, input, kind, row } in places {
        let told = Told { writer: Some(stamp.writer), ..input.rows.told(*row) };
        let (value, start_us) = (input.rows.value(*row), input.rows.start_us(*row));
        let placing = Placing { at_us: stamp.at_us, value: &value, start_us, told };
        let as_what = Held { group, kind: (*kind).clone() };
        held.add(&series.labels, series.fingerprint, Some(as_what), placing);
    }
    held
}

/// The rows of one series of one group, in order.
fn places<'a>(of_series: &[(&'a Segment, &'a SeriesRows)], span: Span) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    for (input, series) in of_series {
        let Some(Held { kind, .. }) = &series.held else { continue };
        let place = |row| Place { stamp: input.stamp(row), input, kind, row };
        let rows = series.range.clone().map(place);
        places.extend(rows.filter(|place| span.contains(place.stamp.at_us)));
    }
    places.sort_by_key(|place| place.stamp);
    places
}

/// Tells of the first events what ended each, if that was within the span and before the next one.
fn ended<'a>(places: &[Place<'a>], count: usize, group: GroupKey, ends: &Ends, span: Span) -> Vec<Kept<'a>> {
    let mut kept = Vec::with_capacity(count);
    let mut of_family = places.first().map(|first| (first.kind, ends.of(group, &first.kind.family)));
    for (index, Place { stamp, input, kind, row }) in places.iter().enumerate().take(count) {
        let next = places.get(index + 1);
        let family_ends = match of_family {
            Some((known, family_ends)) if std::ptr::eq(known, *kind) || known.family == kind.family => {
                family_ends
            }
            _ => ends.of(group, &kind.family),
        };
        of_family = Some((kind, family_ends));
        let Told { until_us, lost, .. } = input.rows.told(*row);
        let until = until_us.map(|at_us| Stamp { at_us, writer: 0 });
        let until = until.into_iter().chain(family_ends.after(*stamp)).min();
        // what ends later is not known yet: a push may come before the group expires
        let until = until.filter(|until| until.at_us < span.end_us);
        let until =
            until.filter(|until| next.is_none_or(|next| *until <= next.stamp && !begins(kind, next, *until)));
        kept.push(Kept {
            stamp: *stamp,
            kind,
            value: input.rows.value(*row),
            lost: match lost {
                Lost::Float(lost) => lost,
                Lost::Histogram(_) => 0.0,
            },
            start_us: input.rows.start_us(*row),
            until_us: until.map(|until| until.at_us),
        });
    }
    kept
}

/// Whether the next event begins anew at the very end of the one before, whatever that was.
fn begins(kind: &Kind, next: &Place<'_>, until: Stamp) -> bool {
    next.stamp.at_us == until.at_us && (next.kind.merge == model::Merge::Set || next.kind != kind)
}

/// The retry keys of the pushes that count.
fn keys(inputs: &[Segment], span: Span, ends: &Ends, contested: &Contested) -> Vec<(RetryKey, Stamp)> {
    let pushes = inputs.iter().flat_map(|input| &input.pushes);
    let counts = |stamp: Stamp| span.contains(stamp.at_us) && !ends.is_repeated(stamp);
    let keyed = pushes.filter(|push| counts(push.stamp));
    let mut keys: Vec<_> =
        keyed.filter_map(|push| Some((push.retry_key?, contested.stamp(push.stamp)))).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
