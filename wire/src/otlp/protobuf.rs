//! The protobuf of OTLP, by its published field numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json, json};

use super::OtlpError;
use super::message::{
    Attribute, Attributed, Buckets, Common, Exemplar, Exponential, Histogram, Message, Metric, Number,
    Points, Quantile, ResourceMetrics, Scope, ScopeMetrics, Summary,
};
use crate::Limits;
use crate::fields::{FieldError, Fields, Value};

/// What a body may still hold.
struct Allowance {
    left: usize,
    samples_max: usize,
}

impl Allowance {
    fn take(&mut self, count: usize) -> Result<(), OtlpError> {
        self.left =
            self.left.checked_sub(count).ok_or(OtlpError::TooMany { samples_max: self.samples_max })?;
        Ok(())
    }
}

pub(super) fn decode(body: &[u8], limits: &Limits) -> Result<Message, OtlpError> {
    let mut allowance = Allowance { left: limits.samples_max, samples_max: limits.samples_max };
    let mut message = Message::default();
    let mut fields = Fields::of(body);
    while let Some((tag, field)) = fields.next()? {
        if tag == 1 {
            allowance.take(1)?;
            message.resource_metrics.push(resource(field.bytes("ResourceMetrics")?, &mut allowance)?);
        }
    }
    Ok(message)
}

fn resource(message: &[u8], allowance: &mut Allowance) -> Result<ResourceMetrics, OtlpError> {
    let mut resource = ResourceMetrics::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                let mut fields = Fields::of(field.bytes("Resource")?);
                let mut attributed = Attributed::default();
                while let Some((tag, field)) = fields.next()? {
                    if tag == 1 {
                        attributed.attributes.push(attribute(field, allowance)?);
                    }
                }
                resource.resource = attributed;
            }
            2 => {
                allowance.take(1)?;
                let mut scope = ScopeMetrics::default();
                let mut fields = Fields::of(field.bytes("ScopeMetrics")?);
                while let Some((tag, field)) = fields.next()? {
                    match tag {
                        1 => scope.scope = self::scope(field.bytes("Scope")?, allowance)?,
                        2 => {
                            allowance.take(1)?;
                            scope.metrics.push(metric(field.bytes("Metric")?, allowance)?);
                        }
                        3 => scope.schema_url = text(field, "SchemaUrl")?,
                        _ => {}
                    }
                }
                resource.scope_metrics.push(scope);
            }
            _ => {}
        }
    }
    Ok(resource)
}

fn scope(message: &[u8], allowance: &mut Allowance) -> Result<Scope, OtlpError> {
    let mut scope = Scope::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => scope.name = text(field, "Name")?,
            2 => scope.version = text(field, "Version")?,
            3 => scope.attributes.push(attribute(field, allowance)?),
            _ => {}
        }
    }
    Ok(scope)
}

fn text(field: Value<'_>, name: &'static str) -> Result<String, FieldError> {
    let bytes = field.bytes(name)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| FieldError::NotUtf8(name))
}

fn attribute(field: Value<'_>, allowance: &mut Allowance) -> Result<Attribute, OtlpError> {
    allowance.take(1)?;
    let mut attribute = Attribute::default();
    let mut fields = Fields::of(field.bytes("KeyValue")?);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => attribute.key = text(field, "Key")?,
            2 => attribute.value = any_value(field.bytes("AnyValue")?, VALUES_DEEP_MAX, allowance)?,
            _ => {}
        }
    }
    Ok(attribute)
}

/// Lists within lists within lists.
const VALUES_DEEP_MAX: usize = 16;

/// An `AnyValue` as JSON has it.
fn any_value(message: &[u8], deep: usize, allowance: &mut Allowance) -> Result<Json, OtlpError> {
    let deeper = deep.checked_sub(1).ok_or(FieldError::TooDeep("AnyValue"))?;
    let mut value = Json::Null;
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        value = match tag {
            1 => json!({ "stringValue": text(field, "StringValue")? }),
            2 => json!({ "boolValue": field.uint("BoolValue")? != 0 }),
            3 => json!({ "intValue": field.int("IntValue")? }),
            // JSON has no number that is none
            4 => match field.double("DoubleValue")? {
                double if double.is_finite() => json!({ "doubleValue": double }),
                double => json!({ "doubleValue": model::float::api(double) }),
            },
            5 => {
                let mut values = Vec::new();
                let mut fields = Fields::of(field.bytes("ArrayValue")?);
                while let Some((tag, field)) = fields.next()? {
                    if tag == 1 {
                        allowance.take(1)?;
                        values.push(any_value(field.bytes("Values")?, deeper, allowance)?);
                    }
                }
                json!({ "arrayValue": { "values": values } })
            }
            6 => {
                let mut values = Vec::new();
                let mut fields = Fields::of(field.bytes("KvlistValue")?);
                while let Some((tag, field)) = fields.next()? {
                    if tag == 1 {
                        allowance.take(1)?;
                        values.push(key_value(field.bytes("Values")?, deeper, allowance)?);
                    }
                }
                json!({ "kvlistValue": { "values": values } })
            }
            7 => json!({ "bytesValue": BASE64.encode(field.bytes("BytesValue")?) }),
            _ => continue,
        };
    }
    Ok(value)
}

fn key_value(message: &[u8], deep: usize, allowance: &mut Allowance) -> Result<Json, OtlpError> {
    let mut pair = Map::new();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => pair.insert("key".to_owned(), Json::String(text(field, "Key")?)),
            2 => pair.insert("value".to_owned(), any_value(field.bytes("Value")?, deep, allowance)?),
            _ => None,
        };
    }
    Ok(Json::Object(pair))
}

fn metric(message: &[u8], allowance: &mut Allowance) -> Result<Metric, OtlpError> {
    let mut metric = Metric::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => metric.name = text(field, "Name")?,
            2 => metric.description = text(field, "Description")?,
            3 => metric.unit = text(field, "Unit")?,
            5 => metric.gauge = Some(points(field.bytes("Gauge")?, allowance, number)?),
            7 => metric.sum = Some(points(field.bytes("Sum")?, allowance, number)?),
            9 => metric.histogram = Some(points(field.bytes("Histogram")?, allowance, histogram)?),
            10 => {
                let message = field.bytes("ExponentialHistogram")?;
                metric.exponential_histogram = Some(points(message, allowance, exponential)?);
            }
            11 => metric.summary = Some(points(field.bytes("Summary")?, allowance, summary)?),
            _ => {}
        }
    }
    Ok(metric)
}

fn points<P>(
    message: &[u8],
    allowance: &mut Allowance,
    point: fn(&[u8], &mut Allowance) -> Result<P, OtlpError>,
) -> Result<Points<P>, OtlpError> {
    let mut points = Points::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => {
                allowance.take(1)?;
                points.data_points.push(point(field.bytes("DataPoints")?, allowance)?);
            }
            2 => points.aggregation_temporality = field.uint("AggregationTemporality")?,
            3 => points.is_monotonic = field.uint("IsMonotonic")? != 0,
            _ => {}
        }
    }
    Ok(points)
}

fn fixed64(field: Value<'_>, name: &'static str) -> Result<u64, FieldError> {
    match field {
        Value::Fixed64(number) => Ok(number),
        _ => Err(FieldError::WrongWireType(name)),
    }
}

/// Start and time, which all data points have as fields 2 and 3.
fn times(common: &mut Common, tag: u32, field: Value<'_>) -> Result<(), FieldError> {
    match tag {
        2 => common.start_time_unix_nano = fixed64(field, "StartTimeUnixNano")?,
        3 => common.time_unix_nano = fixed64(field, "TimeUnixNano")?,
        _ => {}
    }
    Ok(())
}

fn exemplar(field: Value<'_>, allowance: &mut Allowance) -> Result<Exemplar, OtlpError> {
    allowance.take(1)?;
    let mut exemplar = Exemplar::default();
    let mut fields = Fields::of(field.bytes("Exemplars")?);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            2 => exemplar.time_unix_nano = fixed64(field, "TimeUnixNano")?,
            3 => (exemplar.as_double, exemplar.as_int) = (Some(field.double("AsDouble")?), None),
            6 => {
                let value = fixed64(field, "AsInt")?.cast_signed();
                (exemplar.as_double, exemplar.as_int) = (None, Some(value));
            }
            4 => exemplar.span_id = hexadecimal(field.bytes("SpanId")?),
            5 => exemplar.trace_id = hexadecimal(field.bytes("TraceId")?),
            7 => exemplar.filtered_attributes.push(attribute(field, allowance)?),
            _ => {}
        }
    }
    Ok(exemplar)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(message: &[u8], allowance: &mut Allowance) -> Result<Number, OtlpError> {
    let mut point = Number::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            7 => point.common.attributes.push(attribute(field, allowance)?),
            5 => point.common.exemplars.push(exemplar(field, allowance)?),
            4 => (point.as_double, point.as_int) = (Some(field.double("AsDouble")?), None),
            6 => (point.as_double, point.as_int) = (None, Some(fixed64(field, "AsInt")?.cast_signed())),
            8 => point.common.flags = field.uint("Flags")?,
            _ => times(&mut point.common, tag, field)?,
        }
    }
    Ok(point)
}

fn histogram(message: &[u8], allowance: &mut Allowance) -> Result<Histogram, OtlpError> {
    let mut point = Histogram::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            9 => point.common.attributes.push(attribute(field, allowance)?),
            4 => point.count = fixed64(field, "Count")?,
            5 => point.sum = Some(field.double("Sum")?),
            6 => field.fixed64s("BucketCounts", &mut point.bucket_counts)?,
            7 => field.doubles("ExplicitBounds", &mut point.explicit_bounds)?,
            8 => point.common.exemplars.push(exemplar(field, allowance)?),
            10 => point.common.flags = field.uint("Flags")?,
            _ => times(&mut point.common, tag, field)?,
        }
    }
    allowance.take(point.bucket_counts.len() + point.explicit_bounds.len())?;
    Ok(point)
}

fn exponential(message: &[u8], allowance: &mut Allowance) -> Result<Exponential, OtlpError> {
    let mut point = Exponential::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => point.common.attributes.push(attribute(field, allowance)?),
            4 => point.count = fixed64(field, "Count")?,
            5 => point.sum = Some(field.double("Sum")?),
            6 => point.scale = field.sint("Scale")?,
            7 => point.zero_count = fixed64(field, "ZeroCount")?,
            8 => point.positive = buckets(field.bytes("Positive")?, allowance)?,
            9 => point.negative = buckets(field.bytes("Negative")?, allowance)?,
            10 => point.common.flags = field.uint("Flags")?,
            11 => point.common.exemplars.push(exemplar(field, allowance)?),
            14 => point.zero_threshold = field.double("ZeroThreshold")?,
            _ => times(&mut point.common, tag, field)?,
        }
    }
    Ok(point)
}

fn buckets(message: &[u8], allowance: &mut Allowance) -> Result<Buckets, OtlpError> {
    let mut buckets = Buckets::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => buckets.offset = field.sint("Offset")?,
            2 => field.uints("BucketCounts", &mut buckets.bucket_counts)?,
            _ => {}
        }
    }
    allowance.take(buckets.bucket_counts.len())?;
    Ok(buckets)
}

fn summary(message: &[u8], allowance: &mut Allowance) -> Result<Summary, OtlpError> {
    let mut point = Summary::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            7 => point.common.attributes.push(attribute(field, allowance)?),
            4 => point.count = fixed64(field, "Count")?,
            5 => point.sum = field.double("Sum")?,
            6 => {
                allowance.take(1)?;
                let mut quantile = Quantile::default();
                let mut fields = Fields::of(field.bytes("QuantileValues")?);
                while let Some((tag, field)) = fields.next()? {
                    match tag {
                        1 => quantile.quantile = field.double("Quantile")?,
                        2 => quantile.value = field.double("Value")?,
                        _ => {}
                    }
                }
                point.quantile_values.push(quantile);
            }
            8 => point.common.flags = field.uint("Flags")?,
            _ => times(&mut point.common, tag, field)?,
        }
    }
    Ok(point)
}
