//! Which row groups and pages of a file can hold what is wanted, by their statistics.

use model::{Labels, MatchOp, Matcher, Selection};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::columns;
use super::partial::Wanted;
use super::seal::Sealed;

/// What may hold what is wanted.
pub(super) struct Kept {
    /// Row groups, in order.
    pub(super) groups: Vec<usize>,
    /// Of the rows of these; `None`: all.
    pub(super) rows: Option<RowSelection>,
    /// Whether all of them are of the time that is wanted.
    pub(super) times_are_within: bool,
}

/// The row groups and rows, from a row group on, that may hold what is wanted. `None`: none.
pub(super) fn kept(sealed: &Sealed, first_group: usize, wanted: &Wanted) -> Option<Kept> {
    let metadata = sealed.metadata.metadata();
    let columns = sealed.metadata.parquet_schema().columns();
    let place = |name: &str| columns.iter().position(|column| column.name() == name);
    let (name, ts) = (place(columns::NAME)?, place(columns::TS)?);
    let mut kept = Kept { groups: Vec::new(), rows: None, times_are_within: true };
    let mut selectors: Vec<RowSelector> = Vec::new();
    for index in first_group..metadata.num_row_groups() {
        let group = metadata.row_group(index);
        let names = group.column(name).statistics().and_then(texts);
        if !wanted.matching.iter().any(|selection| may_match(selection, names)) {
            continue;
        }
        match group.column(ts).statistics().and_then(times) {
            Some((from, to)) if from > wanted.times_us.1 || to < wanted.times_us.0 => continue,
            Some((from, to)) if from >= wanted.times_us.0 && to <= wanted.times_us.1 => {}
            _ => kept.times_are_within = false,
        }
        let of_group = pages(metadata, index, name, &wanted.matching);
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
fn pages(metadata: &ParquetMetaData, group: usize, name: usize, wanted: &[Selection]) -> Vec<RowSelector> {
    let rows = usize::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
    let all = || vec![RowSelector::select(rows)];
    let index = metadata.column_index().and_then(|index| index.get(group)?.get(name));
    let offsets = metadata.offset_index().and_then(|index| index.get(group)?.get(name));
    let (Some(ColumnIndexMetaData::BYTE_ARRAY(index)), Some(offsets)) = (index, offsets) else {
        return all();
    };
    let starts =
        offsets.page_locations().iter().map(|page| usize::try_from(page.first_row_index).unwrap_or(0));
    let starts: Vec<usize> = starts.chain([rows]).collect();
    let pages = starts.windows(2).enumerate().map(|(page, bounds)| {
        let names = index.min_value(page).zip(index.max_value(page));
        let length = bounds[1].saturating_sub(bounds[0]);
        match wanted.iter().any(|selection| may_match(selection, names)) {
            true => RowSelector::select(length),
            false => RowSelector::skip(length),
        }
    });
    pages.collect()
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
