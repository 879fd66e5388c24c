//! A tree as text over several lines, where one line would be too long.

use super::ast::{Aggregate, Binary, Call, Expr, ExprKind, Subquery};
use super::parser::DEPTH_MAX;
use super::print::{aggregate_head, modifiers};

/// Lines longer than this are split.
const WIDTH_MAX: usize = 100;

/// The expression in normal form, split over lines where it is longer than 100 characters.
pub fn pretty(expr: &Expr) -> String {
    at_level(expr, 0)
}

/// Chains of operators go deeper to the left without a limit; their indentation does not.
fn indent(level: usize) -> String {
    "  ".repeat(level.min(DEPTH_MAX))
}

fn at_level(expr: &Expr, level: usize) -> String {
    let line = expr.to_string();
    if let (ExprKind::Subquery(_), true) = (&expr.kind, line.len() <= WIDTH_MAX) {
        // as Prometheus has it, at whatever level
        return line;
    }
    if line.len() <= WIDTH_MAX {
        return format!("{}{line}", indent(level));
    }
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Selector(_) | ExprKind::Range(_) => {
            format!("{}{line}", indent(level))
        }
        ExprKind::Paren(inner) => {
            format!("{0}(\n{1}\n{0})", indent(level), at_level(inner, level + 1))
        }
        ExprKind::Unary(unary) => {
            let operand = at_level(&unary.operand, level);
            format!("{}{}{}", indent(level), if unary.negative { "-" } else { "+" }, operand.trim_start())
        }
        ExprKind::Binary(binary) => chain(binary, expr, level),
        ExprKind::Aggregate(aggregate) => aggregation(aggregate, level),
        ExprKind::Call(call) => function_call(call, level),
        ExprKind::Subquery(subquery) => with_suffix(subquery, level),
    }
}

/// `a + b + c` is `(a + b) + c`: each operation on the left is one level deeper than the one around it, as long as it
/// needs more than one line.
fn chain(binary: &Binary, outermost: &Expr, level: usize) -> String {
    let (innermost, links) = binary.chain(outermost);
    let mut out = innermost.to_string();
    let mut split = false;
    for (index, (_, link)) in links.iter().enumerate() {
        let depth = level + links.len() - 1 - index;
        let operator = format!("{}{}", link.op, modifiers(link));
        if !split {
            let line = format!("{out} {operator} {}", link.right);
            if line.len() <= WIDTH_MAX {
                out = line;
                continue;
            }
            out = match index {
                0 => at_level(innermost, depth + 1),
                _ => format!("{}{out}", indent(depth + 1)),
            };
            split = true;
        }
        out.push_str(&format!("\n{}{operator}\n{}", indent(depth), at_level(&link.right, depth + 1)));
    }
    out
}

fn aggregation(aggregate: &Aggregate, level: usize) -> String {
    let parameter = match &aggregate.parameter {
        Some(parameter) => format!("{},\n", at_level(parameter, level + 1)),
        None => String::new(),
    };
    let head = aggregate_head(aggregate);
    let operand = at_level(&aggregate.operand, level + 1);
    format!("{0}{head}(\n{parameter}{operand}\n{0})", indent(level))
}

fn function_call(call: &Call, level: usize) -> String {
    let arguments: Vec<String> =
        call.arguments.iter().map(|argument| at_level(argument, level + 1)).collect();
    format!("{0}{1}(\n{2}\n{0})", indent(level), call.function.name, arguments.join(",\n"))
}

fn with_suffix(subquery: &Subquery, level: usize) -> String {
    format!("{}{}", at_level(&subquery.operand, level), subquery.suffix())
}
