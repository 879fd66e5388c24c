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
use model::{GroupKey, Labels};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, LabelPlan, Optional, event};
use super::{ClearRow, Description, FORMAT, Rows, Segment, SegmentError, SeriesRows, histogram};
use crate::fold::Scope;

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
        units: segment.descriptions.iter().any(|description| !description.metadata.unit.is_empty()),
    };
    let schema = columns::schema(&plan, optional);
    let options = ArrowWriterOptions::new()
        .with_properties(properties(segment, &plan))
        // the schema follows from the columns; a copy of it would be the larger part of a small file
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
    if !segment.clears.is_empty() || !segment.descriptions.is_empty() {
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), head_batch(segment, &plan, optional)?)?)?;
        writer.flush()?;
    }
    for parts in batches(&segment.series) {
        let columns = rows_batch(&parts, &segment.rows, &plan, optional)?;
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    Ok(writer.into_inner()?.into())
}

/// Rows that are put into arrays at once, so that a large segment is not in memory a second time.
const BATCH_ROWS: usize = 1 << 16;

/// A label with many values, like an instance that lives for one run, stays a dictionary up to this size: it stands once
/// per row group then, and not once per series.
const DICTIONARY_BYTES_MAX: usize = 16 << 20;

/// Row groups are as large as dictionaries gain from; pages, not row groups, are what a selective read skips.
const ROW_GROUP_ROWS_MAX: usize = 4 << 20;

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
    WriterProperties::builder()
        .set_created_by(concat!("mayfly ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column(columns::NAME), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(column(columns::TS), EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_column_dictionary_enabled(column(columns::TS), false)
        .set_column_encoding(column(columns::TS), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(column(columns::SERIES), false)
        .set_column_dictionary_enabled(column(columns::VALUE), false)
        .set_column_encoding(column(columns::VALUE), Encoding::BYTE_STREAM_SPLIT)
        .set_key_value_metadata(Some(vec![
            note(columns::KEY_FORMAT, FORMAT.to_string()),
            note(columns::KEY_WRITER, format!("{:016x}", segment.writer)),
            note(columns::KEY_FINGERPRINT, columns::FINGERPRINT.to_owned()),
            note(columns::KEY_HEAD_ROWS, (segment.clears.len() + segment.descriptions.len()).to_string()),
            note(columns::KEY_MAP_NAMES, plan.map_names.join("\n")),
            note(columns::KEY_COLLISION, has_collision(segment).to_string()),
        ]))
        .build()
}

/// Whether label sets that differ share metric name and fingerprint; they then stand side by side.
fn has_collision(segment: &Segment) -> bool {
    segment.series.windows(2).any(|pair| {
        let [a, b] = pair else { return false };
        a.labels != b.labels
            && a.labels.metric_name() == b.labels.metric_name()
            && a.labels.fingerprint() == b.labels.fingerprint()
    })
}

/// What ends, then what is described.
fn head_batch(
    segment: &Segment,
    plan: &LabelPlan,
    optional: Optional,
) -> Result<Vec<ArrayRef>, SegmentError> {
    let (clears, descriptions) = (&segment.clears, &segment.descriptions);
    let rows = clears.len() + descriptions.len();
    let no_text = || texts(std::iter::repeat_n(None, rows));
    let clear_texts = |of: fn(&ClearRow) -> Option<&str>, describe: fn(&Description) -> Option<&str>| {
        texts(clears.iter().map(of).chain(descriptions.iter().map(describe)))
    };
    let ats = clears.iter().map(|clear| clear.at_us).chain(descriptions.iter().map(|d| d.at_us));
    let keys = clears.iter().map(|clear| Some(clear.group)).chain(descriptions.iter().map(|_| None));
    let mut arrays: Vec<ArrayRef> = vec![
        no_text(),
        Arc::new(Int64Array::new_null(rows)),
        Arc::new(TimestampMicrosecondArray::from_iter_values(ats).with_timezone("UTC")),
        Arc::new(Float64Array::new_null(rows)),
    ];
    if optional.histograms {
        arrays.push(Arc::new(histogram::build(std::iter::repeat_n(None, rows))?));
    }
    arrays.push(clear_texts(|clear| Some(clear_event(clear)), |_| Some(event::DESCRIBE)));
    if optional.pushes {
        arrays.extend([
            clear_texts(|_| None, |d| Some(d.metadata.r#type.as_str())),
            groups(keys)?,
            clear_texts(clear_family, |d| Some(&d.family)),
            clear_texts(|_| None, |d| Some(&*d.metadata.help).filter(|help| !help.is_empty())),
        ]);
    }
    if optional.units {
        arrays.push(clear_texts(|_| None, |d| Some(&*d.metadata.unit).filter(|unit| !unit.is_empty())));
    }
    arrays.extend(plan.columns.iter().map(|_| no_text()));
    arrays.push(map(plan, std::iter::repeat_n(None, rows))?);
    Ok(arrays)
}

fn clear_event(clear: &ClearRow) -> &'static str {
    match clear.scope {
        Scope::GroupButFailure => event::REPLACE,
        Scope::Group | Scope::Family(_) => event::CLEAR,
    }
}

fn clear_family(clear: &ClearRow) -> Option<&str> {
    match &clear.scope {
        Scope::Family(family) => Some(family),
        Scope::Group | Scope::GroupButFailure => None,
    }
}

/// What is set or sampled.
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
        parts.iter().flat_map(|part| std::iter::repeat_n(part.series.labels.fingerprint(), part.range.len()));
    let times = TimestampMicrosecondArray::from(rows.at_us[start..end].to_vec());
    let mut arrays: Vec<ArrayRef> = vec![
        part_texts(parts, |series| series.labels.get(Labels::NAME)),
        Arc::new(Int64Array::from_iter_values(fingerprints)),
        Arc::new(times.with_timezone("UTC")),
        Arc::new(floats),
    ];
    if optional.histograms {
        arrays.push(Arc::new(histogram::build((start..end).map(|row| rows.histogram(row).map(|h| &**h)))?));
    }
    arrays.push(part_texts(parts, |_| Some(if optional.pushes { event::SET } else { event::SAMPLE })));
    if optional.pushes {
        let key = |series: &SeriesRows| series.held.as_ref().map(|held| held.group);
        arrays.extend([
            part_texts(parts, |series| Some(series.held.as_ref()?.r#type.as_str())),
            groups(parts.iter().flat_map(|part| std::iter::repeat_n(key(part.series), part.range.len())))?,
            part_texts(parts, |series| Some(&*series.held.as_ref()?.family)),
            part_texts(parts, |_| None),
        ]);
    }
    if optional.units {
        arrays.push(part_texts(parts, |_| None));
    }
    arrays.extend(plan.columns.iter().map(|name| part_texts(parts, |series| series.labels.get(name))));
    let labels =
        parts.iter().flat_map(|part| std::iter::repeat_n(Some(&part.series.labels), part.range.len()));
    arrays.push(map(plan, labels)?);
    Ok(arrays)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
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

fn groups(keys: impl Iterator<Item = Option<GroupKey>>) -> Result<ArrayRef, SegmentError> {
    let mut builder = FixedSizeBinaryBuilder::new(16);
    for key in keys {
        match key {
            Some(key) => builder.append_value(key.0.to_be_bytes())?,
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The labels that are no columns.
fn map<'a>(
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
