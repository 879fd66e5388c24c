//! Bytes of a body to families.

use std::borrow::Cow;

use bytes::Bytes;
use wire::encoding::{Encoding, EncodingError, inflate};
use wire::openmetrics::OpenMetricsError;
use wire::protobuf::ProtobufError;
use wire::text::{self, TextError};
use wire::{BodyFormat, Family, openmetrics, protobuf};

use super::error::IntakeError;
use crate::settings::Settings;

/// A body as it was sent, and what its headers say about it.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) format: BodyFormat,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
}

/// Inflates a body that is no exposition.
pub(crate) fn inflated(
    encoding: Encoding,
    body: &[u8],
    bytes_max: usize,
) -> Result<Cow<'_, [u8]>, IntakeError> {
    inflate(encoding, body, bytes_max).map_err(encoding_error)
}

/// Inflates and decodes a body.
pub(crate) fn families(body: &Body, settings: &Settings) -> Result<Vec<Family>, IntakeError> {
    let plain =
        inflate(body.encoding, &body.bytes, settings.inflated_body_bytes_max).map_err(encoding_error)?;
    let limits = settings.decoder_limits();
    let options = text::Options { utf8_names: settings.utf8_names, limits };
    let lines = || match settings.lenient_text {
        true => text::with_line_feeds(&plain),
        false => Cow::Borrowed(&*plain),
    };
    match body.format {
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
