//! Attributes to labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::message::Attribute;
use super::names;
use super::translation::Strategy;

/// Labels by name.
pub(super) type LabelMap = BTreeMap<String, String>;

/// The labels of some attributes. Values of names that become the same are joined by `;`, in the order of the original names.
pub(super) fn labels<'a>(
    attributes: impl IntoIterator<Item = &'a Attribute>,
    strategy: Strategy,
) -> LabelMap {
    let mut attributes: Vec<&Attribute> = attributes.into_iter().collect();
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
    let mut labels = LabelMap::new();
    for Attribute { key, value } in attributes {
        let value = text(value);
        labels
            .entry(names::label(key, strategy))
            .and_modify(|before: &mut String| {
                before.push(';');
                before.push_str(&value);
            })
            .or_insert(value);
    }
    labels
}

/// The value of one attribute.
pub(super) fn value<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Json> {
    attributes.iter().find(|attribute| attribute.key == key).map(|attribute| &attribute.value)
}

/// As labels are held by metrics.
pub(super) fn pairs(labels: LabelMap) -> Vec<(Arc<str>, Arc<str>)> {
    labels
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// A value as text: lists and maps as JSON.
pub(super) fn text(any: &Json) -> String {
    match plain(any) {
        Json::Null => String::new(),
        Json::String(text) => text,
        Json::Number(number) if number.is_f64() => number.as_f64().map(model::float::api).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// What an `AnyValue` stands for.
fn plain(any: &Json) -> Json {
    let Some((kind, value)) = any.as_object().and_then(|object| object.iter().next()) else {
        return Json::Null;
    };
    let values = || value.get("values").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    match &**kind {
        "arrayValue" => Json::Array(values().iter().map(plain).collect()),
        "kvlistValue" => {
            let pair = |pair: &Json| {
                let key = pair.get("key")?.as_str()?.to_owned();
                Some((key, pair.get("value").map_or(Json::Null, plain)))
            };
            Json::Object(values().iter().filter_map(pair).collect::<Map<_, _>>())
        }
        // whole numbers may be texts
        "intValue" => match value {
            Json::String(digits) => digits.parse::<i64>().map_or(Json::Null, Json::from),
            other => other.clone(),
        },
        "doubleValue" => match value.as_f64().and_then(serde_json::Number::from_f64) {
            Some(double) => Json::Number(double),
            None => value.clone(),
        },
        "stringValue" | "boolValue" | "bytesValue" => value.clone(),
        _ => Json::Null,
    }
}
