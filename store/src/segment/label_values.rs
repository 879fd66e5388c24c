//! Which labels a file has and with which values, without its rows: which are columns it says in its footer, and what stands in them
//! in the dictionaries of its row groups.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::partial::{Decoding, Step, column_of};
use super::prune;
use super::seal::Sealed;
use super::{SegmentError, columns};

/// A dictionary page of more bytes holds something: its header and the frame of a compressor take fewer.
const EMPTY_BYTES_MAX: u64 = 64;

/// The labels of a file.
#[derive(Debug, Default)]
pub(crate) struct LabelNames {
    /// Some series has them.
    pub(crate) sure: Vec<Arc<str>>,
    /// They are columns, in which perhaps nothing stands.
    pub(crate) perhaps: Vec<Arc<str>>,
}

impl Sealed {
    /// The labels that its series may have.
    pub(crate) fn label_names(&self) -> LabelNames {
        let mut names = LabelNames::default();
        names.sure.extend(self.footer.map_names.iter().map(|name| Arc::from(name.as_str())));
        let fields = self.metadata.schema().fields().iter().map(|field| field.name());
        for name in fields.filter(|name| *name == columns::NAME || !name.starts_with("__")) {
            let chunks = Chunk::all(self, name);
            let holds = |chunk: &Chunk| chunk.page.end - chunk.page.start > EMPTY_BYTES_MAX;
            let sure = chunks.is_some_and(|chunks| chunks.iter().any(holds));
            if sure { &mut names.sure } else { &mut names.perhaps }.push(name.as_str().into());
        }
        names
    }

    /// First and last time of its rows, if it says so.
    pub(crate) fn times_us(&self) -> Option<(i64, i64)> {
        prune::times_of_rows(self, usize::from(self.footer.head_rows > 0))
    }
}

/// A column of a row group, and where its dictionary stands.
struct Chunk {
    metadata: ColumnChunkMetaData,
    page: Range<u64>,
}

impl Chunk {
    /// Of all row groups behind the head; `None` if something stands in no dictionary.
    fn all(sealed: &Sealed, column: &str) -> Option<Vec<Self>> {
        let leaves = sealed.metadata.parquet_schema().columns();
        let leaf = leaves.iter().position(|leaf| leaf.path().parts() == [column])?;
        let metadata = sealed.metadata.metadata();
        let first_group = usize::from(sealed.footer.head_rows > 0);
        let of_group = |group: usize| {
            let chunk = metadata.row_group(group).column(leaf);
            // who says which encodings pages have may have gone on without the dictionary
            let is_said = chunk.page_encoding_stats().is_some() || chunk.page_encoding_stats_mask().is_some();
            chunk.dictionary_page_offset().filter(|_| !is_said)?;
            let locations = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
            let (start, first) = (chunk.byte_range().0, u64::try_from(locations.first()?.offset).ok()?);
            (start < first).then(|| Self { metadata: chunk.clone(), page: start..first })
        };
        (first_group..metadata.num_row_groups()).map(of_group).collect()
    }

    fn read(&self, bytes: Bytes) -> Result<Vec<Arc<str>>, SegmentError> {
        let at = Arc::new(At { start: self.page.start, bytes });
        let rows = usize::try_from(self.metadata.num_values()).unwrap_or(0);
        let mut pages = SerializedPageReader::new(at, &self.metadata, rows, None)?;
        let Some(Page::DictionaryPage { buf, num_values, .. }) = pages.get_next_page()? else {
            return Err(SegmentError::Unsealed);
        };
        let (mut rest, mut values) = (&buf[..], Vec::with_capacity(num_values as usize));
        for row in 0..num_values as usize {
            let length = rest.try_get_u32_le().map_or(usize::MAX, |length| length as usize);
            let text = rest.split_off(..length).and_then(|text| std::str::from_utf8(text).ok());
            let wrong = || SegmentError::Value { row, what: "text", value: String::new() };
            values.push(text.ok_or_else(wrong)?.into());
        }
        Ok(values)
    }
}

/// The values of a label in a file.
pub(crate) struct LabelValues {
    chunks: Vec<Chunk>,
    needs: Vec<Range<u64>>,
    given: Vec<Bytes>,
}

impl LabelValues {
    /// `None`: only rows tell.
    pub(crate) fn of(sealed: &Sealed, label: &str) -> Option<Self> {
        let chunks = match column_of(sealed, label) {
            Some(column) => Chunk::all(sealed, &column)?,
            None if sealed.footer.map_names.iter().any(|name| name == label) => return None,
            None => Vec::new(),
        };
        let needs = chunks.iter().map(|chunk| chunk.page.clone()).collect();
        Some(Self { chunks, needs, given: Vec::new() })
    }
}

impl Decoding for LabelValues {
    /// In order.
    type Done = Arc<[Arc<str>]>;

    fn may_need(&self) -> &[Range<u64>] {
        &self.needs
    }

    fn step(&mut self) -> Result<Step<Arc<[Arc<str>]>>, SegmentError> {
        if self.given.len() < self.chunks.len() {
            return Ok(Step::Needs(self.needs.clone()));
        }
        let mut values = BTreeSet::new();
        for (chunk, bytes) in self.chunks.iter().zip(self.given.drain(..)) {
            values.extend(chunk.read(bytes)?);
        }
        Ok(Step::Done(values.into_iter().collect()))
    }

    fn give(&mut self, parts: Vec<(Range<u64>, Bytes)>) -> Result<(), SegmentError> {
        if parts.len() != self.chunks.len() {
            return Err(SegmentError::Unsealed);
        }
        self.given = parts.into_iter().map(|(_, bytes)| bytes).collect();
        Ok(())
    }
}

/// A page where it stands in its file.
struct At {
    start: u64,
    bytes: Bytes,
}

impl At {
    fn from(&self, start: u64) -> Result<Bytes, ParquetError> {
        let skip = start.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let skip = skip.filter(|skip| *skip <= self.bytes.len());
        Ok(self.bytes.slice(skip.ok_or_else(|| ParquetError::EOF("before a page".to_owned()))?..))
    }
}

impl Length for At {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for At {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start)?;
        match bytes.len() < length {
            true => Err(ParquetError::EOF("behind a page".to_owned())),
            false => Ok(bytes.slice(..length)),
        }
    }
}
