//! Queries that must give the same although they are evaluated at other times: `@` is put on everything.

use query::syntax::{At, Expr, ExprKind, Function, Shift};

/// Puts `@ at_ms` on every selector and subquery without one; false if the query depends on the time in other ways.
pub(crate) fn pin(expr: &mut Expr, at_ms: i64) -> bool {
    let pin_shift = |shift: &mut Shift| {
        if shift.at.is_none() {
            shift.at = Some(At::Time(at_ms));
        }
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Paren(inner) => pin(inner, at_ms),
        ExprKind::Unary(unary) => pin(&mut unary.operand, at_ms),
        ExprKind::Binary(binary) => pin(&mut binary.left, at_ms) && pin(&mut binary.right, at_ms),
        ExprKind::Aggregate(aggregate) => {
            pin(&mut aggregate.operand, at_ms)
                && aggregate.parameter.as_mut().is_none_or(|parameter| pin(parameter, at_ms))
        }
        ExprKind::Call(call) => {
            !is_unsafe(call.function.function)
                && call.arguments.iter_mut().all(|argument| pin(argument, at_ms))
        }
        ExprKind::Selector(selector) => {
            pin_shift(&mut selector.shift);
            true
        }
        ExprKind::Range(range) => {
            pin_shift(&mut range.selector.shift);
            true
        }
        ExprKind::Subquery(subquery) => {
            // what is inside is evaluated at the times of the subquery
            pin_shift(&mut subquery.shift);
            !has_unsafe(&subquery.operand)
        }
    }
}

fn has_unsafe(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Paren(inner) => has_unsafe(inner),
        ExprKind::Unary(unary) => has_unsafe(&unary.operand),
        ExprKind::Binary(binary) => has_unsafe(&binary.left) || has_unsafe(&binary.right),
        ExprKind::Aggregate(aggregate) => {
            has_unsafe(&aggregate.operand) || aggregate.parameter.as_ref().is_some_and(has_unsafe)
        }
        ExprKind::Call(call) => is_unsafe(call.function.function) || call.arguments.iter().any(has_unsafe),
        ExprKind::Subquery(subquery) => has_unsafe(&subquery.operand),
        _ => false,
    }
}

fn is_unsafe(function: Function) -> bool {
    matches!(
        function,
        Function::Time
            | Function::Timestamp
            | Function::PredictLinear
            | Function::DayOfMonth
            | Function::DayOfWeek
            | Function::DayOfYear
            | Function::DaysInMonth
            | Function::Hour
            | Function::Minute
            | Function::Month
            | Function::Year
            | Function::Start
            | Function::End
            | Function::Range
            | Function::Step
    )
}
