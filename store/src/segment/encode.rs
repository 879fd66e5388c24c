//! From rows to the bytes of a Parquet file.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, MapBuilder, MapFieldNames, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use model::{Labels, Merge};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, LabelPlan, Optional, event};
use super::head::head_batch;
use super::rows::NO_START_US;
use super::seal::seal;
use super::{Lost, Rows, Segment, SegmentError, SeriesRows, histogram};

/// What a segment's name says about its bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The file of a segment: what ends and what is described in a first row group of their own, then what is set.
pub(crate) fn encode(segment: &Segment) -> Result<Bytes, SegmentError> {
    let plan = LabelPlan::of(segment.series.iter().map(|series| &series.labels));
    let optional = Optional {
        pushes: segment.series.iter().all(|series| series.held.is_some()),
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
    let schema = columns::schema(&plan, optional);
    let options = ArrowWriterOptions::new()
        .with_properties(properties(segment, &plan))
        // the schema follows from the columns; a copy of it would be the larger part of a small file
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
    if segment.head_rows() > 0 {
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), head_batch(segment, &plan, optional)?)?)?;
        writer.flush()?;
    }
    for parts in batches(&segment.series) {
        let columns = rows_batch(&parts, &segment.rows, &plan, optional)?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    let file = writer.into_inner()?;
    Ok(if is_paged(segment) { seal(file)? } else { file }.into())
}

/// Rows that are put into arrays at once, so that a large segment is not in memory a second time.
const BATCH_ROWS: usize = 1 << 16;

/// A label with many values, like an instance that lives for one run, stays a dictionary up to this size: it stands once
/// per row group then, and not once per series.
const DICTIONARY_BYTES_MAX: usize = 16 << 20;

/// Row groups are as large as dictionaries gain from; pages, not row groups, are what a selective read skips.
const ROW_GROUP_ROWS_MAX: usize = 4 << 20;

/// A file with as many rows is worth reading in parts, and so gets a page index and checks of its pages.
const PAGED_ROWS_MIN: usize = 1 << 13;

/// A page has no more rows: columns that hardly change have few pages.
const PAGE_ROWS_MAX: usize = 1 << 17;

/// Nor more bytes before compression, about: what a selective read reads in vain of a column of values is half of that.
const PAGE_BYTES_MAX: usize = 128 << 10;

fn is_paged(segment: &Segment) -> bool {
    segment.row_count() >= PAGED_ROWS_MIN
}

/// Some of the rows of a series.
struct Part<'a> {
    series: &'a SeriesRows,
    range: Range<usize>,
}

/// All rows in order, cut into batches.
fn batches(series: &[SeriesRows]) -> Vec<Vec<Part<'_>>> {
    let (mut batches, mut batch, mut space) = (Vec::new(), Vec::new(), BATCH_ROWS);
    for series in series {
        let mut rest = series.range.clone();
        while !rest.is_empty() {
            let range = rest.start..rest.end.min(rest.start + space);
            rest.start = range.end;
            space -= range.len();
            batch.push(Part { series, range });
            if space == 0 {
                batches.push(std::mem::take(&mut batch));
                space = BATCH_ROWS;
            }
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

fn properties(segment: &Segment, plan: &LabelPlan) -> WriterProperties {
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let column = |name: &str| ColumnPath::from(name);
    let statistics = if is_paged(segment) { EnabledStatistics::Page } else { EnabledStatistics::Chunk };
    WriterProperties::builder()
        .set_created_by(concat!("mayfly ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column(columns::NAME), statistics)
        .set_column_statistics_enabled(column(columns::TS), EnabledStatistics::Chunk)
        .set_offset_index_disabled(!is_paged(segment))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_column_dictionary_enabled(column(columns::TS), false)
        .set_column_encoding(column(columns::TS), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(column(columns::SERIES), false)
        .set_column_dictionary_enabled(column(columns::VALUE), false)
        .set_column_encoding(column(columns::VALUE), Encoding::BYTE_STREAM_SPLIT)
        .set_key_value_metadata(Some(vec![
            note(columns::KEY_FORMAT, segment.format().to_string()),
            note(columns::KEY_WRITER, format!("{:016x}", segment.writer)),
            note(columns::KEY_FINGERPRINT, columns::FINGERPRINT.to_owned()),
            note(columns::KEY_HEAD_ROWS, segment.head_rows().to_string()),
            note(columns::KEY_AGGREGATES, segment.aggregates.to_string()),
            note(columns::KEY_MAP_NAMES, plan.map_names.join("\n")),
            note(columns::KEY_COLLISION, has_collision(segment).to_string()),
        ]))
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

/// What is set, added or sampled.
fn rows_batch(
    parts: &[Part<'_>],
    rows: &Rows,
    plan: &LabelPlan,
    optional: Optional,
) -> Result<Vec<ArrayRef>, SegmentError> {
    let (start, end) = match (parts.first(), parts.last()) {
        (Some(first), Some(last)) => (first.range.start, last.range.end),
        _ => (0, 0),
    };
    let floats: Float64Array = if optional.histograms {
        (start..end).map(|row| rows.histogram(row).is_none().then(|| rows.values[row])).collect()
    } else {
        Float64Array::from(rows.values[start..end].to_vec())
    };
    let fingerprints =
        parts.iter().flat_map(|part| std::iter::repeat_n(part.series.fingerprint, part.range.len()));
    let ats = TimestampMicrosecondArray::from(rows.at_us[start..end].to_vec());
    let mut arrays: Vec<ArrayRef> = vec![
        part_texts(parts, |series| series.labels.get(Labels::NAME)),
        Arc::new(Int64Array::from_iter_values(fingerprints)),
        Arc::new(ats.with_timezone("UTC")),
        Arc::new(floats),
    ];
    if optional.starts {
        let starts = rows.start_us[start..end].iter();
        arrays.push(times(starts.map(|&start_us| (start_us != NO_START_US).then_some(start_us))));
    }
    if optional.histograms {
        arrays.push(Arc::new(histogram::build((start..end).map(|row| rows.histogram(row).map(|h| &**h)))?));
    }
    arrays.push(part_texts(parts, |series| Some(row_event(series))));
    if optional.pushes {
        let key = |series: &SeriesRows| series.held.as_ref().map(|held| held.group.0);
        arrays.extend([
            part_texts(parts, |series| Some(series.held.as_ref()?.kind.r#type.as_str())),
            binaries(parts.iter().flat_map(|part| std::iter::repeat_n(key(part.series), part.range.len())))?,
            part_texts(parts, |series| Some(&*series.held.as_ref()?.kind.family)),
            part_texts(parts, |_| None),
        ]);
    }
    if optional.units {
        arrays.push(part_texts(parts, |_| None));
    }
    if optional.untils {
        arrays.push(times((start..end).map(|row| rows.until_us(row))));
    }
    if optional.writers {
        let writers: Int64Array = (start..end).map(|row| rows.writer(row).map(u64::cast_signed)).collect();
        arrays.push(Arc::new(writers));
    }
    if optional.totals {
        arrays.push(times((start..end).map(|row| rows.since_us(row))));
        let lost = |row| match rows.lost(row) {
            Lost::Float(lost) => (lost != 0.0).then_some(lost),
            Lost::Histogram(_) => None,
        };
        arrays.push(Arc::new((start..end).map(lost).collect::<Float64Array>()));
    }
    if optional.histogram_totals {
        let lost = |row| match rows.lost(row) {
            Lost::Float(_) => None,
            Lost::Histogram(lost) => Some(&**lost),
        };
        arrays.push(Arc::new(histogram::build((start..end).map(lost))?));
    }
    if optional.retry_keys {
        arrays.push(binaries(std::iter::repeat_n(None, end - start))?);
        arrays.push(Arc::new(Int64Array::new_null(end - start)));
    }
    arrays.extend(plan.columns.iter().map(|name| part_texts(parts, |series| series.labels.get(name))));
    let labels =
        parts.iter().flat_map(|part| std::iter::repeat_n(Some(&part.series.labels), part.range.len()));
    arrays.push(map(plan, labels)?);
    Ok(arrays)
}

pub(super) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    builder.extend(values);
    Arc::new(builder.finish())
}

/// A text of each series for all of its rows: looked up once per series.
fn part_texts<'a>(parts: &[Part<'a>], text: impl Fn(&'a SeriesRows) -> Option<&'a str>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    for part in parts {
        match text(part.series) {
            Some(text) => builder.append_values(text, part.range.len()),
            None => builder.append_nulls(part.range.len()),
        }
    }
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
