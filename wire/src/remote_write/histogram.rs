//! Native histograms of remote write, whose message is the same in 1.0 and 2.0, and the rules that all native histograms follow.

use std::sync::Arc;

use model::{CounterReset, Histogram, Labels, Span, float};

use super::labels;
use crate::fields::{FieldError, Fields, zigzag};

/// The schema of custom bounds.
const CUSTOM: i64 = -53;

/// A native histogram that contradicts itself. The texts are those of Prometheus.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HistogramFault {
    /// No schema that can be stored.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {0}"
    )]
    Schema(i64),
    /// Spans and buckets differ.
    #[error(
        "{side}: spans need {need} buckets, have {have} buckets: histogram spans specify different number of buckets than provided"
    )]
    Buckets {
        /// Which buckets.
        side: &'static str,
        /// Buckets by the spans.
        need: u64,
        /// Buckets given.
        have: usize,
    },
    /// A span begins before the one before it ends.
    #[error(
        "{side}: span number {number} with offset {offset}: histogram has a span whose offset is negative"
    )]
    Offset {
        /// Which buckets.
        side: &'static str,
        /// Which span, from 1.
        number: usize,
        /// Its offset.
        offset: i32,
    },
    /// Spans lead beyond what an index can be.
    #[error("{side}: span number {number} ends beyond what a bucket's index can be")]
    Index {
        /// Which buckets.
        side: &'static str,
        /// Which span, from 1.
        number: usize,
    },
    /// A count that is negative, or no number.
    #[error(
        "{side}: bucket number {number} has observation count of {}: histogram has a bucket whose observation count is negative",
        float::shortest(*count)
    )]
    BucketCount {
        /// Which buckets.
        side: &'static str,
        /// Which bucket, from 1.
        number: usize,
        /// Its count.
        count: f64,
    },
    /// The same of another number.
    #[error("{what} is {}: it must be a number that is not negative", float::shortest(*value))]
    Number {
        /// Which number.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// There are not as many observations as in the buckets.
    #[error(
        "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
    )]
    Count {
        /// In the buckets.
        found: u128,
        /// As it says.
        count: u64,
    },
    /// There are less observations than in the buckets.
    #[error(
        "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should be at least the number of observations found in the buckets"
    )]
    CountTooSmall {
        /// In the buckets.
        found: u128,
        /// As it says.
        count: u64,
    },
    /// Custom bounds that are missing, in disorder or infinite, or custom buckets beside others.
    #[error("custom buckets: {0}")]
    Custom(String),
    /// Custom bounds without their schema.
    #[error("histogram with exponential schema must not have custom bounds")]
    ExponentialWithBounds,
}

impl HistogramFault {
    /// The text that names the series.
    pub(super) fn of_series(&self, series: &Labels) -> String {
        let pairs = series.iter().map(|label| (label.name.as_bytes(), label.value.as_bytes()));
        format!("{self} for series {}", labels::show(pairs))
    }
}

/// A histogram as it was sent.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) at_ms: i64,
    pub(super) start_ms: i64,
    /// `None` if it is of floats.
    count: Option<u64>,
    count_float: Option<f64>,
    sum: f64,
    schema: i64,
    zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    negative_spans: Vec<Span>,
    negative_deltas: Vec<u64>,
    negative_counts: Vec<f64>,
    positive_spans: Vec<Span>,
    positive_deltas: Vec<u64>,
    positive_counts: Vec<f64>,
    reset_hint: u64,
    custom_bounds: Vec<f64>,
}

pub(super) fn decode(message: &[u8]) -> Result<Sent, FieldError> {
    let mut sent = Sent::default();
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            1 => (sent.count, sent.count_float) = (Some(field.uint("CountInt")?), None),
            2 => (sent.count, sent.count_float) = (None, Some(field.double("CountFloat")?)),
            3 => sent.sum = field.double("Sum")?,
            4 => sent.schema = field.sint("Schema")?,
            5 => sent.zero_threshold = field.double("ZeroThreshold")?,
            6 => sent.zero_count = field.uint("ZeroCountInt")?,
            7 => sent.zero_count_float = field.double("ZeroCountFloat")?,
            8 => sent.negative_spans.push(span(field.bytes("NegativeSpans")?)?),
            9 => field.uints("NegativeDeltas", &mut sent.negative_deltas)?,
            10 => field.doubles("NegativeCounts", &mut sent.negative_counts)?,
            11 => sent.positive_spans.push(span(field.bytes("PositiveSpans")?)?),
            12 => field.uints("PositiveDeltas", &mut sent.positive_deltas)?,
            13 => field.doubles("PositiveCounts", &mut sent.positive_counts)?,
            14 => sent.reset_hint = field.uint("ResetHint")?,
            15 => sent.at_ms = field.int("Timestamp")?,
            16 => field.doubles("CustomValues", &mut sent.custom_bounds)?,
            17 => sent.start_ms = field.int("StartTimestamp")?,
            _ => {}
        }
    }
    Ok(sent)
}

fn span(message: &[u8]) -> Result<Span, FieldError> {
    let mut span = Span { offset: 0, length: 0 };
    let mut fields = Fields::of(message);
    while let Some((tag, field)) = fields.next()? {
        match tag {
            // what does not fit is no index either: it ends up out of range
            1 => span.offset = i32::try_from(field.sint("Offset")?).unwrap_or(i32::MAX),
            2 => span.length = u32::try_from(field.uint("Length")?).unwrap_or(u32::MAX),
            _ => {}
        }
    }
    Ok(span)
}

impl Sent {
    /// How many numbers and spans it has.
    pub(super) fn buckets(&self) -> usize {
        self.negative_spans.len()
            + self.negative_deltas.len()
            + self.negative_counts.len()
            + self.positive_spans.len()
            + self.positive_deltas.len()
            + self.positive_counts.len()
            + self.custom_bounds.len()
    }

    /// The histogram, if it makes sense.
    pub(super) fn checked(self) -> Result<Arc<Histogram>, HistogramFault> {
        // as Prometheus has it: without any count it is one of whole numbers
        let is_float = self.count_float.is_some();
        let (positive, negative) = match is_float {
            true => (None, None),
            false => (Some(absolute(&self.positive_deltas)), Some(absolute(&self.negative_deltas))),
        };
        let floats = |whole: &Option<Vec<i128>>, counts: Vec<f64>| match whole {
            Some(whole) => whole.iter().map(|count| *count as f64).collect(),
            None => counts,
        };
        let schema = i8::try_from(self.schema).map_err(|_| HistogramFault::Schema(self.schema))?;
        let histogram = Histogram {
            schema,
            zero_threshold: self.zero_threshold,
            zero_count: if is_float { self.zero_count_float } else { self.zero_count as f64 },
            count: self.count_float.unwrap_or(self.count.unwrap_or(0) as f64),
            sum: self.sum,
            positive_counts: floats(&positive, self.positive_counts),
            negative_counts: floats(&negative, self.negative_counts),
            positive_spans: self.positive_spans,
            negative_spans: self.negative_spans,
            custom_bounds: self.custom_bounds,
            counter_reset: match self.reset_hint {
                1 => CounterReset::Reset,
                2 => CounterReset::NotReset,
                3 => CounterReset::Gauge,
                _ => CounterReset::Unknown,
            },
        };
        validate(&histogram)?;
        if let (Some(positive), Some(negative)) = (positive, negative) {
            let buckets: u128 = positive.iter().chain(&negative).map(|count| count.unsigned_abs()).sum();
            let (found, count) = (buckets + u128::from(self.zero_count), self.count.unwrap_or(0));
            // a NaN that was observed counts, but is in no bucket
            match u128::from(count) {
                least if self.sum.is_nan() && found > least => {
                    return Err(HistogramFault::CountTooSmall { found, count });
                }
                exactly if !self.sum.is_nan() && found != exactly => {
                    return Err(HistogramFault::Count { found, count });
                }
                _ => {}
            }
        }
        Ok(Arc::new(histogram))
    }
}

/// Counts from differences, the first of which is from zero.
fn absolute(deltas: &[u64]) -> Vec<i128> {
    let mut count = 0;
    let next = |delta: &u64| {
        count += i128::from(zigzag(*delta));
        count
    };
    deltas.iter().map(next).collect()
}

/// Whether a native histogram makes sense, apart from what only whole numbers allow to check.
fn validate(histogram: &Histogram) -> Result<(), HistogramFault> {
    let Histogram { schema, custom_bounds, .. } = histogram;
    let numbers = [
        ("zero threshold", histogram.zero_threshold),
        ("zero count", histogram.zero_count),
        ("observation count", histogram.count),
    ];
    // a NaN is not in the range either
    if let Some((what, value)) = numbers.into_iter().find(|(_, value)| !(0.0..=f64::MAX).contains(value)) {
        return Err(HistogramFault::Number { what, value });
    }
    let sides = [
        ("positive side", &histogram.positive_spans, &histogram.positive_counts),
        ("negative side", &histogram.negative_spans, &histogram.negative_counts),
    ];
    match i64::from(*schema) {
        CUSTOM => check_custom(histogram)?,
        -4..=8 if custom_bounds.is_empty() => {}
        -4..=8 => return Err(HistogramFault::ExponentialWithBounds),
        other => return Err(HistogramFault::Schema(other)),
    }
    for (side, spans, counts) in sides {
        check_spans(side, spans, counts.len())?;
        let bad = counts.iter().position(|count| !(0.0..=f64::MAX).contains(count));
        if let Some(index) = bad {
            return Err(HistogramFault::BucketCount { side, number: index + 1, count: counts[index] });
        }
    }
    Ok(())
}

fn check_spans(side: &'static str, spans: &[Span], have: usize) -> Result<(), HistogramFault> {
    let mut end = 0_i64;
    for (index, span) in spans.iter().enumerate() {
        if index > 0 && span.offset < 0 {
            return Err(HistogramFault::Offset { side, number: index + 1, offset: span.offset });
        }
        end += i64::from(span.offset) + i64::from(span.length);
        if i32::try_from(end).is_err() {
            return Err(HistogramFault::Index { side, number: index + 1 });
        }
    }
    let need: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if need != have as u64 { Err(HistogramFault::Buckets { side, need, have }) } else { Ok(()) }
}

fn check_custom(histogram: &Histogram) -> Result<(), HistogramFault> {
    let bounds = &histogram.custom_bounds;
    let fault = |text: String| Err(HistogramFault::Custom(text));
    if let Some(pair) =
        bounds.windows(2).find(|pair| pair[0].partial_cmp(&pair[1]).is_none_or(std::cmp::Ordering::is_ge))
    {
        return fault(format!(
            "previous bound is {:.6} and current is {:.6}: histogram custom bounds must be in strictly increasing order",
            pair[0], pair[1]
        ));
    }
    if bounds.iter().any(|bound| !bound.is_finite()) {
        return fault(
            "last +Inf bound must not be explicitly defined: histogram custom bounds must be finite"
                .to_owned(),
        );
    }
    let total: i64 =
        histogram.positive_spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    if histogram.positive_spans.first().is_some_and(|span| span.offset < 0) {
        return fault("span number 1 with a negative offset: custom buckets begin at 0".to_owned());
    }
    if total > bounds.len() as i64 + 1 {
        return fault(format!(
            "only {} custom bounds defined which is insufficient to cover total span length of {total}: histogram custom bounds are too few",
            bounds.len()
        ));
    }
    let rules = [
        (histogram.zero_count == 0.0, "must have zero count of 0"),
        (histogram.zero_threshold == 0.0, "must have zero threshold of 0"),
        (histogram.negative_spans.is_empty(), "must not have negative spans"),
        (histogram.negative_counts.is_empty(), "must not have negative buckets"),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => fault(rule.to_owned()),
        None => Ok(()),
    }
}
