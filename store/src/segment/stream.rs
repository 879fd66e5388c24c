//! Reads a file a few rows at a time, in its order.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaDataReader;

use super::columns;
use super::decode::{Columns, read_batch};
use super::footer::Footer;
use super::texts::Dictionaries;
use super::{Segment, SegmentError, checksum};

/// A file of which some rows are still to be decoded. Its bytes stay in memory until it is dropped.
pub(crate) struct Streamed {
    rows: Option<ParquetRecordBatchReader>,
    dictionaries: Dictionaries,
    footer: Footer,
    rows_seen: usize,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streamed").field("rows_seen", &self.rows_seen).finish_non_exhaustive()
    }
}

impl Streamed {
    /// Compares a file with its checksum and reads its head. Of the rows, so many will be decoded at a time.
    pub(crate) fn open(bytes: &Bytes, expected: u64, rows: usize) -> Result<(Segment, Self), SegmentError> {
        let found = checksum(bytes);
        if found != expected {
            return Err(SegmentError::Checksum { found, expected });
        }
        let metadata = ParquetMetaDataReader::new().parse_and_finish(bytes)?;
        let footer = Footer::read(&metadata)?;
        let metadata = columns::reading(Arc::new(metadata))?;
        let groups = metadata.metadata().num_row_groups();
        let head_groups = usize::from(footer.head_rows > 0).min(groups);
        let reader = |groups: std::ops::Range<usize>| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata.clone());
            builder.with_row_groups(groups.collect()).with_batch_size(rows).build()
        };
        let mut file = Self { rows: None, dictionaries: Dictionaries::default(), footer, rows_seen: 0 };
        let mut head = file.empty();
        if head_groups > 0 {
            for batch in reader(0..head_groups)? {
                file.read(&batch?, &mut head)?;
            }
        }
        if groups > head_groups {
            file.rows = Some(reader(head_groups..groups)?);
        }
        // the texts of the head are not needed any more
        file.dictionaries = Dictionaries::default();
        Ok((head, file))
    }

    fn empty(&self) -> Segment {
        Segment { writer: self.footer.writer, aggregates: self.footer.aggregates, ..Segment::default() }
    }

    fn read(&mut self, batch: &arrow_array::RecordBatch, segment: &mut Segment) -> Result<(), SegmentError> {
        let columns = Columns::of(batch, &mut self.dictionaries)?;
        read_batch(&columns, self.rows_seen, self.footer.collision, segment)?;
        self.rows_seen += batch.num_rows();
        Ok(())
    }

    /// The next rows; `None` if there are no more.
    pub(crate) fn next(&mut self) -> Result<Option<Segment>, SegmentError> {
        let Some(batch) = self.rows.as_mut().and_then(Iterator::next) else { return Ok(None) };
        let mut segment = self.empty();
        self.read(&batch?, &mut segment)?;
        Ok(Some(segment))
    }
}
