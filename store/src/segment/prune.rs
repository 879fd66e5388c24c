//! Which row groups and pages of a file can hold what is wanted, by their statistics.

use std::ops::Range;
use std::sync::Arc;

use model::{Labels, MatchOp, Matcher, Selection};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::columns;
use super::matched::Matched;
use super::partial::Wanted;
use super::seal::Sealed;
use super::span::{Mark, Place};

/// What may hold what is wanted.
pub(super) struct Kept {
    /// Row groups, in order.
    pub(super) groups: Vec<usize>,
    /// Of the rows of these; `None`: all.
    pub(super) rows: Option<RowSelection>,
    /// Whether all of them are of the time that is wanted.
    pub(super) times_are_within: bool,
}

/// The row groups and rows, from a row group on, that may hold what is wanted; `matched`: the rows that match, where that is known.
/// `None`: none.
pub(super) fn kept(
    sealed: &Sealed,
    first_group: usize,
    wanted: &Wanted,
    matched: Option<&Matched>,
) -> Option<Kept> {
    let metadata = sealed.metadata.metadata();
    let columns = sealed.metadata.parquet_schema().columns();
    let place = |name: &str| columns.iter().position(|column| column.name() == name);
    let (name, series, ts) = (place(columns::NAME)?, place(columns::SERIES)?, place(columns::TS)?);
    let mut kept = Kept { groups: Vec::new(), rows: None, times_are_within: true };
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut end = sealed.rows_of_groups().take(first_group).sum();
    for (index, count) in sealed.rows_of_groups().enumerate().skip(first_group) {
        let start = end;
        end += count;
        let group = metadata.row_group(index);
        let names = group.column(name).statistics().and_then(texts);
        if !may_be_wanted(wanted, names) {
            continue;
        }
        match group.column(ts).statistics().and_then(times) {
            Some((from, to)) if from > wanted.times_us.1 || to < wanted.times_us.0 => continue,
            Some((from, to)) if from >= wanted.times_us.0 && to <= wanted.times_us.1 => {}
            _ => kept.times_are_within = false,
        }
        let mut of_group = pages(metadata, index, name, wanted);
        if let Some(of_series) = pages_of_series(metadata, index, series, wanted) {
            let both = RowSelection::from(of_group).intersection(&RowSelection::from(of_series));
            of_group = both.into();
        }
        if let Some(matched) = matched {
            of_group = matched.among(start, of_group);
        }
        if of_group.iter().any(|selector| !selector.skip) {
            kept.groups.push(index);
            selectors.extend(of_group);
        }
    }
    if selectors.iter().any(|selector| selector.skip) {
        kept.rows = Some(RowSelection::from(selectors));
    }
    (!kept.groups.is_empty()).then_some(kept)
}

/// The rows of a row group whose pages may have a name that is wanted.
fn pages(metadata: &ParquetMetaData, group: usize, name: usize, wanted: &Wanted) -> Vec<RowSelector> {
    let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
    let all = || vec![RowSelector::select(rows)];
    let index = metadata.column_index().and_then(|index| index.get(group)?.get(name));
    let (Some(ColumnIndexMetaData::BYTE_ARRAY(index)), Some(starts)) = (index, starts(metadata, group, name))
    else {
        return all();
    };
    let pages = starts.windows(2).enumerate().map(|(page, bounds)| {
        let names = index.min_value(page).zip(index.max_value(page));
        let length = bounds[1].saturating_sub(bounds[0]);
        match may_be_wanted(wanted, names) {
            true => RowSelector::select(length),
            false => RowSelector::skip(length),
        }
    });
    pages.collect()
}

/// The rows of a row group whose pages may have a fingerprint that is wanted; `None` if that is not known.
fn pages_of_series(
    metadata: &ParquetMetaData,
    group: usize,
    series: usize,
    wanted: &Wanted,
) -> Option<Vec<RowSelector>> {
    let (first, last) = wanted.span.fingerprints()?;
    let index = metadata.column_index()?.get(group)?.get(series)?;
    let ColumnIndexMetaData::INT64(index) = index else { return None };
    let starts = starts(metadata, group, series)?;
    let pages = starts.windows(2).enumerate().map(|(page, bounds)| {
        let may_hold = match (index.min_value(page), index.max_value(page)) {
            (Some(&least), Some(&most)) => least <= last && most >= first,
            _ => true,
        };
        let length = bounds[1].saturating_sub(bounds[0]);
        if may_hold { RowSelector::select(length) } else { RowSelector::skip(length) }
    });
    Some(pages.collect())
}

/// Where the pages of a column begin in a row group, and where the last one ends.
fn starts(metadata: &ParquetMetaData, group: usize, column: usize) -> Option<Vec<usize>> {
    let rows = usize::try_from(metadata.row_group(group).num_rows()).ok()?;
    let pages = metadata.offset_index()?.get(group)?.get(column)?.page_locations();
    let starts = pages.iter().map(|page| usize::try_from(page.first_row_index).unwrap_or(0));
    Some(starts.chain([rows]).collect())
}

/// Where rows stand that may be wanted: for each page a place at or before its first row. `matched`: as above.
pub(super) fn marks(
    sealed: &Sealed,
    first_group: usize,
    wanted: &Wanted,
    matched: Option<&Matched>,
) -> Vec<Mark> {
    let metadata = sealed.metadata.metadata();
    let columns = sealed.metadata.parquet_schema().columns();
    let place = |name: &str| columns.iter().position(|column| column.name() == name);
    let (Some(name), Some(series)) = (place(columns::NAME), place(columns::SERIES)) else {
        return Vec::new();
    };
    let Some(Kept { groups, .. }) = kept(sealed, first_group, wanted, None) else { return Vec::new() };
    let counts: Vec<usize> = sealed.rows_of_groups().collect();
    let mut marks = Vec::new();
    for group in groups {
        let first: usize = counts[..group].iter().sum();
        let mut mark = |place: Place, rows: Range<usize>| {
            let count = match matched {
                Some(matched) => matched.count(&(first + rows.start..first + rows.end)),
                None => rows.len(),
            };
            marks.extend((count > 0).then_some((place, count)));
        };
        let mut start = 0;
        let of_names = pages(metadata, group, name, wanted);
        for (page, selector) in of_names.iter().enumerate() {
            let rows = start..start + selector.row_count;
            start = rows.end;
            if selector.skip {
                continue;
            }
            let index = metadata.column_index().and_then(|index| index.get(group)?.get(name));
            let names = match index {
                Some(ColumnIndexMetaData::BYTE_ARRAY(index)) if of_names.len() > 1 => {
                    index.min_value(page).zip(index.max_value(page))
                }
                _ => metadata.row_group(group).column(name).statistics().and_then(texts),
            };
            let text = |name: &[u8]| -> Arc<str> { String::from_utf8_lossy(name).into() };
            match names {
                Some((least, most)) if least == most => {
                    let name = text(least);
                    for (fingerprint, rows) in places_of_series(metadata, group, series, &rows) {
                        mark(Place { name: Arc::clone(&name), fingerprint }, rows);
                    }
                }
                Some((least, _)) => mark(Place::before(text(least)), rows),
                None => mark(Place::before("".into()), rows),
            }
        }
    }
    marks
}

/// Fingerprints at or before some rows of one name, each with the rows that follow it.
fn places_of_series(
    metadata: &ParquetMetaData,
    group: usize,
    series: usize,
    rows: &Range<usize>,
) -> Vec<(i64, Range<usize>)> {
    let index = metadata.column_index().and_then(|index| index.get(group)?.get(series));
    let (Some(ColumnIndexMetaData::INT64(index)), Some(starts)) = (index, starts(metadata, group, series))
    else {
        return vec![(i64::MIN, rows.clone())];
    };
    let pages = starts.windows(2).enumerate().filter_map(|(page, bounds)| {
        let within = bounds[0].max(rows.start)..bounds[1].min(rows.end);
        // what stands before the name in a page may have any fingerprint
        let is_of_name = bounds[0] >= rows.start;
        let fingerprint = index.min_value(page).copied().filter(|_| is_of_name).unwrap_or(i64::MIN);
        (within.start < within.end).then_some((fingerprint, within))
    });
    pages.collect()
}

/// First and last time of the rows from a row group on; `None` if that is not known.
pub(super) fn times_of_rows(sealed: &Sealed, first_group: usize) -> Option<(i64, i64)> {
    let columns = sealed.metadata.parquet_schema().columns();
    let ts = columns.iter().position(|column| column.name() == columns::TS)?;
    let groups = sealed.metadata.metadata().row_groups().get(first_group..)?;
    let times_of = |group: &RowGroupMetaData| group.column(ts).statistics().and_then(times);
    let of_groups: Option<Vec<(i64, i64)>> = groups.iter().map(times_of).collect();
    of_groups?.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Whether a row may be wanted whose name lies between two.
fn may_be_wanted(wanted: &Wanted, names: Option<(&[u8], &[u8])>) -> bool {
    names.is_none_or(|names| wanted.span.may_hold_names(names))
        && wanted.matching.iter().any(|selection| may_match(selection, names))
}

/// Whether a row can match whose name lies between two.
fn may_match(selection: &Selection, names: Option<(&[u8], &[u8])>) -> bool {
    let Some((least, most)) = names else { return true };
    let may_match = |matcher: &Matcher| {
        if least == most {
            // long names are cut, and then the two differ
            return std::str::from_utf8(least).is_ok_and(|name| matcher.matches(name));
        }
        let value = matcher.value.as_bytes();
        matcher.op != MatchOp::Equal || (least <= value && value <= most)
    };
    selection.matchers.iter().filter(|matcher| *matcher.name == *Labels::NAME).all(may_match)
}

fn texts(statistics: &Statistics) -> Option<(&[u8], &[u8])> {
    match statistics {
        Statistics::ByteArray(_) => statistics.min_bytes_opt().zip(statistics.max_bytes_opt()),
        _ => None,
    }
}

fn times(statistics: &Statistics) -> Option<(i64, i64)> {
    match statistics {
        Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
        _ => None,
    }
}
