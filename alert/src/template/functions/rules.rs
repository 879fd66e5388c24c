//! What Prometheus adds for rules: the answers to queries, numbers for people, links, hosts.

use gotmpl::Value;

use super::arguments::{Map, expect_count, list, string, wrong_type};
use super::{Answer, Failure, hosts, humanize};
use crate::go;
use crate::send::{graph_link, table_link};
use crate::template::expand::Environment;
use crate::template::value::{self, Kind, shown, text};

pub(super) const NAMES: [&str; 22] = [
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "sortByLabel",
    "args",
    "graphLink",
    "tableLink",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizePercentage",
    "humanizeTimestamp",
    "toTime",
    "toDuration",
    "now",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "urlQueryEscape",
];

pub(super) fn call(name: &str, args: &[Value], environment: &Environment) -> Answer {
    match name {
        "query" | "first" | "label" | "value" | "strvalue" | "sortByLabel" => {
            over_samples(name, args, environment)
        }
        "args" => {
            Ok(value::any_map(args.iter().enumerate().map(|(i, arg)| (format!("arg{i}"), arg.clone()))))
        }
        "now" | "pathPrefix" | "externalURL" => about(name, args, environment),
        "graphLink" | "tableLink" | "stripPort" | "stripDomain" | "urlQueryEscape" | "parseDuration" => {
            over_text(name, args)
        }
        _ => over_number(name, args),
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
        "first" => samples(args, 0)?
            .first()
            .cloned()
            .ok_or_else(|| Failure::Error("first() called on vector with no elements".to_owned())),
        "label" => Ok(label_of(sample(args, 1)?, &string(args, 0)?)),
        "strvalue" => Ok(label_of(sample(args, 0)?, "__value__")),
        "value" => Ok(sample(args, 0)?.get("Value").cloned().unwrap_or(Value::Nil)),
        _ => {
            let label = string(args, 0)?;
            let mut sorted = samples(args, 1)?.to_vec();
            let key = |value: &Value| match value {
                Value::Map(map) => shown(&label_of(map, &label)),
                _ => String::new(),
            };
            sorted.sort_by_cached_key(key);
            Ok(Value::List(sorted.into()))
        }
    }
}

fn label_of(sample: &Map, name: &str) -> Value {
    match sample.get("Labels") {
        Some(Value::Map(labels)) => labels.get(name).cloned().unwrap_or_else(|| text("")),
        _ => text(""),
    }
}

fn samples(args: &[Value], index: usize) -> Result<&[Value], Failure> {
    list(args, index, "template.queryResult")
}

fn sample(args: &[Value], index: usize) -> Result<&Map, Failure> {
    match args.get(index) {
        Some(Value::Map(map)) if Kind::of(map) == Kind::Sample => Ok(map),
        other => Err(wrong_type("*template.sample", other.unwrap_or(&Value::Nil))),
    }
}

fn over_number(name: &str, args: &[Value]) -> Answer {
    expect_count(name, args, 1)?;
    let number = humanize::number(&args[0]).map_err(Failure::Error)?;
    let error = Failure::Error;
    Ok(match name {
        "humanize" => text(humanize::decimal(number)),
        "humanize1024" => text(humanize::binary(number)),
        "humanizePercentage" => text(format!("{}%", go::significant(number * 100.0, 4))),
        "humanizeTimestamp" if !number.is_finite() => text(go::significant(number, 4)),
        "humanizeTimestamp" => text(humanize::instant(number).map_err(error)?.to_go_string()),
        "toTime" => value::time(humanize::instant(number).map_err(error)?),
        _ => value::duration(humanize::duration_ns(number).map_err(error)?),
    })
}

fn over_text(name: &str, args: &[Value]) -> Answer {
    expect_count(name, args, 1)?;
    let first = string(args, 0)?;
    Ok(match name {
        "graphLink" => text(graph_link(&first)),
        "tableLink" => text(table_link(&first)),
        "stripPort" => text(hosts::strip_port(&first)),
        "stripDomain" => text(hosts::strip_domain(&first)),
        "urlQueryEscape" => text(go::query_escape(&first)),
        _ => {
            let ms =
                crate::duration::parse_signed(&first).map_err(|error| Failure::Error(error.to_string()))?;
            Value::Float(ms as f64 / 1_000.0)
        }
    })
}
