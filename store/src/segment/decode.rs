//! From the bytes of a Parquet file to rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use arrow_array::{Array, FixedSizeBinaryArray, MapArray, RecordBatch};
use bytes::Bytes;
use model::{
    GroupKey, Histogram, Label, Labels, Merge, Metadata, MetricType, RetryKey, Stamp, Teller, Value,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaDataReader;

use super::columns::{self, event};
use super::footer::Footer;
use super::rows::{NO_START_US, Row};
use super::texts::{Dictionaries, Texts};
use super::{
    ClearRow, Description, ExpireRow, Held, Lost, PushRow, Segment, SegmentError, Told, checksum, histogram,
};
use crate::fold::{Kind, Scope};

/// Reads a whole segment. The checksum comes first: damaged pages may decode to nonsense, or not return at all.
pub(crate) fn decode(bytes: Bytes, expected: u64) -> Result<Segment, SegmentError> {
    let found = checksum(&bytes);
    if found != expected {
        return Err(SegmentError::Checksum { found, expected });
    }
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes)?;
    let Footer { writer, aggregates, collision, .. } = Footer::read(&metadata)?;
    let metadata = columns::reading(Arc::new(metadata))?;
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
        .with_batch_size(BATCH_ROWS)
        .build()?;
    let mut segment = Segment { writer, aggregates, ..Segment::default() };
    let mut dictionaries = Dictionaries::default();
    let mut first_row = 0;
    for batch in reader {
        let batch = batch?;
        read_batch(&Columns::of(&batch, &mut dictionaries)?, first_row, collision, &mut segment)?;
        first_row += batch.num_rows();
    }
    Ok(segment)
}

/// Rows that are decoded at once: enough to pass over a dictionary seldom, few enough to stay in a processor's cache.
pub(super) const BATCH_ROWS: usize = 1 << 13;

pub(super) fn read_batch(
    columns: &Columns<'_>,
    first_row: usize,
    collision: bool,
    segment: &mut Segment,
) -> Result<(), SegmentError> {
    if !collision && let Some(plain) = columns.plain() {
        read_plain(columns, &plain, segment);
        return Ok(());
    }
    let segment_writer = segment.writer;
    for row in 0..columns.ts.len() {
        let unknown = |what, value: Option<&Arc<str>>| SegmentError::Value {
            row: first_row + row,
            what,
            value: value.map(ToString::to_string).unwrap_or_default(),
        };
        let at_us = columns.ts.value(row);
        let stamp = || Stamp { at_us, writer: columns.writer(row).unwrap_or(segment_writer) };
        let event = columns.event.get(row);
        let family = || columns.family(row).ok_or_else(|| unknown("family", None));
        let group = || columns.group(row).ok_or_else(|| unknown("group", None));
        let r#type = || -> Result<MetricType, SegmentError> {
            let found = columns.r#type.as_ref().and_then(|texts| texts.get(row));
            found.and_then(|t| t.parse().ok()).ok_or_else(|| unknown("type", found))
        };
        match event.map(|event| &**event) {
            Some(kind @ (event::SET | event::ADD | event::MIN | event::MAX | event::SAMPLE)) => {
                let value = columns.value(row)?.ok_or_else(|| unknown("value", None))?;
                let start_us = time(columns.start, row).unwrap_or(NO_START_US);
                let lost = columns.lost_histogram(row)?;
                let told = columns.told(row, lost.as_ref());
                let placed = Row { at_us, value: &value, start_us, told };
                if row > 0 && !collision && columns.continues(row) {
                    segment.place_again(placed);
                    continue;
                }
                let merge = match kind {
                    event::SET => Some(Merge::Set),
                    event::ADD => Some(Merge::Add),
                    event::MIN => Some(Merge::Min),
                    event::MAX => Some(Merge::Max),
                    _ => None,
                };
                let held = match merge {
                    Some(Merge::Min | Merge::Max) if matches!(value, Value::Histogram(_)) => {
                        return Err(unknown("event of a native histogram", event));
                    }
                    Some(merge) => Some(Held {
                        group: group()?,
                        kind: Kind { family: Arc::clone(family()?), r#type: r#type()?, merge },
                    }),
                    None => None,
                };
                segment.place(&columns.labels(row), columns.series.value(row), held, placed);
            }
            Some(event::CLEAR) => {
                let scope = match (columns.group(row), columns.family(row)) {
                    (Some(group), Some(family)) => Scope::Family(group, Arc::clone(family)),
                    (Some(group), None) => Scope::Group(group),
                    (None, None) => Scope::Everything,
                    (None, Some(family)) => return Err(unknown("family without a group", Some(family))),
                };
                segment.clears.push(ClearRow { stamp: stamp(), scope });
            }
            Some(event::REPLACE) => {
                segment.clears.push(ClearRow { stamp: stamp(), scope: Scope::GroupButFailure(group()?) });
            }
            Some(event::PUSH) => {
                let (until_us, retry_key) = (time(columns.until, row), columns.retry_key(row));
                segment.pushes.push(PushRow { stamp: stamp(), group: group()?, until_us, retry_key });
            }
            Some(event::EXPIRE) => {
                let until_us = time(columns.until, row);
                segment.expiries.push(ExpireRow { at_us, group: group()?, until_us });
            }
            Some(event::DESCRIBE) => {
                let text = |column: Option<&Texts<'_>>| {
                    column.and_then(|column| column.get(row)).map_or_else(|| Arc::from(""), Arc::clone)
                };
                let metadata = Metadata {
                    r#type: r#type()?,
                    help: text(columns.help.as_ref()),
                    unit: text(columns.unit.as_ref()),
                };
                let told_by = columns.group(row).map(|group| Teller(group.0));
                let (stamp, family) = (stamp(), Arc::clone(family()?));
                segment.descriptions.push(Description { stamp, family, told_by, metadata });
            }
            _ => return Err(unknown("event", event)),
        }
    }
    Ok(())
}

/// Float samples of which nothing is said besides, which is what nearly all files of samples hold, series by series.
struct Plain<'a> {
    names: &'a [i32],
    series: &'a [i64],
    at_us: &'a [i64],
    /// `None` where nobody asks for values.
    values: Option<&'a [f64]>,
}

fn read_plain(columns: &Columns<'_>, plain: &Plain<'_>, segment: &mut Segment) {
    let Plain { names, series, at_us, values } = plain;
    let (mut zeros, mut known) = (Vec::new(), KnownLabels::default());
    segment.rows.reserve(at_us.len());
    let mut start = 0;
    while start < at_us.len() {
        let (name, fingerprint) = (names[start], series[start]);
        let others = series[start..].iter().zip(&names[start..]);
        let count = others.take_while(|(series, of)| **series == fingerprint && **of == name).count();
        let rows = start..start + count;
        let values = match values {
            Some(values) => &values[rows.clone()],
            None => {
                zeros.resize(count.max(zeros.len()), 0.0);
                &zeros[..count]
            }
        };
        let labels = known.of(columns, start);
        segment.place_plain(&labels, fingerprint, &at_us[rows.clone()], values);
        start = rows.end;
    }
}

/// Label sets of a batch. Where only some labels are read, most series have the same ones, which then share a set.
#[derive(Default)]
struct KnownLabels {
    by_keys: foldhash::HashMap<Vec<Option<usize>>, Labels>,
    asked: usize,
    /// The keys of a row, which are not kept if they are known.
    keys: Vec<Option<usize>>,
}

/// So many label sets are made before it is looked at whether they come again.
const ASKED_MIN: usize = 64;

impl KnownLabels {
    fn of(&mut self, columns: &Columns<'_>, row: usize) -> Labels {
        let Self { by_keys, asked, keys } = self;
        let come_again = *asked < ASKED_MIN || by_keys.len() <= *asked / 2;
        // maps have no keys
        if !come_again || columns.map.is_some_and(|map| map.is_valid(row)) {
            return columns.labels(row);
        }
        *asked += 1;
        keys.clear();
        keys.push(columns.name.key(row));
        keys.extend(columns.label_values.iter().map(|values| values.key(row)));
        if let Some(labels) = by_keys.get(&keys[..]) {
            return labels.clone();
        }
        let labels = columns.labels(row);
        by_keys.insert(keys.clone(), labels.clone());
        labels
    }
}

type Times = arrow_array::PrimitiveArray<TimestampMicrosecondType>;

/// The columns of a batch, by what they mean.
pub(super) struct Columns<'a> {
    /// `__name__`, for the labels of all rows.
    name_label: Arc<str>,
    pub(super) name: Texts<'a>,
    pub(super) series: &'a arrow_array::Int64Array,
    pub(super) ts: &'a Times,
    /// `None` where nobody asks for values.
    value: Option<&'a arrow_array::Float64Array>,
    until: Option<&'a Times>,
    start: Option<&'a Times>,
    writer: Option<&'a arrow_array::Int64Array>,
    since: Option<&'a Times>,
    carry: Option<&'a arrow_array::Float64Array>,
    histogram_carry: Option<histogram::Reader<'a>>,
    histogram: Option<histogram::Reader<'a>>,
    pub(super) event: Texts<'a>,
    r#type: Option<Texts<'a>>,
    group: Option<&'a FixedSizeBinaryArray>,
    family: Option<Texts<'a>>,
    help: Option<Texts<'a>>,
    unit: Option<Texts<'a>>,
    key: Option<&'a FixedSizeBinaryArray>,
    body: Option<&'a arrow_array::Int64Array>,
    pub(super) label_names: Vec<Arc<str>>,
    pub(super) label_values: Vec<Texts<'a>>,
    /// `None` where nobody asks for what is in it.
    pub(super) map: Option<&'a MapArray>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a RecordBatch, dictionaries: &mut Dictionaries) -> Result<Self, SegmentError> {
        let column =
            |name: &str| batch.column_by_name(name).ok_or_else(|| SegmentError::Column(name.to_owned()));
        let wrong = |name: &'static str| move || SegmentError::Column(name.to_owned());
        let mut maybe_texts = |name: &str| dictionaries.texts(name, batch.column_by_name(name)?);
        let mut texts = |name: &str| maybe_texts(name).ok_or_else(|| SegmentError::Column(name.to_owned()));
        let histogram = |name: &'static str| match batch.column_by_name(name) {
            Some(array) => array.as_struct_opt().map(Some).ok_or_else(wrong(name)),
            None => Ok(None),
        };
        let schema = batch.schema();
        let label_names: Vec<Arc<str>> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| !name.starts_with("__"))
            .map(Arc::from)
            .collect();
        Ok(Self {
            name_label: Arc::from(Labels::NAME),
            name: texts(columns::NAME)?,
            event: texts(columns::EVENT)?,
            label_values: label_names.iter().map(|name| texts(name)).collect::<Result<_, _>>()?,
            label_names,
            r#type: maybe_texts(columns::TYPE),
            family: maybe_texts(columns::FAMILY),
            help: maybe_texts(columns::HELP),
            unit: maybe_texts(columns::UNIT),
            series: column(columns::SERIES)?.as_primitive_opt().ok_or_else(wrong(columns::SERIES))?,
            ts: column(columns::TS)?.as_primitive_opt().ok_or_else(wrong(columns::TS))?,
            value: match batch.column_by_name(columns::VALUE) {
                Some(array) => {
                    Some(array.as_primitive_opt::<Float64Type>().ok_or_else(wrong(columns::VALUE))?)
                }
                None => None,
            },
            until: batch.column_by_name(columns::UNTIL).and_then(|array| array.as_primitive_opt()),
            start: batch.column_by_name(columns::START_TS).and_then(|array| array.as_primitive_opt()),
            histogram: histogram(columns::HISTOGRAM)?.map(histogram::Reader::new),
            writer: batch.column_by_name(columns::WRITER).and_then(|array| array.as_primitive_opt()),
            since: batch.column_by_name(columns::SINCE).and_then(|array| array.as_primitive_opt()),
            carry: batch.column_by_name(columns::CARRY).and_then(|array| array.as_primitive_opt()),
            histogram_carry: histogram(columns::HISTOGRAM_CARRY)?.map(histogram::Reader::new),
            group: batch.column_by_name(columns::GROUP).and_then(|array| array.as_fixed_size_binary_opt()),
            key: batch.column_by_name(columns::KEY).and_then(|array| array.as_fixed_size_binary_opt()),
            body: batch.column_by_name(columns::BODY).and_then(|array| array.as_primitive_opt()),
            map: match batch.column_by_name(columns::LABELS) {
                Some(array) => Some(array.as_map_opt().ok_or_else(wrong(columns::LABELS))?),
                None => None,
            },
        })
    }

    /// The rows, if all of them are no more than float samples.
    fn plain(&self) -> Option<Plain<'_>> {
        let is_said = |array: &dyn Array| array.null_count() < array.len();
        let times = [self.until, self.start, self.since].into_iter().flatten();
        let more = times.map(|array| array as &dyn Array);
        let more = more.chain(self.writer.map(|array| array as &dyn Array));
        let mut more = more.chain(self.carry.map(|array| array as &dyn Array));
        if more.any(is_said) || self.histogram_carry.is_some() || self.ts.null_count() > 0 {
            return None;
        }
        let values = match self.value {
            Some(values) if values.null_count() > 0 => return None,
            Some(values) => Some(values.values().as_ref()),
            None => None,
        };
        let names = self.name.keys()?;
        let (series, at_us) = (self.series.values().as_ref(), self.ts.values().as_ref());
        self.event.are_all(event::SAMPLE).then_some(Plain { names, series, at_us, values })
    }

    fn group(&self, row: usize) -> Option<GroupKey> {
        hash(self.group, row).map(GroupKey)
    }

    fn retry_key(&self, row: usize) -> Option<RetryKey> {
        let body = self.body.filter(|column| column.is_valid(row))?.value(row).cast_unsigned();
        Some(RetryKey { key: hash(self.key, row)?, body })
    }

    fn writer(&self, row: usize) -> Option<u64> {
        Some(self.writer.filter(|column| column.is_valid(row))?.value(row).cast_unsigned())
    }

    fn lost_histogram(&self, row: usize) -> Result<Option<Arc<Histogram>>, SegmentError> {
        match &self.histogram_carry {
            Some(column) => Ok(column.get(row)?.map(Arc::new)),
            None => Ok(None),
        }
    }

    /// What a run or a frame says of a row, and beyond which histogram its own goes.
    fn told<'h>(&self, row: usize, lost: Option<&'h Arc<Histogram>>) -> Told<'h> {
        let carry = self.carry.filter(|column| column.is_valid(row)).map_or(0.0, |column| column.value(row));
        Told {
            until_us: time(self.until, row),
            writer: self.writer(row),
            since_us: time(self.since, row),
            lost: lost.map_or(Lost::Float(carry), Lost::Histogram),
        }
    }

    fn family(&self, row: usize) -> Option<&Arc<str>> {
        self.family.as_ref()?.get(row)
    }

    fn value(&self, row: usize) -> Result<Option<Value>, SegmentError> {
        let Some(values) = self.value else { return Ok(Some(Value::Float(0.0))) };
        if values.is_valid(row) {
            return Ok(Some(Value::Float(values.value(row))));
        }
        let histogram = match &self.histogram {
            Some(column) => column.get(row)?,
            None => None,
        };
        Ok(histogram.map(|histogram| Value::Histogram(Arc::new(histogram))))
    }

    /// Whether a row belongs to the same series as the one before it. Unless the file holds a collision, the fingerprint
    /// says so.
    fn continues(&self, row: usize) -> bool {
        let texts = [Some(&self.name), Some(&self.event), self.r#type.as_ref(), self.family.as_ref()];
        self.series.value(row) == self.series.value(row - 1)
            && texts.into_iter().flatten().all(|texts| texts.continues(row))
            && self.group.is_none_or(|group| group.value(row) == group.value(row - 1))
    }

    fn labels(&self, row: usize) -> Labels {
        let mut labels = Vec::with_capacity(self.label_names.len() + 1);
        let mut add = |name: &Arc<str>, value: &Arc<str>| {
            labels.push(Label { name: Arc::clone(name), value: Arc::clone(value) });
        };
        if let Some(name) = self.name.get(row) {
            add(&self.name_label, name);
        }
        for (name, values) in self.label_names.iter().zip(&self.label_values) {
            if let Some(value) = values.get(row) {
                add(name, value);
            }
        }
        if let Some(map) = self.map.filter(|map| map.is_valid(row)) {
            let entries = map.value(row);
            let (keys, values) =
                (entries.column(0).as_string_opt::<i32>(), entries.column(1).as_string_opt::<i32>());
            for (key, value) in keys.into_iter().flatten().zip(values.into_iter().flatten()) {
                if let (Some(key), Some(value)) = (key, value) {
                    add(&key.into(), &value.into());
                }
            }
        }
        labels.sort_unstable();
        Labels::from_sorted(labels)
    }
}

/// A time in microseconds.
fn time(column: Option<&Times>, row: usize) -> Option<i64> {
    column.filter(|column| column.is_valid(row)).map(|column| column.value(row))
}

/// A 128-bit hash.
fn hash(column: Option<&FixedSizeBinaryArray>, row: usize) -> Option<u128> {
    let column = column.filter(|column| column.is_valid(row))?;
    Some(u128::from_be_bytes(column.value(row).try_into().ok()?))
}
