//! Where in a file the pages stand that may come to be needed of it.

use std::ops::Range;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::decode::BATCH_ROWS;
use super::seal::Sealed;

/// Columns of which pages are needed.
pub(super) struct Needed {
    pub(super) columns: ProjectionMask,
    /// Those of them that filters look at. Of these the decoder takes whole batches, as it keeps what it has decoded.
    pub(super) filtered: ProjectionMask,
}

impl Needed {
    /// The pages that have some rows of row groups; `rows`: of all of these together, `None`: all.
    pub(super) fn of_groups(
        &self,
        sealed: &Sealed,
        groups: &[usize],
        rows: Option<RowSelection>,
    ) -> Vec<Range<u64>> {
        let mut rest = rows;
        let pages = groups.iter().flat_map(|&group| {
            let count = sealed.metadata.metadata().row_group(group).num_rows();
            let count = usize::try_from(count).unwrap_or(0);
            let rows = rest.as_mut().map(|rest| rest.split_off(count));
            self.of_group(sealed, group, rows.map(|rows| (rows, count)))
        });
        pages.collect()
    }

    /// The same of one row group; `rows`: which, of how many. Dictionaries are read with any of the pages that need them.
    pub(super) fn of_group(
        &self,
        sealed: &Sealed,
        group: usize,
        rows: Option<(RowSelection, usize)>,
    ) -> Vec<Range<u64>> {
        let metadata = sealed.metadata.metadata();
        let chunks = metadata.row_group(group).columns().iter().enumerate();
        let offsets = metadata.offset_index().and_then(|offsets| offsets.get(group));
        let rows = rows.map(|(rows, count)| (whole_batches(&rows, count), rows));
        let mut pages = Vec::new();
        for (column, chunk) in chunks.filter(|(column, _)| self.columns.leaf_included(*column)) {
            let (start, bytes) = chunk.byte_range();
            let locations = offsets.and_then(|offsets| Some(offsets.get(column)?.page_locations()));
            let (Some((of_batches, rows)), Some(locations)) = (&rows, locations) else {
                pages.push(start..start + bytes);
                continue;
            };
            let first = locations.first().and_then(|first| u64::try_from(first.offset).ok());
            pages.extend(first.filter(|first| start < *first).map(|first| start..first));
            let rows = if self.filtered.leaf_included(column) { of_batches } else { rows };
            pages.extend(rows.scan_ranges(locations));
        }
        pages
    }
}

/// The rows of all batches that have one of these.
fn whole_batches(rows: &RowSelection, count: usize) -> RowSelection {
    let (mut row, mut batches): (usize, Vec<Range<usize>>) = (0, Vec::new());
    for RowSelector { row_count, skip } in rows.iter() {
        let end = row + row_count;
        if !skip {
            let (from, to) = (row / BATCH_ROWS * BATCH_ROWS, end.next_multiple_of(BATCH_ROWS).min(count));
            match batches.last_mut() {
                Some(last) if from <= last.end => last.end = last.end.max(to),
                _ => batches.push(from..to),
            }
        }
        row = end;
    }
    RowSelection::from_consecutive_ranges(batches.into_iter(), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_whole() {
        let check = |ranges: &[Range<usize>], expect: &[Range<usize>]| {
            let rows = RowSelection::from_consecutive_ranges(ranges.iter().cloned(), 30_000);
            let expect = RowSelection::from_consecutive_ranges(expect.iter().cloned(), 30_000);
            assert_eq!(whole_batches(&rows, 30_000), expect, "{ranges:?}");
        };
        check(&[], &[]);
        check(&[0..1, 8_191..8_192], std::slice::from_ref(&(0..8_192)));
        check(&[8_191..8_193, 29_999..30_000], &[0..16_384, 24_576..30_000]);
        check(&[5..6, 8_192..8_193], std::slice::from_ref(&(0..16_384)));
    }
}
