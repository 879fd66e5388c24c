//! A column of a row group, made page by page by whoever knows what stands in it.

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::SegmentError;
use super::compressor::{Compressor, Packing};
use super::hybrid::Hybrid;

/// Where the pages of a row group end.
#[derive(Debug)]
pub(super) struct Layout {
    /// The rows, counted in the row group, before which another metric begins: a selective read takes metrics.
    pub(super) metrics: Vec<usize>,
    /// Whether there is an index of the pages.
    pub(super) indexed: bool,
}

/// A page has no more rows: columns that hardly change have few pages.
const PAGE_ROWS_MAX: usize = 1 << 17;

/// Nor more bytes before compression, about.
pub(super) const PAGE_BYTES_MAX: usize = 128 << 10;

/// With as many bytes, a page ends where a metric does.
const METRIC_BYTES_MIN: usize = PAGE_BYTES_MAX / 4;

/// And with as many rows in the column that says which metric: its pages take next to no bytes, and are what a file is
/// divided by.
const METRIC_ROWS_MIN: usize = 1 << 10;

impl Layout {
    /// How many rows a page that has so many may still take.
    pub(super) fn rows_left(&self, rows: usize) -> usize {
        PAGE_ROWS_MAX - rows
    }

    /// Whether a page of so many rows and bytes, which has come to `row`, ends there. `bounded`: its column is that of
    /// metric names.
    pub(super) fn ends(&self, rows: usize, row: usize, bytes: usize, bounded: bool) -> bool {
        let is_enough = bytes >= METRIC_BYTES_MIN || (bounded && rows >= METRIC_ROWS_MIN);
        bytes >= PAGE_BYTES_MAX
            || rows >= PAGE_ROWS_MAX
            || (is_enough && self.metrics.binary_search(&row).is_ok())
    }

    /// The end of the page that begins at `row`, of `rows`, in a column whose values have so many bytes each.
    pub(super) fn end(&self, row: usize, rows: usize, value_bytes: usize) -> usize {
        let most = (row + (PAGE_BYTES_MAX / value_bytes).min(PAGE_ROWS_MAX)).min(rows);
        let least = row + METRIC_BYTES_MIN / value_bytes;
        let to_come = self.metrics.partition_point(|&metric| metric < least);
        self.metrics.get(to_come).copied().filter(|&metric| metric < most).unwrap_or(most)
    }
}

/// What is packed and ready to be written.
#[derive(Debug)]
pub(super) struct Body {
    encoding: Encoding,
    packed: Vec<u8>,
    uncompressed_bytes: usize,
}

impl Body {
    /// How many bytes it will take.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }
}

/// The least and the most of what a page or a chunk holds; `None` if that is nothing.
pub(super) type Bounds<'a> = Option<(&'a [u8], &'a [u8])>;

/// A chunk that is being made.
pub(super) struct Chunk {
    column: ColumnDescPtr,
    packing: Packing,
    compressor: Compressor,
    sink: TrackedWrite<Vec<u8>>,
    rows: usize,
    uncompressed_bytes: usize,
    dictionary_bytes: usize,
    encodings: Vec<Encoding>,
    offsets: OffsetIndexBuilder,
    bounds: ColumnIndexBuilder,
}

impl Chunk {
    pub(super) fn new(column: ColumnDescPtr, packing: Packing) -> Result<Self, SegmentError> {
        let bounds = ColumnIndexBuilder::new(column.physical_type());
        Ok(Self {
            column,
            packing,
            compressor: Compressor::new(packing)?,
            sink: TrackedWrite::new(Vec::new()),
            rows: 0,
            uncompressed_bytes: 0,
            dictionary_bytes: 0,
            encodings: vec![Encoding::RLE],
            offsets: OffsetIndexBuilder::new(),
            bounds,
        })
    }

    /// Whether a row may have no value, and so says whether it has one.
    pub(super) fn is_nullable(&self) -> bool {
        self.column.max_def_level() > 0
    }

    /// Packs a page.
    pub(super) fn body(&mut self, encoding: Encoding, bytes: &[u8]) -> Result<Body, SegmentError> {
        let packed = self.compressor.whole(bytes)?;
        Ok(Body { encoding, packed, uncompressed_bytes: bytes.len() })
    }

    /// Packs a page of parts that are not alike.
    pub(super) fn body_of_parts<'a>(
        &mut self,
        encoding: Encoding,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Body, SegmentError> {
        let uncompressed_bytes = parts.clone().map(<[u8]>::len).sum();
        Ok(Body { encoding, packed: self.compressor.blocks(parts)?, uncompressed_bytes })
    }

    /// Takes the dictionary, which comes before all pages.
    pub(super) fn dictionary(&mut self, values: u32, bytes: &[u8]) -> Result<(), SegmentError> {
        let body = self.body(Encoding::PLAIN, bytes)?;
        let page = Page::DictionaryPage {
            buf: body.packed.into(),
            num_values: values,
            encoding: body.encoding,
            is_sorted: false,
        };
        self.dictionary_bytes = self.write(page, body.uncompressed_bytes, body.encoding)?;
        Ok(())
    }

    /// Takes a page of so many rows, of which some have no value.
    pub(super) fn page(
        &mut self,
        rows: usize,
        nulls: usize,
        bounds: Bounds<'_>,
        body: Body,
    ) -> Result<(), SegmentError> {
        let offset = self.sink.bytes_written();
        let page = Page::DataPage {
            buf: body.packed.into(),
            num_values: rows as u32,
            encoding: body.encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let bytes = self.write(page, body.uncompressed_bytes, body.encoding)?;
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(offset as i64, bytes as i32);
        let (least, most) = bounds.map(cut).unwrap_or_default();
        self.bounds.append(rows == nulls, least, most, nulls as i64);
        self.rows += rows;
        Ok(())
    }

    fn write(
        &mut self,
        page: Page,
        uncompressed_bytes: usize,
        encoding: Encoding,
    ) -> Result<usize, SegmentError> {
        let written = SerializedPageWriter::new(&mut self.sink)
            .write_page(CompressedPage::new(page, uncompressed_bytes))?;
        self.uncompressed_bytes += written.uncompressed_size;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        Ok(written.compressed_size)
    }

    /// The bytes of the chunk, and what is to be said of it. `bounds`: of all pages, where they are known.
    pub(super) fn finish(
        self,
        layout: &Layout,
        bounds: Option<(Bounds<'_>, usize)>,
    ) -> Result<(Bytes, ColumnCloseResult), SegmentError> {
        let (bytes, physical) = (self.sink.bytes_written(), self.column.physical_type());
        let mut metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(self.packing.compression())
            .set_encodings(self.encodings)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(bytes as i64)
            .set_total_uncompressed_size(self.uncompressed_bytes as i64)
            .set_data_page_offset(self.dictionary_bytes as i64)
            .set_dictionary_page_offset((self.dictionary_bytes > 0).then_some(0));
        if let Some((Some(bounds), nulls)) = bounds {
            metadata = metadata.set_statistics(statistics(physical, bounds, nulls as u64));
        }
        let close = ColumnCloseResult {
            bytes_written: bytes as u64,
            rows_written: self.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: match bounds {
                Some(_) if layout.indexed => Some(self.bounds.build()?),
                _ => None,
            },
            offset_index: layout.indexed.then(|| self.offsets.build()),
        };
        Ok((self.sink.into_inner()?.into(), close))
    }
}

/// What a chunk says of its values, of which these are the least and the most.
fn statistics(physical: Type, (least, most): (&[u8], &[u8]), nulls: u64) -> Statistics {
    if physical == Type::INT64 {
        let number = |bytes: &[u8]| bytes.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
        return Statistics::int64(number(least), number(most), None, Some(nulls), false);
    }
    let (least, most) = cut((least, most));
    let text = |bytes: Vec<u8>| Some(ByteArray::from(bytes));
    Statistics::byte_array(text(least), text(most), None, Some(nulls), false)
}

/// The definition levels at the head of a page: whether each row has a value, as runs.
pub(super) fn levels(levels: Hybrid) -> Vec<u8> {
    let mut bytes = levels.finish();
    let length = bytes.len() as u32 - 4;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// Bounds are texts of no more bytes than this.
const BOUND_BYTES_MAX: usize = 64;

/// The least is cut; the most is cut and made more.
fn cut((least, most): (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
    let head = |text: &[u8]| {
        let end = (0..=BOUND_BYTES_MAX).rev().find(|&end| text.get(end).is_none_or(|b| b & 0xc0 != 0x80));
        text[..end.unwrap_or(0).min(text.len())].to_vec()
    };
    let most = if most.len() <= BOUND_BYTES_MAX { most.to_vec() } else { next(head(most), most) };
    (head(least), most)
}

/// The least text that is more than all that begin with `head`; `all` if there is none.
fn next(head: Vec<u8>, all: &[u8]) -> Vec<u8> {
    let Ok(mut text) = String::from_utf8(head) else { return all.to_vec() };
    while let Some(last) = text.pop() {
        // a character after the last that is one
        let after = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(after) = after {
            text.push(after);
            return text.into_bytes();
        }
    }
    all.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_are_cut_are_still_bounds() {
        let check = |least: &str, most: &str| {
            let bounds = cut((least.as_bytes(), most.as_bytes()));
            assert!(bounds.0.as_slice() <= least.as_bytes() && bounds.1.as_slice() >= most.as_bytes());
            assert!(str::from_utf8(&bounds.0).is_ok() && str::from_utf8(&bounds.1).is_ok());
            bounds
        };
        assert_eq!(check("a", "b"), (b"a".to_vec(), b"b".to_vec()));
        for length in 60..70 {
            for last in ["x", "\u{7f}", "ö", "€", "\u{d7ff}", "\u{10ffff}"] {
                let text = "a".repeat(length) + last + "tail";
                let (least, most) = check(&text, &text);
                assert!(least.len() <= BOUND_BYTES_MAX && most.len() <= BOUND_BYTES_MAX + 3);
                assert!(text.len() <= BOUND_BYTES_MAX || least != most);
            }
        }
        // nothing of a few bytes is more than this
        let highest = "\u{10ffff}".repeat(20);
        assert_eq!(check("a", &highest).1, highest.as_bytes());
    }

    #[test]
    fn pages_end_at_their_limits_and_with_metrics() {
        let layout = Layout { metrics: vec![100, 5_000, 20_000], indexed: true };
        // 16,384 numbers make a page, and 4,096 are enough for one
        assert_eq!(layout.end(0, 50_000, 8), 5_000);
        assert_eq!(layout.end(5_000, 50_000, 8), 20_000);
        assert_eq!(layout.end(20_000, 50_000, 8), 36_384);
        assert_eq!(layout.end(36_384, 50_000, 8), 50_000);
        assert!(layout.ends(1, 1, PAGE_BYTES_MAX, false) && layout.ends(PAGE_ROWS_MAX, 1, 1, false));
        assert!(layout.ends(1, 100, METRIC_BYTES_MIN, false) && !layout.ends(1, 101, METRIC_BYTES_MIN, true));
        assert!(!layout.ends(1, 100, METRIC_BYTES_MIN - 1, false));
        // which metric it is takes no bytes
        assert!(
            layout.ends(METRIC_ROWS_MIN, 5_000, 1, true) && !layout.ends(METRIC_ROWS_MIN, 5_000, 1, false)
        );
        assert!(!layout.ends(METRIC_ROWS_MIN - 1, 5_000, 1, true));
    }
}
