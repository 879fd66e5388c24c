//! Durations that are computed: `[5m + step() * 2]`.

use super::PlanError;
use crate::syntax::{BinaryOp, Duration, DurationExpr, DurationKind};

/// What `step()` and `range()` stand for, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueryTimes {
    pub(super) step_s: f64,
    pub(super) range_s: f64,
}

/// Milliseconds of a duration that may not be zero or negative.
pub(super) fn positive_ms(duration: &Duration, times: QueryTimes) -> Result<i64, PlanError> {
    match any_ms(duration, times)? {
        ..=0 => Err(PlanError::DurationNotPositive),
        ms => Ok(ms),
    }
}

/// Milliseconds of any duration.
pub(super) fn any_ms(duration: &Duration, times: QueryTimes) -> Result<i64, PlanError> {
    let expr = match duration {
        Duration::Ms(ms) => return Ok(*ms),
        Duration::Computed(expr) => expr,
    };
    let ms = seconds(expr, times)? * 1_000.0;
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "compared first")]
    if ms.abs() <= (i64::MAX / 1_000_000) as f64 { Ok(ms as i64) } else { Err(PlanError::DurationOutOfRange) }
}

/// Whether the time between the start and the end of the query counts for it.
pub(super) fn asks_for_range(duration: &Duration) -> bool {
    fn asks(expr: &DurationExpr) -> bool {
        match &expr.kind {
            DurationKind::Range => true,
            DurationKind::Number(_) | DurationKind::Step => false,
            DurationKind::Paren(inner) | DurationKind::Sign(_, inner) => asks(inner),
            DurationKind::MinOf(a, b) | DurationKind::MaxOf(a, b) | DurationKind::Binary(_, a, b) => {
                asks(a) || asks(b)
            }
        }
    }
    matches!(duration, Duration::Computed(expr) if asks(expr))
}

fn seconds(expr: &DurationExpr, times: QueryTimes) -> Result<f64, PlanError> {
    Ok(match &expr.kind {
        DurationKind::Number(number) => number.value,
        DurationKind::Paren(inner) => seconds(inner, times)?,
        DurationKind::Sign(true, inner) => -seconds(inner, times)?,
        DurationKind::Sign(false, inner) => seconds(inner, times)?,
        DurationKind::Step => times.step_s,
        DurationKind::Range => times.range_s,
        DurationKind::MinOf(a, b) => seconds(a, times)?.min(seconds(b, times)?),
        DurationKind::MaxOf(a, b) => seconds(a, times)?.max(seconds(b, times)?),
        DurationKind::Binary(op, left, right) => {
            let (left, right) = (seconds(left, times)?, seconds(right, times)?);
            match op {
                BinaryOp::Add => left + right,
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div if right == 0.0 => return Err(PlanError::DivisionByZero),
                BinaryOp::Div => left / right,
                BinaryOp::Mod if right == 0.0 => return Err(PlanError::ModuloByZero),
                BinaryOp::Mod => left % right,
                BinaryOp::Pow => left.powf(right),
                // the grammar has no others
                _ => f64::NAN,
            }
        }
    })
}
