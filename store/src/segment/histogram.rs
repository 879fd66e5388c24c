//! Native histograms as a struct column.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};
use model::{CounterReset, Histogram, Span};

use super::SegmentError;
use super::columns::HISTOGRAM;

/// Spans are lists of offset, length, offset, length …
pub(super) fn fields() -> Fields {
    let list = |name: &str, item| {
        Field::new(name, DataType::List(Arc::new(Field::new("element", item, false))), false)
    };
    Fields::from(vec![
        Field::new("schema", DataType::Int32, false),
        Field::new("counter_reset", DataType::Int32, false),
        Field::new("zero_threshold", DataType::Float64, false),
        Field::new("zero_count", DataType::Float64, false),
        Field::new("count", DataType::Float64, false),
        Field::new("sum", DataType::Float64, false),
        list("positive_spans", DataType::Int32),
        list("negative_spans", DataType::Int32),
        list("positive_counts", DataType::Float64),
        list("negative_counts", DataType::Float64),
        list("custom_bounds", DataType::Float64),
    ])
}

/// The column of some rows: null where a float stands.
pub(super) fn build<'a>(
    rows: impl Iterator<Item = Option<&'a Histogram>>,
) -> Result<StructArray, SegmentError> {
    let empty = Histogram::default();
    let histograms: Vec<Option<&Histogram>> = rows.collect();
    let nulls = NullBuffer::from_iter(histograms.iter().map(Option::is_some));
    let all = || histograms.iter().map(|h| h.unwrap_or(&empty));
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(all().map(|h| i32::from(h.schema)))),
        Arc::new(Int32Array::from_iter_values(all().map(|h| reset_to_number(h.counter_reset)))),
        floats(all().map(|h| h.zero_threshold)),
        floats(all().map(|h| h.zero_count)),
        floats(all().map(|h| h.count)),
        floats(all().map(|h| h.sum)),
        span_lists(all().map(|h| &h.positive_spans)),
        span_lists(all().map(|h| &h.negative_spans)),
        float_lists(all().map(|h| &h.positive_counts)),
        float_lists(all().map(|h| &h.negative_counts)),
        float_lists(all().map(|h| &h.custom_bounds)),
    ];
    Ok(StructArray::try_new(fields(), arrays, Some(nulls))?)
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn float_lists<'a>(lists: impl Iterator<Item = &'a Vec<f64>>) -> ArrayRef {
    let item = Field::new("element", DataType::Float64, false);
    let mut builder = ListBuilder::new(Float64Builder::new()).with_field(item);
    for list in lists {
        builder.values().append_slice(list);
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn span_lists<'a>(lists: impl Iterator<Item = &'a Vec<Span>>) -> ArrayRef {
    let item = Field::new("element", DataType::Int32, false);
    let mut builder = ListBuilder::new(Int32Builder::new()).with_field(item);
    for list in lists {
        for span in list {
            builder.values().append_slice(&[span.offset, span.length.cast_signed()]);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// Reads one histogram after the other.
pub(super) struct Reader<'a> {
    column: &'a StructArray,
}

impl<'a> Reader<'a> {
    pub(super) fn new(column: &'a StructArray) -> Self {
        Self { column }
    }

    /// The histogram of a row, if it has one.
    pub(super) fn get(&self, row: usize) -> Result<Option<Histogram>, SegmentError> {
        if self.column.is_null(row) {
            return Ok(None);
        }
        Ok(Some(Histogram {
            schema: i8::try_from(self.int("schema", row)?).map_err(|_| lacks("schema"))?,
            counter_reset: reset_from_number(self.int("counter_reset", row)?)
                .ok_or_else(|| lacks("counter_reset"))?,
            zero_threshold: self.float("zero_threshold", row)?,
            zero_count: self.float("zero_count", row)?,
            count: self.float("count", row)?,
            sum: self.float("sum", row)?,
            positive_spans: self.spans("positive_spans", row)?,
            negative_spans: self.spans("negative_spans", row)?,
            positive_counts: self.floats("positive_counts", row)?,
            negative_counts: self.floats("negative_counts", row)?,
            custom_bounds: self.floats("custom_bounds", row)?,
        }))
    }

    fn field(&self, name: &str) -> Result<&'a ArrayRef, SegmentError> {
        self.column.column_by_name(name).ok_or_else(|| lacks(name))
    }

    fn int(&self, name: &str, row: usize) -> Result<i32, SegmentError> {
        let array = self.field(name)?.as_primitive_opt::<Int32Type>().ok_or_else(|| lacks(name))?;
        Ok(array.value(row))
    }

    fn float(&self, name: &str, row: usize) -> Result<f64, SegmentError> {
        let array = self.field(name)?.as_primitive_opt::<Float64Type>().ok_or_else(|| lacks(name))?;
        Ok(array.value(row))
    }

    fn floats(&self, name: &str, row: usize) -> Result<Vec<f64>, SegmentError> {
        let list = self.field(name)?.as_list_opt::<i32>().ok_or_else(|| lacks(name))?.value(row);
        let values = list.as_primitive_opt::<Float64Type>().ok_or_else(|| lacks(name))?;
        Ok(values.values().to_vec())
    }

    fn spans(&self, name: &str, row: usize) -> Result<Vec<Span>, SegmentError> {
        let list = self.field(name)?.as_list_opt::<i32>().ok_or_else(|| lacks(name))?.value(row);
        let values = list.as_primitive_opt::<Int32Type>().ok_or_else(|| lacks(name))?;
        let pairs = values.values().chunks_exact(2);
        Ok(pairs.map(|pair| Span { offset: pair[0], length: pair[1].cast_unsigned() }).collect())
    }
}

fn lacks(field: &str) -> SegmentError {
    SegmentError::Column(format!("{HISTOGRAM}.{field}"))
}

fn reset_to_number(reset: CounterReset) -> i32 {
    match reset {
        CounterReset::Unknown => 0,
        CounterReset::Reset => 1,
        CounterReset::NotReset => 2,
        CounterReset::Gauge => 3,
    }
}

fn reset_from_number(number: i32) -> Option<CounterReset> {
    Some(match number {
        0 => CounterReset::Unknown,
        1 => CounterReset::Reset,
        2 => CounterReset::NotReset,
        3 => CounterReset::Gauge,
        _ => return None,
    })
}
