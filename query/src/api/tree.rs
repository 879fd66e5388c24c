//! The tree of a parsed query as JSON, as the tree views of Prometheus and Grafana read it.
//!
//! The shapes are those of Prometheus 3.14's `parse_query`; keys are in alphabetical order.

use std::fmt::Display;

use model::Matcher;

use super::json::{self, Fields};
use crate::syntax::{
    Aggregate, At, Binary, Call, Duration, DurationExpr, DurationKind, Edges, Expr, ExprKind, RangeSelector,
    Selector, Shift, Side, Signature, Subquery, ValueType, Variadic,
};

/// Writes an expression.
pub(super) fn expression(out: &mut String, expr: &Expr) {
    match &expr.kind {
        ExprKind::Number(literal) => Fields::object(out, |fields| number(fields, literal.value)),
        ExprKind::String(value) => Fields::object(out, |fields| {
            text(fields, "type", "stringLiteral");
            text(fields, "val", value);
        }),
        ExprKind::Paren(inner) => Fields::object(out, |fields| {
            expression(fields.field("expr"), inner);
            text(fields, "type", "parenExpr");
        }),
        ExprKind::Unary(unary) => match literal(expr) {
            Some(value) => Fields::object(out, |fields| number(fields, value)),
            None => Fields::object(out, |fields| {
                expression(fields.field("expr"), &unary.operand);
                text(fields, "op", if unary.negative { "-" } else { "+" });
                text(fields, "type", "unaryExpr");
            }),
        },
        ExprKind::Binary(binary) => chain(out, binary, expr),
        ExprKind::Aggregate(aggregate) => Fields::object(out, |fields| aggregation(fields, aggregate)),
        ExprKind::Call(call) => Fields::object(out, |fields| function_call(fields, call)),
        ExprKind::Selector(selector) => Fields::object(out, |fields| vector(fields, selector)),
        ExprKind::Range(range) => Fields::object(out, |fields| matrix(fields, range)),
        ExprKind::Subquery(inner) => Fields::object(out, |fields| subquery(fields, inner)),
    }
}

/// The value of a number with signs before it, which counts as one literal.
fn literal(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Number(number) => Some(number.value),
        ExprKind::Unary(unary) => {
            literal(&unary.operand).map(|value| if unary.negative { -value } else { value })
        }
        _ => None,
    }
}

fn number(fields: &mut Fields<'_>, value: f64) {
    text(fields, "type", "numberLiteral");
    text(fields, "val", &plain(value));
}

/// Operations grow to the left without a limit: what comes before the left operands is written first, from the outside
/// in, and what follows them then, from the inside out.
fn chain(out: &mut String, outermost: &Binary, expr: &Expr) {
    let (innermost, links) = outermost.chain(expr);
    for (_, binary) in links.iter().rev() {
        out.push_str(&format!("{{\"bool\":{},\"lhs\":", binary.return_bool));
    }
    expression(out, innermost);
    let is_vector = |operand: &Expr| operand.value_type() == ValueType::Vector;
    let mut left = is_vector(innermost);
    for (_, binary) in links {
        let right = is_vector(&binary.right);
        let mut fields = Fields::continued(out);
        match left && right {
            true => matching(fields.field("matching"), binary),
            // a scalar needs nothing of that
            false => fields.field("matching").push_str("null"),
        }
        left |= right;
        text(&mut fields, "op", binary.op.as_str());
        expression(fields.field("rhs"), &binary.right);
        text(&mut fields, "type", "binaryExpr");
        out.push('}');
    }
}

/// How two vectors find each other.
fn matching(out: &mut String, binary: &Binary) {
    let matching = &binary.matching;
    let cardinality = match &matching.group {
        _ if binary.op.is_set() => "many-to-many",
        None => "one-to-one",
        Some(group) if group.many == Side::Left => "many-to-one",
        Some(_) => "one-to-many",
    };
    Fields::object(out, |fields| {
        text(fields, "card", cardinality);
        Fields::object(fields.field("fillValues"), |fields| {
            or_null(fields, "lhs", matching.fill_left);
            or_null(fields, "rhs", matching.fill_right);
        });
        texts(fields, "include", matching.group.iter().flat_map(|group| &group.include));
        texts(fields, "labels", matching.labels.iter().flat_map(|labels| &labels.names));
        plainly(fields, "on", matching.labels.as_ref().is_some_and(|labels| labels.on));
    });
}

fn aggregation(fields: &mut Fields<'_>, aggregate: &Aggregate) {
    expression(fields.field("expr"), &aggregate.operand);
    texts(fields, "grouping", aggregate.labels.iter());
    text(fields, "op", &aggregate.op.to_string());
    match &aggregate.parameter {
        Some(parameter) => expression(fields.field("param"), parameter),
        None => fields.field("param").push_str("null"),
    }
    text(fields, "type", "aggregation");
    plainly(fields, "without", aggregate.without);
}

fn function_call(fields: &mut Fields<'_>, call: &Call) {
    json::list(fields.field("args"), call.arguments.iter(), expression);
    let Signature { name, arguments, variadic, returns, .. } = call.function;
    Fields::object(fields.field("func"), |fields| {
        let types = arguments.iter().map(|r#type| r#type.as_str());
        json::list(fields.field("argTypes"), types, json::string);
        text(fields, "name", name);
        text(fields, "returnType", returns.as_str());
        match variadic {
            Variadic::No => plainly(fields, "variadic", 0),
            Variadic::UpTo(count) => plainly(fields, "variadic", count),
            Variadic::Any => plainly(fields, "variadic", -1),
        }
    });
    text(fields, "type", "call");
}

fn vector(fields: &mut Fields<'_>, selector: &Selector) {
    let ends = selected(fields, selector);
    ends(fields);
    text(fields, "type", "vectorSelector");
}

fn matrix(fields: &mut Fields<'_>, range: &RangeSelector) {
    let ends = selected(fields, &range.selector);
    duration(fields, ["range", "rangeExpr"], Some(&range.range));
    ends(fields);
    text(fields, "type", "matrixSelector");
}

/// What all selectors have; what is returned writes the part of it that stands behind a range.
fn selected<'s>(fields: &mut Fields<'_>, selector: &'s Selector) -> impl FnOnce(&mut Fields<'_>) + use<'s> {
    plainly(fields, "anchored", selector.edges == Edges::Anchored);
    json::list(fields.field("matchers"), selector.matchers.iter(), matcher);
    text(fields, "name", selector.name.as_deref().unwrap_or(""));
    duration(fields, ["offset", "offsetExpr"], selector.shift.offset.as_ref());
    |fields| {
        plainly(fields, "smoothed", selector.edges == Edges::Smoothed);
        at(fields, &selector.shift);
    }
}

fn subquery(fields: &mut Fields<'_>, subquery: &Subquery) {
    expression(fields.field("expr"), &subquery.operand);
    duration(fields, ["offset", "offsetExpr"], subquery.shift.offset.as_ref());
    duration(fields, ["range", "rangeExpr"], Some(&subquery.range));
    let start_or_end = start_or_end(&subquery.shift);
    text_or_null(fields, "startOrEnd", start_or_end);
    duration(fields, ["step", "stepExpr"], subquery.step.as_ref());
    timestamp(fields, &subquery.shift);
    text(fields, "type", "subquery");
}

fn matcher(out: &mut String, matcher: &Matcher) {
    Fields::object(out, |fields| {
        text(fields, "name", &matcher.name);
        text(fields, "type", matcher.op.as_str());
        text(fields, "value", &matcher.value);
    });
}

fn at(fields: &mut Fields<'_>, shift: &Shift) {
    text_or_null(fields, "startOrEnd", start_or_end(shift));
    timestamp(fields, shift);
}

fn start_or_end(shift: &Shift) -> Option<&'static str> {
    match shift.at {
        Some(At::Start) => Some("start"),
        Some(At::End) => Some("end"),
        Some(At::Time(_)) | None => None,
    }
}

fn timestamp(fields: &mut Fields<'_>, shift: &Shift) {
    let at_ms = match shift.at {
        Some(At::Time(at_ms)) => Some(at_ms),
        _ => None,
    };
    or_null(fields, "timestamp", at_ms);
}

/// A duration in milliseconds and, where it is computed, how: then the number is 0.
fn duration(fields: &mut Fields<'_>, [name, computed]: [&str; 2], duration: Option<&Duration>) {
    match duration {
        Some(Duration::Ms(ms)) => plainly(fields, name, ms),
        Some(Duration::Computed(_)) | None => plainly(fields, name, 0),
    }
    match duration {
        Some(Duration::Computed(expr)) => duration_expression(fields.field(computed), expr, false),
        Some(Duration::Ms(_)) | None => fields.field(computed).push_str("null"),
    }
}

fn duration_expression(out: &mut String, expr: &DurationExpr, wrapped: bool) {
    let (left, op, right) = match &expr.kind {
        DurationKind::Number(number) => {
            return Fields::object(out, |fields| {
                plainly(fields, "duration", number.is_duration);
                text(fields, "type", "numberLiteral");
                text(fields, "val", &plain(number.value));
            });
        }
        DurationKind::Paren(inner) => return duration_expression(out, inner, true),
        DurationKind::Sign(negative, operand) => (None, if *negative { "-" } else { "+" }, Some(operand)),
        DurationKind::Binary(op, left, right) => (Some(left), op.as_str(), Some(right)),
        DurationKind::Step => (None, "step", None),
        DurationKind::Range => (None, "range", None),
        DurationKind::MinOf(left, right) => (Some(left), "min_of", Some(right)),
        DurationKind::MaxOf(left, right) => (Some(left), "max_of", Some(right)),
    };
    Fields::object(out, |fields| {
        operand(fields.field("lhs"), left.map(|left| &**left));
        text(fields, "op", op);
        operand(fields.field("rhs"), right.map(|right| &**right));
        text(fields, "type", "durationExpr");
        plainly(fields, "wrapped", wrapped);
    });
}

fn operand(out: &mut String, operand: Option<&DurationExpr>) {
    match operand {
        Some(operand) => duration_expression(out, operand, false),
        None => out.push_str("null"),
    }
}

/// All digits, never an exponent.
fn plain(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { model::float::api(value) }
}

fn text(fields: &mut Fields<'_>, name: &str, value: &str) {
    json::string(fields.field(name), value);
}

fn text_or_null(fields: &mut Fields<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(value) => text(fields, name, value),
        None => fields.field(name).push_str("null"),
    }
}

fn texts(fields: &mut Fields<'_>, name: &str, values: impl Iterator<Item = impl AsRef<str>>) {
    json::list(fields.field(name), values, |out, value| json::string(out, value.as_ref()));
}

/// A number or a truth value.
fn plainly(fields: &mut Fields<'_>, name: &str, value: impl Display) {
    fields.field(name).push_str(&value.to_string());
}

fn or_null(fields: &mut Fields<'_>, name: &str, value: Option<impl Display>) {
    match value {
        Some(value) => plainly(fields, name, value),
        None => fields.field(name).push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{Options, parse};

    fn check(text: &str, expect: &str) {
        let expr = parse(text, &Options::all()).expect("parses");
        let mut out = String::new();
        expression(&mut out, &expr);
        assert_eq!(out, expect, "{text}");
        serde_json::from_str::<serde_json::Value>(&out).expect("is JSON");
    }

    const A: &str = r#"{"anchored":false,"matchers":[{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":0,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":null,"type":"vectorSelector"}"#;

    #[test]
    fn literals() {
        check("1e21", r#"{"type":"numberLiteral","val":"1000000000000000000000"}"#);
        check("-Inf", r#"{"type":"numberLiteral","val":"-Inf"}"#);
        check("-a", &format!(r#"{{"expr":{A},"op":"-","type":"unaryExpr"}}"#));
        check("1h30m", r#"{"type":"numberLiteral","val":"5400"}"#);
        check(r#""a\"b""#, r#"{"type":"stringLiteral","val":"a\"b"}"#);
        check("(a)", &format!(r#"{{"expr":{A},"type":"parenExpr"}}"#));
    }

    #[test]
    fn operations_nest_to_the_left() {
        let matching = r#"{"card":"one-to-one","fillValues":{"lhs":null,"rhs":null},"include":[],"labels":[],"on":false}"#;
        let inner = format!(
            r#"{{"bool":false,"lhs":{A},"matching":{matching},"op":"+","rhs":{A},"type":"binaryExpr"}}"#
        );
        check(
            "a + a > bool 1",
            &format!(
                r#"{{"bool":true,"lhs":{inner},"matching":null,"op":">","rhs":{{"type":"numberLiteral","val":"1"}},"type":"binaryExpr"}}"#
            ),
        );
    }

    #[test]
    fn matching_names_labels_and_what_stands_in() {
        let matching = r#"{"card":"many-to-one","fillValues":{"lhs":null,"rhs":2.5},"include":["y"],"labels":["x"],"on":true}"#;
        check(
            "a * on (x) group_left (y) fill_right (2.5) a",
            &format!(
                r#"{{"bool":false,"lhs":{A},"matching":{matching},"op":"*","rhs":{A},"type":"binaryExpr"}}"#
            ),
        );
    }

    #[test]
    fn computed_durations_show_how() {
        let step = r#"{"lhs":null,"op":"step","rhs":null,"type":"durationExpr","wrapped":false}"#;
        let two = r#"{"duration":true,"type":"numberLiteral","val":"120"}"#;
        check(
            "a[step() + 2m] smoothed @ 1.5",
            &format!(
                r#"{{"anchored":false,"matchers":[{{"name":"__name__","type":"=","value":"a"}}],"name":"a","offset":0,"offsetExpr":null,"range":0,"rangeExpr":{{"lhs":{step},"op":"+","rhs":{two},"type":"durationExpr","wrapped":false}},"smoothed":true,"startOrEnd":null,"timestamp":1500,"type":"matrixSelector"}}"#
            ),
        );
    }

    #[test]
    fn calls_show_their_signature() {
        check(
            "round(sum without (x) (a))",
            &format!(
                r#"{{"args":[{{"expr":{A},"grouping":["x"],"op":"sum","param":null,"type":"aggregation","without":true}}],"func":{{"argTypes":["vector","scalar"],"name":"round","returnType":"vector","variadic":1}},"type":"call"}}"#
            ),
        );
        check(
            "a[1h:] @ end()",
            &format!(
                r#"{{"expr":{A},"offset":0,"offsetExpr":null,"range":3600000,"rangeExpr":null,"startOrEnd":"end","step":0,"stepExpr":null,"timestamp":null,"type":"subquery"}}"#
            ),
        );
    }

    #[test]
    fn long_chains_take_no_stack() {
        let text = vec!["1"; 100_000].join("+");
        let expr = parse(&text, &Options::stable()).expect("parses");
        let mut out = String::new();
        expression(&mut out, &expr);
        assert_eq!(out.matches("binaryExpr").count(), 99_999);
    }
}
