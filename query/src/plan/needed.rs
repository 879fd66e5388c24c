//! Which labels of what is read the query looks at.

use std::collections::BTreeSet;

use model::{Labels, MatchOp, Matcher};

use crate::source::NeededLabels;
use crate::syntax::{Aggregate, AggregateOp, Expr, ExprKind, Function};

/// What the selector directly inside of an aggregation must know of its series.
///
/// Under `sum by (job) (rate(x[5m]))` that is `job` – and what says what the metric is, for remarks and because it goes
/// away. Where series might become the same without their names, all labels are needed to find out.
pub(super) fn under(aggregate: &Aggregate) -> NeededLabels {
    let alone = aggregate.op.adds_up() || aggregate.op == AggregateOp::Quantile;
    if !alone || aggregate.without || !stay_apart(&aggregate.operand) {
        return NeededLabels::All;
    }
    let mut labels: BTreeSet<_> = aggregate.labels.iter().cloned().collect();
    labels.extend(NeededLabels::METADATA.map(Into::into));
    NeededLabels::These(labels)
}

/// Whether an expression is a selector, or a function over one, whose series cannot become the same.
fn stay_apart(operand: &Expr) -> bool {
    match &operand.without_parens().kind {
        ExprKind::Selector(_) => true,
        ExprKind::Call(call) => call.arguments.iter().any(|argument| match &argument.without_parens().kind {
            ExprKind::Range(range) => match call.function.function {
                Function::AbsentOverTime => false,
                Function::FirstOverTime | Function::LastOverTime => true,
                _ => pins_name(&range.selector.matchers),
            },
            _ => false,
        }),
        _ => false,
    }
}

fn pins_name(matchers: &[Matcher]) -> bool {
    matchers.iter().any(|matcher| &*matcher.name == Labels::NAME && matcher.op == MatchOp::Equal)
}
