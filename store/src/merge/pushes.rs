//! Segments or runs of pushes become a run.

use std::sync::Arc;

use model::{GroupKey, RetryKey, Stamp, Value};

use super::contested::Contested;
use super::thin::Cells;
use super::{MergeSettings, Merged, Span, head};
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

/// Merges segments, or runs, of pushes to one run of a span, of which they must hold all. What lies outside the span is left
/// out, since a segment may go on into the next minute. `counted` are the retry keys of pushes before the span that counted.
/// The same segments, in whatever order, become the same run.
pub(crate) fn merge_pushes(
    inputs: &[Arc<Segment>],
    span: Span,
    counted: &[(RetryKey, Stamp)],
    settings: MergeSettings,
) -> Merged {
    let contested = Contested::of(inputs);
    let mut heads = head::heads(inputs, span, counted);
    let ends = heads.ends();
    let run = Segment { aggregates: inputs.iter().any(|input| input.aggregates), ..Segment::default() };
    let mut merged = Merged { run, keys: keys(inputs, span, &ends, &contested), ..Merged::default() };
    head::condense(&mut merged.run, inputs, (&heads, &ends), span, &contested);
    drop(heads);
    let mut series: Vec<(&Segment, &SeriesRows)> =
        inputs.iter().flat_map(|input| input.series.iter().map(|series| (&**input, series))).collect();
    series.sort_by(|(_, a), (_, b)| a.order().cmp(&b.order()));
    let cells = settings.aggregate_resolution_us.map(|by_us| Cells::of(&series, span, by_us, &contested));
    for of_series in series.chunk_by(|(_, a), (_, b)| a.order() == b.order()) {
        let (_, SeriesRows { labels, fingerprint, held: Some(Held { group, .. }), .. }) = of_series[0] else {
            // samples have no events
            continue;
        };
        let mut places = places(of_series, span);
        let rows = places.len();
        places.retain(|place| !ends.is_repeated(place.stamp));
        places.dedup_by_key(|place| place.stamp);
        merged.repeated_rows += (rows - places.len()) as u64;
        let mut kept = ended(&places, *group, &ends, span);
        if let Some(cells) = &cells {
            merged.joined_rows += cells.join(labels, *group, &mut kept);
        }
        for event in kept {
            let Kept { stamp, kind, ref value, lost, start_us, until_us } = event;
            let writer = Some(contested.stamp(stamp).writer);
            let told = Told { until_us, writer, since_us: None, lost: Lost::Float(lost) };
            let held = Held { group: *group, kind: kind.clone() };
            let placing = Placing { at_us: stamp.at_us, value, start_us, told };
            merged.run.add(labels, *fingerprint, Some(held), placing);
        }
    }
    merged
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

/// Tells of each event what ended it, if that was within the span and before the next one.
fn ended<'a>(places: &[Place<'a>], group: GroupKey, ends: &Ends, span: Span) -> Vec<Kept<'a>> {
    let mut kept = Vec::with_capacity(places.len());
    let mut of_family = places.first().map(|first| (first.kind, ends.of(group, &first.kind.family)));
    for (index, Place { stamp, input, kind, row }) in places.iter().enumerate() {
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
fn keys(inputs: &[Arc<Segment>], span: Span, ends: &Ends, contested: &Contested) -> Vec<(RetryKey, Stamp)> {
    let pushes = inputs.iter().flat_map(|input| &input.pushes);
    let counts = |stamp: Stamp| span.contains(stamp.at_us) && !ends.is_repeated(stamp);
    let keyed = pushes.filter(|push| counts(push.stamp));
    let mut keys: Vec<_> =
        keyed.filter_map(|push| Some((push.retry_key?, contested.stamp(push.stamp)))).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
