//! Puts together what files of samples say about the series of a selection.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use foldhash::HashMap;
use model::{Histogram, Label, Labels, NeededLabels, Samples, Selection, Series};
use rayon::prelude::*;

use super::gather::Identified;
use super::known::Listed;
use crate::segment::{Block, Columns, Keys, Segment, Span};

/// With fewer samples one thread is enough; a piece of a series counts like so many.
const SHARED_SAMPLES_MIN: usize = 1 << 16;
const PIECE_SAMPLES: usize = 16;

/// What was read of a file of samples.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Rows with their labels.
    Rows(Arc<Segment>),
    /// Rows of which a table says whose they are.
    Listed(Arc<Listed>),
}

impl Part {
    /// If it is one.
    pub(super) fn segment(&self) -> Option<&Arc<Segment>> {
        match self {
            Self::Rows(segment) => Some(segment),
            Self::Listed(_) => None,
        }
    }

    /// Where its pieces come from.
    fn source(&self, needed: &NeededLabels) -> Source<'_> {
        match self {
            Self::Rows(segment) => Source::Segment(segment),
            Self::Listed(listed) => Source::Listed(listed, listed.table.columns(needed)),
        }
    }
}

enum Source<'a> {
    Segment(&'a Segment),
    /// With the labels that are needed.
    Listed(&'a Listed, Columns),
}

/// No label set that many have.
const NO_SET: u32 = u32::MAX;

/// What a source says of a series.
#[derive(Clone)]
struct Piece<'a> {
    /// Where the series stands in every file.
    name: &'a str,
    fingerprint: i64,
    source: u32,
    /// Of the series, in its source.
    place: u32,
    /// Of a source that is listed.
    block: u32,
    /// Its label set, if that is one of those that many have.
    set: u32,
    /// Of the segment or block, within the time; not empty.
    rows: Range<u32>,
}

impl<'a> Piece<'a> {
    fn place(&self) -> (&'a str, i64) {
        (self.name, self.fingerprint)
    }

    fn range(&self) -> Range<usize> {
        self.rows.start as usize..self.rows.end as usize
    }
}

/// Label sets that many series have, each once.
#[derive(Default)]
struct Sets {
    numbers: HashMap<Labels, u32>,
    all: Vec<Labels>,
}

impl Sets {
    fn number(&mut self, labels: Labels) -> u32 {
        if let Some(number) = self.numbers.get(&labels) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(NO_SET);
        self.all.push(labels.clone());
        self.numbers.insert(labels, number);
        number
    }

    /// The places of all of them in their order.
    fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_unstable_by(|a, b| self.all[*a].cmp(&self.all[*b]));
        let mut ranks = vec![0; order.len()];
        order.into_iter().zip(0..).for_each(|(number, rank)| ranks[number] = rank);
        ranks
    }
}

/// The numbers of the label sets of one table, where there are few of them.
struct SetsOfTable<'a> {
    keys: Keys<'a>,
    numbers: Vec<u32>,
}

impl<'a> SetsOfTable<'a> {
    /// So few are always few.
    const FEW: u64 = 1 << 10;

    fn of(listed: &'a Listed, columns: &Columns, series: usize) -> Option<Self> {
        let keys = listed.table.keys(columns)?;
        let is_few = keys.count <= Self::FEW.max(series as u64 / 4);
        let count = usize::try_from(keys.count).ok().filter(|_| is_few && series > 1)?;
        Some(Self { keys, numbers: vec![NO_SET; count] })
    }

    fn number(&mut self, place: usize, labels: impl FnOnce() -> Labels, sets: &mut Sets) -> u32 {
        let Some(number) =
            usize::try_from(self.keys.of(place)).ok().and_then(|key| self.numbers.get_mut(key))
        else {
            return NO_SET;
        };
        if *number == NO_SET {
            *number = sets.number(labels());
        }
        *number
    }
}

/// The series of a span that have a sample within the selection's time, in order of labels and fingerprints. Parts are given in the
/// order in which they were written: of samples of one series with the same time, the one of the later part counts.
pub(super) fn gather<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    selection: &Selection,
    needed: &NeededLabels,
    span: &Span,
) -> Vec<Identified> {
    let sources: Vec<Source<'_>> = parts.into_iter().map(|part| part.source(needed)).collect();
    let mut gathered =
        Gathered { sources: &sources, needed, name_label: Arc::from(Labels::NAME), sets: Sets::default() };
    let mut pieces = Vec::new();
    for (source, number) in sources.iter().zip(0..) {
        match source {
            Source::Segment(segment) => of_segment(segment, number, selection, span, &mut pieces),
            Source::Listed(listed, columns) => {
                gathered.of_listed(listed, columns, number, selection, span, &mut pieces);
            }
        }
    }
    // each source is in this order: it is a merge, after which what was written later still stands later
    match selection.metric_name() {
        _ if sources.len() == 1 => {}
        Some(_) => pieces.sort_by_key(|piece| piece.fingerprint),
        None => pieces.sort_by(|a, b| a.place().cmp(&b.place())),
    }
    let mut of_series: Vec<&[Piece<'_>]> = pieces.chunk_by(|a, b| a.place() == b.place()).collect();
    if pieces.iter().all(|piece| piece.set != NO_SET) {
        of_series = by_rank(of_series, &gathered.sets.ranks());
    }
    let samples: usize = pieces.iter().map(|piece| PIECE_SAMPLES + piece.rows.len()).sum();
    let make = |pieces: &&[Piece<'_>]| gathered.of_one_place(pieces);
    // only threads that compute have others that help them
    let mut found: Vec<Identified> =
        match samples >= SHARED_SAMPLES_MIN && rayon::current_thread_index().is_some() {
            true => of_series.par_iter().flat_map_iter(make).collect(),
            false => of_series.iter().flat_map(make).collect(),
        };
    if !found.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
        found.sort_by(order);
    }
    found
}

/// In order of labels and fingerprints.
pub(super) fn order(a: &Identified, b: &Identified) -> Ordering {
    a.series.labels.cmp(&b.series.labels).then(a.fingerprint.cmp(&b.fingerprint))
}

/// Those with one label set together, which otherwise stay in their order.
fn by_rank<'p, 'a>(of_series: Vec<&'p [Piece<'a>]>, ranks: &[u32]) -> Vec<&'p [Piece<'a>]> {
    let rank = |pieces: &[Piece<'_>]| ranks[pieces[0].set as usize] as usize;
    let mut next = vec![0; ranks.len() + 1];
    of_series.iter().for_each(|pieces| next[rank(pieces) + 1] += 1);
    for rank in 0..ranks.len() {
        next[rank + 1] += next[rank];
    }
    let mut ordered = of_series.clone();
    for pieces in of_series {
        let slot = &mut next[rank(pieces)];
        ordered[*slot] = pieces;
        *slot += 1;
    }
    ordered
}

fn of_segment<'a>(
    segment: &'a Segment,
    source: u32,
    selection: &Selection,
    span: &Span,
    pieces: &mut Vec<Piece<'a>>,
) {
    for place in segment.matching_places(selection, span) {
        let series = &segment.series[place];
        let rows = segment.rows_within(series, selection);
        if !rows.is_empty() {
            let (name, fingerprint) = (series.labels.metric_name(), series.fingerprint);
            let (place, rows) = (number(place), number(rows.start)..number(rows.end));
            pieces.push(Piece { name, fingerprint, source, place, block: 0, set: NO_SET, rows });
        }
    }
}

/// Of what is in memory there are fewer.
fn number(place: usize) -> u32 {
    debug_assert!(u32::try_from(place).is_ok());
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// How pieces become series.
struct Gathered<'g, 'a> {
    sources: &'g [Source<'a>],
    needed: &'g NeededLabels,
    name_label: Arc<str>,
    sets: Sets,
}

impl<'g, 'a> Gathered<'g, 'a> {
    fn of_listed(
        &mut self,
        listed: &'a Listed,
        columns: &Columns,
        source: u32,
        selection: &Selection,
        span: &Span,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let time_ms = (selection.start_ms, selection.end_ms);
        let table = &listed.table;
        let places = listed.matching(selection, span);
        let mut sets = SetsOfTable::of(listed, columns, places.len());
        let mut blocks = listed.blocks.iter().zip(0..).peekable();
        for &place in &*places {
            let at = place as usize;
            while blocks.next_if(|((series, _), _)| series.end <= at).is_some() {}
            let Some(((series, block), number_of_block)) = blocks.peek() else { break };
            if at < series.start {
                continue;
            }
            let rows = table.rows(at);
            let rows = rows.start - block.first_row..rows.end - block.first_row;
            let rows = block.times.within(rows, time_ms);
            if rows.is_empty() {
                continue;
            }
            let labels = || table.labels(at, columns, &self.name_label);
            let set = match &mut sets {
                Some(of_table) => of_table.number(at, labels, &mut self.sets),
                None => NO_SET,
            };
            pieces.push(Piece {
                name: table.name(at),
                fingerprint: table.fingerprint(at),
                source,
                place,
                block: *number_of_block,
                set,
                rows: number(rows.start)..number(rows.end),
            });
        }
    }

    /// The series of one fingerprint, which is one unless two happen to share it.
    fn of_one_place(&self, pieces: &[Piece<'_>]) -> impl Iterator<Item = Identified> + use<'g, 'a> {
        let identified = |pieces: &[Piece<'_>]| {
            let first = pieces.first()?;
            let (labels, samples) = (self.labels(first), self.merge(pieces));
            let series = Series { labels, samples, ..Series::default() };
            Some(Identified { series, fingerprint: first.fingerprint })
        };
        let (mut first, mut others) = (None, Vec::new());
        match pieces {
            [one, rest @ ..] if rest.iter().all(|piece| self.is_same(one, piece)) => {
                first = identified(pieces);
            }
            _ => {
                let mut rest = pieces.to_vec();
                while let Some(one) = rest.first().cloned() {
                    let (same, different): (Vec<_>, Vec<_>) =
                        rest.into_iter().partition(|piece| self.is_same(&one, piece));
                    others.extend(identified(&same));
                    rest = different;
                }
            }
        }
        first.into_iter().chain(others)
    }

    fn labels(&self, piece: &Piece<'_>) -> Labels {
        if let Some(labels) = self.sets.all.get(piece.set as usize) {
            return labels.clone();
        }
        let place = piece.place as usize;
        match &self.sources[piece.source as usize] {
            Source::Segment(segment) => self.needed.of(&segment.series[place].labels),
            Source::Listed(listed, columns) => listed.table.labels(place, columns, &self.name_label),
        }
    }

    /// Whether two series are the same, by the labels that are needed.
    fn is_same(&self, a: &Piece<'_>, b: &Piece<'_>) -> bool {
        if a.set != NO_SET && b.set != NO_SET {
            return a.set == b.set;
        }
        let (of_a, of_b) = (&self.sources[a.source as usize], &self.sources[b.source as usize]);
        let (place_a, place_b) = (a.place as usize, b.place as usize);
        let those = |labels: &'a Labels| labels.iter().filter(|label| self.needed.includes(&label.name));
        let text = |label: &'a Label| (&*label.name, &*label.value);
        match (of_a, of_b) {
            (Source::Segment(a), Source::Segment(b)) => {
                let (a, b) = (&a.series[place_a].labels, &b.series[place_b].labels);
                a == b || those(a).eq(those(b))
            }
            (Source::Listed(a, of_a), Source::Listed(b, of_b)) => {
                a.table.texts(place_a, of_a).eq(b.table.texts(place_b, of_b))
            }
            (Source::Listed(listed, columns), Source::Segment(segment)) => {
                let labels = those(&segment.series[place_b].labels).map(text);
                listed.table.texts(place_a, columns).eq(labels)
            }
            (Source::Segment(segment), Source::Listed(listed, columns)) => {
                let labels = those(&segment.series[place_a].labels).map(text);
                listed.table.texts(place_b, columns).eq(labels)
            }
        }
    }

    fn rows(&self, piece: &Piece<'_>) -> RowsOf<'a> {
        match &self.sources[piece.source as usize] {
            Source::Segment(segment) => RowsOf::Segment(segment, piece.range()),
            Source::Listed(listed, _) => RowsOf::Block(&listed.blocks[piece.block as usize].1, piece.range()),
        }
    }

    /// The samples of one series.
    fn merge(&self, pieces: &[Piece<'_>]) -> Samples {
        if let [one] = pieces
            && self.rows(one).is_sorted()
        {
            return joined(&[self.rows(one)]);
        }
        let mut rows: Vec<RowsOf<'_>> = pieces.iter().map(|piece| self.rows(piece)).collect();
        if rows.iter().all(RowsOf::is_sorted) {
            if rows.is_sorted_by(RowsOf::is_before) {
                return joined(&rows);
            }
            let mut by_time = rows.clone();
            by_time.sort_by_key(|rows| rows.at_us(0));
            if by_time.is_sorted_by(RowsOf::is_before) {
                return joined(&by_time);
            }
        }
        interleaved(&mut rows)
    }
}

/// Rows of one series, not none.
#[derive(Clone)]
enum RowsOf<'a> {
    Segment(&'a Segment, Range<usize>),
    Block(&'a Block, Range<usize>),
}

impl RowsOf<'_> {
    fn len(&self) -> usize {
        let (Self::Segment(_, rows) | Self::Block(_, rows)) = self;
        rows.len()
    }

    fn at_us(&self, index: usize) -> i64 {
        match self {
            Self::Segment(segment, rows) => segment.rows.at_us[rows.start + index],
            Self::Block(block, rows) => block.times.at(rows.start + index).saturating_mul(1_000),
        }
    }

    fn value(&self, index: usize) -> f64 {
        match self {
            Self::Segment(segment, rows) => segment.rows.values[rows.start + index],
            Self::Block(block, rows) => block.values[rows.start + index],
        }
    }

    fn histogram(&self, index: usize) -> Option<&Arc<Histogram>> {
        match self {
            Self::Segment(segment, rows) => segment.rows.histogram(rows.start + index),
            Self::Block(block, rows) => block.histograms.get(rows.start + index)?.as_ref(),
        }
    }

    fn has_histogram(&self) -> bool {
        let may_have = match self {
            Self::Segment(segment, _) => !segment.rows.histograms.is_empty(),
            Self::Block(block, _) => !block.histograms.is_empty(),
        };
        may_have && (0..self.len()).any(|index| self.histogram(index).is_some())
    }

    fn is_sorted(&self) -> bool {
        match self {
            Self::Segment(segment, rows) => segment.rows.at_us[rows.clone()].is_sorted_by(|a, b| a < b),
            // it would be none otherwise
            Self::Block(..) => true,
        }
    }

    /// Whether all of it is before another.
    fn is_before(&self, next: &Self) -> bool {
        self.at_us(self.len() - 1) < next.at_us(0)
    }

    fn add_to(&self, samples: &mut Samples) {
        match self {
            Self::Segment(segment, rows) => {
                let at_us = &segment.rows.at_us[rows.clone()];
                samples.timestamps_ms.extend(at_us.iter().map(|at_us| at_us.div_euclid(1_000)));
                samples.values.extend_from_slice(&segment.rows.values[rows.clone()]);
            }
            Self::Block(block, rows) => {
                block.times.extend(rows.clone(), &mut samples.timestamps_ms);
                samples.values.extend_from_slice(&block.values[rows.clone()]);
            }
        }
    }
}

/// Rows that follow each other.
fn joined(all: &[RowsOf<'_>]) -> Samples {
    let count = all.iter().map(RowsOf::len).sum();
    let mut samples = Samples {
        timestamps_ms: Vec::with_capacity(count),
        values: Vec::with_capacity(count),
        ..Samples::default()
    };
    all.iter().for_each(|rows| rows.add_to(&mut samples));
    if all.iter().any(RowsOf::has_histogram) {
        let histograms =
            all.iter().flat_map(|rows| (0..rows.len()).map(|index| rows.histogram(index).cloned()));
        samples.histograms = histograms.collect();
    }
    samples
}

/// Rows of the same time.
fn interleaved(all: &mut [RowsOf<'_>]) -> Samples {
    let mut order: Vec<(i64, &RowsOf<'_>, usize)> = all
        .iter()
        .flat_map(|rows| (0..rows.len()).map(move |index| (rows.at_us(index), rows, index)))
        .collect();
    if !order.is_sorted_by(|a, b| a.0 < b.0) {
        // the later written first, so that it is the one that stays
        order.reverse();
        order.sort_by_key(|(at_us, ..)| *at_us);
        order.dedup_by_key(|(at_us, ..)| *at_us);
    }
    let any_histogram = order.iter().any(|(_, rows, index)| rows.histogram(*index).is_some());
    let histograms = match any_histogram {
        true => order.iter().map(|(_, rows, index)| rows.histogram(*index).cloned()).collect(),
        false => Vec::new(),
    };
    Samples {
        timestamps_ms: order.iter().map(|(at_us, ..)| at_us.div_euclid(1_000)).collect(),
        values: order.iter().map(|(_, rows, index)| rows.value(*index)).collect(),
        histograms,
        ..Samples::default()
    }
}
