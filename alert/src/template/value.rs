//! Go's types in the values of the template engine.
//!
//! The engine knows maps, but not structs and not what a map holds. Structs and `map[string]any` therefore carry
//! their kind under a key that no template can write; a map without it is a `map[string]string`.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;
use model::Labels;

use super::expand::Environment;
use crate::go::{Instant, Operand, format_duration_ns};

/// Holds the kind of a value; no identifier has a NUL.
const KIND: &str = "\0kind";
/// Holds the nanoseconds of times and durations.
const NS: &str = "\0ns";

/// What a map of the engine stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `map[string]string`: a missing key is an empty text.
    Strings,
    /// `map[string]any`: a missing key is nothing.
    Any,
    /// What a template is expanded with.
    AlertData,
    /// An element of a query's answer.
    Sample,
    /// `time.Time`.
    Time,
    /// `time.Duration`.
    Duration,
    /// A native histogram.
    Histogram,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Any, "any"),
    (Kind::AlertData, "alert"),
    (Kind::Sample, "sample"),
    (Kind::Time, "time"),
    (Kind::Duration, "duration"),
    (Kind::Histogram, "histogram"),
];

type Map = BTreeMap<Arc<str>, Value>;

impl Kind {
    pub(super) fn of(map: &Map) -> Self {
        let Some(Value::String(kind)) = map.get(KIND) else { return Self::Strings };
        KINDS.iter().find(|(_, name)| **name == **kind).map_or(Self::Strings, |(kind, _)| *kind)
    }

    /// As `%T` prints it.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Strings => "map[string]string",
            Self::Any => "map[string]interface {}",
            Self::AlertData => {
                "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }"
            }
            Self::Sample => "*template.sample",
            Self::Time => "*time.Time",
            Self::Duration => "*time.Duration",
            Self::Histogram => "*histogram.FloatHistogram",
        }
    }
}

fn tagged<const N: usize>(kind: Kind, fields: [(&str, Value); N]) -> Value {
    let name = KINDS.iter().find(|(k, _)| *k == kind).map_or("", |(_, name)| name);
    let mut map: Map = fields.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
    map.insert(Arc::from(KIND), text(name));
    Value::Map(Arc::new(map))
}

pub(super) fn text(text: impl Into<Arc<str>>) -> Value {
    Value::String(text.into())
}

fn strings(labels: &Labels) -> Value {
    let map: Map =
        labels.iter().map(|label| (label.name.clone(), Value::String(label.value.clone()))).collect();
    Value::Map(Arc::new(map))
}

/// A number, or a histogram as its text, buckets included, which no function takes for a number.
fn number(value: &model::Value) -> Value {
    match value {
        model::Value::Float(value) => Value::Float(*value),
        model::Value::Histogram(histogram) => {
            tagged(Kind::Histogram, [("text", text(histogram.to_string()))])
        }
    }
}

/// What a rule's template is expanded with.
pub(super) fn alert_data(labels: &Labels, value: &model::Value, environment: &Environment) -> Value {
    tagged(
        Kind::AlertData,
        [
            ("Labels", strings(labels)),
            ("ExternalLabels", strings(&environment.external_labels)),
            ("ExternalURL", text(environment.external_url.as_str())),
            ("Value", number(value)),
        ],
    )
}

/// The answer to a query.
pub(super) fn query_result(vector: &[(Labels, model::Value)]) -> Value {
    let samples = vector
        .iter()
        .map(|(labels, value)| tagged(Kind::Sample, [("Labels", strings(labels)), ("Value", number(value))]));
    Value::List(samples.collect())
}

pub(super) fn any_map(entries: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut map: Map = entries.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
    map.insert(Arc::from(KIND), text("any"));
    Value::Map(Arc::new(map))
}

pub(super) fn time(at: Instant) -> Value {
    tagged(Kind::Time, [(NS, Value::Int(at.ns()))])
}

pub(super) fn duration(ns: i64) -> Value {
    tagged(Kind::Duration, [(NS, Value::Int(ns))])
}

/// The nanoseconds of a time or duration.
pub(super) fn ns(map: &Map) -> i64 {
    map.get(NS).and_then(Value::as_int).unwrap_or(0)
}

/// The map without what templates must not see.
pub(super) fn visible(value: &Value) -> Value {
    match value {
        Value::Map(map) if Kind::of(map) == Kind::Any => {
            let visible: Map =
                map.iter().filter(|(key, _)| &***key != KIND).map(|(k, v)| (k.clone(), v.clone())).collect();
            Value::Map(Arc::new(visible))
        }
        other => other.clone(),
    }
}

/// As `%T` prints it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "template.queryResult",
        Value::Map(map) => Kind::of(map).type_name(),
        Value::Function(_) => "func",
    }
}

/// What `printf` prints.
pub(super) fn operand(value: &Value) -> Operand {
    match value {
        Value::Nil => Operand::Nil,
        Value::Bool(value) => Operand::Bool(*value),
        Value::Int(value) => Operand::Int(*value),
        Value::Uint(value) => Operand::Uint(*value),
        Value::Float(value) => Operand::Float(*value),
        Value::String(text) => Operand::Text(text.to_string()),
        Value::List(_) | Value::Map(_) | Value::Function(_) => {
            Operand::Other { text: shown(value), type_name: type_name(value) }
        }
    }
}

/// As `%v` prints it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => match Kind::of(map) {
            Kind::Time => Instant::from_ns(ns(map)).to_go_string(),
            Kind::Duration => format_duration_ns(ns(map)),
            Kind::Histogram => map.get("text").map(shown).unwrap_or_default(),
            Kind::Sample => format!("&{{{} {}}}", field(map, "Labels"), field(map, "Value")),
            Kind::AlertData => {
                let fields =
                    ["Labels", "ExternalLabels", "ExternalURL", "Value"].map(|name| field(map, name));
                format!("{{{}}}", fields.join(" "))
            }
            Kind::Strings | Kind::Any => {
                let entries = map.iter().filter(|(key, _)| &***key != KIND);
                let entries: Vec<_> = entries.map(|(key, value)| format!("{key}:{}", shown(value))).collect();
                format!("map[{}]", entries.join(" "))
            }
        },
        Value::Function(_) => "<func>".to_owned(),
        scalar => operand(scalar).plain(),
    }
}

fn field(map: &Map, name: &str) -> String {
    map.get(name).map(shown).unwrap_or_default()
}
