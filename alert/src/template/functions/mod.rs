//! The functions that templates may call: those of Go and those of Prometheus.

use std::sync::Arc;

use gotmpl::Value;
use regex::Regex;

use super::expand::Environment;
use super::rewrite::{FIELD, NO_TEMPLATE, PRINT, RANGE};
use super::value::{self, Kind, shown, text, type_name};
use super::{compare, fields, hosts, humanize};
use crate::go;
use crate::send::{graph_link, table_link};

/// Why a function gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The function itself fails.
    Error(String),
    /// It is called in a wrong way.
    Misuse(String),
    /// It needs the answer to a query.
    Needs(String),
}

type Answer = Result<Value, Failure>;

/// Every name that a template may call.
const NAMES: [&str; 48] = [
    "and",
    "or",
    "not",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "len",
    "index",
    "slice",
    "print",
    "printf",
    "println",
    "html",
    "js",
    "urlquery",
    "call",
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "sortByLabel",
    "args",
    "reReplaceAll",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "toTime",
    "toDuration",
    "now",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "urlQueryEscape",
    "safeHtml",
];

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Calls a function.
pub(super) fn call(name: &str, args: &[Value], environment: &Environment) -> Answer {
    match name {
        FIELD => fields::read(args),
        PRINT => Ok(text(args.first().map_or_else(String::new, printed))),
        RANGE => ranged(args.first().unwrap_or(&Value::Nil)),
        NO_TEMPLATE => Err(Failure::Misuse(format!("template {} not defined", go::quote(&string(args, 0)?)))),
        "not" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare::call(name, args),
        "len" | "index" | "slice" => fields::container(name, args),
        "print" | "println" | "printf" | "html" | "js" | "urlquery" => print(name, args),
        "query" | "first" | "label" | "value" | "strvalue" | "sortByLabel" => {
            over_samples(name, args, environment)
        }
        "humanize" | "humanize1024" | "humanizeDuration" | "humanizePercentage" | "humanizeTimestamp"
        | "toTime" | "toDuration" => over_number(name, args),
        "now" | "pathPrefix" | "externalURL" => about(name, args, environment),
        "args" => {
            Ok(value::any_map(args.iter().enumerate().map(|(i, arg)| (format!("arg{i}"), arg.clone()))))
        }
        "call" => Err(Failure::Error("non-function ".to_owned() + args.first().map_or("<nil>", type_name))),
        _ => over_texts(name, args),
    }
}

/// As a template prints a value.
fn printed(value: &Value) -> String {
    if matches!(value, Value::Nil) { "<no value>".to_owned() } else { shown(value) }
}

fn ranged(value: &Value) -> Answer {
    let cannot = || Err(Failure::Misuse(format!("range can't iterate over {}", shown(value))));
    match value {
        Value::Map(map) => match Kind::of(map) {
            Kind::Strings | Kind::Any => Ok(value::visible(value)),
            _ => cannot(),
        },
        Value::List(_) | Value::Int(_) | Value::Uint(_) | Value::Nil => Ok(value.clone()),
        _ => cannot(),
    }
}

fn about(name: &str, args: &[Value], environment: &Environment) -> Answer {
    expect_count(name, args, 0)?;
    Ok(match name {
        "now" => Value::Float(environment.now_ms as f64 / 1_000.0),
        "pathPrefix" => text(hosts::url_path(&environment.external_url)),
        _ => text(environment.external_url.as_str()),
    })
}

fn print(name: &str, args: &[Value]) -> Answer {
    let operands: Vec<_> = args.iter().map(value::operand).collect();
    let joined = |all: bool| {
        let mut out = String::new();
        for (at, arg) in args.iter().enumerate() {
            // Like fmt.Sprint: a space only between two operands of which none is a text.
            let spaced = at > 0 && (all || !(is_text(arg) || is_text(&args[at - 1])));
            out.push_str(if spaced { " " } else { "" });
            out.push_str(&operands[at].plain());
        }
        out
    };
    Ok(text(match name {
        "println" => joined(true) + "\n",
        "printf" => {
            if args.is_empty() {
                return Err(Failure::Misuse(
                    "wrong number of args for printf: want at least 1 got 0".to_owned(),
                ));
            }
            go::sprintf(&string(args, 0)?, &operands[1..])
        }
        "html" => gotmpl::html_escape(&joined(false)),
        "js" => gotmpl::js_escape(&joined(false)),
        "urlquery" => go::query_escape(&joined(false)),
        _ => joined(false),
    }))
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::String(_))
}

fn over_samples(name: &str, args: &[Value], environment: &Environment) -> Answer {
    let wanted = if matches!(name, "label" | "sortByLabel") { 2 } else { 1 };
    expect_count(name, args, wanted)?;
    match name {
        "query" => {
            let query = string(args, 0)?;
            match environment.answers.get(&query) {
                None => Err(Failure::Needs(query)),
                Some(Err(reason)) => Err(Failure::Error(reason.clone())),
                Some(Ok(vector)) => Ok(value::query_result(vector)),
            }
        }
        "first" => list(args, 0)?
            .first()
            .cloned()
            .ok_or_else(|| Failure::Error("first() called on vector with no elements".to_owned())),
        "label" => Ok(label_of(sample(args, 1)?, &string(args, 0)?)),
        "strvalue" => Ok(label_of(sample(args, 0)?, "__value__")),
        "value" => Ok(sample(args, 0)?.get("Value").cloned().unwrap_or(Value::Nil)),
        _ => {
            let label = string(args, 0)?;
            let mut sorted = list(args, 1)?.to_vec();
            let key = |value: &Value| match value {
                Value::Map(map) => shown(&label_of(map, &label)),
                _ => String::new(),
            };
            sorted.sort_by_cached_key(key);
            Ok(Value::List(sorted.into()))
        }
    }
}

type Map = std::collections::BTreeMap<Arc<str>, Value>;

fn label_of(sample: &Map, name: &str) -> Value {
    match sample.get("Labels") {
        Some(Value::Map(labels)) => labels.get(name).cloned().unwrap_or_else(|| text("")),
        _ => text(""),
    }
}

fn over_number(name: &str, args: &[Value]) -> Answer {
    expect_count(name, args, 1)?;
    let number = humanize::number(&args[0]).map_err(Failure::Error)?;
    let error = Failure::Error;
    Ok(match name {
        "humanize" => text(humanize::decimal(number)),
        "humanize1024" => text(humanize::binary(number)),
        "humanizeDuration" => text(humanize::duration(number)),
        "humanizePercentage" => text(format!("{}%", go::significant(number * 100.0, 4))),
        "humanizeTimestamp" if !number.is_finite() => text(go::significant(number, 4)),
        "humanizeTimestamp" => text(humanize::instant(number).map_err(error)?.to_go_string()),
        "toTime" => value::time(humanize::instant(number).map_err(error)?),
        _ => value::duration(humanize::duration_ns(number).map_err(error)?),
    })
}

fn over_texts(name: &str, args: &[Value]) -> Answer {
    let wanted = match name {
        "reReplaceAll" => 3,
        "match" => 2,
        _ => 1,
    };
    expect_count(name, args, wanted)?;
    let first = string(args, 0)?;
    Ok(match name {
        "reReplaceAll" => {
            let pattern = regex(&first)?;
            text(&*pattern.replace_all(&string(args, 2)?, string(args, 1)?.as_str()))
        }
        "match" => Value::Bool(regex(&first)?.is_match(&string(args, 1)?)),
        "title" => text(hosts::title(&first)),
        "toUpper" => text(first.to_uppercase()),
        "toLower" => text(first.to_lowercase()),
        "graphLink" => text(graph_link(&first)),
        "tableLink" => text(table_link(&first)),
        "stripPort" => text(hosts::strip_port(&first)),
        "stripDomain" => text(hosts::strip_domain(&first)),
        "urlQueryEscape" => text(go::query_escape(&first)),
        "parseDuration" => {
            let ms =
                crate::duration::parse_signed(&first).map_err(|error| Failure::Error(error.to_string()))?;
            Value::Float(ms as f64 / 1_000.0)
        }
        _ => text(first),
    })
}

fn regex(pattern: &str) -> Result<Regex, Failure> {
    Regex::new(pattern).map_err(|_| Failure::Error(format!("error parsing regexp: `{pattern}`")))
}

pub(super) fn expect_count(name: &str, args: &[Value], wanted: usize) -> Result<(), Failure> {
    if args.len() == wanted {
        return Ok(());
    }
    Err(Failure::Misuse(format!("wrong number of args for {name}: want {wanted} got {}", args.len())))
}

fn wrong_type(expected: &str, got: &Value) -> Failure {
    Failure::Misuse(format!("wrong type for value; expected {expected}; got {}", type_name(got)))
}

fn string(args: &[Value], index: usize) -> Result<String, Failure> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text.to_string()),
        other => Err(wrong_type("string", other.unwrap_or(&Value::Nil))),
    }
}

fn list(args: &[Value], index: usize) -> Result<&[Value], Failure> {
    match args.get(index) {
        Some(Value::List(items)) => Ok(items),
        other => Err(wrong_type("template.queryResult", other.unwrap_or(&Value::Nil))),
    }
}

fn sample(args: &[Value], index: usize) -> Result<&Map, Failure> {
    match args.get(index) {
        Some(Value::Map(map)) if Kind::of(map) == Kind::Sample => Ok(map),
        other => Err(wrong_type("*template.sample", other.unwrap_or(&Value::Nil))),
    }
}
