//! Numbers for people: `humanize` and its relatives.

use gotmpl::Value;

use crate::go::{Instant, quote, significant};
use crate::template::value::type_name;

/// A number, or a text that holds one.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(value) => Ok(*value),
        Value::Int(value) => Ok(*value as f64),
        Value::Uint(value) => Ok(*value as f64),
        Value::String(text) => parse_float(text),
        other => Err(format!("can't convert {} to float", type_name(other))),
    }
}

fn parse_float(text: &str) -> Result<f64, String> {
    let failed = |reason: &str| Err(format!("strconv.ParseFloat: parsing {}: {reason}", quote(text)));
    match text.parse::<f64>() {
        Ok(value) if value.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) => {
            failed("value out of range")
        }
        Ok(value) => Ok(value),
        Err(_) => failed("invalid syntax"),
    }
}

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// With a prefix for a power of 1000.
pub(super) fn decimal(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return significant(value, 4);
    }
    let (value, prefix) = if value.abs() >= 1.0 { scaled_down(value, 1_000.0) } else { scaled_up(value) };
    format!("{}{prefix}", significant(value, 4))
}

/// With a prefix for a power of 1024.
pub(super) fn binary(value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return significant(value, 4);
    }
    let (value, prefix) = scaled_down(value, 1_024.0);
    let suffix = if prefix.is_empty() { "" } else { "i" };
    format!("{}{prefix}{suffix}", significant(value, 4))
}

/// Seconds as days, hours, minutes and seconds.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return significant(seconds, 4);
    }
    if seconds == 0.0 {
        return format!("{}s", significant(seconds, 4));
    }
    if seconds.abs() < 1.0 {
        let (value, prefix) = scaled_up(seconds);
        return format!("{}{prefix}s", significant(value, 4));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs() as i64;
    let (d, h, m, s) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{sign}{}s", significant(seconds.abs(), 4)),
        (0, 0, _) => format!("{sign}{m}m {s}s"),
        (0, _, _) => format!("{sign}{h}h {m}m {s}s"),
        _ => format!("{sign}{d}d {h}h {m}m {s}s"),
    }
}

fn scaled_down(mut value: f64, base: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in LARGE {
        if value.abs() < base {
            break;
        }
        prefix = next;
        value /= base;
    }
    (value, prefix)
}

fn scaled_up(mut value: f64) -> (f64, &'static str) {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1_000.0;
    }
    (value, prefix)
}

/// The time at so many seconds after the epoch, to the millisecond.
pub(super) fn instant(seconds: f64) -> Result<Instant, String> {
    let ns = nanoseconds(seconds, "nanoseconds timestamp")?;
    Ok(Instant::from_ns(ns / 1_000_000 * 1_000_000))
}

/// A duration of so many seconds.
pub(super) fn duration_ns(seconds: f64) -> Result<i64, String> {
    nanoseconds(seconds, "nanoseconds duration")
}

fn nanoseconds(seconds: f64, what: &str) -> Result<i64, String> {
    let ns = seconds * 1e9;
    let shown = model::float::shortest(seconds);
    if ns.is_nan() || ns > i64::MAX as f64 || ns < i64::MIN as f64 {
        return Err(format!("{shown} cannot be represented as a {what} since it overflows int64"));
    }
    Ok(ns as i64)
}
