//! Checks of the parts of a file, so that whoever fetches some of it knows that it is what was written.
//!
//! The name of a segment has the checksum of all of it. Of a file that is worth reading in parts, the footer has a check
//! of each page and of the page index, and before the footer stand eight bytes that check the footer.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::{
    FileMetaData, KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder,
    ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use xxhash_rust::xxh3::xxh3_64;

use super::SegmentError;
use super::columns;
use super::footer::{Footer, note};
use super::{Mark, Matched, Wanted, prune};

/// Length and magic at the end of a Parquet file.
const TRAILER_BYTES: usize = 8;

/// The check of the footer before it.
const CHECK_BYTES: usize = 8;

/// Adds the checks to a file with a page index.
pub(super) fn seal(mut file: Vec<u8>) -> Result<Vec<u8>, SegmentError> {
    let whole = Bytes::from(file);
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&whole)?;
    let index = index_range(&metadata).ok_or(SegmentError::Unsealed)?;
    let mut checks = String::new();
    for range in page_ranges(&metadata) {
        // writing to a text cannot fail
        let _ = write!(checks, "{:08x}", check(slice(&whole, &range)?));
    }
    let index_check = format!("{:016x}", xxh3_64(slice(&whole, &index)?));
    let old = metadata.file_metadata();
    let mut notes = old.key_value_metadata().cloned().unwrap_or_default();
    notes.push(KeyValue::new(columns::KEY_PAGES.to_owned(), checks));
    notes.push(KeyValue::new(columns::KEY_INDEX.to_owned(), index_check));
    let noted = FileMetaData::new(
        old.version(),
        old.num_rows(),
        old.created_by().map(str::to_owned),
        Some(notes),
        old.schema_descr_ptr(),
        old.column_orders().cloned(),
    );
    // without the indexes: they stay where they are
    let noted = ParquetMetaData::new(noted, metadata.row_groups().to_vec());
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &noted).finish()?;
    let body_bytes = usize::try_from(index.end).map_err(|_| SegmentError::Unsealed)?;
    file = whole.into();
    file.truncate(body_bytes);
    file.extend(xxh3_64(&footer).to_le_bytes());
    file.append(&mut footer);
    Ok(file)
}

/// Where the footer and its check begin, in a file of `size` bytes of which the last are given; `None` if it is no
/// Parquet file.
pub(crate) fn footer_start(size: u64, end: &[u8]) -> Option<u64> {
    let trailer = end.last_chunk::<TRAILER_BYTES>()?;
    let length = u32::from_le_bytes(*trailer.first_chunk::<4>()?);
    (&trailer[4..] == b"PAR1").then_some(())?;
    size.checked_sub(u64::from(length) + (TRAILER_BYTES + CHECK_BYTES) as u64)
}

/// A footer that is what was written.
#[derive(Debug)]
pub(crate) struct SealedFooter {
    size: u64,
    metadata: ParquetMetaData,
    index: Range<u64>,
}

impl SealedFooter {
    /// Takes the footer of a file of `size` bytes, from [`footer_start`] on. `None`: the file has no checks, or these are
    /// not theirs, and all of it must be read to know.
    ///
    /// # Errors
    /// If it is no segment, or a newer one.
    pub(crate) fn open(size: u64, bytes: &[u8]) -> Result<Option<Self>, SegmentError> {
        let Some((said, footer)) = bytes.split_first_chunk::<CHECK_BYTES>() else { return Ok(None) };
        if u64::from_le_bytes(*said) != xxh3_64(footer) {
            return Ok(None);
        }
        let length = footer.len().saturating_sub(TRAILER_BYTES);
        let metadata = ParquetMetaDataReader::decode_metadata(&footer[..length])?;
        let index = index_range(&metadata).ok_or(SegmentError::Unsealed)?;
        Ok(Some(Self { size, metadata, index }))
    }

    /// Where the page index stands.
    pub(crate) fn index_range(&self) -> Range<u64> {
        self.index.clone()
    }

    /// Takes the bytes of that range.
    ///
    /// # Errors
    /// If they are not what was written.
    pub(crate) fn with_index(self, bytes: &Bytes) -> Result<Sealed, SegmentError> {
        let (found, said) = (xxh3_64(bytes), note(&self.metadata, columns::KEY_INDEX));
        let said = said.and_then(|said| u64::from_str_radix(said, 16).ok()).ok_or(SegmentError::Unsealed)?;
        if found != said {
            return Err(SegmentError::Checksum { found, expected: said });
        }
        let mut decoder = ParquetMetaDataPushDecoder::try_new_with_metadata(self.size, self.metadata)?
            .with_page_index_policy(PageIndexPolicy::Required);
        decoder.push_range(self.index, bytes.clone())?;
        let DecodeResult::Data(metadata) = decoder.try_decode()? else { return Err(SegmentError::Unsealed) };
        Sealed::of(metadata)
    }
}

/// What is known of a file that is read in parts.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(super) footer: Footer,
    pub(super) metadata: ArrowReaderMetadata,
    /// In order.
    pages: Vec<Page>,
    /// How often rows were asked for.
    asked: AtomicUsize,
}

/// A page, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) range: Range<u64>,
    check: u32,
}

impl Page {
    /// Whether these are its bytes.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        check(bytes) == self.check
    }
}

impl Sealed {
    /// How many rows may be wanted, the head's included.
    pub(crate) fn rows(&self, wanted: &Wanted) -> usize {
        self.footer.head_rows + self.marks(wanted, None).iter().map(|(_, rows)| rows).sum::<usize>()
    }

    /// How many row groups it has beside that of its head.
    pub(crate) fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups() - usize::from(self.footer.head_rows > 0)
    }

    /// Where rows stand that may be wanted; `matched`: the rows that match, where that is known.
    pub(crate) fn marks(&self, wanted: &Wanted, matched: Option<&Matched>) -> Vec<Mark> {
        prune::marks(self, usize::from(self.footer.head_rows > 0), wanted, matched)
    }

    /// How many rows each row group has, the head's first.
    pub(super) fn rows_of_groups(&self) -> impl Iterator<Item = usize> + '_ {
        let groups = self.metadata.metadata().row_groups().iter();
        groups.map(|group| usize::try_from(group.num_rows()).unwrap_or(0))
    }

    /// About how many series there are in so many of its rows. As many, where the file does not say how many it has.
    pub(crate) fn series_in(&self, rows: usize) -> usize {
        let all = usize::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        let all = all.saturating_sub(self.footer.head_rows).max(1);
        self.footer.series.map_or(rows, |series| rows.saturating_mul(series).div_ceil(all).min(rows))
    }

    fn of(metadata: ParquetMetaData) -> Result<Self, SegmentError> {
        let footer = Footer::read(&metadata)?;
        let checks = note(&metadata, columns::KEY_PAGES).ok_or(SegmentError::Unsealed)?;
        let mut pages = Vec::new();
        for (index, range) in page_ranges(&metadata).enumerate() {
            let check = checks.get(8 * index..8 * index + 8);
            let check = check.and_then(|check| u32::from_str_radix(check, 16).ok());
            pages.push(Page { range, check: check.ok_or(SegmentError::Unsealed)? });
        }
        has_pages_in_order(&metadata).then_some(()).ok_or(SegmentError::Unsealed)?;
        pages.sort_unstable_by_key(|page| page.range.start);
        let (metadata, asked) = (columns::reading(Arc::new(metadata))?, AtomicUsize::new(0));
        Ok(Self { footer, metadata, pages, asked })
    }

    /// The pages that a range consists of.
    ///
    /// # Errors
    /// If it does not consist of pages.
    pub(crate) fn pages(&self, range: &Range<u64>) -> Result<&[Page], SegmentError> {
        let first = self.pages.partition_point(|page| page.range.start < range.start);
        let count = self.pages[first..].partition_point(|page| page.range.end <= range.end);
        let pages = &self.pages[first..first + count];
        let joined = pages.windows(2).all(|pair| pair[0].range.end == pair[1].range.start);
        let ends = pages.first().map(|page| page.range.start) == Some(range.start)
            && pages.last().map(|page| page.range.end) == Some(range.end);
        (joined && ends).then_some(pages).ok_or(SegmentError::Unsealed)
    }

    /// How many series it has, if the file says so.
    pub(crate) fn series(&self) -> Option<usize> {
        self.footer.series
    }

    /// How many labels its series may have, each at most.
    pub(crate) fn label_count(&self) -> usize {
        let fields = self.metadata.schema().fields().iter().map(|field| field.name());
        fields.filter(|name| !name.starts_with("__")).count() + self.footer.map_names.len()
    }

    /// How often this was asked before.
    pub(crate) fn asked_before(&self) -> usize {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether some of it was pushed to be added up.
    pub(crate) fn aggregates(&self) -> bool {
        self.footer.aggregates
    }

    /// Whether only labels tell its series apart.
    pub(crate) fn has_collision(&self) -> bool {
        self.footer.collision
    }

    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        // the schema is held twice, and nothing else is as large as the pages
        2 * self.metadata.metadata().memory_size() + self.pages.len() * size_of::<Page>()
    }
}

/// Of one page.
fn check(page: &[u8]) -> u32 {
    // half of it is enough to find what is damaged
    #[expect(clippy::cast_possible_truncation, reason = "half of it")]
    let half = xxh3_64(page) as u32;
    half
}

fn slice<'a>(file: &'a [u8], range: &Range<u64>) -> Result<&'a [u8], SegmentError> {
    let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
    let (Ok(start), Ok(end)) = (start, end) else { return Err(SegmentError::Unsealed) };
    file.get(start..end).ok_or(SegmentError::Unsealed)
}

/// Where the column indexes and the offset indexes stand, between the pages and the footer.
fn index_range(metadata: &ParquetMetaData) -> Option<Range<u64>> {
    let chunks = || metadata.row_groups().iter().flat_map(RowGroupMetaData::columns);
    let places = chunks()
        .map(|chunk| (chunk.column_index_offset(), chunk.column_index_length()))
        .chain(chunks().map(|chunk| (chunk.offset_index_offset(), chunk.offset_index_length())));
    let ranges = places.filter_map(|(offset, length)| {
        let start = u64::try_from(offset?).ok()?;
        Some(start..start + u64::try_from(length?).ok()?)
    });
    ranges.reduce(|all, range| all.start.min(range.start)..all.end.max(range.end))
}

/// Whether each column has pages in every row group that begin where its index says they may: the first at its first row, each
/// other behind the one before it, all within the row group. Where there are statistics of pages, they are of as many.
fn has_pages_in_order(metadata: &ParquetMetaData) -> bool {
    let Some(offsets) = metadata.offset_index() else { return false };
    metadata.row_groups().iter().enumerate().all(|(place, group)| {
        (0..group.num_columns()).all(|column| {
            let Some(offsets) = offsets.get(place).and_then(|columns| columns.get(column)) else {
                return false;
            };
            let locations = offsets.page_locations();
            let statistics = metadata.column_index().and_then(|columns| columns.get(place)?.get(column));
            let counts = match statistics {
                None | Some(ColumnIndexMetaData::NONE) => None,
                Some(statistics) => Some(statistics.num_pages()),
            };
            locations.first().is_some_and(|first| first.first_row_index == 0)
                && locations.windows(2).all(|pair| pair[0].first_row_index < pair[1].first_row_index)
                && locations.last().is_some_and(|last| last.first_row_index < group.num_rows())
                && counts.is_none_or(|count| count == locations.len() as u64)
        })
    })
}

/// All pages, by row group and column; the dictionary of each column first.
fn page_ranges(metadata: &ParquetMetaData) -> impl Iterator<Item = Range<u64>> + '_ {
    let groups = metadata.offset_index().map_or(&[][..], |index| &index[..]);
    metadata.row_groups().iter().zip(groups).flat_map(|(group, columns)| {
        group.columns().iter().zip(columns).flat_map(|(chunk, index)| {
            let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
            let locations = index.page_locations();
            let start = chunk.byte_range().0;
            let first = locations.first().map_or(start, |page| unsigned(page.offset));
            let dictionary = (start < first).then_some(start..first);
            dictionary.into_iter().chain(locations.iter().map(move |page| {
                let start = unsigned(page.offset);
                start..start + unsigned(page.compressed_page_size.into())
            }))
        })
    })
}

#[cfg(test)]
impl Sealed {
    /// What is known of a whole file.
    pub(super) fn of_file(file: &Bytes) -> Result<Self, SegmentError> {
        let size = file.len() as u64;
        let footer = slice(file, &(footer_start(size, file).ok_or(SegmentError::Unsealed)?..size))?;
        let footer = SealedFooter::open(size, footer)?.ok_or(SegmentError::Unsealed)?;
        let index = Bytes::copy_from_slice(slice(file, &footer.index_range())?);
        footer.with_index(&index)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use model::{Labels, Samples};
    use parquet::file::page_index::offset_index::OffsetIndexMetaData;
    use parquet::file::writer::TrackedWrite;

    use super::*;
    use crate::segment::{Segment, encode};

    /// A file with another index of the pages of one column in its only row group, and checks that fit.
    fn crafted(name: &str, change: impl Fn(&mut OffsetIndexMetaData)) -> Bytes {
        let series = (0..3).map(|series| {
            let mut samples = Samples::default();
            (0..4_000).for_each(|at| samples.push(at, 1.0));
            (Labels::from_pairs([("__name__", format!("m{series}"))]), samples)
        });
        let file = encode(&Segment::from_samples(7, &series.collect::<Vec<_>>())).expect("encodes");
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&file)
            .expect("parses");
        let body = usize::try_from(index_range(&metadata).expect("an index").start).expect("small");
        let (old, mut offsets) =
            (metadata.file_metadata(), metadata.offset_index().expect("an index").clone());
        let column = old.schema_descr().columns().iter().position(|column| column.name() == name);
        change(&mut offsets[0][column.expect("there")]);
        let mut notes = old.key_value_metadata().expect("notes").clone();
        notes.retain(|note| note.key != columns::KEY_PAGES && note.key != columns::KEY_INDEX);
        let unsealed = FileMetaData::new(
            old.version(),
            old.num_rows(),
            None,
            Some(notes),
            old.schema_descr_ptr(),
            old.column_orders().cloned(),
        );
        let unsealed = ParquetMetaData::new(unsealed, metadata.row_groups().to_vec())
            .into_builder()
            .set_column_index(metadata.column_index().cloned())
            .set_offset_index(Some(offsets))
            .build();
        let mut bytes = Vec::new();
        let mut written = TrackedWrite::new(&mut bytes);
        written.write_all(&file[..body]).expect("writes");
        ParquetMetaDataWriter::new_with_tracked(written, &unsealed).finish().expect("writes");
        seal(bytes).expect("seals").into()
    }

    #[test]
    fn rows_of_pages_are_in_order_and_within_their_row_group() {
        let firsts = |firsts: &'static [i64]| {
            move |index: &mut OffsetIndexMetaData| {
                let one = index.page_locations[0].clone();
                let pages = firsts.iter().map(|&row| {
                    let mut page = one.clone();
                    page.first_row_index = row;
                    page
                });
                index.page_locations = pages.collect();
            }
        };
        for name in [columns::NAME, columns::SERIES, columns::TS, "job"] {
            assert!(Sealed::of_file(&crafted(name, |_| ())).is_ok(), "{name}");
            for rows in
                [&[0, 4_000, 12_000][..], &[0, 2_000_000, 10], &[0, 0, 10], &[1, 4_000], &[-1, 4], &[]]
            {
                let sealed = Sealed::of_file(&crafted(name, firsts(rows)));
                assert!(matches!(sealed, Err(SegmentError::Unsealed)), "{name} {rows:?}");
            }
        }
        // statistics of another number of pages, which would be looked up beside them
        let sealed = Sealed::of_file(&crafted(columns::NAME, firsts(&[0, 1, 2, 3, 4, 5, 6, 7])));
        assert!(matches!(sealed, Err(SegmentError::Unsealed)));
    }
}
