//! The functions that templates may call: those of Go, and those of a dialect.

mod arguments;
mod compare;
mod hosts;
mod humanize;
mod notifications;
mod rules;

pub(super) use arguments::{expect_count, string, strings, wrong_type};
use gotmpl::{SafeKind, Value};
use regex::Regex;

use super::Dialect;
use super::expand::Environment;
use super::fields;
use super::rewrite::{FIELD, NO_TEMPLATE, PRINT, RANGE};
use super::value::{self, Kind, shown, text, type_name};
use crate::go;

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

/// What Go has itself.
const OF_GO: [&str; 19] = [
    "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "printf",
    "println", "html", "js", "urlquery", "call",
];

/// What both dialects add.
const OF_BOTH: [&str; 7] =
    ["toUpper", "toLower", "title", "match", "reReplaceAll", "safeHtml", "humanizeDuration"];

pub(super) fn is_known(dialect: Dialect, name: &str) -> bool {
    let own: &[&str] = match dialect {
        Dialect::Rules => &rules::NAMES,
        Dialect::Notifications => &notifications::NAMES,
    };
    OF_GO.contains(&name) || OF_BOTH.contains(&name) || own.contains(&name)
}

/// Calls a function.
pub(super) fn call(dialect: Dialect, name: &str, args: &[Value], environment: &Environment) -> Answer {
    match name {
        FIELD => fields::read(dialect, args),
        PRINT => Ok(args.first().map_or_else(|| text(""), |value| printed(dialect, value))),
        RANGE => ranged(args.first().unwrap_or(&Value::Nil)),
        NO_TEMPLATE => Err(Failure::Misuse(format!("template {} not defined", go::quote(&string(args, 0)?)))),
        "not" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" => compare::call(name, args),
        "len" | "index" | "slice" => fields::container(name, args),
        "print" | "println" | "printf" | "html" | "js" | "urlquery" => print(name, args),
        "call" => Err(Failure::Error("non-function ".to_owned() + args.first().map_or("<nil>", type_name))),
        "humanizeDuration" => {
            expect_count(name, args, 1)?;
            Ok(text(humanize::duration(humanize::number(&args[0]).map_err(Failure::Error)?)))
        }
        _ if OF_BOTH.contains(&name) => over_texts(dialect, name, args),
        _ => match dialect {
            Dialect::Rules => rules::call(name, args, environment),
            Dialect::Notifications => notifications::call(name, args, environment),
        },
    }
}

/// As a template prints a value.
fn printed(dialect: Dialect, value: &Value) -> Value {
    match value {
        // stays what it is, or it would be escaped
        Value::Safe { .. } => value.clone(),
        Value::Nil => text("<no value>"),
        // there maps of texts print as their pairs, and without any they are not marked
        Value::Map(map) if dialect == Dialect::Notifications && map.is_empty() => text(""),
        value => text(shown(value)),
    }
}

fn ranged(value: &Value) -> Answer {
    let cannot = || Err(Failure::Misuse(format!("range can't iterate over {}", shown(value))));
    match value {
        Value::Map(map) => match Kind::of(map) {
            Kind::Strings | Kind::Pairs | Kind::Any => Ok(value::visible(value)),
            _ => cannot(),
        },
        Value::List(_) | Value::Int(_) | Value::Uint(_) | Value::Nil => Ok(value.clone()),
        _ => cannot(),
    }
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

fn over_texts(dialect: Dialect, name: &str, args: &[Value]) -> Answer {
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
        // only rules leave the letters after the first as they are
        "title" if dialect == Dialect::Notifications => text(hosts::title(&first.to_lowercase())),
        "title" => text(hosts::title(&first)),
        "toUpper" => text(first.to_uppercase()),
        "toLower" => text(first.to_lowercase()),
        _ => match dialect {
            Dialect::Rules => text(first),
            Dialect::Notifications => safe(SafeKind::Html, first),
        },
    })
}

/// A text that HTML takes as it is.
fn safe(kind: SafeKind, text: String) -> Value {
    Value::Safe { kind, s: text.into() }
}

fn regex(pattern: &str) -> Result<Regex, Failure> {
    Regex::new(pattern).map_err(|_| Failure::Error(format!("error parsing regexp: `{pattern}`")))
}
