//! What functions take: how many, and of which type.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;

use super::Failure;
use crate::template::value::type_name;

pub(super) type Map = BTreeMap<Arc<str>, Value>;

pub(in crate::template) fn expect_count(name: &str, args: &[Value], wanted: usize) -> Result<(), Failure> {
    if args.len() == wanted {
        return Ok(());
    }
    Err(Failure::Misuse(format!("wrong number of args for {name}: want {wanted} got {}", args.len())))
}

pub(in crate::template) fn wrong_type(expected: &str, got: &Value) -> Failure {
    Failure::Misuse(format!("wrong type for value; expected {expected}; got {}", type_name(got)))
}

/// The text that an argument is.
pub(in crate::template) fn string(args: &[Value], index: usize) -> Result<String, Failure> {
    match args.get(index) {
        Some(Value::String(text) | Value::Safe { s: text, .. }) => Ok(text.to_string()),
        other => Err(wrong_type("string", other.unwrap_or(&Value::Nil))),
    }
}

/// The list that an argument is; `expected` is the type that the function takes.
pub(super) fn list<'a>(args: &'a [Value], index: usize, expected: &str) -> Result<&'a [Value], Failure> {
    match args.get(index) {
        Some(Value::List(items)) => Ok(items),
        other => Err(wrong_type(expected, other.unwrap_or(&Value::Nil))),
    }
}

/// The `[]string` that an argument is.
pub(in crate::template) fn strings(args: &[Value], index: usize) -> Result<Vec<Arc<str>>, Failure> {
    let items = list(args, index, "[]string")?;
    let texts = items.iter().map(|item| match item {
        Value::String(text) => Ok(Arc::clone(text)),
        _ => Err(wrong_type("[]string", &args[index])),
    });
    texts.collect()
}
