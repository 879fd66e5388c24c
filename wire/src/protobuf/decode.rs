//! A delimited protobuf body to families.

use std::collections::HashMap;
use std::sync::Arc;

use model::MetricType;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::error::ProtobufError;
use super::messages::{self, family};
use super::native;
use crate::Limits;
use crate::family::{Bucket, Exemplar, Family, Histogram, Metric, MetricValue, Quantile, Summary};

/// Bytes of one metric with its labels and buckets. It bounds what a message made of empty fields can ask for.
pub const METRIC_BYTES_MAX: usize = 1 << 20;

/// Reads a body of `MetricFamily` messages, each with its length before it. Of two families with one name the later
/// counts. A family without metrics is kept: it says that there are none.
///
/// # Errors
/// If anything in it cannot be kept, or if a limit is reached: all or nothing.
pub fn parse(mut body: &[u8], limits: &Limits) -> Result<Vec<Family>, ProtobufError> {
    if body.len() > limits.bytes_max {
        return Err(ProtobufError::TooLarge { bytes_max: limits.bytes_max });
    }
    let mut families: Vec<Family> = Vec::new();
    let mut by_name: HashMap<Arc<str>, usize> = HashMap::new();
    let mut samples_left = limits.samples_max;
    while !body.is_empty() {
        let message = delimited(&mut body)?;
        let family = parse_family(message, limits, &mut samples_left)?;
        match by_name.get(&family.name) {
            Some(&index) => families[index] = family,
            None => {
                by_name.insert(Arc::clone(&family.name), families.len());
                families.push(family);
            }
        }
    }
    Ok(families)
}

fn delimited<'a>(body: &mut &'a [u8]) -> Result<&'a [u8], ProtobufError> {
    let cut = body.iter().take(10).all(|byte| byte & 0x80 != 0) && body.len() < 10;
    if cut {
        return Err(ProtobufError::Truncated);
    }
    let length = decode_varint(body).map_err(|_| ProtobufError::Wire)?;
    take(body, length).ok_or(ProtobufError::Truncated)
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// The fields of a family that are not metrics.
struct Header<'a> {
    name: &'a [u8],
    help: &'a [u8],
    unit: &'a [u8],
    type_number: u64,
    metrics: Vec<&'a [u8]>,
}

fn header<'a>(
    mut message: &'a [u8],
    samples_left: usize,
    limits: &Limits,
) -> Result<Header<'a>, ProtobufError> {
    let mut header = Header { name: b"", help: b"", unit: b"", type_number: 0, metrics: Vec::new() };
    let wire = |_| ProtobufError::Wire;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).map_err(wire)?;
        match (tag, wire_type) {
            (family::TYPE, WireType::Varint) => {
                header.type_number = decode_varint(&mut message).map_err(wire)?;
            }
            (_, WireType::LengthDelimited) => {
                let length = decode_varint(&mut message).map_err(wire)?;
                let field = take(&mut message, length).ok_or(ProtobufError::Wire)?;
                match tag {
                    family::NAME => header.name = field,
                    family::HELP => header.help = field,
                    family::UNIT => header.unit = field,
                    family::METRIC if header.metrics.len() == samples_left => {
                        return Err(ProtobufError::TooManySamples { samples_max: limits.samples_max });
                    }
                    family::METRIC => header.metrics.push(field),
                    _ => {}
                }
            }
            _ => skip_field(wire_type, tag, &mut message, DecodeContext::default()).map_err(wire)?,
        }
    }
    Ok(header)
}

fn parse_family(message: &[u8], limits: &Limits, samples_left: &mut usize) -> Result<Family, ProtobufError> {
    let header = header(message, *samples_left, limits)?;
    let name =
        std::str::from_utf8(header.name).map_err(|_| ProtobufError::FamilyName(header.name.to_vec()))?;
    if name.is_empty() {
        return Err(ProtobufError::NoName);
    }
    let r#type = messages::type_of_number(header.type_number)
        .ok_or_else(|| ProtobufError::UnknownType { family: name.to_owned(), number: header.type_number })?;
    let reader = MetricReader { family: name, limits };
    let mut metrics = Vec::with_capacity(header.metrics.len());
    for field in header.metrics {
        if field.len() > METRIC_BYTES_MAX {
            return Err(ProtobufError::MetricTooLarge {
                family: name.to_owned(),
                bytes_max: METRIC_BYTES_MAX,
            });
        }
        let message = messages::Metric::decode(field).map_err(|_| ProtobufError::Wire)?;
        *samples_left = samples_left
            .checked_sub(weight(&message))
            .ok_or(ProtobufError::TooManySamples { samples_max: limits.samples_max })?;
        metrics.push(reader.metric(&message, r#type)?);
    }
    let text = |bytes: &[u8]| -> Arc<str> { String::from_utf8_lossy(bytes).into() };
    Ok(Family { name: name.into(), help: text(header.help), unit: text(header.unit), r#type, metrics })
}

/// How many samples a metric counts for.
fn weight(message: &messages::Metric) -> usize {
    let histogram = message.histogram.as_ref().map_or(0, |h| {
        let deltas = h.positive_delta.len() + h.negative_delta.len();
        let counts = h.positive_count.len() + h.negative_count.len();
        let spans = h.positive_span.len() + h.negative_span.len();
        h.bucket.len() + deltas + counts + spans + h.exemplars.len()
    });
    let summary = message.summary.as_ref().map_or(0, |s| s.quantile.len());
    1 + histogram + summary
}

/// An integer count or, if it is there, the float one.
pub(super) fn either(count: Option<u64>, float: Option<f64>) -> f64 {
    float.filter(|float| *float > 0.0).unwrap_or_else(|| count.unwrap_or(0) as f64)
}

/// Reads the metrics of one family.
struct MetricReader<'a> {
    family: &'a str,
    limits: &'a Limits,
}

type SharedLabels = Vec<(Arc<str>, Arc<str>)>;

const KINDS: [MetricType; 5] =
    [MetricType::Counter, MetricType::Gauge, MetricType::Untyped, MetricType::Summary, MetricType::Histogram];

impl MetricReader<'_> {
    /// The value is the one that fits the type; failing that whichever there is, so that the receiver can say what
    /// does not fit.
    fn metric(&self, message: &messages::Metric, r#type: MetricType) -> Result<Metric, ProtobufError> {
        let mut found = self.value_as(r#type, message)?;
        for kind in KINDS {
            if found.is_none() {
                found = self.value_as(kind, message)?;
            }
        }
        let metric = found.unwrap_or_else(|| Metric::new(Vec::new(), MetricValue::Absent));
        Ok(Metric { labels: self.labels(&message.label)?, timestamp_ms: message.timestamp_ms, ..metric })
    }

    fn value_as(
        &self,
        kind: MetricType,
        message: &messages::Metric,
    ) -> Result<Option<Metric>, ProtobufError> {
        let plain = |value: MetricValue| Metric::new(Vec::new(), value);
        let created_ms = |created: Option<messages::Timestamp>| created.map(messages::Timestamp::to_ms);
        Ok(match kind {
            MetricType::Counter => match &message.counter {
                Some(counter) => Some(Metric {
                    created_ms: created_ms(counter.created_timestamp),
                    exemplars: self.exemplars(counter.exemplar.as_slice())?,
                    ..plain(MetricValue::Counter(counter.value.unwrap_or(0.0)))
                }),
                None => None,
            },
            MetricType::Gauge => {
                message.gauge.map(|gauge| plain(MetricValue::Gauge(gauge.value.unwrap_or(0.0))))
            }
            MetricType::Summary => message.summary.as_ref().map(|summary| Metric {
                created_ms: created_ms(summary.created_timestamp),
                ..plain(MetricValue::Summary(read_summary(summary)))
            }),
            MetricType::Histogram | MetricType::GaugeHistogram => match message.histogram.as_deref() {
                Some(histogram) => {
                    let is_gauge = kind == MetricType::GaugeHistogram;
                    Some(Metric {
                        created_ms: created_ms(histogram.created_timestamp),
                        exemplars: self.exemplars(&histogram.exemplars)?,
                        ..plain(MetricValue::Histogram(self.histogram(histogram, is_gauge)?))
                    })
                }
                None => None,
            },
            MetricType::Untyped | MetricType::Info | MetricType::StateSet => {
                message.untyped.map(|untyped| plain(MetricValue::Untyped(untyped.value.unwrap_or(0.0))))
            }
        })
    }

    fn histogram(&self, message: &messages::Histogram, is_gauge: bool) -> Result<Histogram, ProtobufError> {
        let native = native::decode(message, is_gauge)
            .map_err(|fault| ProtobufError::Native { family: self.family.to_owned(), fault })?;
        let bucket = |bucket: &messages::Bucket| {
            let exemplar = bucket.exemplar.as_ref().map(|e| self.exemplar(e).map(Box::new)).transpose()?;
            Ok(Bucket {
                upper_bound: bucket.upper_bound.unwrap_or(0.0),
                cumulative_count: either(bucket.cumulative_count, bucket.cumulative_count_float),
                exemplar,
            })
        };
        Ok(Histogram {
            count: either(message.sample_count, message.sample_count_float),
            sum: message.sample_sum.unwrap_or(0.0),
            buckets: message.bucket.iter().map(bucket).collect::<Result<_, ProtobufError>>()?,
            native: native.map(Arc::new),
        })
    }

    fn exemplars(&self, messages: &[messages::Exemplar]) -> Result<Vec<Exemplar>, ProtobufError> {
        messages.iter().map(|exemplar| self.exemplar(exemplar)).collect()
    }

    fn exemplar(&self, message: &messages::Exemplar) -> Result<Exemplar, ProtobufError> {
        Ok(Exemplar {
            labels: self.labels(&message.label)?,
            value: message.value.unwrap_or(0.0),
            timestamp_ms: message.timestamp.map(messages::Timestamp::to_ms),
        })
    }

    fn labels(&self, pairs: &[messages::LabelPair]) -> Result<SharedLabels, ProtobufError> {
        let labels_max = self.limits.labels_max;
        if pairs.len() > labels_max {
            return Err(ProtobufError::TooManyLabels { family: self.family.to_owned(), labels_max });
        }
        let label = |pair: &messages::LabelPair| {
            let name = pair.name.as_deref().unwrap_or_default();
            let value = pair.value.as_deref().unwrap_or_default();
            let name = std::str::from_utf8(name).map_err(|_| ProtobufError::LabelName {
                family: self.family.to_owned(),
                label: name.to_vec(),
            })?;
            let value = std::str::from_utf8(value).map_err(|_| ProtobufError::LabelValue {
                family: self.family.to_owned(),
                label: name.to_owned(),
                value: value.to_vec(),
            })?;
            Ok((name.into(), value.into()))
        };
        pairs.iter().map(label).collect()
    }
}

fn read_summary(message: &messages::Summary) -> Summary {
    let quantile = |quantile: &messages::Quantile| Quantile {
        quantile: quantile.quantile.unwrap_or(0.0),
        value: quantile.value.unwrap_or(0.0),
    };
    Summary {
        count: message.sample_count.unwrap_or(0),
        sum: message.sample_sum.unwrap_or(0.0),
        quantiles: message.quantile.iter().map(quantile).collect(),
    }
}
