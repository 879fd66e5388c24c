//! What is set, added or sampled, column by column: only one column of a row group is in memory as it will be written.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use model::{Labels, Merge};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, Layout};
use super::columns::{self, LabelPlan, event};
use super::compressor::Packing;
use super::encode::{binaries, map, times};
use super::pages::{Form, Numbers, Run, numbers, runs};
use super::rows::NO_START_US;
use super::{Lost, Segment, SegmentError, SeriesRows, histogram};

/// Rows that are put into arrays at once, where a column is made of arrays.
const BATCH_ROWS: usize = 1 << 16;

/// Some rows, in order.
pub(super) struct RowGroup<'a> {
    /// The series, and how many rows of each.
    parts: Vec<(&'a SeriesRows, usize)>,
    rows: Range<usize>,
    layout: Layout,
}

impl<'a> RowGroup<'a> {
    /// The next rows, at most so many: of `series` those that are left, of the first of which `done` are written. `None` if there is
    /// none.
    pub(super) fn take(
        series: &mut &'a [SeriesRows],
        done: &mut usize,
        indexed: bool,
        rows_max: usize,
    ) -> Option<Self> {
        let start = series.first()?.range.start + *done;
        let mut group =
            Self { parts: Vec::new(), rows: start..start, layout: Layout { metrics: Vec::new(), indexed } };
        let mut last = None;
        while let Some((first, rest)) = series.split_first() {
            let space = rows_max - group.rows.len();
            let rows = (first.range.len() - *done).min(space);
            if rows == 0 && space == 0 {
                break;
            }
            let name = first.labels.metric_name();
            if last.replace(name).is_some_and(|last| last != name) {
                group.layout.metrics.push(group.rows.len());
            }
            group.parts.push((first, rows));
            group.rows.end += rows;
            *done += rows;
            if *done == first.range.len() {
                (*series, *done) = (rest, 0);
            }
        }
        (!group.rows.is_empty()).then_some(group)
    }

    /// The rows, how many of each series, and where metrics begin.
    #[cfg(test)]
    pub(super) fn shape(&self) -> (Range<usize>, Vec<usize>, Vec<usize>) {
        let of_series = self.parts.iter().map(|(_, rows)| *rows).collect();
        (self.rows.clone(), of_series, self.layout.metrics.clone())
    }

    /// Writes it as the next row group of a file.
    pub(super) fn write(
        &self,
        file: &mut SerializedFileWriter<Vec<u8>>,
        factory: &ArrowRowGroupWriterFactory,
        segment: &Segment,
        plan: &LabelPlan,
        schema: &Schema,
        packing: Packing,
    ) -> Result<(), SegmentError> {
        let descriptors: Vec<ColumnDescPtr> = file.schema_descr().columns().to_vec();
        let mut descriptors = descriptors.into_iter().peekable();
        let mut writers = factory.create_column_writers(0)?.into_iter();
        let mut group = file.next_row_group()?;
        for field in schema.fields() {
            let mut leaves = Vec::new();
            while let Some(leaf) =
                descriptors.next_if(|leaf| leaf.path().parts().first() == Some(field.name()))
            {
                leaves.push(leaf);
            }
            let mut writers: Vec<_> = writers.by_ref().take(leaves.len()).collect();
            if let [leaf] = &leaves[..]
                && let Some((bytes, close)) = self.chunk(leaf, segment, plan, packing)?
            {
                group.append_column(&bytes, close)?;
                continue;
            }
            let mut labels = self.parts.iter().flat_map(|(series, rows)| repeat_n(&series.labels, *rows));
            for start in self.rows.clone().step_by(BATCH_ROWS) {
                let rows = start..self.rows.end.min(start + BATCH_ROWS);
                let array = array(field, segment, rows, plan, &mut labels)?;
                for (writer, leaf) in writers.iter_mut().zip(compute_leaves(field, &array)?) {
                    writer.write(&leaf)?;
                }
            }
            for writer in writers {
                writer.close()?.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// A column that is the same for the rows of a series, or one of numbers; `None` if it is neither.
    fn chunk(
        &self,
        column: &ColumnDescPtr,
        segment: &Segment,
        plan: &LabelPlan,
        packing: Packing,
    ) -> Result<Option<(Bytes, ColumnCloseResult)>, SegmentError> {
        let (rows, layout) = (&segment.rows, &self.layout);
        let chunk = || Chunk::new(Arc::clone(column), packing);
        Ok(Some(match column.name() {
            columns::NAME => self.texts(chunk()?, true, |series| series.labels.get(Labels::NAME))?,
            columns::EVENT => self.texts(chunk()?, false, |series| Some(row_event(series)))?,
            columns::TYPE => self.texts(chunk()?, false, |s| Some(s.held.as_ref()?.kind.r#type.as_str()))?,
            columns::FAMILY => self.texts(chunk()?, false, |s| Some(&*s.held.as_ref()?.kind.family))?,
            columns::HELP | columns::UNIT => self.texts(chunk()?, false, |_| None)?,
            columns::GROUP => {
                let group = |series: &SeriesRows| Some(series.held.as_ref()?.group.0.to_be_bytes());
                let groups: Vec<Option<[u8; 16]>> =
                    self.parts.iter().map(|(series, _)| group(series)).collect();
                let of_series = groups.iter().map(|group| group.as_ref().map(|bytes| &bytes[..]));
                let counts = self.parts.iter().map(|(_, rows)| *rows);
                runs(chunk()?, layout, of_series.zip(counts), Form::Fixed, false)?
            }
            columns::SERIES => {
                let of_series = self.parts.iter().map(|(series, rows)| (series.fingerprint, *rows));
                let all = of_series.flat_map(|(number, rows)| repeat_n(number.to_le_bytes(), rows));
                numbers(chunk()?, layout, all, self.rows.len(), Numbers::Bounded)?
            }
            columns::VALUE if rows.histograms.is_empty() => {
                let all = rows.values[self.rows.clone()].iter().map(|value| value.to_le_bytes());
                numbers(chunk()?, layout, all, self.rows.len(), Numbers::Split)?
            }
            label if plan.is_empty(label) => self.texts(chunk()?, false, |_| None)?,
            label if !label.starts_with("__") => {
                let mut at = 0;
                self.texts(chunk()?, false, |series| value(&series.labels, label, &mut at))?
            }
            _ => return Ok(None),
        }))
    }

    fn texts(
        &self,
        chunk: Chunk,
        bounded: bool,
        mut text: impl FnMut(&'a SeriesRows) -> Option<&'a str>,
    ) -> Result<(Bytes, ColumnCloseResult), SegmentError> {
        // series are looked at once: where they are many, none is in a processor's cache
        let of_series: Vec<Run<'a>> =
            self.parts.iter().map(|(series, rows)| (text(series).map(str::as_bytes), *rows)).collect();
        runs(chunk, &self.layout, of_series.iter().copied(), Form::Text, bounded)
    }
}

/// The value of a label, which mostly stands where it stood in the series before.
fn value<'a>(labels: &'a Labels, name: &str, at: &mut usize) -> Option<&'a str> {
    let all = labels.iter().as_slice();
    if all.get(*at).is_none_or(|label| &*label.name != name) {
        *at = all.binary_search_by(|label| (*label.name).cmp(name)).ok()?;
    }
    Some(&all[*at].value)
}

/// What `__event__` says of the rows of a series.
fn row_event(series: &SeriesRows) -> &'static str {
    match series.held.as_ref().map(|held| held.kind.merge) {
        None => event::SAMPLE,
        Some(Merge::Set) => event::SET,
        Some(Merge::Add) => event::ADD,
        Some(Merge::Min) => event::MIN,
        Some(Merge::Max) => event::MAX,
    }
}

/// Some rows of another column. `labels`: of the rows from these on.
fn array<'a>(
    field: &Field,
    segment: &Segment,
    range: Range<usize>,
    plan: &LabelPlan,
    labels: &mut impl Iterator<Item = &'a Labels>,
) -> Result<ArrayRef, SegmentError> {
    let (rows, count) = (&segment.rows, range.len());
    Ok(match field.name().as_str() {
        columns::TS => times(rows.at_us[range].iter().map(|&at_us| Some(at_us))),
        columns::VALUE => {
            let floats = range.map(|row| rows.histogram(row).is_none().then(|| rows.values[row]));
            Arc::new(floats.collect::<Float64Array>())
        }
        columns::START_TS => times(rows.start_us[range].iter().map(|&us| (us != NO_START_US).then_some(us))),
        columns::HISTOGRAM => Arc::new(histogram::build(range.map(|row| rows.histogram(row).map(|h| &**h)))?),
        columns::UNTIL => times(range.map(|row| rows.until_us(row))),
        columns::WRITER => {
            Arc::new(range.map(|row| rows.writer(row).map(u64::cast_signed)).collect::<Int64Array>())
        }
        columns::SINCE => times(range.map(|row| rows.since_us(row))),
        columns::CARRY => {
            let lost = |row| match rows.lost(row) {
                Lost::Float(lost) => (lost != 0.0).then_some(lost),
                Lost::Histogram(_) => None,
            };
            Arc::new(range.map(lost).collect::<Float64Array>())
        }
        columns::HISTOGRAM_CARRY => {
            let lost = |row| match rows.lost(row) {
                Lost::Float(_) => None,
                Lost::Histogram(lost) => Some(&**lost),
            };
            Arc::new(histogram::build(range.map(lost))?)
        }
        // only rows of the head have these
        columns::KEY => binaries(repeat_n(None, count))?,
        columns::BODY => Arc::new(Int64Array::new_null(count)),
        columns::LABELS => map(plan, labels.take(count).map(Some))?,
        name => return Err(SegmentError::Column(name.to_owned())),
    })
}
