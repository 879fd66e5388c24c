//! Families to a delimited protobuf body.

use std::sync::Arc;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::messages::{self, LabelPair, Timestamp, family};
use super::native;
use crate::family::{Bucket, Exemplar, Family, Histogram, Metric, MetricValue, Summary};
use crate::name_escaping::Escaping;

/// Writes families as `MetricFamily` messages, each with its length before it, in the order given.
pub fn write(families: &[Family], escaping: Escaping) -> Vec<u8> {
    let mut body = Vec::new();
    let mut message = Vec::new();
    for family in families {
        message.clear();
        write_family(family, escaping, &mut message);
        encode_varint(message.len() as u64, &mut body);
        body.extend_from_slice(&message);
    }
    body
}

fn write_family(family: &Family, escaping: Escaping, message: &mut Vec<u8>) {
    let mut bytes = |tag: u32, bytes: &[u8]| {
        encode_key(tag, WireType::LengthDelimited, message);
        encode_varint(bytes.len() as u64, message);
        message.extend_from_slice(bytes);
    };
    bytes(family::NAME, escaping.metric_name(&family.name).as_bytes());
    if !family.help.is_empty() {
        bytes(family::HELP, family.help.as_bytes());
    }
    if !family.unit.is_empty() {
        bytes(family::UNIT, family.unit.as_bytes());
    }
    encode_key(family::TYPE, WireType::Varint, message);
    encode_varint(messages::type_number(family.r#type), message);
    for metric in &family.metrics {
        encode_key(family::METRIC, WireType::LengthDelimited, message);
        let metric = metric_message(metric, escaping);
        encode_varint(metric.encoded_len() as u64, message);
        metric.encode_raw(message);
    }
}

fn metric_message(metric: &Metric, escaping: Escaping) -> messages::Metric {
    let mut message = messages::Metric {
        label: labels(&metric.labels, escaping),
        timestamp_ms: metric.timestamp_ms,
        ..messages::Metric::default()
    };
    let created_timestamp = metric.created_ms.map(Timestamp::of_ms);
    match &metric.value {
        MetricValue::Absent => {}
        MetricValue::Counter(value) => {
            let exemplar = metric.exemplars.first().map(|e| exemplar(e, escaping));
            message.counter = Some(messages::Counter { value: Some(*value), exemplar, created_timestamp });
        }
        MetricValue::Gauge(value) => message.gauge = Some(messages::Number { value: Some(*value) }),
        MetricValue::Untyped(value) => message.untyped = Some(messages::Number { value: Some(*value) }),
        MetricValue::Summary(value) => {
            message.summary = Some(messages::Summary { created_timestamp, ..summary(value) });
        }
        MetricValue::Histogram(value) => {
            let exemplars = metric.exemplars.iter().map(|e| exemplar(e, escaping)).collect();
            let value = histogram(value, escaping);
            message.histogram = Some(Box::new(messages::Histogram { created_timestamp, exemplars, ..value }));
        }
    }
    message
}

fn labels(labels: &[(Arc<str>, Arc<str>)], escaping: Escaping) -> Vec<LabelPair> {
    let pair = |(name, value): &(Arc<str>, Arc<str>)| LabelPair {
        name: Some(escaping.label_name(name).into_owned().into_bytes()),
        value: Some(value.as_bytes().to_vec()),
    };
    labels.iter().map(pair).collect()
}

fn summary(summary: &Summary) -> messages::Summary {
    let quantile =
        |q: &crate::Quantile| messages::Quantile { quantile: Some(q.quantile), value: Some(q.value) };
    messages::Summary {
        sample_count: Some(summary.count),
        sample_sum: Some(summary.sum),
        quantile: summary.quantiles.iter().map(quantile).collect(),
        created_timestamp: None,
    }
}

fn histogram(histogram: &Histogram, escaping: Escaping) -> messages::Histogram {
    let bucket = |bucket: &Bucket| {
        let (cumulative_count, cumulative_count_float) = count(bucket.cumulative_count);
        messages::Bucket {
            cumulative_count,
            cumulative_count_float,
            upper_bound: Some(bucket.upper_bound),
            exemplar: bucket.exemplar.as_deref().map(|e| Box::new(exemplar(e, escaping))),
        }
    };
    let (sample_count, sample_count_float) = count(histogram.count);
    let mut message = messages::Histogram {
        sample_count,
        sample_count_float,
        sample_sum: Some(histogram.sum),
        bucket: histogram.buckets.iter().map(bucket).collect(),
        ..messages::Histogram::default()
    };
    if let Some(native) = &histogram.native {
        native::encode(native, &mut message);
    }
    message
}

fn exemplar(exemplar: &Exemplar, escaping: Escaping) -> messages::Exemplar {
    messages::Exemplar {
        label: labels(&exemplar.labels, escaping),
        value: Some(exemplar.value),
        timestamp: exemplar.timestamp_ms.map(Timestamp::of_ms),
    }
}

/// A count in the integer field if that holds it, else in the float one.
fn count(count: f64) -> (Option<u64>, Option<f64>) {
    if native::is_whole(count) { (Some(count as u64), None) } else { (None, Some(count)) }
}
