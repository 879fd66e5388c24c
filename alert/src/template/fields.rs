//! Fields, methods, and what is inside of containers.

use gotmpl::Value;

use super::Dialect;
use super::functions::{Failure, expect_count, wrong_type};
use super::notification::methods;
use super::value::{self, Kind, Map, ns, text, type_name};
use crate::go::{Instant, format_duration_ns};

/// Base, path, and arguments of a method at its end.
pub(super) fn read(dialect: Dialect, args: &[Value]) -> Result<Value, Failure> {
    let [base, Value::String(path), arguments @ ..] = args else {
        return Err(Failure::Misuse("missing field".to_owned()));
    };
    let mut current = base.clone();
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let arguments = if names.peek().is_none() { arguments } else { &[] };
        current = field(dialect, &current, name, arguments)?;
    }
    Ok(current)
}

fn field(dialect: Dialect, base: &Value, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
    if dialect == Dialect::Notifications
        && let Some(answer) = methods::call(base, name, arguments)
    {
        return answer;
    }
    let no_field = || Failure::Misuse(format!("can't evaluate field {name} in type {}", type_name(base)));
    let found = match base {
        Value::Map(map) => match Kind::of(map) {
            Kind::Time => {
                return time_method(map, name, arguments).unwrap_or_else(|| Err(no_field()));
            }
            Kind::Duration => {
                return duration_method(ns(map), name, arguments).unwrap_or_else(|| Err(no_field()));
            }
            Kind::Strings | Kind::Pairs => map.get(name).cloned().unwrap_or_else(|| text("")),
            Kind::Any => map.get(name).cloned().unwrap_or(Value::Nil),
            Kind::AlertData
            | Kind::Sample
            | Kind::Histogram
            | Kind::Pair
            | Kind::Notification
            | Kind::Alert => map.get(name).cloned().ok_or_else(no_field)?,
        },
        Value::Nil => {
            return Err(Failure::Misuse(format!("nil pointer evaluating interface {{}}.{name}")));
        }
        _ => return Err(no_field()),
    };
    if arguments.is_empty() {
        return Ok(found);
    }
    Err(Failure::Misuse(format!("{name} has arguments but cannot be invoked as function")))
}

/// `None` if there is no such method.
fn time_method(time: &Map, name: &str, arguments: &[Value]) -> Option<Result<Value, Failure>> {
    let at = Instant::from_ns(ns(time));
    let format = |layout: &str| value::format_time(time, layout);
    let part = |layout: &str| Value::Int(format(layout).trim().parse().unwrap_or(0));
    let plain = match name {
        "Format" => {
            return Some(expect_count(name, arguments, 1).and_then(|()| match &arguments[0] {
                Value::String(layout) => Ok(text(format(layout))),
                other => Err(wrong_type("string", other)),
            }));
        }
        "Add" => {
            return Some(with_ns(name, arguments, Kind::Duration, |d| {
                value::time_in(Instant::from_ns(at.ns().saturating_add(d)), &value::zone(time))
            }));
        }
        "Sub" => {
            return Some(with_ns(name, arguments, Kind::Time, |t| {
                value::duration(at.ns().saturating_sub(t))
            }));
        }
        "Before" => return Some(with_ns(name, arguments, Kind::Time, |t| Value::Bool(at.ns() < t))),
        "After" => return Some(with_ns(name, arguments, Kind::Time, |t| Value::Bool(at.ns() > t))),
        "Equal" => return Some(with_ns(name, arguments, Kind::Time, |t| Value::Bool(at.ns() == t))),
        "Unix" => Value::Int(at.ns().div_euclid(1_000_000_000)),
        "UnixMilli" => Value::Int(at.ns().div_euclid(1_000_000)),
        "UnixMicro" => Value::Int(at.ns().div_euclid(1_000)),
        "UnixNano" => Value::Int(at.ns()),
        "String" => text(value::shown_time(time)),
        "UTC" => value::time(at),
        "IsZero" => Value::Bool(at == Instant::ZERO),
        "Year" => part("2006"),
        "Month" => text(format("January")),
        "Weekday" => text(format("Monday")),
        "Day" => part("2"),
        "YearDay" => part("__2"),
        "Hour" => part("15"),
        "Minute" => part("4"),
        "Second" => part("5"),
        "Nanosecond" => Value::Int(at.ns().rem_euclid(1_000_000_000)),
        _ => return None,
    };
    Some(expect_count(name, arguments, 0).map(|()| plain))
}

/// `None` if there is no such method.
fn duration_method(ns: i64, name: &str, arguments: &[Value]) -> Option<Result<Value, Failure>> {
    let plain = match name {
        "String" => text(format_duration_ns(ns)),
        "Seconds" => Value::Float(ns as f64 / 1e9),
        "Minutes" => Value::Float(ns as f64 / 6e10),
        "Hours" => Value::Float(ns as f64 / 3.6e12),
        "Milliseconds" => Value::Int(ns / 1_000_000),
        "Microseconds" => Value::Int(ns / 1_000),
        "Nanoseconds" => Value::Int(ns),
        "Abs" => value::duration(ns.saturating_abs()),
        _ => return None,
    };
    Some(expect_count(name, arguments, 0).map(|()| plain))
}

fn with_ns(
    name: &str,
    arguments: &[Value],
    kind: Kind,
    then: impl FnOnce(i64) -> Value,
) -> Result<Value, Failure> {
    expect_count(name, arguments, 1)?;
    match &arguments[0] {
        Value::Map(map) if Kind::of(map) == kind => Ok(then(ns(map))),
        other => Err(wrong_type(kind.type_name().trim_start_matches('*'), other)),
    }
}

/// `len`, `index` and `slice`.
pub(super) fn container(name: &str, args: &[Value]) -> Result<Value, Failure> {
    let args: Vec<Value> = args.iter().map(value::visible).collect();
    match (name, args.as_slice()) {
        ("len", [value]) => {
            let length = if is_struct(value) { None } else { value.len() };
            let length = length.ok_or_else(|| Failure::Error(format!("len of type {}", type_name(value))))?;
            Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
        }
        ("len", _) => {
            Err(Failure::Misuse(format!("wrong number of args for len: want 1 got {}", args.len())))
        }
        (_, []) => Err(Failure::Misuse(format!("wrong number of args for {name}: want at least 1 got 0"))),
        ("index", [base, keys @ ..]) => {
            keys.iter().try_fold(base.clone(), |current, key| index(&current, key))
        }
        (_, [base, bounds @ ..]) => slice(base, bounds),
    }
}

fn is_struct(value: &Value) -> bool {
    matches!(value, Value::Map(map) if !matches!(Kind::of(map), Kind::Strings | Kind::Pairs | Kind::Any))
}

fn index(base: &Value, key: &Value) -> Result<Value, Failure> {
    let error = |reason: String| Err(Failure::Error(reason));
    match (base, key) {
        (Value::Map(map), _) if is_struct(base) => {
            error(format!("can't index item of type {}", Kind::of(map).type_name()))
        }
        (Value::Map(map), Value::String(key)) => Ok(at_key(map, key)),
        (Value::Map(_), _) => error(format!("value has type {}; should be string", type_name(key))),
        (Value::List(items), key) => {
            let at = position("slice", key, items.len(), false)?;
            Ok(items[at].clone())
        }
        (Value::String(string), key) => {
            let at = position("string", key, string.len(), false)?;
            Ok(Value::Uint(u64::from(string.as_bytes()[at])))
        }
        (Value::Nil, _) => error("index of untyped nil".to_owned()),
        _ => error(format!("can't index item of type {}", type_name(base))),
    }
}

/// A map whose values are all texts has been a `map[string]string`, whose missing values are empty.
fn at_key(map: &Map, key: &str) -> Value {
    let texts = map.values().all(|value| matches!(value, Value::String(_)));
    map.get(key).cloned().unwrap_or_else(|| if texts { text("") } else { Value::Nil })
}

fn slice(base: &Value, bounds: &[Value]) -> Result<Value, Failure> {
    let length = match base {
        Value::String(string) => string.len(),
        Value::List(items) => items.len(),
        Value::Nil => return Err(Failure::Error("slice of untyped nil".to_owned())),
        other => return Err(Failure::Error(format!("can't slice item of type {}", type_name(other)))),
    };
    if bounds.len() > 2 {
        return Err(Failure::Error(match base {
            Value::String(_) => "cannot 3-index slice a string".to_owned(),
            _ => format!("too many slice indexes: {}", bounds.len()),
        }));
    }
    let from = bounds.first().map_or(Ok(0), |bound| position("", bound, length, true))?;
    let to = bounds.get(1).map_or(Ok(length), |bound| position("", bound, length, true))?;
    if from > to {
        return Err(Failure::Error(format!("invalid slice index: {from} > {to}")));
    }
    match base {
        Value::List(items) => Ok(Value::List(items[from..to].into())),
        Value::String(string) => Ok(text(String::from_utf8_lossy(&string.as_bytes()[from..to]).as_ref())),
        _ => Ok(Value::Nil),
    }
}

/// A place in a `kind`. Go finds the first one behind the end only when it reads there, and says so in other words.
fn position(kind: &str, key: &Value, length: usize, inclusive: bool) -> Result<usize, Failure> {
    let position = match key {
        Value::Int(at) => usize::try_from(*at).ok(),
        Value::Uint(at) => usize::try_from(*at).ok(),
        Value::Nil => return Err(Failure::Error("cannot index slice/array with nil".to_owned())),
        other => {
            return Err(Failure::Error(format!("cannot index slice/array with type {}", type_name(other))));
        }
    };
    match position {
        Some(at) if at < length || (inclusive && at == length) => Ok(at),
        Some(at) if at == length => Err(Failure::Error(format!("reflect: {kind} index out of range"))),
        _ => Err(Failure::Error(format!("index out of range: {}", value::shown(key)))),
    }
}
