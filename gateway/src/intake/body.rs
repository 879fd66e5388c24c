//! Bytes of a body to families.

use std::borrow::Cow;

use access::Place;
use bytes::Bytes;
use wire::encoding::{Encoding, EncodingError, inflate_within};
use wire::openmetrics::OpenMetricsError;
use wire::protobuf::ProtobufError;
use wire::text::{self, TextError};
use wire::{BodyFormat, Family, openmetrics, protobuf};

use super::error::IntakeError;
use crate::settings::Settings;

/// A body as it was sent, and what its headers say about it.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) format: BodyFormat,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
    /// The memory that it takes.
    pub(crate) place: Place,
}

/// What is inflated is counted so often: itself, and about what it becomes.
const INFLATED_TIMES: usize = 4;

/// Bodies up to this size are decoded where they are received: it takes less than to hand them to another thread.
const DECODED_IN_PLACE_BYTES_MAX: usize = 16 << 10;
/// Of a body that is compressed: so many bytes become a mebibyte at the most.
const PACKED_IN_PLACE_BYTES_MAX: usize = 1 << 10;

impl Body {
    /// Whether it is decoded in less time than it takes to hand it to another thread.
    pub(crate) fn is_small(&self) -> bool {
        let max = match self.encoding {
            Encoding::Identity => DECODED_IN_PLACE_BYTES_MAX,
            Encoding::Gzip | Encoding::SnappyFramed => PACKED_IN_PLACE_BYTES_MAX,
        };
        self.bytes.len() <= max
    }
}

/// Inflates a body, where there is memory for that and for what it becomes.
pub(crate) fn inflated<'a>(
    encoding: Encoding,
    body: &'a [u8],
    place: &mut Place,
    bytes_max: usize,
) -> Result<Cow<'a, [u8]>, IntakeError> {
    let mut no_room = None;
    let takes = |bytes: usize| match place.grow(bytes.saturating_mul(INFLATED_TIMES)) {
        Ok(()) => true,
        Err(full) => {
            no_room = Some(full);
            false
        }
    };
    let inflated = inflate_within(encoding, body, bytes_max, takes);
    inflated.map_err(|error| no_room.map_or_else(|| encoding_error(error), IntakeError::NoRoom))
}

/// Inflates and decodes a body.
pub(crate) fn families(body: &mut Body, settings: &Settings) -> Result<Vec<Family>, IntakeError> {
    let Body { format, encoding, bytes, place } = body;
    let plain = inflated(*encoding, bytes, place, settings.inflated_body_bytes_max)?;
    let limits = settings.decoder_limits();
    let options = text::Options { utf8_names: settings.utf8_names, limits };
    let lines = || match settings.lenient_text {
        true => text::with_line_feeds(&plain),
        false => Cow::Borrowed(&*plain),
    };
    match format {
        BodyFormat::Text => text::parse(&lines(), &options).map_err(text_error),
        BodyFormat::OpenMetrics => openmetrics::parse(&lines(), &options).map_err(openmetrics_error),
        BodyFormat::ProtobufDelimited => protobuf::parse(&plain, &limits).map_err(protobuf_error),
    }
}

fn encoding_error(error: EncodingError) -> IntakeError {
    match error {
        EncodingError::TooLarge { bytes_max } => inflated_too_large(bytes_max),
        other => IntakeError::Encoding(other),
    }
}

fn text_error(error: TextError) -> IntakeError {
    match error {
        TextError::TooLarge { bytes_max } => inflated_too_large(bytes_max),
        TextError::TooManySamples { samples_max } => too_many_series(samples_max),
        TextError::TooManyLabels { line, labels_max } => {
            too_many_labels(format!("the number of labels of a sample in line {line}"), labels_max)
        }
        other => IntakeError::Text(other),
    }
}

fn openmetrics_error(error: OpenMetricsError) -> IntakeError {
    match error {
        OpenMetricsError::TooLarge { bytes_max } => inflated_too_large(bytes_max),
        OpenMetricsError::TooManySamples { samples_max } => too_many_series(samples_max),
        OpenMetricsError::TooManyLabels { line, labels_max } => {
            too_many_labels(format!("the number of labels of a sample in line {line}"), labels_max)
        }
        other => IntakeError::OpenMetrics(other),
    }
}

fn protobuf_error(error: ProtobufError) -> IntakeError {
    match error {
        ProtobufError::TooLarge { bytes_max } => inflated_too_large(bytes_max),
        ProtobufError::TooManySamples { samples_max } => too_many_series(samples_max),
        ProtobufError::TooManyLabels { family, labels_max } => {
            too_many_labels(format!("the number of labels of a metric of {family:?}"), labels_max)
        }
        other => IntakeError::Protobuf(other),
    }
}

fn inflated_too_large(max: usize) -> IntakeError {
    IntakeError::TooLarge { what: "inflated body", limit: "inflated_body_bytes_max", max }
}

pub(super) fn too_many_series(max: usize) -> IntakeError {
    IntakeError::Limit { what: "the number of series".to_owned(), limit: "series_per_push_max", max }
}

pub(super) fn too_many_labels(what: String, max: usize) -> IntakeError {
    IntakeError::Limit { what, limit: "labels_per_series_max", max }
}
