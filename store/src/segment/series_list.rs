//! Which series a file of samples has, and where their rows stand. Whoever has that in memory reads times and values of the rows that
//! are asked for, and no labels.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use foldhash::HashSet;
use model::{Labels, NeededLabels, Selection, Value};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};

use super::decode::{BATCH_ROWS, Columns, read_batch};
use super::matched::Matched;
use super::needs::Needed;
use super::partial::{Decoding, Step, mask};
use super::rows::{NO_START_US, Row};
use super::seal::Sealed;
use super::texts::Dictionaries;
use super::{Segment, SegmentError, SeriesRows, Span, Told, columns, histogram};

/// Of every so many rows of a series the time is known, and of the last.
const KNOWN_TIME_ROWS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct SeriesList {
    /// Its rows are those of which the time is known; the ranges of its series are those of the file, behind the head.
    known: Segment,
    /// Where the known rows of each series begin.
    starts: Vec<u32>,
    /// First and last time of any row.
    times_us: (i64, i64),
    /// The label sets that were asked for of all series.
    kept: Mutex<Vec<(Asked, Arc<[Labels]>)>>,
}

/// Which labels, and whether only their names.
type Asked = (NeededLabels, bool);

/// So many answers are kept about all series of a file.
const KEPT_MAX: usize = 4;

impl SeriesList {
    /// Of what a [`Listing`] has put together.
    fn of(known: Segment) -> Self {
        let mut next = 0;
        let starts = known.series.iter().map(|series| {
            let start = next;
            next += known_rows(series.range.len());
            u32::try_from(start).unwrap_or(u32::MAX)
        });
        let starts = starts.collect();
        let (first, last) = (known.rows.at_us.iter().min(), known.rows.at_us.iter().max());
        let times_us = first.copied().zip(last.copied()).unwrap_or((i64::MAX, i64::MIN));
        Self { starts, times_us, kept: Mutex::default(), known }
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.known.memory_bytes() + self.starts.len() * size_of::<u32>()
    }

    /// The known times of a series.
    fn times(&self, place: usize) -> &[i64] {
        let start = self.starts[place] as usize;
        &self.known.rows.at_us[start..start + known_rows(self.known.series[place].range.len())]
    }

    /// The series that match one of the selections, in order.
    fn matching(&self, selections: &[Selection], span: &Span) -> Vec<usize> {
        let of_one = |selection| self.known.matching_places(selection, span);
        let mut places: Vec<usize> = selections.iter().flat_map(of_one).collect();
        if selections.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        places
    }

    /// The rows of the file that match one of the selections.
    pub(crate) fn matched(&self, sealed: &Sealed, selections: &[Selection]) -> Matched {
        let head_rows = sealed.footer.head_rows;
        let places = self.matching(selections, &Span::default()).into_iter();
        let ranges = places.map(|place| {
            let range = &self.known.series[place].range;
            head_rows + range.start..head_rows + range.end
        });
        Matched::these(sealed.rows_of_groups().sum(), ranges)
    }

    /// The series that match one of the selections, with the rows of the file among which are all of a time.
    pub(crate) fn wanted(
        &self,
        selections: &[Selection],
        span: &Span,
        (from_us, to_us): (i64, i64),
    ) -> Vec<SeriesRows> {
        let places = self.matching(selections, span).into_iter();
        let within = places.filter_map(|place| {
            let (times, series) = (self.times(place), &self.known.series[place]);
            let (last, times) = times.split_last()?;
            if *last < from_us {
                return None;
            }
            let before = times.partition_point(|&at_us| at_us < from_us).saturating_sub(1);
            let behind = times.partition_point(|&at_us| at_us <= to_us);
            let start = series.range.start + before * KNOWN_TIME_ROWS;
            let end = series.range.end.min(series.range.start + behind * KNOWN_TIME_ROWS);
            (start < end).then(|| SeriesRows { range: start..end, ..series.clone() })
        });
        within.collect()
    }

    /// The label sets of the series that match and have a row within the selection's time, with the labels that are needed and each
    /// once; `None` if only the rows themselves tell which series have one. `only_names`: of label sets with the same names one is enough.
    pub(crate) fn label_sets(
        &self,
        selection: &Selection,
        needed: &NeededLabels,
        only_names: bool,
    ) -> Option<Arc<[Labels]>> {
        let from_us = selection.start_ms.saturating_mul(1_000);
        let to_us = selection.end_ms.saturating_mul(1_000).saturating_add(999);
        let is_all = selection.matchers.is_empty() && from_us <= self.times_us.0 && self.times_us.1 <= to_us;
        let asked = (needed.clone(), only_names);
        if is_all && let Some((_, found)) = self.kept().iter().find(|(of, _)| *of == asked) {
            return Some(Arc::clone(found));
        }
        let (mut sets, mut names): (HashSet<Labels>, HashSet<Vec<Arc<str>>>) = Default::default();
        let mut of_names = Vec::new();
        for place in self.known.matching_places(selection, &Span::default()) {
            if !self.is_seen(place, (from_us, to_us))? {
                continue;
            }
            let labels = &self.known.series[place].labels;
            if only_names {
                if names.insert(labels.iter().map(|label| Arc::clone(&label.name)).collect()) {
                    of_names.push(labels.clone());
                }
            } else {
                sets.insert(needed.of(labels));
            }
        }
        let found: Arc<[Labels]> = of_names.into_iter().chain(sets).collect();
        if is_all {
            let mut kept = self.kept();
            // few are asked for again and again
            if kept.len() >= KEPT_MAX {
                kept.remove(0);
            }
            kept.push((asked, Arc::clone(&found)));
        }
        Some(found)
    }

    /// Whether a series has a row of a time; `None` if that is not known.
    fn is_seen(&self, place: usize, (from_us, to_us): (i64, i64)) -> Option<bool> {
        let times = self.times(place);
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Some(false) };
        if *first > to_us || *last < from_us {
            return Some(false);
        }
        let at_us = times.get(times.partition_point(|&at_us| at_us < from_us));
        at_us.is_some_and(|at_us| *at_us <= to_us).then_some(true)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Asked, Arc<[Labels]>)>> {
        // an answer is added whole or not at all
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many rows are known of a series of so many.
fn known_rows(rows: usize) -> usize {
    rows.div_ceil(KNOWN_TIME_ROWS) + 1
}

/// Rows of a file, batch by batch.
struct Batches {
    /// `None`: there are none.
    decoder: Option<ParquetPushDecoder>,
    may_need: Vec<Range<u64>>,
}

impl Batches {
    /// Some columns of some rows of row groups; `rows`: of all of these together, `None`: all.
    fn of(
        sealed: &Sealed,
        groups: Vec<usize>,
        rows: Option<RowSelection>,
        columns: ProjectionMask,
    ) -> Result<Self, SegmentError> {
        if groups.is_empty() {
            return Ok(Self { decoder: None, may_need: Vec::new() });
        }
        let needed = Needed { columns: columns.clone(), filtered: mask(sealed, |_| false) };
        let may_need = needed.of_groups(sealed, &groups, rows.clone());
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(sealed.metadata.clone())
            .with_row_groups(groups)
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        Ok(Self { decoder: Some(builder.build()?), may_need })
    }

    fn next(&mut self) -> Result<DecodeResult<RecordBatch>, SegmentError> {
        match &mut self.decoder {
            Some(decoder) => Ok(decoder.try_decode()?),
            None => Ok(DecodeResult::Finished),
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        let (ranges, bytes) = parts.into_iter().unzip();
        match &mut self.decoder {
            Some(decoder) => Ok(decoder.push_ranges(ranges, bytes)?),
            None => Ok(()),
        }
    }
}

/// A [`SeriesList`] that is made while the rows of a file of samples come by.
pub(crate) struct Listing {
    batches: Batches,
    collision: bool,
    dictionaries: Dictionaries,
    noted: Noted,
}

impl Listing {
    pub(crate) fn of(sealed: &Sealed) -> Result<Self, SegmentError> {
        let columns = mask(sealed, |name| {
            let is_place = [columns::NAME, columns::SERIES, columns::TS, columns::EVENT].contains(&name);
            is_place || name == columns::LABELS || !name.starts_with("__")
        });
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let groups: Vec<usize> = (first_group..sealed.metadata.metadata().num_row_groups()).collect();
        let batches = Batches::of(sealed, groups, None, columns)?;
        let (collision, dictionaries) = (sealed.footer.collision, Dictionaries::default());
        Ok(Self { batches, collision, dictionaries, noted: Noted::default() })
    }
}

impl Decoding for Listing {
    type Done = Box<SeriesList>;

    fn may_need(&self) -> &[Range<u64>] {
        &self.batches.may_need
    }

    fn step(&mut self) -> Result<Step<Box<SeriesList>>, SegmentError> {
        loop {
            match self.batches.next()? {
                DecodeResult::Data(batch) => {
                    let mut rows = Segment::default();
                    let columns = Columns::of(&batch, &mut self.dictionaries)?;
                    read_batch(&columns, self.noted.rows, self.collision, &mut rows)?;
                    self.noted.add(&rows);
                }
                DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
                DecodeResult::Finished => {
                    let known = std::mem::take(&mut self.noted.known);
                    return Ok(Step::Done(Box::new(SeriesList::of(known))));
                }
            }
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        self.batches.give(parts)
    }
}

/// What is noted of rows while they come by.
#[derive(Default)]
struct Noted {
    /// How many came.
    rows: usize,
    /// Their series, and those of them whose times are to be known.
    known: Segment,
}

impl Noted {
    /// Takes the rows that follow.
    fn add(&mut self, rows: &Segment) {
        let known = &mut self.known;
        for series in &rows.series {
            let is_same =
                |last: &SeriesRows| last.fingerprint == series.fingerprint && last.labels == series.labels;
            let times = &rows.rows.at_us[series.range.clone()];
            let before = match known.series.last_mut() {
                Some(last) if is_same(last) => {
                    // it goes on: the last of its rows is another
                    known.rows.pop_plain();
                    let before = last.range.len();
                    last.range.end += times.len();
                    before
                }
                _ => {
                    let range = self.rows..self.rows + times.len();
                    known.series.push(SeriesRows { range, ..series.clone() });
                    0
                }
            };
            let skip = (KNOWN_TIME_ROWS - before % KNOWN_TIME_ROWS) % KNOWN_TIME_ROWS;
            for at_us in times.iter().skip(skip).step_by(KNOWN_TIME_ROWS) {
                known.rows.extend_plain(&[*at_us], &[0.0]);
            }
            if let Some(last) = times.last() {
                known.rows.extend_plain(&[*last], &[0.0]);
            }
            self.rows += times.len();
        }
    }
}

/// Rows of a file of samples of which it is known whose they are.
pub(crate) struct KnownRows {
    batches: Batches,
    groups: Vec<usize>,
    /// Whose they are, in order.
    series: std::vec::IntoIter<SeriesRows>,
    /// How many rows of the last one are still to come.
    left: usize,
    segment: Segment,
}

impl KnownRows {
    /// Of these series the rows that they say, with values or without.
    pub(crate) fn of(sealed: &Sealed, series: Vec<SeriesRows>, values: bool) -> Result<Self, SegmentError> {
        let columns = mask(sealed, |name| {
            name == columns::TS || (values && [columns::VALUE, columns::HISTOGRAM].contains(&name))
        });
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let (groups, rows) = selected(sealed, first_group, &series);
        let batches = Batches::of(sealed, groups.clone(), Some(RowSelection::from(rows)), columns)?;
        let segment = Segment { writer: sealed.footer.writer, ..Segment::default() };
        Ok(Self { batches, groups, series: series.into_iter(), left: 0, segment })
    }

    /// The row groups that have some of them.
    pub(crate) fn row_groups(&self) -> &[usize] {
        &self.groups
    }

    /// Puts the rows of a batch behind those that came before.
    fn add(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let segment = &mut self.segment;
        let wrong = |name: &str| SegmentError::Column(name.to_owned());
        let column = |name: &str| batch.column_by_name(name);
        let times =
            column(columns::TS).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
        let at_us = times.ok_or_else(|| wrong(columns::TS))?.values();
        let (rows, from) = (at_us.len(), segment.rows.len());
        let zeros;
        match column(columns::VALUE) {
            Some(array) => {
                let values = array.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(columns::VALUE))?;
                if values.null_count() == 0 {
                    segment.rows.extend_plain(at_us, values.values());
                } else {
                    let histograms = column(columns::HISTOGRAM).and_then(|array| array.as_struct_opt());
                    let histograms = histograms.map(histogram::Reader::new);
                    for row in 0..rows {
                        let value = match &histograms {
                            _ if values.is_valid(row) => Some(Value::Float(values.value(row))),
                            Some(histograms) => histograms.get(row)?.map(|h| Value::Histogram(h.into())),
                            None => None,
                        };
                        let unknown = || SegmentError::Value { row, what: "value", value: String::new() };
                        let (at_us, value) = (at_us[row], value.ok_or_else(unknown)?);
                        let told = Told::default();
                        segment.rows.push(Row { at_us, value: &value, start_us: NO_START_US, told });
                    }
                }
            }
            None => {
                zeros = vec![0.0; rows];
                segment.rows.extend_plain(at_us, &zeros);
            }
        }
        let mut at = from;
        while at < from + rows {
            if self.left == 0 {
                let next = self.series.next().ok_or(SegmentError::Unsealed)?;
                self.left = next.range.len();
                segment.series.push(SeriesRows { range: at..at, ..next });
                continue;
            }
            let taken = self.left.min(from + rows - at);
            (at, self.left) = (at + taken, self.left - taken);
            if let Some(last) = segment.series.last_mut() {
                last.range.end = at;
            }
        }
        Ok(())
    }
}

impl Decoding for KnownRows {
    type Done = Box<Segment>;

    fn may_need(&self) -> &[Range<u64>] {
        &self.batches.may_need
    }

    fn step(&mut self) -> Result<Step<Box<Segment>>, SegmentError> {
        loop {
            match self.batches.next()? {
                DecodeResult::Data(batch) => self.add(&batch)?,
                DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
                DecodeResult::Finished => {
                    return Ok(Step::Done(Box::new(std::mem::take(&mut self.segment))));
                }
            }
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        self.batches.give(parts)
    }
}

/// Row groups that have some of these series, and which of their rows.
fn selected(sealed: &Sealed, first_group: usize, series: &[SeriesRows]) -> (Vec<usize>, Vec<RowSelector>) {
    let metadata = sealed.metadata.metadata();
    let (mut groups, mut selectors) = (Vec::new(), Vec::new());
    let (mut start, mut next) = (0, 0);
    for group in first_group..metadata.num_row_groups() {
        let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
        let within = start..start + rows;
        let mut of_group = Vec::new();
        let mut reached = within.start;
        while let Some(range) = series.get(next).map(|series| overlap(&series.range, &within)) {
            if range.start >= within.end {
                break;
            }
            if !range.is_empty() {
                if range.start > reached {
                    of_group.push(RowSelector::skip(range.start - reached));
                }
                of_group.push(RowSelector::select(range.len()));
                reached = range.end;
            }
            if series[next].range.end > within.end {
                // it goes on in the next row group
                break;
            }
            next += 1;
        }
        if !of_group.is_empty() {
            if within.end > reached {
                of_group.push(RowSelector::skip(within.end - reached));
            }
            groups.push(group);
            selectors.extend(of_group);
        }
        start = within.end;
    }
    (groups, selectors)
}

/// What of a range lies in another; where it lies behind, a range there.
fn overlap(range: &Range<usize>, within: &Range<usize>) -> Range<usize> {
    range.start.max(within.start)..range.end.min(within.end).max(range.start.max(within.start))
}

#[cfg(test)]
mod tests {
    use model::{Matcher, Samples};

    use super::*;

    /// Series `a` and `b` of a file, of so many samples each, a second apart.
    fn list_of(counts: [usize; 2], batch: usize) -> SeriesList {
        let series = ["a", "b"].iter().zip(counts).map(|(name, count)| {
            let mut samples = Samples::default();
            (0..count).for_each(|at| samples.push(1_000 * i64::try_from(at).expect("small"), 1.0));
            (Labels::from_pairs([("__name__", *name), ("job", "j")]), samples)
        });
        let series: Vec<(Labels, Samples)> = series.collect();
        let whole = Segment::from_samples(1, &series);
        let mut noted = Noted::default();
        for start in (0..whole.rows.len()).step_by(batch) {
            let rows = start..whole.rows.len().min(start + batch);
            let of_batch = whole.series.iter().filter_map(|series| {
                let range = overlap(&series.range, &rows);
                let range = range.start.saturating_sub(start)..range.end.saturating_sub(start);
                (!range.is_empty()).then(|| SeriesRows { range, ..series.clone() })
            });
            let of_batch = Segment {
                series: of_batch.collect(),
                rows: whole.rows.slice(rows.clone()),
                ..Segment::default()
            };
            noted.add(&of_batch);
        }
        SeriesList::of(noted.known)
    }

    #[test]
    fn rows_of_a_time_are_among_those_that_are_wanted() {
        for (counts, batch) in [([200, 100], 1_000), ([200, 100], 7), ([64, 1], 64), ([129, 65], 50)] {
            let list = list_of(counts, batch);
            for (name, first, count) in [("a", 0, counts[0]), ("b", counts[0], counts[1])] {
                let of_name = Selection {
                    matchers: vec![Matcher::equal("__name__", name)],
                    start_ms: i64::MIN,
                    end_ms: i64::MAX,
                };
                for from in [-5, 0, 1, 63, 64, 65, 127, 128, 190, 250] {
                    for to in [from, from + 1, from + 64, 500] {
                        let expect = (0..count)
                            .filter(|at| (from..=to).contains(&i64::try_from(*at).expect("small")))
                            .map(|at| first + at);
                        let times_us = (1_000_000 * from, 1_000_000 * to);
                        let selections = std::slice::from_ref(&of_name);
                        let wanted = list.wanted(selections, &Span::default(), times_us);
                        let rows: Vec<Range<usize>> = wanted.into_iter().map(|series| series.range).collect();
                        assert!(rows.len() <= 1, "{rows:?}");
                        let within = |row| rows.iter().any(|rows| rows.contains(&row));
                        assert!(expect.clone().all(within), "{name} {from}..={to} of {counts:?}: {rows:?}");
                        let most = expect.count() + 2 * KNOWN_TIME_ROWS;
                        assert!(rows.iter().all(|rows| rows.len() <= most), "{name} {from}..={to}: {rows:?}");
                        assert!(rows.iter().all(|rows| first <= rows.start && rows.end <= first + count));
                    }
                }
            }
        }
    }

    #[test]
    fn label_sets_are_given_where_it_is_known_that_they_were_seen() {
        let list = list_of([200, 100], 90);
        let all = |start_ms, end_ms| Selection { matchers: Vec::new(), start_ms, end_ms };
        let names = NeededLabels::These([Arc::from("__name__")].into());
        let check = |selection: &Selection, needed: &NeededLabels, only_names, expect: Option<usize>| {
            let found = list.label_sets(selection, needed, only_names);
            assert_eq!(found.map(|found| found.len()), expect, "{selection:?}");
        };
        for _ in 0..2 {
            check(&all(i64::MIN, i64::MAX), &names, false, Some(2));
            check(&all(i64::MIN, i64::MAX), &NeededLabels::All, false, Some(2));
            check(&all(i64::MIN, i64::MAX), &NeededLabels::All, true, Some(1));
            check(&all(150_000, i64::MAX), &names, false, Some(1));
            check(&all(300_000, i64::MAX), &names, false, Some(0));
            // between two rows of which the times are known
            check(&all(2_000, 3_000), &names, false, None);
        }
        let jobs = NeededLabels::These([Arc::from("job")].into());
        check(&all(0, 1_000_000), &jobs, false, Some(1));
    }
}
