//! What the value at one time rests on, and what of the values at other times: for who puts an answer together of answers about
//! some of its times each.

use model::Selection;

use super::grid::Grid;
use super::node::{AggregateNode, Node, NodeKind, Windowed};
use crate::syntax::{AggregateOp, Function};

/// What ties a query to times that its grid does not move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Anchors {
    /// `@`, or the start, the end or the length of the query.
    pub(super) of_query: bool,
    /// The steps of subqueries, which lie at multiples: by so much in all the times that are looked at may lie otherwise than they
    /// do around the first time.
    pub(super) between_steps_ms: i64,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// By so much before a time nothing counts for it.
    pub(crate) before_ms: i64,
    /// Likewise behind it.
    pub(crate) after_ms: i64,
    /// Whether a value may depend on series that have nothing at its time: something is picked or added up in an order of groups,
    /// which come in the order in which the first of their series do.
    pub(crate) needs_same_series: bool,
    /// Whether floats are added up by fragments, and so in parts that are cut by how many series and samples there are.
    pub(crate) adds_in_parts: bool,
    /// Whether series are joined many to one: where that gives no value, it may still be a mistake.
    pub(crate) joins_many: bool,
}

pub(super) fn of(root: &Node, selections: &[Selection], grid: Grid, anchors: Anchors) -> Option<Reach> {
    if anchors.of_query || selections.is_empty() || grid.count == 0 {
        return None;
    }
    let before = |selection: &Selection| grid.start_ms.saturating_sub(selection.start_ms);
    let after = |selection: &Selection| selection.end_ms.saturating_sub(grid.end_ms());
    let farthest = |distances: &mut dyn Iterator<Item = i64>| {
        distances.max().unwrap_or(0).max(0).saturating_add(anchors.between_steps_ms)
    };
    let mut reach = Reach {
        before_ms: farthest(&mut selections.iter().map(before)),
        after_ms: farthest(&mut selections.iter().map(after)),
        needs_same_series: false,
        adds_in_parts: false,
        joins_many: false,
    };
    // chains grow to the left without a limit
    let mut rest = vec![root];
    while let Some(node) = rest.pop() {
        match &node.kind {
            NodeKind::Number(_) | NodeKind::String(_) | NodeKind::Instant(_) => {}
            NodeKind::Once(inner) | NodeKind::Negate(inner) => rest.push(inner),
            NodeKind::Binary(binary) => {
                let joins_many = binary.matching.group.is_some();
                // which of two series was there first decides whether it is a mistake that both could give the same one
                if joins_many && binary.op.is_comparison() && !binary.return_bool {
                    return None;
                }
                reach.joins_many |= joins_many;
                rest.extend([&binary.left, &binary.right]);
            }
            NodeKind::Aggregate(aggregate) => {
                match has_own_order(aggregate, selections) {
                    true => reach.adds_in_parts |= adds_floats(aggregate.op),
                    false => reach.needs_same_series = true,
                }
                rest.push(&aggregate.operand);
                rest.extend(&aggregate.parameter);
            }
            NodeKind::Call(call) => rest.extend(&call.arguments),
            NodeKind::Window(window) => {
                rest.extend(&window.parameters);
                rest.extend(inside(&window.of));
            }
            NodeKind::Matrix(matrix) => rest.extend(inside(&matrix.of)),
        }
    }
    Some(reach)
}

fn inside(of: &Windowed) -> Option<&Node> {
    match of {
        Windowed::Subquery(inner) => Some(inner),
        Windowed::Selection(_) => None,
    }
}

/// Whether what is aggregated comes in the order of labels, whatever series there are besides.
fn has_own_order(aggregate: &AggregateNode, selections: &[Selection]) -> bool {
    let selection = match &aggregate.operand.kind {
        NodeKind::Instant(instant) => instant.selection,
        NodeKind::Window(window) if window.windows.function != Function::AbsentOverTime => match window.of {
            Windowed::Selection(selection) => selection,
            Windowed::Subquery(_) => return false,
        },
        _ => return false,
    };
    // else series may become the same by losing their names
    selections.get(selection).is_some_and(|selection| selection.metric_name().is_some())
}

/// Whether it matters to the last bit how values are put together.
fn adds_floats(op: AggregateOp) -> bool {
    matches!(op, AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Stddev | AggregateOp::Stdvar)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use testkit::ManualClock;

    use super::*;
    use crate::engine::{Engine, QueryOptions, Settings, Times};

    fn reach(text: &str) -> Option<Reach> {
        let settings = Settings { syntax: crate::syntax::Options::all(), ..Settings::default() };
        let engine = Engine::new(settings, Arc::new(ManualClock::at_ms(0)));
        let expr = engine.parse(text).expect("parses");
        let times = Times::Range { start_ms: 1_000_000, end_ms: 2_000_000, step_ms: 10_000 };
        engine.plan(&expr, times, QueryOptions::default()).expect("plans").movable().map(|(_, reach)| reach)
    }

    #[test]
    fn what_counts_for_a_time_lies_around_it() {
        let check = |text: &str, before_s: i64, after_s: i64| {
            let reach = reach(text).expect("may be told");
            // a sample as old as this does not count any more
            let before_ms = (reach.before_ms + 999) / 1_000;
            assert_eq!((before_ms, reach.after_ms / 1_000), (before_s, after_s), "{text}");
        };
        check("x", 300, 0);
        check("x offset 1m", 360, 0);
        check("x offset -1m", 240, 60);
        check("rate(x[2m])", 120, 0);
        check("rate(x[2m]) + x", 300, 0);
        check("rate(x[2m] offset -3m) + x", 300, 180);
        check("rate(x[10m] smoothed)", 900, 300);
        // the steps of a subquery lie somewhere between two multiples: 997 s is the first within the 3 s before 1000 s
        let inner = reach("max_over_time(x[3s:7s])").expect("may be told");
        assert!(inner.before_ms >= 300_000 + 3_000 && inner.after_ms >= 0, "{inner:?}");
        let nested = reach("max_over_time(max_over_time(x[1m:7s])[5m:13s])").expect("may be told");
        assert!(
            nested.before_ms >= 300_000 + 360_000 && nested.before_ms <= 300_000 + 360_000 + 20_000,
            "{nested:?}"
        );
    }

    #[test]
    fn what_has_a_time_of_its_own_does_not_move() {
        for text in
            ["x @ 7", "x + y @ start()", "end() + x", "max_over_time(x[range()])", "1", "vector(time())"]
        {
            assert_eq!(reach(text), None, "{text}");
        }
        assert_eq!(reach("a > on (job) group_left b"), None);
        assert!(reach("a * on (job) group_left b").expect("may be told").joins_many);
    }

    #[test]
    fn what_depends_on_other_series_is_told() {
        let check = |text: &str, needs_same_series: bool, adds_in_parts: bool| {
            let reach = reach(text).expect("may be told");
            assert_eq!(
                (reach.needs_same_series, reach.adds_in_parts),
                (needs_same_series, adds_in_parts),
                "{text}"
            );
        };
        check("x", false, false);
        check("a / b + rate(c[1m])", false, false);
        check("sum(x)", false, true);
        check("sum by (job) (rate(x[1m])) / count(x)", false, true);
        check("topk(3, rate(x[1m]))", false, false);
        check("max(x)", false, false);
        check("histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))", false, true);
        check("max(-x)", true, false);
        check("topk(3, sum by (job) (x))", true, true);
        check("sum({__name__=~\"x|y\"})", true, false);
        check("max(max_over_time(x[1m:]))", true, false);
        check("max_over_time(sum(x)[5m:])", false, true);
        check("topk(scalar(sum(x)), y)", false, true);
    }
}
