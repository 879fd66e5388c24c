//! The JSON of OTLP: names in camel case, whole numbers as numbers or texts, and `NaN` and `Infinity` as texts.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value as Json;

use super::message::Message;

/// A body that is no such JSON, with line and column.
#[derive(Debug, thiserror::Error)]
#[error("body is no OTLP in JSON: {0}")]
pub struct JsonError(#[from] serde_json::Error);

pub(super) fn decode(body: &[u8]) -> Result<Message, JsonError> {
    Ok(serde_json::from_slice(body)?)
}

pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn whole<T: std::str::FromStr>(json: &Json) -> Option<T> {
    match json {
        Json::Number(number) => number.to_string().parse().ok(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => None,
    }
}

fn read<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &str,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    match Json::deserialize(from)? {
        Json::Null => Ok(None),
        json => match read(&json) {
            Some(value) => Ok(Some(value)),
            None => Err(D::Error::custom(format!("{json} is no {what}"))),
        },
    }
}

fn list<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &str,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<Vec<T>, D::Error> {
    let list: Option<Vec<Json>> = Option::deserialize(from)?;
    let one = |json: &Json| read(json).ok_or_else(|| D::Error::custom(format!("{json} is no {what}")));
    list.unwrap_or_default().iter().map(one).collect()
}

pub(super) fn unsigned<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Ok(read(from, "whole number", whole)?.unwrap_or_default())
}

pub(super) fn long<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Ok(maybe_long(from)?.unwrap_or_default())
}

pub(super) fn maybe_long<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    read(from, "whole number", whole)
}

pub(super) fn longs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
    list(from, "whole number", whole)
}

pub(super) fn double<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(maybe_double(from)?.unwrap_or_default())
}

pub(super) fn maybe_double<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    read(from, "number", float)
}

pub(super) fn doubles<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    list(from, "number", float)
}
