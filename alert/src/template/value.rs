//! Go's types in the values of the template engine.
//!
//! The engine knows maps and lists, but not structs and not what a map holds. Structs and `map[string]any` therefore
//! carry their kind under a key that no template can write; a map without it is a `map[string]string`. What a list
//! holds its first element tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{SafeKind, Value};
use model::Labels;

use super::expand::Environment;
use crate::go::{Instant, Offset, Operand, Zone, format_duration_ns};

/// Holds the kind of a value; no identifier has a NUL.
const KIND: &str = "\0kind";
/// Holds the nanoseconds of times and durations.
const NS: &str = "\0ns";
/// Holds the name of the time zone of a time that has one.
const ZONE: &str = "\0zone";

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
    /// `template.KV`: labels or annotations in a notification. Without any, a map is not marked: it must be empty to
    /// count as such.
    Pairs,
    /// One of them.
    Pair,
    /// What a notification's template is expanded with.
    Notification,
    /// An alert in it.
    Alert,
}

/// A field of a struct, and its name in JSON.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) in_json: &'static str,
}

const fn field_of(name: &'static str, in_json: &'static str) -> Field {
    Field { name, in_json }
}

const ALERT_DATA: [Field; 4] = [
    field_of("Labels", "Labels"),
    field_of("ExternalLabels", "ExternalLabels"),
    field_of("ExternalURL", "ExternalURL"),
    field_of("Value", "Value"),
];
const SAMPLE: [Field; 2] = [field_of("Labels", "Labels"), field_of("Value", "Value")];
const PAIR: [Field; 2] = [field_of("Name", "Name"), field_of("Value", "Value")];
const NOTIFICATION: [Field; 8] = [
    field_of("Receiver", "receiver"),
    field_of("Status", "status"),
    field_of("Alerts", "alerts"),
    field_of("NotificationReason", "notification_reason"),
    field_of("GroupLabels", "groupLabels"),
    field_of("CommonLabels", "commonLabels"),
    field_of("CommonAnnotations", "commonAnnotations"),
    field_of("ExternalURL", "externalURL"),
];
const ALERT: [Field; 7] = [
    field_of("Status", "status"),
    field_of("Labels", "labels"),
    field_of("Annotations", "annotations"),
    field_of("StartsAt", "startsAt"),
    field_of("EndsAt", "endsAt"),
    field_of("GeneratorURL", "generatorURL"),
    field_of("Fingerprint", "fingerprint"),
];

const KINDS: [(Kind, &str); 10] = [
    (Kind::Any, "any"),
    (Kind::AlertData, "alert"),
    (Kind::Sample, "sample"),
    (Kind::Time, "time"),
    (Kind::Duration, "duration"),
    (Kind::Histogram, "histogram"),
    (Kind::Pairs, "pairs"),
    (Kind::Pair, "pair"),
    (Kind::Notification, "notification"),
    (Kind::Alert, "notified"),
];

pub(super) type Map = BTreeMap<Arc<str>, Value>;

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
            Self::Pairs => "template.KV",
            Self::Pair => "template.Pair",
            Self::Notification => "template.Data",
            Self::Alert => "template.Alert",
        }
    }

    /// The fields of a struct, in their order; nothing for what is none, or shows none.
    pub(super) fn fields(self) -> Option<&'static [Field]> {
        match self {
            Self::AlertData => Some(&ALERT_DATA),
            Self::Sample => Some(&SAMPLE),
            Self::Pair => Some(&PAIR),
            Self::Notification => Some(&NOTIFICATION),
            Self::Alert => Some(&ALERT),
            Self::Strings | Self::Any | Self::Pairs | Self::Time | Self::Duration | Self::Histogram => None,
        }
    }
}

pub(super) fn tagged<const N: usize>(kind: Kind, fields: [(&str, Value); N]) -> Value {
    let mut map: Map = fields.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
    map.insert(Arc::from(KIND), text(kind_name(kind)));
    Value::Map(Arc::new(map))
}

fn kind_name(kind: Kind) -> &'static str {
    KINDS.iter().find(|(k, _)| *k == kind).map_or("", |(_, name)| name)
}

pub(super) fn text(text: impl Into<Arc<str>>) -> Value {
    Value::String(text.into())
}

fn strings(labels: &Labels) -> Value {
    let map: Map =
        labels.iter().map(|label| (label.name.clone(), Value::String(label.value.clone()))).collect();
    Value::Map(Arc::new(map))
}

/// Labels or annotations of a notification.
pub(super) fn pairs(labels: &Labels) -> Value {
    pairs_of(labels.iter().map(|label| (label.name.clone(), Value::String(label.value.clone()))).collect())
}

pub(super) fn pairs_of(mut map: Map) -> Value {
    if !map.is_empty() {
        map.insert(Arc::from(KIND), text(kind_name(Kind::Pairs)));
    }
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

/// A time in a zone.
pub(super) fn time_in(at: Instant, zone: &Zone) -> Value {
    tagged(Kind::Time, [(NS, Value::Int(at.ns())), (ZONE, text(zone.name()))])
}

/// The zone of a time.
pub(super) fn zone(map: &Map) -> Zone {
    match map.get(ZONE) {
        Some(Value::String(name)) => Zone::named(name).unwrap_or(Zone::UTC),
        _ => Zone::UTC,
    }
}

/// How far the clocks are ahead of UTC at a time, where it is.
fn offset(map: &Map) -> Offset {
    zone(map).offset_at(Instant::from_ns(ns(map)))
}

/// A time by a layout of Go's, in its zone.
pub(super) fn format_time(map: &Map, layout: &str) -> String {
    Instant::from_ns(ns(map)).format_in(layout, &offset(map))
}

/// A time as Go prints it, in its zone.
pub(super) fn shown_time(map: &Map) -> String {
    Instant::from_ns(ns(map)).to_go_string_in(&offset(map))
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
        Value::Map(map) if matches!(Kind::of(map), Kind::Any | Kind::Pairs) => {
            Value::Map(Arc::new(entries(map).map(|(key, value)| (key.clone(), value.clone())).collect()))
        }
        other => other.clone(),
    }
}

/// What a map holds, without what marks it.
pub(super) fn entries(map: &Map) -> impl Iterator<Item = (&Arc<str>, &Value)> {
    map.iter().filter(|(key, _)| !key.starts_with('\0'))
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
        Value::List(items) => match items.first() {
            Some(Value::Map(map)) if Kind::of(map) == Kind::Alert => "template.Alerts",
            Some(Value::Map(map)) if Kind::of(map) == Kind::Pair => "template.Pairs",
            Some(Value::Map(map)) if Kind::of(map) == Kind::Sample => "template.queryResult",
            None => "template.queryResult",
            Some(Value::String(_)) if items.iter().all(|item| matches!(item, Value::String(_))) => "[]string",
            Some(_) => "[]interface {}",
        },
        Value::Safe { kind: SafeKind::Url, .. } => "template.URL",
        Value::Safe { .. } => "template.HTML",
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
        Value::String(text) | Value::Safe { s: text, .. } => Operand::Text(text.to_string()),
        Value::List(_) | Value::Map(_) | Value::Function(_) => {
            Operand::Other { text: shown(value), type_name: type_name(value) }
        }
    }
}

/// As `%v` prints it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::List(items) if type_name(value) == "template.Pairs" => {
            let pairs = items.iter().filter_map(|item| match item {
                Value::Map(pair) => Some(format!("{}={}", field(pair, "Name"), field(pair, "Value"))),
                _ => None,
            });
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => shown_map(map),
        Value::Function(_) => "<func>".to_owned(),
        scalar => operand(scalar).plain(),
    }
}

fn shown_map(map: &Map) -> String {
    let joined = |between: &str, separator: &str| {
        let entries = entries(map).map(|(key, value)| format!("{key}{between}{}", shown(value)));
        entries.collect::<Vec<_>>().join(separator)
    };
    match Kind::of(map) {
        Kind::Time => shown_time(map),
        Kind::Duration => format_duration_ns(ns(map)),
        Kind::Histogram => field(map, "text"),
        Kind::Strings | Kind::Any => format!("map[{}]", joined(":", " ")),
        Kind::Pairs => joined("=", ", "),
        kind => {
            let of_rules = matches!(kind, Kind::AlertData | Kind::Sample);
            let fields = kind.fields().unwrap_or_default().iter().map(|known| match map.get(known.name) {
                // without any pairs, a map is not marked as one of them
                Some(Value::Map(pairs)) if pairs.is_empty() && !of_rules => String::new(),
                _ => field(map, known.name),
            });
            let pointer = if kind == Kind::Sample { "&" } else { "" };
            format!("{pointer}{{{}}}", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

fn field(map: &Map, name: &str) -> String {
    map.get(name).map(shown).unwrap_or_default()
}
