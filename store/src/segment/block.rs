//! Rows of some series of a file of samples, decoded, to be kept in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use model::{Histogram, Value};
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::batches::Batches;
use super::partial::{Decoding, Step, mask};
use super::rows::{NO_START_US, Row, Rows};
use super::seal::Sealed;
use super::series_table::SeriesTable;
use super::times::Times;
use super::{SegmentError, Told, columns, histogram};

/// See the module.
#[derive(Debug)]
pub(crate) struct Block {
    /// Where its rows begin among those of the file, without the head's.
    pub(crate) first_row: usize,
    pub(crate) times: Times,
    pub(crate) values: Vec<f64>,
    /// Empty if all values are floats, else as long as `values`.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Block {
    /// Of rows in which series begin at these; fails where that is not how rows of a file are.
    fn of(first_row: usize, rows: Rows, starts: impl Iterator<Item = usize>) -> Result<Self, SegmentError> {
        let Rows { at_us, mut values, mut histograms, .. } = rows;
        let mut is_start = vec![false; at_us.len()];
        starts.for_each(|start| is_start[start] = true);
        let ascends = |row: usize| is_start[row] || at_us[row - 1] < at_us[row];
        let is_plain = at_us.iter().all(|at_us| at_us % 1_000 == 0);
        if !is_plain || !(1..at_us.len()).all(ascends) {
            return Err(SegmentError::Unsealed);
        }
        values.shrink_to_fit();
        if histograms.iter().all(Option::is_none) {
            histograms = Vec::new();
        }
        let times = Times::of(at_us.into_iter().map(|at_us| at_us / 1_000).collect());
        Ok(Self { first_row, times, values, histograms })
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let histogram = |h: &Option<Arc<Histogram>>| {
            h.as_ref().map_or(8, |h| 200 + 8 * (h.positive_counts.len() + h.negative_counts.len()))
        };
        let histograms: usize = self.histograms.iter().map(histogram).sum();
        size_of::<Self>() + self.times.memory_bytes() + self.values.len() * 8 + histograms
    }
}

/// Blocks that follow each other, on their way from a file.
pub(crate) struct Blocks {
    batches: Batches,
    table: Arc<SeriesTable>,
    /// Those that are still to come.
    numbers: Range<usize>,
    row_groups: Vec<usize>,
    rows: Rows,
    done: VecDeque<Arc<Block>>,
}

impl Blocks {
    pub(crate) fn of(
        sealed: &Sealed,
        table: Arc<SeriesTable>,
        numbers: Range<usize>,
    ) -> Result<Self, SegmentError> {
        let columns = mask(sealed, |name| [columns::TS, columns::VALUE, columns::HISTOGRAM].contains(&name));
        let rows = match numbers.is_empty() {
            true => 0..0,
            false => {
                let (first, last) = (table.block(numbers.start), table.block(numbers.end - 1));
                table.rows(first.start).start..table.rows(last.end - 1).end
            }
        };
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let (mut row_groups, mut selectors, mut start) = (Vec::new(), Vec::new(), 0);
        for (group, count) in sealed.rows_of_groups().enumerate().skip(first_group) {
            let (from, to) = (rows.start.max(start), rows.end.min(start + count));
            if from < to {
                row_groups.push(group);
                let end = start + count;
                let parts = [(true, from - start), (false, to - from), (true, end - to)].into_iter();
                let parts = parts.filter(|(_, row_count)| *row_count > 0);
                selectors.extend(parts.map(|(skip, row_count)| RowSelector { row_count, skip }));
            }
            start += count;
        }
        let batches = Batches::of(sealed, row_groups.clone(), Some(RowSelection::from(selectors)), columns)?;
        Ok(Self { batches, table, numbers, row_groups, rows: Rows::default(), done: VecDeque::new() })
    }

    /// The row groups that have some of their rows.
    pub(crate) fn row_groups(&self) -> &[usize] {
        &self.row_groups
    }

    /// The rows of the block that comes next.
    fn next_rows(&self) -> Option<Range<usize>> {
        (!self.numbers.is_empty()).then(|| {
            let series = self.table.block(self.numbers.start);
            self.table.rows(series.start).start..self.table.rows(series.end - 1).end
        })
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let mut taken = 0;
        while taken < batch.num_rows() {
            let of_block = self.next_rows().ok_or(SegmentError::Unsealed)?;
            let count = (of_block.len() - self.rows.len()).min(batch.num_rows() - taken);
            if self.rows.len() == 0 {
                self.rows.reserve(of_block.len());
            }
            add(&mut self.rows, &batch.slice(taken, count))?;
            taken += count;
            if self.rows.len() == of_block.len() {
                let series = self.table.block(self.numbers.start);
                let starts = series.map(|place| self.table.rows(place).start - of_block.start);
                let block = Block::of(of_block.start, std::mem::take(&mut self.rows), starts)?;
                self.done.push_back(Arc::new(block));
                self.numbers.start += 1;
            }
        }
        Ok(())
    }
}

/// Adds rows of which nothing is said but time and value.
fn add(rows: &mut Rows, batch: &RecordBatch) -> Result<(), SegmentError> {
    let wrong = |name: &str| SegmentError::Column(name.to_owned());
    let column = |name: &str| batch.column_by_name(name);
    let times = column(columns::TS).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    let at_us = times.ok_or_else(|| wrong(columns::TS))?.values();
    let values = column(columns::VALUE).and_then(|array| array.as_primitive_opt::<Float64Type>());
    let values = values.ok_or_else(|| wrong(columns::VALUE))?;
    if values.null_count() == 0 {
        rows.extend_plain(at_us, values.values());
        return Ok(());
    }
    let histograms = column(columns::HISTOGRAM).and_then(|array| array.as_struct_opt());
    let histograms = histograms.map(histogram::Reader::new);
    for (row, &at_us) in at_us.iter().enumerate() {
        let value = match &histograms {
            _ if values.is_valid(row) => Some(Value::Float(values.value(row))),
            Some(histograms) => histograms.get(row)?.map(|h| Value::Histogram(h.into())),
            None => None,
        };
        let unknown = || SegmentError::Value { row, what: "value", value: String::new() };
        let value = value.ok_or_else(unknown)?;
        rows.push(Row { at_us, value: &value, start_us: NO_START_US, told: Told::default() });
    }
    Ok(())
}

impl Decoding for Blocks {
    type Done = VecDeque<Arc<Block>>;

    const KEEPS_PAGES: bool = false;

    fn may_need(&self) -> &[Range<u64>] {
        self.batches.may_need()
    }

    fn step(&mut self) -> Result<Step<VecDeque<Arc<Block>>>, SegmentError> {
        loop {
            match self.batches.next()? {
                DecodeResult::Data(batch) => self.add(&batch)?,
                DecodeResult::NeedsData(ranges) => return Ok(Step::Needs(ranges)),
                DecodeResult::Finished if self.numbers.is_empty() => {
                    return Ok(Step::Done(std::mem::take(&mut self.done)));
                }
                DecodeResult::Finished => return Err(SegmentError::Unsealed),
            }
        }
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        self.batches.give(parts)
    }
}
