//! What pairs, lists of them and of texts, and lists of alerts can do in a notification.

use std::sync::Arc;

use gotmpl::Value;

use crate::template::functions::{Failure, expect_count, string, strings};
use crate::template::value::{self, Kind, Map, tagged, text};

/// Calls a method; `None` if there is none of this name. An empty list does not know of what it is one, so it has the
/// methods of all lists.
pub(in crate::template) fn call(
    base: &Value,
    name: &str,
    arguments: &[Value],
) -> Option<Result<Value, Failure>> {
    match base {
        Value::Map(map) if matches!(Kind::of(map), Kind::Pairs | Kind::Strings) => {
            of_pairs(map, name, arguments)
        }
        Value::List(items) => of_list(items, name, arguments),
        _ => None,
    }
}

fn of_pairs(map: &Map, name: &str, arguments: &[Value]) -> Option<Result<Value, Failure>> {
    if name == "Remove" {
        return Some(expect_count(name, arguments, 1).and_then(|()| {
            let removed = strings(arguments, 0)?;
            let left = value::entries(map).filter(|(key, _)| !removed.contains(key));
            Ok(value::pairs_of(left.map(|(key, value)| (key.clone(), value.clone())).collect()))
        }));
    }
    let sorted = sorted(map);
    let answer = match name {
        "SortedPairs" => Value::List(
            sorted
                .into_iter()
                .map(|(key, value)| {
                    tagged(Kind::Pair, [("Name", Value::String(key.clone())), ("Value", value.clone())])
                })
                .collect(),
        ),
        "Names" => Value::List(sorted.into_iter().map(|(key, _)| Value::String(key.clone())).collect()),
        "Values" => Value::List(sorted.into_iter().map(|(_, value)| value.clone()).collect()),
        _ => return None,
    };
    Some(expect_count(name, arguments, 0).map(|()| answer))
}

/// By name, but that of the alert first.
fn sorted(map: &Map) -> Vec<(&Arc<str>, &Value)> {
    let mut sorted: Vec<_> = value::entries(map).collect();
    sorted.sort_by_key(|(key, _)| &***key != "alertname");
    sorted
}

fn of_list(items: &[Value], name: &str, arguments: &[Value]) -> Option<Result<Value, Failure>> {
    let kind = |item: &Value| match item {
        Value::Map(map) => Some(Kind::of(map)),
        _ => None,
    };
    let all = |wanted: Kind| items.iter().all(|item| kind(item) == Some(wanted));
    let answer = match name {
        "Firing" | "Resolved" if all(Kind::Alert) => {
            let status = text(name.to_lowercase());
            items.iter().filter(|alert| alert.field("Status") == Some(&status)).cloned().collect()
        }
        "Names" | "Values" if all(Kind::Pair) => {
            let field = name.trim_end_matches('s');
            items.iter().filter_map(|pair| pair.field(field).cloned()).collect()
        }
        "Join" if items.iter().all(|item| matches!(item, Value::String(_))) => {
            return Some(expect_count(name, arguments, 1).and_then(|()| {
                let separator = string(arguments, 0)?;
                Ok(text(strings(&[Value::List(items.into())], 0)?.join(&*separator)))
            }));
        }
        _ => return None,
    };
    Some(expect_count(name, arguments, 0).map(|()| Value::List(answer)))
}
