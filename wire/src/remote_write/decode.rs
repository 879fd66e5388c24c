//! A body to what it asks to write.

use std::sync::Arc;

use model::{Labels, Metadata, MetricType, Value};

use super::content_type::Version;
use super::faults::Faults;
use super::known::KnownLabels;
use super::{histogram, v1, v2};
use crate::fields::{FieldError, Fields};
use crate::{Exemplar, Limits};

/// What a request asks to write, and what of it cannot be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WriteRequest {
    /// The series that make sense, in the order in which they were sent.
    pub series: Vec<WriteSeries>,
    /// What it tells of metric families, by their names: only in 1.0.
    pub families: Vec<(Arc<str>, Metadata)>,
    /// What does not.
    pub faults: Faults,
}

/// A series of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteSeries {
    /// All labels; there is a metric name.
    pub labels: Labels,
    /// Samples in the order in which they were sent; of those of one time the later counts.
    pub points: Vec<Point>,
    /// Exemplars in the order in which they were sent, each with a time.
    pub exemplars: Vec<Exemplar>,
    /// What is told of its family, if that came with it: only in 2.0.
    pub metadata: Metadata,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub at_ms: i64,
    /// Since when it has been counted; 0 if that is not known.
    pub start_ms: i64,
    /// What; stale markers included.
    pub value: Value,
}

/// A body of which nothing can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is not this message.
    #[error(transparent)]
    Message(#[from] FieldError),
    /// It is larger than allowed.
    #[error("inflated body is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// It has more series, samples, buckets and exemplars than allowed.
    #[error("more than {samples_max} series, samples, buckets and exemplars")]
    TooMany {
        /// The limit.
        samples_max: usize,
    },
    /// Its symbols stand for much more than what was sent.
    #[error("labels of all series together have more than {bytes_max} bytes once symbols are replaced")]
    LabelsTooLarge {
        /// The limit.
        bytes_max: usize,
    },
}

/// Reads an inflated body. Label sets that are known are not read again; what is `known` may be of requests with other limits.
/// Of labels their number is checked: how long they are is for the caller to see.
///
/// # Errors
/// If it is no such message, or if it asks for more than the limits allow.
pub fn decode(
    version: Version,
    body: &[u8],
    limits: &Limits,
    known: &KnownLabels,
) -> Result<WriteRequest, DecodeError> {
    if body.len() > limits.bytes_max {
        return Err(DecodeError::TooLarge { bytes_max: limits.bytes_max });
    }
    match version {
        Version::V1 => v1::decode(body, limits, known),
        Version::V2 => v2::decode(body, limits, known),
    }
}

/// What the numbers for types mean, in the messages of 1.0 and of 2.0. Of those that came later nothing is known.
pub(super) fn type_of(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Untyped,
    }
}

/// What a request may still hold.
pub(super) struct Allowance {
    left: usize,
    samples_max: usize,
}

impl Allowance {
    pub(super) fn of(limits: &Limits) -> Self {
        Self { left: limits.samples_max, samples_max: limits.samples_max }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<(), DecodeError> {
        self.left =
            self.left.checked_sub(count).ok_or(DecodeError::TooMany { samples_max: self.samples_max })?;
        Ok(())
    }
}

/// Samples of one series, both of the messages of 1.0 and of 2.0, which are the same.
#[derive(Default)]
pub(super) struct Points {
    pub(super) points: Vec<Point>,
    pub(super) histograms: usize,
    /// What is wrong with some of them.
    pub(super) faults: Vec<histogram::HistogramFault>,
}

impl Points {
    pub(super) fn add_sample(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let (mut at_ms, mut start_ms, mut value) = (0, 0, 0.0);
        let mut fields = Fields::of(message);
        while let Some((tag, field)) = fields.next()? {
            match tag {
                1 => value = field.double("Value")?,
                2 => at_ms = field.int("Timestamp")?,
                3 => start_ms = field.int("StartTimestamp")?,
                _ => {}
            }
        }
        self.points.push(Point { at_ms, start_ms, value: Value::Float(value) });
        Ok(())
    }

    pub(super) fn add_histogram(
        &mut self,
        message: &[u8],
        allowance: &mut Allowance,
    ) -> Result<(), DecodeError> {
        let sent = histogram::decode(message)?;
        allowance.take(sent.buckets())?;
        self.histograms += 1;
        let (at_ms, start_ms) = (sent.at_ms, sent.start_ms);
        match sent.checked() {
            Ok(histogram) => self.points.push(Point { at_ms, start_ms, value: Value::Histogram(histogram) }),
            Err(fault) => self.faults.push(fault),
        }
        Ok(())
    }
}
