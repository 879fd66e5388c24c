//! `eq`, `lt` and their like: Go compares only what is of one basic kind.

use std::cmp::Ordering;

use gotmpl::Value;

use super::{Failure, expect_count};

const INCOMPATIBLE: &str = "incompatible types for comparison";
const NOT_BASIC: &str = "invalid type for comparison";

pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, Failure> {
    if name == "not" {
        expect_count(name, args, 1)?;
        return Ok(Value::Bool(!args[0].is_truthy()));
    }
    let Some((first, rest)) = args.split_first() else {
        return Err(Failure::Misuse(format!("wrong number of args for {name}: want at least 1 got 0")));
    };
    if name == "eq" {
        if rest.is_empty() {
            return Err(Failure::Error("missing argument for comparison".to_owned()));
        }
        for other in rest {
            if equal(first, other)? {
                return Ok(Value::Bool(true));
            }
        }
        return Ok(Value::Bool(false));
    }
    expect_count(name, args, 2)?;
    let second = &args[1];
    Ok(Value::Bool(match name {
        "ne" => !equal(first, second)?,
        "lt" => order(first, second)? == Some(Ordering::Less),
        "le" => matches!(order(first, second)?, Some(Ordering::Less | Ordering::Equal)),
        "gt" => order(first, second)? == Some(Ordering::Greater),
        _ => matches!(order(first, second)?, Some(Ordering::Greater | Ordering::Equal)),
    }))
}

fn equal(a: &Value, b: &Value) -> Result<bool, Failure> {
    match (a, b) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        _ => Ok(order(a, b)? == Some(Ordering::Equal)),
    }
}

/// `None` beside a NaN.
fn order(a: &Value, b: &Value) -> Result<Option<Ordering>, Failure> {
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ if is_basic(a) && is_basic(b) => return Err(Failure::Error(INCOMPATIBLE.to_owned())),
        _ => return Err(Failure::Error(NOT_BASIC.to_owned())),
    })
}

fn is_basic(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::String(_) | Value::Bool(_))
}
