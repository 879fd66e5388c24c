//! From rows to the bytes of a Parquet file.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, MapBuilder, MapFieldNames, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use model::Labels;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Encoding;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

use super::chunk::PAGE_BYTES_MAX;
use super::columns::{self, LabelPlan, Optional};
use super::compressor::Packing;
use super::head::head_batch;
use super::row_group::RowGroup;
use super::seal::seal;
use super::{Segment, SegmentError};

/// What a segment's name says about its bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The file of a segment: what ends and what is described in a first row group of their own, then what is set.
pub(crate) fn encode(segment: &Segment) -> Result<Bytes, SegmentError> {
    encode_paged(segment, PAGED_ROWS_MIN)
}

/// The same, which can be read in parts if it has at least so many rows.
pub(crate) fn encode_paged(segment: &Segment, paged_rows_min: usize) -> Result<Bytes, SegmentError> {
    encode_grouped(segment, paged_rows_min, ROW_GROUP_ROWS_MAX)
}

/// The same, in row groups of at most so many rows.
pub(super) fn encode_grouped(
    segment: &Segment,
    paged_rows_min: usize,
    group_rows_max: usize,
) -> Result<Bytes, SegmentError> {
    let is_paged = segment.row_count() >= paged_rows_min;
    let plan = LabelPlan::of(segment.series.iter().map(|series| &series.labels));
    let optional = Optional {
        pushes: !segment.descriptions.is_empty() || segment.series.iter().all(|series| series.held.is_some()),
        histograms: !segment.rows.histograms.is_empty(),
        untils: segment.pushes.iter().any(|push| push.until_us.is_some())
            || segment.expiries.iter().any(|expiry| expiry.until_us.is_some())
            || !segment.rows.until_us.is_empty(),
        writers: segment.has_writers(),
        totals: !segment.rows.since_us.is_empty() || !segment.rows.lost.is_empty(),
        histogram_totals: !segment.rows.lost_histograms.is_empty(),
        starts: !segment.rows.start_us.is_empty(),
        retry_keys: segment.pushes.iter().any(|push| push.retry_key.is_some()),
        units: segment.descriptions.iter().any(|description| !description.metadata.unit.is_empty()),
    };
    let (schema, packing) = (columns::schema(&plan, optional), packing(segment));
    let options = ArrowWriterOptions::new()
        .with_properties(properties(segment, &plan, packing, is_paged))
        // the schema follows from the columns; a copy of it would be the larger part of a small file
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
    if segment.head_rows() > 0 {
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), head_batch(segment, &plan, optional)?)?)?;
    }
    let (mut file, factory) = writer.into_serialized_writer()?;
    let (mut series, mut done) = (&segment.series[..], 0);
    while let Some(group) = RowGroup::take(&mut series, &mut done, is_paged, group_rows_max) {
        group.write(&mut file, &factory, segment, &plan, &schema, packing)?;
    }
    let file = file.into_inner()?;
    Ok(if is_paged { seal(file)? } else { file }.into())
}

/// Row groups are as large as dictionaries gain from; pages, not row groups, are what a selective read skips.
pub(super) const ROW_GROUP_ROWS_MAX: usize = 4 << 20;

/// A file with as many rows is worth reading in parts, and so gets a page index and checks of its pages.
pub(crate) const PAGED_ROWS_MIN: usize = 1 << 13;

/// A file of fewer rows is not compressed: its pages have a few bytes each, and whoever reads it would have to make ready for every
/// column what decompresses, which takes longer than all else about it.
const COMPRESSED_ROWS_MIN: usize = 64;

/// Unless its texts and histograms have as many bytes.
const COMPRESSED_BYTES_MIN: usize = 32 << 10;

fn packing(segment: &Segment) -> Packing {
    if segment.row_count() >= COMPRESSED_ROWS_MIN {
        return Packing::Zstd;
    }
    let labels = segment.series.iter().flat_map(|series| &series.labels);
    let help = segment.descriptions.iter().map(|description| description.metadata.help.len());
    let buckets = segment.rows.histograms.iter().flatten();
    let bytes = labels.map(|label| label.value.len()).chain(help).sum::<usize>()
        + buckets
            .map(|h| size_of_val(&h.positive_counts[..]) + size_of_val(&h.negative_counts[..]))
            .sum::<usize>();
    if bytes < COMPRESSED_BYTES_MIN { Packing::Plain } else { Packing::Zstd }
}

fn properties(segment: &Segment, plan: &LabelPlan, packing: Packing, is_paged: bool) -> WriterProperties {
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let column = |name: &str| ColumnPath::from(name);
    let mut notes = vec![
        note(columns::KEY_FORMAT, segment.format().to_string()),
        note(columns::KEY_WRITER, format!("{:016x}", segment.writer)),
        note(columns::KEY_FINGERPRINT, columns::FINGERPRINT.to_owned()),
        note(columns::KEY_HEAD_ROWS, segment.head_rows().to_string()),
        note(columns::KEY_AGGREGATES, segment.aggregates.to_string()),
        note(columns::KEY_MAP_NAMES, plan.map_names.join("\n")),
        note(columns::KEY_COLLISION, has_collision(segment).to_string()),
    ];
    if is_paged {
        notes.push(note(columns::KEY_SERIES, segment.series.len().to_string()));
    }
    let statistics = if is_paged { EnabledStatistics::Page } else { EnabledStatistics::Chunk };
    WriterProperties::builder()
        .set_created_by(concat!("mayfly ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(packing.compression())
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column(columns::NAME), statistics)
        .set_column_statistics_enabled(column(columns::TS), EnabledStatistics::Chunk)
        .set_offset_index_disabled(!is_paged)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_column_dictionary_enabled(column(columns::TS), false)
        .set_column_encoding(column(columns::TS), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(column(columns::SERIES), false)
        .set_column_dictionary_enabled(column(columns::VALUE), false)
        .set_column_encoding(column(columns::VALUE), Encoding::BYTE_STREAM_SPLIT)
        .set_key_value_metadata(Some(notes))
        .build()
}

/// Whether label sets that differ share metric name and fingerprint; they then stand side by side.
fn has_collision(segment: &Segment) -> bool {
    segment.series.windows(2).any(|pair| {
        let [a, b] = pair else { return false };
        a.fingerprint == b.fingerprint
            && a.labels != b.labels
            && a.labels.metric_name() == b.labels.metric_name()
    })
}

pub(super) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    builder.extend(values);
    Arc::new(builder.finish())
}

/// A column of times in microseconds.
pub(super) fn times(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

/// A column of 128-bit hashes.
pub(super) fn binaries(hashes: impl Iterator<Item = Option<u128>>) -> Result<ArrayRef, SegmentError> {
    let mut builder = FixedSizeBinaryBuilder::new(16);
    for hash in hashes {
        match hash {
            Some(hash) => builder.append_value(hash.to_be_bytes())?,
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The labels that are no columns.
pub(super) fn map<'a>(
    plan: &LabelPlan,
    rows: impl Iterator<Item = Option<&'a Labels>>,
) -> Result<ArrayRef, SegmentError> {
    let names =
        MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_values_field(Field::new("value", DataType::Utf8, true));
    for labels in rows {
        let labels = labels.filter(|_| !plan.map_names.is_empty());
        let mut any = false;
        for label in labels.into_iter().flatten() {
            if &*label.name != Labels::NAME && !plan.is_column(&label.name) {
                builder.keys().append_value(&label.name);
                builder.values().append_value(&label.value);
                any = true;
            }
        }
        builder.append(any)?;
    }
    Ok(Arc::new(builder.finish()))
}
