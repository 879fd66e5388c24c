//! Values as Go's `json.Marshal` writes them.

use std::fmt::Write;

use gotmpl::Value;

use crate::template::value::{self, Kind, ns};

/// The JSON of a value.
///
/// # Errors
/// Go's text, for a number that JSON does not have.
pub(in crate::template) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    push(&mut out, value)?;
    Ok(out)
}

fn push(out: &mut String, value: &Value) -> Result<(), String> {
    // writing to a string cannot fail
    let _ = match value {
        Value::Nil | Value::Function(_) => write!(out, "null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Uint(value) => write!(out, "{value}"),
        Value::Float(value) if !value.is_finite() => {
            return Err(format!("json: unsupported value: {}", model::float::shortest(*value)));
        }
        Value::Float(value) => write!(out, "{}", number(*value)),
        Value::String(text) | Value::Safe { s: text, .. } => {
            push_text(out, text);
            Ok(())
        }
        Value::List(items) => return push_list(out, items),
        Value::Map(map) => match Kind::of(map) {
            Kind::Time => {
                write!(out, "\"{}\"", value::format_time(map, "2006-01-02T15:04:05.999999999Z07:00"))
            }
            Kind::Duration => write!(out, "{}", ns(map)),
            kind => return push_fields(out, kind, map),
        },
    };
    Ok(())
}

fn push_list(out: &mut String, items: &[Value]) -> Result<(), String> {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        push(out, item)?;
    }
    out.push(']');
    Ok(())
}

/// A map by its keys, and a struct by the names that its fields have in JSON.
fn push_fields(out: &mut String, kind: Kind, map: &value::Map) -> Result<(), String> {
    let fields: Vec<(&str, &Value)> = match kind.fields() {
        Some(fields) => {
            fields.iter().filter_map(|field| Some((field.in_json, map.get(field.name)?))).collect()
        }
        None => value::entries(map).map(|(key, value)| (&**key, value)).collect(),
    };
    out.push('{');
    for (at, (key, value)) in fields.into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        push_text(out, key);
        out.push(':');
        push(out, value)?;
    }
    out.push('}');
    Ok(())
}

/// Without an exponent, unless it is very small or very large.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        // two digits of an exponent are one where the first is a zero
        return crate::go::scientific(value, None).replace("e-0", "e-");
    }
    format!("{value}")
}

/// Quoted, so that it may stand in HTML.
fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        // writing to a string cannot fail
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            '\u{8}' => write!(out, "\\b"),
            '\u{c}' => write!(out, "\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c))
            }
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::Instant;
    use crate::template::value::{any_map, text};

    #[test]
    fn as_go_writes_it() {
        let check = |value: Value, expect: &str| assert_eq!(write(&value).as_deref(), Ok(expect));
        check(text("a\"<\u{1}\n\u{8}é\u{2028}"), r#""a\"\u003c\u0001\n\bé\u2028""#);
        check(Value::Float(1.0), "1");
        check(Value::Float(-0.25), "-0.25");
        check(Value::Float(1e21), "1e+21");
        check(Value::Float(1.5e-7), "1.5e-7");
        check(Value::Float(123456789.0), "123456789");
        check(
            any_map([("b".to_owned(), Value::Nil), ("a".to_owned(), Value::Bool(true))]),
            r#"{"a":true,"b":null}"#,
        );
        assert_eq!(write(&Value::Float(f64::NAN)), Err("json: unsupported value: NaN".to_owned()));
        check(crate::template::value::time(Instant::ZERO), r#""0001-01-01T00:00:00Z""#);
    }
}
