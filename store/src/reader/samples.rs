//! Puts together what segments of samples say about the series of a selection.

use std::ops::Range;
use std::sync::Arc;

use model::{Label, Labels, NeededLabels, Samples, Selection, Series};
use rayon::prelude::*;

use super::gather::Identified;

use crate::segment::{Segment, SeriesRows, Span};

/// With fewer samples one thread is enough.
const SHARED_SAMPLES_MIN: usize = 1 << 16;

/// What a segment says of a series.
#[derive(Clone)]
struct Piece<'a> {
    segment: &'a Segment,
    series: &'a SeriesRows,
    /// Of the segment, within the time; not empty.
    rows: Range<usize>,
}

impl Piece<'_> {
    fn at_us(&self) -> &[i64] {
        &self.segment.rows.at_us[self.rows.clone()]
    }

    /// Whether all of it is before another.
    fn is_before(&self, next: &Self) -> bool {
        self.at_us().last() < next.at_us().first()
    }
}

/// The series of a span that have a sample within the selection's time. Segments are given in the order in which they were written:
/// of samples of one series with the same time, the one of the later segment counts.
pub(super) fn gather<'a>(
    segments: impl IntoIterator<Item = &'a Arc<Segment>>,
    selection: &Selection,
    needed: &NeededLabels,
    span: &Span,
) -> Vec<Identified> {
    let (start_us, end_us) = (
        selection.start_ms.saturating_mul(1_000),
        selection.end_ms.saturating_mul(1_000).saturating_add(999),
    );
    let (mut pieces, mut samples) = (Vec::new(), 0);
    for segment in segments {
        for series in segment.matching(selection, span) {
            let times = &segment.rows.at_us[series.range.clone()];
            let first = series.range.start + times.partition_point(|&at_us| at_us < start_us);
            let end = series.range.start + times.partition_point(|&at_us| at_us <= end_us);
            if first < end {
                samples += end - first;
                pieces.push(Piece { segment, series, rows: first..end });
            }
        }
    }
    // segments are in this order: it is a merge, after which what was written later still stands later
    match selection.metric_name() {
        Some(_) => pieces.sort_by_key(|piece| piece.series.fingerprint),
        None => pieces.sort_by(|a, b| place(a).cmp(&place(b))),
    }
    let of_series: Vec<&[Piece<'_>]> = pieces.chunk_by(|a, b| place(a) == place(b)).collect();
    let make = |pieces: &&[Piece<'_>]| of_one_place(pieces, needed);
    // only threads that compute have others that help them
    match samples >= SHARED_SAMPLES_MIN && rayon::current_thread_index().is_some() {
        true => of_series.par_iter().flat_map_iter(make).collect(),
        false => of_series.iter().flat_map(make).collect(),
    }
}

/// Where a series stands in every file.
fn place<'a>(piece: &Piece<'a>) -> (&'a str, i64) {
    (piece.series.labels.metric_name(), piece.series.fingerprint)
}

/// The series of one fingerprint, which is one unless two happen to share it.
fn of_one_place(pieces: &[Piece<'_>], needed: &NeededLabels) -> impl Iterator<Item = Identified> + use<> {
    let identified = |pieces: &[Piece<'_>]| {
        let SeriesRows { labels, fingerprint, .. } = pieces.first()?.series;
        let (labels, samples) = (needed.of(labels), merge(pieces));
        Some(Identified {
            series: Series { labels, samples, ..Series::default() },
            fingerprint: *fingerprint,
        })
    };
    let same_as = |first: &Piece<'_>| {
        let labels = first.series.labels.clone();
        move |piece: &Piece<'_>| is_same(&labels, &piece.series.labels, needed)
    };
    let (mut first, mut others) = (None, Vec::new());
    match pieces {
        [one, rest @ ..] if rest.iter().all(same_as(one)) => first = identified(pieces),
        _ => {
            let mut rest = pieces.to_vec();
            while let Some(one) = rest.first() {
                let (same, different): (Vec<_>, Vec<_>) = rest.iter().cloned().partition(same_as(one));
                others.extend(identified(&same));
                rest = different;
            }
        }
    }
    first.into_iter().chain(others)
}

fn those<'l>(labels: &'l Labels, needed: &NeededLabels) -> impl Iterator<Item = &'l Label> {
    labels.iter().filter(|label| needed.includes(&label.name))
}

/// Whether two series are the same, by the labels that are needed.
fn is_same(a: &Labels, b: &Labels, needed: &NeededLabels) -> bool {
    a == b || those(a, needed).eq(those(b, needed))
}

/// The samples of one series.
fn merge(pieces: &[Piece<'_>]) -> Samples {
    let is_sorted = |piece: &Piece<'_>| piece.at_us().is_sorted_by(|a, b| a < b);
    if pieces.iter().all(is_sorted) {
        if pieces.is_sorted_by(Piece::is_before) {
            return joined(pieces);
        }
        let mut by_time = pieces.to_vec();
        by_time.sort_by_key(|piece| piece.at_us().first().copied());
        if by_time.is_sorted_by(Piece::is_before) {
            return joined(&by_time);
        }
    }
    interleaved(pieces)
}

/// Pieces that follow each other.
fn joined(pieces: &[Piece<'_>]) -> Samples {
    let count = pieces.iter().map(|piece| piece.rows.len()).sum();
    let mut samples = Samples {
        timestamps_ms: Vec::with_capacity(count),
        values: Vec::with_capacity(count),
        ..Samples::default()
    };
    for piece in pieces {
        samples.timestamps_ms.extend(piece.at_us().iter().map(|at_us| at_us.div_euclid(1_000)));
        samples.values.extend_from_slice(&piece.segment.rows.values[piece.rows.clone()]);
    }
    let rows = || pieces.iter().flat_map(|piece| piece.rows.clone().map(|row| (piece.segment, row)));
    let may_have_histograms = pieces.iter().any(|piece| !piece.segment.rows.histograms.is_empty());
    if may_have_histograms && rows().any(|(segment, row)| segment.rows.histogram(row).is_some()) {
        samples.histograms = rows().map(|(segment, row)| segment.rows.histogram(row).cloned()).collect();
    }
    samples
}

/// Pieces of the same time.
fn interleaved(pieces: &[Piece<'_>]) -> Samples {
    let mut order: Vec<(i64, &Segment, usize)> = pieces
        .iter()
        .flat_map(|piece| piece.rows.clone().map(|row| (piece.segment.rows.at_us[row], piece.segment, row)))
        .collect();
    if !order.is_sorted_by(|a, b| a.0 < b.0) {
        // the later written first, so that it is the one that stays
        order.reverse();
        order.sort_by_key(|(at_us, ..)| *at_us);
        order.dedup_by_key(|(at_us, ..)| *at_us);
    }
    let any_histogram = order.iter().any(|(_, segment, row)| segment.rows.histogram(*row).is_some());
    let histograms = match any_histogram {
        true => order.iter().map(|(_, segment, row)| segment.rows.histogram(*row).cloned()).collect(),
        false => Vec::new(),
    };
    Samples {
        timestamps_ms: order.iter().map(|(at_us, ..)| at_us.div_euclid(1_000)).collect(),
        values: order.iter().map(|(_, segment, row)| segment.rows.values[*row]).collect(),
        histograms,
        ..Samples::default()
    }
}
