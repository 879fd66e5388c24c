//! What Alertmanager adds for notifications: lists, times in time zones, JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{SafeKind, Value};

use super::arguments::{expect_count, list, string, strings, wrong_type};
use super::{Answer, Failure, safe};
use crate::go::{self, Instant, Zone};
use crate::template::expand::Environment;
use crate::template::notification::json;
use crate::template::value::{self, Kind, ns, text};

pub(super) const NAMES: [&str; 13] = [
    "trimSpace",
    "join",
    "stringSlice",
    "safeUrl",
    "urlUnescape",
    "date",
    "tz",
    "now",
    "since",
    "toJson",
    "list",
    "append",
    "dict",
];

pub(super) fn call(name: &str, args: &[Value], environment: &Environment) -> Answer {
    match name {
        "list" => Ok(Value::List(args.into())),
        "stringSlice" => {
            let texts: Result<Vec<_>, Failure> =
                (0..args.len()).map(|index| string(args, index).map(text)).collect();
            Ok(Value::List(texts?.into()))
        }
        "append" => {
            let mut items = list(args, 0, "[]interface {}")?.to_vec();
            items.extend(args[1..].iter().cloned());
            Ok(Value::List(items.into()))
        }
        "dict" => dict(args),
        "join" => {
            expect_count(name, args, 2)?;
            Ok(text(strings(args, 1)?.join(&*string(args, 0)?)))
        }
        "now" => {
            expect_count(name, args, 0)?;
            Ok(value::time(Instant::from_ms(environment.now_ms)))
        }
        "since" => {
            expect_count(name, args, 1)?;
            let passed = Instant::from_ms(environment.now_ms).ns().saturating_sub(ns(time(args, 0)?));
            Ok(value::duration(passed))
        }
        "date" => {
            expect_count(name, args, 2)?;
            Ok(text(value::format_time(time(args, 1)?, &string(args, 0)?)))
        }
        "tz" => {
            expect_count(name, args, 2)?;
            let name = string(args, 0)?;
            let zone =
                Zone::named(&name).ok_or_else(|| Failure::Error(format!("unknown time zone {name}")))?;
            Ok(value::time_in(Instant::from_ns(ns(time(args, 1)?)), &zone))
        }
        _ => over_one(name, args),
    }
}

fn over_one(name: &str, args: &[Value]) -> Answer {
    expect_count(name, args, 1)?;
    if name == "toJson" {
        return json::write(&args[0]).map(text).map_err(Failure::Error);
    }
    let first = string(args, 0)?;
    Ok(match name {
        "trimSpace" => text(first.trim()),
        "urlUnescape" => text(go::query_unescape(&first).map_err(Failure::Error)?),
        _ => safe(SafeKind::Url, first),
    })
}

fn dict(args: &[Value]) -> Answer {
    if !args.len().is_multiple_of(2) {
        return Err(Failure::Error("dict requires an even number of arguments".to_owned()));
    }
    let mut entries = Vec::with_capacity(args.len() / 2);
    for pair in args.chunks(2) {
        let [Value::String(key), value] = pair else {
            return Err(Failure::Error("dict keys must be strings".to_owned()));
        };
        entries.push((key.to_string(), value.clone()));
    }
    Ok(value::any_map(entries))
}

fn time(args: &[Value], index: usize) -> Result<&BTreeMap<Arc<str>, Value>, Failure> {
    match args.get(index) {
        Some(Value::Map(map)) if Kind::of(map) == Kind::Time => Ok(map),
        other => Err(wrong_type("time.Time", other.unwrap_or(&Value::Nil))),
    }
}
