//! Rows of a file, batch by batch, as far as their bytes are there.

use std::ops::Range;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};

use super::SegmentError;
use super::decode::BATCH_ROWS;
use super::needs::Needed;
use super::partial::mask;
use super::seal::Sealed;

/// See the module.
pub(super) struct Batches {
    /// `None`: there are none.
    decoder: Option<ParquetPushDecoder>,
    may_need: Vec<Range<u64>>,
}

impl Batches {
    /// Some columns of some rows of row groups; `rows`: of all of these together, `None`: all.
    pub(super) fn of(
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

    /// The pages that it comes to need.
    pub(super) fn may_need(&self) -> &[Range<u64>] {
        &self.may_need
    }

    pub(super) fn next(&mut self) -> Result<DecodeResult<RecordBatch>, SegmentError> {
        match &mut self.decoder {
            Some(decoder) => Ok(decoder.try_decode()?),
            None => Ok(DecodeResult::Finished),
        }
    }

    pub(super) fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        let (ranges, bytes) = parts.into_iter().unzip();
        match &mut self.decoder {
            Some(decoder) => Ok(decoder.push_ranges(ranges, bytes)?),
            None => Ok(()),
        }
    }
}
