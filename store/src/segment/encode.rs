//! From rows to the bytes of a Parquet file.

use std::sync::Arc;

use arrow_array::builder::{
    FixedSizeBinaryBuilder, MapBuilder, MapFieldNames, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use model::{GroupKey, Labels, Value};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{self, LabelPlan, Optional, event};
use super::{ClearRow, Description, FORMAT, Row, Segment, SegmentError, histogram};
use crate::fold::Scope;

/// What a segment's name says about its bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// The file of a segment: what ends and what is described in a first row group of their own, then what is set.
pub(crate) fn encode(segment: &Segment) -> Result<Bytes, SegmentError> {
    let plan = LabelPlan::of(segment.rows.iter().map(|row| &row.labels));
    let optional = Optional {
        histograms: segment.rows.iter().any(|row| matches!(row.value, Value::Histogram(_))),
        units: segment.descriptions.iter().any(|description| !description.metadata.unit.is_empty()),
    };
    let schema = columns::schema(&plan, optional);
    let head: Vec<Line<'_>> = segment
        .clears
        .iter()
        .map(Line::Clear)
        .chain(segment.descriptions.iter().map(Line::Describe))
        .collect();
    let rows: Vec<Line<'_>> = segment.rows.iter().map(Line::Set).collect();

    let options = ArrowWriterOptions::new()
        .with_properties(properties(segment, &plan, head.len()))
        // the schema follows from the columns; a copy of it would be the larger part of a small file
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options)?;
    for lines in [head, rows] {
        if !lines.is_empty() {
            writer.write(&batch(&schema, &plan, optional, &lines)?)?;
            writer.flush()?;
        }
    }
    Ok(writer.into_inner()?.into())
}

fn properties(segment: &Segment, plan: &LabelPlan, head_rows: usize) -> WriterProperties {
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let column = |name: &str| ColumnPath::from(name);
    WriterProperties::builder()
        .set_created_by(concat!("mayfly ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column(columns::NAME), EnabledStatistics::Chunk)
        .set_column_statistics_enabled(column(columns::TS), EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_column_dictionary_enabled(column(columns::TS), false)
        .set_column_encoding(column(columns::TS), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(column(columns::SERIES), false)
        .set_column_dictionary_enabled(column(columns::VALUE), false)
        .set_key_value_metadata(Some(vec![
            note(columns::KEY_FORMAT, FORMAT.to_string()),
            note(columns::KEY_WRITER, format!("{:016x}", segment.writer)),
            note(columns::KEY_FINGERPRINT, columns::FINGERPRINT.to_owned()),
            note(columns::KEY_HEAD_ROWS, head_rows.to_string()),
            note(columns::KEY_MAP_NAMES, plan.map_names.join("\n")),
        ]))
        .build()
}

/// One row of the file.
#[derive(Clone, Copy)]
enum Line<'a> {
    Clear(&'a ClearRow),
    Describe(&'a Description),
    Set(&'a Row),
}

impl<'a> Line<'a> {
    fn at_us(self) -> i64 {
        match self {
            Self::Clear(clear) => clear.at_us,
            Self::Describe(description) => description.at_us,
            Self::Set(row) => row.at_us,
        }
    }

    fn event(self) -> &'static str {
        match self {
            Self::Clear(ClearRow { scope: Scope::GroupButFailure, .. }) => event::REPLACE,
            Self::Clear(_) => event::CLEAR,
            Self::Describe(_) => event::DESCRIBE,
            Self::Set(_) => event::SET,
        }
    }

    fn row(self) -> Option<&'a Row> {
        if let Self::Set(row) = self { Some(row) } else { None }
    }

    fn description(self) -> Option<&'a Description> {
        if let Self::Describe(description) = self { Some(description) } else { None }
    }

    fn group(self) -> Option<GroupKey> {
        match self {
            Self::Clear(clear) => Some(clear.group),
            Self::Describe(_) => None,
            Self::Set(row) => Some(row.group),
        }
    }

    fn family(self) -> Option<&'a str> {
        match self {
            Self::Clear(ClearRow { scope: Scope::Family(family), .. }) => Some(family),
            Self::Clear(_) => None,
            Self::Describe(description) => Some(&description.family),
            Self::Set(row) => Some(&row.family),
        }
    }

    fn r#type(self) -> Option<&'static str> {
        match self {
            Self::Clear(_) => None,
            Self::Describe(description) => Some(description.metadata.r#type.as_str()),
            Self::Set(row) => Some(row.r#type.as_str()),
        }
    }

    fn label(self, name: &str) -> Option<&'a str> {
        self.row()?.labels.get(name)
    }
}

fn batch(
    schema: &Arc<Schema>,
    plan: &LabelPlan,
    optional: Optional,
    lines: &[Line<'_>],
) -> Result<RecordBatch, SegmentError> {
    let each = || lines.iter().copied();
    let floats = each().map(|line| match line.row()?.value {
        Value::Float(value) => Some(value),
        Value::Histogram(_) => None,
    });
    let mut arrays: Vec<ArrayRef> = vec![
        texts(each().map(|line| line.label(Labels::NAME))),
        Arc::new(each().map(|line| Some(line.row()?.labels.fingerprint())).collect::<Int64Array>()),
        Arc::new(TimestampMicrosecondArray::from_iter_values(each().map(Line::at_us)).with_timezone("UTC")),
        Arc::new(floats.collect::<Float64Array>()),
    ];
    if optional.histograms {
        arrays.push(Arc::new(histogram::build(each().map(|line| line.row().map(|row| &row.value)))?));
    }
    arrays.extend([
        texts(each().map(|line| Some(line.event()))),
        texts(each().map(Line::r#type)),
        groups(each().map(Line::group))?,
        texts(each().map(Line::family)),
        texts(
            each().map(|line| line.description().map(|d| &*d.metadata.help).filter(|help| !help.is_empty())),
        ),
    ]);
    if optional.units {
        arrays.push(texts(
            each().map(|line| line.description().map(|d| &*d.metadata.unit).filter(|unit| !unit.is_empty())),
        ));
    }
    arrays.extend(plan.columns.iter().map(|name| texts(each().map(|line| line.label(name)))));
    arrays.push(map(plan, each())?);
    Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    builder.extend(values);
    Arc::new(builder.finish())
}

fn groups(keys: impl ExactSizeIterator<Item = Option<GroupKey>>) -> Result<ArrayRef, SegmentError> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(keys.len(), 16);
    for key in keys {
        match key {
            Some(key) => builder.append_value(key.0.to_be_bytes())?,
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// The labels that are no columns.
fn map<'a>(plan: &LabelPlan, lines: impl Iterator<Item = Line<'a>>) -> Result<ArrayRef, SegmentError> {
    let names =
        MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_values_field(Field::new("value", DataType::Utf8, true));
    for line in lines {
        let labels = line.row().filter(|_| !plan.map_names.is_empty()).map(|row| &row.labels);
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
