//! Entries as bytes. Protobuf, so that fields can be added.

use std::sync::Arc;

use model::{
    Change, CounterReset, GroupKey, Histogram, Labels, Merge, Metadata, Push, PushedFamily, PushedSeries,
    RetryKey, Samples, Span, Teller, Value,
};
use prost::Message;
use prost::encoding::{self, WireType, encode_key, encode_varint};

use crate::entry::SampleBatch;

/// A payload that is no entry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CodecError {
    /// The bytes are no message.
    #[error("not an entry of the log: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A field that must be there is not, or has a value that this version does not know.
    #[error("an entry of the log has no {0} that this version knows")]
    Field(&'static str),
}

/// What can stand in a log.
pub trait Logged: Sized {
    /// The entry and its stamp.
    fn encode(&self, at_us: i64) -> Vec<u8>;

    /// The inverse.
    fn decode(payload: &[u8]) -> Result<(i64, Self), CodecError>;
}

#[derive(Clone, PartialEq, Message)]
struct PushRecord {
    #[prost(int64, tag = "1")]
    at_us: i64,
    #[prost(bytes = "vec", tag = "2")]
    group: Vec<u8>,
    #[prost(uint32, tag = "3")]
    change: u32,
    #[prost(message, repeated, tag = "4")]
    families: Vec<FamilyRecord>,
    #[prost(uint64, optional, tag = "5")]
    ttl_us: Option<u64>,
    /// Empty if there is none, else 16 bytes.
    #[prost(bytes = "vec", tag = "6")]
    retry_key: Vec<u8>,
    #[prost(fixed64, tag = "7")]
    retry_body: u64,
    /// Empty if it is everybody's word, else 16 bytes.
    #[prost(bytes = "vec", tag = "8")]
    told_by: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct FamilyRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    r#type: String,
    #[prost(string, tag = "3")]
    help: String,
    #[prost(message, repeated, tag = "4")]
    series: Vec<SeriesRecord>,
    #[prost(string, tag = "5")]
    unit: String,
    #[prost(bool, tag = "6")]
    replaces: bool,
}

/// A series with one value or, in a batch of samples, with many.
#[derive(Clone, PartialEq, Message)]
struct SeriesRecord {
    /// Name, value, name, value …
    #[prost(string, repeated, tag = "1")]
    labels: Vec<String>,
    #[prost(sint64, repeated, tag = "2")]
    timestamps_ms: Vec<i64>,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
    /// Empty if all values are floats, else one per value.
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<MaybeHistogram>,
    /// How a pushed value meets what the series held.
    #[prost(uint32, tag = "5")]
    merge: u32,
    /// Of a pushed value.
    #[prost(sint64, optional, tag = "6")]
    start_us: Option<i64>,
    /// Of samples: empty, or one per value.
    #[prost(sint64, repeated, tag = "7")]
    start_ms: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct MaybeHistogram {
    #[prost(message, optional, tag = "1")]
    histogram: Option<HistogramRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct HistogramRecord {
    #[prost(sint32, tag = "1")]
    schema: i32,
    #[prost(uint32, tag = "2")]
    counter_reset: u32,
    #[prost(double, tag = "3")]
    zero_threshold: f64,
    #[prost(double, tag = "4")]
    zero_count: f64,
    #[prost(double, tag = "5")]
    count: f64,
    #[prost(double, tag = "6")]
    sum: f64,
    /// Offset, length, offset, length …
    #[prost(sint64, repeated, tag = "7")]
    positive_spans: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    negative_spans: Vec<i64>,
    #[prost(double, repeated, tag = "9")]
    positive_counts: Vec<f64>,
    #[prost(double, repeated, tag = "10")]
    negative_counts: Vec<f64>,
    #[prost(double, repeated, tag = "11")]
    custom_bounds: Vec<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct SamplesRecord {
    #[prost(int64, tag = "1")]
    at_us: i64,
    #[prost(message, repeated, tag = "2")]
    series: Vec<SeriesRecord>,
    /// What is told of families, without series.
    #[prost(message, repeated, tag = "3")]
    families: Vec<FamilyRecord>,
    /// As of a push.
    #[prost(bytes = "vec", tag = "4")]
    told_by: Vec<u8>,
}

impl Logged for Push {
    fn encode(&self, at_us: i64) -> Vec<u8> {
        let families = self.families.iter().map(|family| FamilyRecord {
            name: family.name.to_string(),
            r#type: family.r#type.as_str().to_owned(),
            help: family.help.to_string(),
            unit: family.unit.to_string(),
            replaces: family.replaces,
            series: family.series.iter().map(one_value).collect(),
        });
        let change = match self.change {
            Change::ReplaceGroup => 1,
            Change::ReplaceFamilies => 2,
            Change::Delete => 3,
            Change::Merge => 4,
            Change::Wipe => 5,
        };
        PushRecord {
            at_us,
            group: self.group.0.to_be_bytes().to_vec(),
            change,
            families: families.collect(),
            ttl_us: self.ttl_us,
            retry_key: self.retry_key.map_or_else(Vec::new, |retry| retry.key.to_be_bytes().to_vec()),
            retry_body: self.retry_key.map_or(0, |retry| retry.body),
            told_by: teller_bytes(self.told_by),
        }
        .encode_to_vec()
    }

    fn decode(payload: &[u8]) -> Result<(i64, Self), CodecError> {
        let record = PushRecord::decode(payload)?;
        let group = record.group.try_into().map_err(|_| CodecError::Field("group"))?;
        let change = match record.change {
            1 => Change::ReplaceGroup,
            2 => Change::ReplaceFamilies,
            3 => Change::Delete,
            4 => Change::Merge,
            5 => Change::Wipe,
            _ => return Err(CodecError::Field("change")),
        };
        let retry_key = match &record.retry_key[..] {
            [] => None,
            key => Some(RetryKey {
                key: u128::from_be_bytes(key.try_into().map_err(|_| CodecError::Field("retry key"))?),
                body: record.retry_body,
            }),
        };
        let families = record.families.into_iter().map(pushed_family).collect::<Result<_, _>>()?;
        let group = GroupKey(u128::from_be_bytes(group));
        let (ttl_us, told_by) = (record.ttl_us, teller(&record.told_by)?);
        Ok((record.at_us, Self { group, change, families, ttl_us, retry_key, told_by }))
    }
}

fn teller_bytes(teller: Option<Teller>) -> Vec<u8> {
    teller.map_or_else(Vec::new, |teller| teller.0.to_be_bytes().to_vec())
}

fn teller(bytes: &[u8]) -> Result<Option<Teller>, CodecError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes = bytes.try_into().map_err(|_| CodecError::Field("teller"))?;
    Ok(Some(Teller(u128::from_be_bytes(bytes))))
}

fn pushed_family(family: FamilyRecord) -> Result<PushedFamily, CodecError> {
    Ok(PushedFamily {
        name: family.name.into(),
        r#type: family.r#type.parse().map_err(|_| CodecError::Field("type"))?,
        help: family.help.into(),
        unit: family.unit.into(),
        replaces: family.replaces,
        series: family.series.into_iter().map(pushed_series).collect::<Result<_, _>>()?,
    })
}

fn pushed_series(series: SeriesRecord) -> Result<PushedSeries, CodecError> {
    let merge = match series.merge {
        0 => Merge::Set,
        1 => Merge::Add,
        2 => Merge::Min,
        3 => Merge::Max,
        _ => return Err(CodecError::Field("merge")),
    };
    let start_us = series.start_us;
    let (labels, samples) = many_values(series)?;
    let value = samples.histograms.first().cloned().flatten().map(Value::Histogram);
    let value = value.or_else(|| samples.values.first().map(|value| Value::Float(*value)));
    Ok(PushedSeries { labels, value: value.ok_or(CodecError::Field("value"))?, merge, start_us })
}

impl Logged for SampleBatch {
    /// Series are many, and every sample brings all labels of its own: they are written as they lie, and not copied into a message first.
    fn encode(&self, at_us: i64) -> Vec<u8> {
        let families = self.families.iter().map(|(name, metadata)| FamilyRecord {
            name: name.to_string(),
            r#type: metadata.r#type.as_str().to_owned(),
            help: metadata.help.to_string(),
            unit: metadata.unit.to_string(),
            ..FamilyRecord::default()
        });
        let (families, told_by) = (families.collect(), teller_bytes(self.told_by));
        let rest = SamplesRecord { at_us, series: Vec::new(), families, told_by };
        let mut bytes = rest.encode_to_vec();
        let mut series = Vec::new();
        for (labels, samples) in &self.series {
            series.clear();
            put_series(labels, samples, &mut series);
            put_bytes(2, &series, &mut bytes);
        }
        bytes
    }

    fn decode(payload: &[u8]) -> Result<(i64, Self), CodecError> {
        let record = SamplesRecord::decode(payload)?;
        let series = record.series.into_iter().map(many_values).collect::<Result<_, _>>()?;
        let families = record.families.into_iter().map(described).collect::<Result<_, _>>()?;
        Ok((record.at_us, Self { series, families, told_by: teller(&record.told_by)? }))
    }
}

/// A [`SeriesRecord`] of samples.
fn put_series(labels: &Labels, samples: &Samples, into: &mut Vec<u8>) {
    for label in labels {
        put_bytes(1, label.name.as_bytes(), into);
        put_bytes(1, label.value.as_bytes(), into);
    }
    encoding::sint64::encode_packed(2, &samples.timestamps_ms, into);
    encoding::double::encode_packed(3, &samples.values, into);
    for histogram in &samples.histograms {
        put_bytes(4, &maybe_histogram(histogram.as_deref()).encode_to_vec(), into);
    }
    encoding::sint64::encode_packed(7, &samples.start_ms, into);
}

fn put_bytes(tag: u32, bytes: &[u8], into: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, into);
    encode_varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

fn described(family: FamilyRecord) -> Result<(Arc<str>, Metadata), CodecError> {
    let r#type = family.r#type.parse().map_err(|_| CodecError::Field("type"))?;
    Ok((family.name.into(), Metadata { r#type, help: family.help.into(), unit: family.unit.into() }))
}

fn one_value(series: &PushedSeries) -> SeriesRecord {
    let (value, histograms) = match &series.value {
        Value::Float(value) => (*value, Vec::new()),
        Value::Histogram(histogram) => (0.0, vec![maybe_histogram(Some(histogram))]),
    };
    SeriesRecord {
        labels: label_texts(&series.labels),
        values: vec![value],
        histograms,
        merge: match series.merge {
            Merge::Set => 0,
            Merge::Add => 1,
            Merge::Min => 2,
            Merge::Max => 3,
        },
        start_us: series.start_us,
        ..SeriesRecord::default()
    }
}

fn many_values(series: SeriesRecord) -> Result<(Labels, Samples), CodecError> {
    let mut texts = series.labels.into_iter();
    let mut pairs = Vec::new();
    while let Some(name) = texts.next() {
        pairs.push((name, texts.next().ok_or(CodecError::Field("label value"))?));
    }
    let histograms = series.histograms.into_iter().map(|maybe| maybe.histogram.map(histogram).transpose());
    let samples = Samples {
        timestamps_ms: series.timestamps_ms,
        values: series.values,
        histograms: histograms.collect::<Result<_, _>>()?,
        start_ms: series.start_ms,
    };
    Ok((Labels::from_pairs(pairs), samples))
}

fn label_texts(labels: &Labels) -> Vec<String> {
    labels.iter().flat_map(|label| [label.name.to_string(), label.value.to_string()]).collect()
}

fn maybe_histogram(histogram: Option<&Histogram>) -> MaybeHistogram {
    let spans = |spans: &[Span]| spans.iter().flat_map(|s| [s.offset.into(), s.length.into()]).collect();
    MaybeHistogram {
        histogram: histogram.map(|h| HistogramRecord {
            schema: h.schema.into(),
            counter_reset: match h.counter_reset {
                CounterReset::Unknown => 0,
                CounterReset::Reset => 1,
                CounterReset::NotReset => 2,
                CounterReset::Gauge => 3,
            },
            zero_threshold: h.zero_threshold,
            zero_count: h.zero_count,
            count: h.count,
            sum: h.sum,
            positive_spans: spans(&h.positive_spans),
            negative_spans: spans(&h.negative_spans),
            positive_counts: h.positive_counts.clone(),
            negative_counts: h.negative_counts.clone(),
            custom_bounds: h.custom_bounds.clone(),
        }),
    }
}

fn histogram(record: HistogramRecord) -> Result<Arc<Histogram>, CodecError> {
    let spans = |numbers: &[i64]| -> Result<Vec<Span>, CodecError> {
        let span =
            |pair: &[i64]| Some(Span { offset: pair[0].try_into().ok()?, length: pair[1].try_into().ok()? });
        numbers.chunks_exact(2).map(|pair| span(pair).ok_or(CodecError::Field("span"))).collect()
    };
    Ok(Arc::new(Histogram {
        schema: record.schema.try_into().map_err(|_| CodecError::Field("schema"))?,
        counter_reset: match record.counter_reset {
            0 => CounterReset::Unknown,
            1 => CounterReset::Reset,
            2 => CounterReset::NotReset,
            3 => CounterReset::Gauge,
            _ => return Err(CodecError::Field("counter reset")),
        },
        zero_threshold: record.zero_threshold,
        zero_count: record.zero_count,
        count: record.count,
        sum: record.sum,
        positive_spans: spans(&record.positive_spans)?,
        negative_spans: spans(&record.negative_spans)?,
        positive_counts: record.positive_counts,
        negative_counts: record.negative_counts,
        custom_bounds: record.custom_bounds,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is written as it lies is what Protobuf makes of the message.
        #[test]
        fn series_are_written_as_messages(
            pairs in prop::collection::vec(("[a-z]{1,9}", "\\PC{0,200}"), 0..6),
            points in prop::collection::btree_map(any::<i64>(), (any::<f64>(), any::<bool>()), 0..200),
            with_starts: bool,
        ) {
            let labels = Labels::from_pairs(pairs);
            let mut samples = Samples::default();
            for (at_ms, (value, is_histogram)) in &points {
                let histogram = Histogram { count: *value, sum: -*value, ..Histogram::default() };
                match is_histogram {
                    true => samples.push_value(*at_ms, &Value::Histogram(Arc::new(histogram))),
                    false => samples.push_value(*at_ms, &Value::Float(*value)),
                }
            }
            samples.start_ms = if with_starts { samples.timestamps_ms.clone() } else { Vec::new() };
            let mut written = Vec::new();
            put_series(&labels, &samples, &mut written);
            let message = SeriesRecord {
                labels: label_texts(&labels),
                timestamps_ms: samples.timestamps_ms.clone(),
                values: samples.values.clone(),
                histograms: samples.histograms.iter().map(|h| maybe_histogram(h.as_deref())).collect(),
                start_ms: samples.start_ms.clone(),
                ..SeriesRecord::default()
            };
            prop_assert_eq!(written, message.encode_to_vec());
        }
    }
}
