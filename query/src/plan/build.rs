//! Builds the plan of a query.

use std::collections::{HashMap, HashSet};

use model::{Labels, LabelsBuilder, MatchOp, Matcher, Selection};

use super::duration::{QueryTimes, any_ms, asks_for_range, positive_ms};
use super::grid::Grid;
use super::node::{
    AggregateNode, Asked, BinaryNode, CallNode, InstantNode, MatrixNode, Node, NodeKind, WindowNode,
    Windowed, Windows,
};
use super::reach::{self, Anchors};
use super::{Plan, PlanError, needed};
use crate::source::NeededLabels;
use crate::syntax::{
    Aggregate, At, Binary, ByteRange, Call, Duration, Edges, Expr, ExprKind, Function, RangeSelector,
    Selector, Shift, Subquery, ValueType,
};

/// What planning must know beside the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) lookback_ms: i64,
    /// The step of subqueries that state none.
    pub(crate) subquery_step_ms: i64,
    /// How many steps a subquery may have.
    pub(crate) subquery_steps_max: usize,
}

/// Plans the evaluation of an expression at the times of a grid. `end_ms` is what the query says to be its end, which may lie
/// behind the last of them.
pub(crate) fn plan(expr: &Expr, grid: Grid, end_ms: i64, limits: Limits) -> Result<Plan, PlanError> {
    #[expect(clippy::cast_precision_loss, reason = "queries span far less than 2^53 ms")]
    let times = QueryTimes {
        step_s: grid.step_ms as f64 / 1_000.0,
        range_s: end_ms.saturating_sub(grid.start_ms) as f64 / 1_000.0,
    };
    let mut builder = Builder {
        query: (grid.start_ms, end_ms),
        times,
        limits,
        selections: Vec::new(),
        totals_only: Vec::new(),
        needed: Vec::new(),
        steps_most: grid.count,
        labels: NeededLabels::All,
        known: HashMap::new(),
        buckets: Buckets::Needed,
        anchors: Anchors::default(),
    };
    let Built { node, steady } = builder.expr(expr, grid)?;
    let root = if steady { node.held() } else { node };
    let Builder { selections, totals_only, needed, steps_most, anchors, .. } = builder;
    let reach = reach::of(&root, &selections, grid, anchors);
    Ok(Plan { root, selections, totals_only, needed, steps_most, reach })
}

pub(super) struct Builder {
    /// The start and the end of the query.
    query: (i64, i64),
    times: QueryTimes,
    pub(super) limits: Limits,
    selections: Vec<Selection>,
    totals_only: Vec<bool>,
    needed: Vec<NeededLabels>,
    steps_most: usize,
    /// The labels that matter of what is selected where the builder is.
    labels: NeededLabels,
    known: HashMap<(String, i64, i64, bool), usize>,
    buckets: Buckets,
    anchors: Anchors,
}

/// Whether the buckets of histograms matter where the builder is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Buckets {
    Needed,
    /// Inside of `histogram_count` and the like.
    Skipped,
    /// Inside of a subquery or of a function that looks at buckets: whatever stands further inside.
    AlwaysNeeded,
}

/// A node, and whether its value is the same at all times.
pub(super) struct Built {
    pub(super) node: Node,
    pub(super) steady: bool,
}

impl Built {
    /// The node as a part of something that changes with time.
    pub(super) fn part(self) -> Node {
        if self.steady { self.node.held() } else { self.node }
    }
}

pub(super) type Result<T, E = PlanError> = std::result::Result<T, E>;

impl Builder {
    pub(super) fn expr(&mut self, expr: &Expr, grid: Grid) -> Result<Built> {
        let value_type = expr.value_type();
        let node = |kind| Node::new(kind, expr.range, grid, value_type);
        let built = match &expr.kind {
            ExprKind::Number(number) => Built { node: node(NodeKind::Number(number.value)), steady: true },
            ExprKind::String(text) => Built { node: node(NodeKind::String(text.clone())), steady: true },
            ExprKind::Paren(inner) => {
                // what is remarked about it stands inside of the parentheses
                self.expr(inner, grid)?
            }
            ExprKind::Unary(unary) => {
                let inner = self.expr(&unary.operand, grid)?;
                match unary.negative {
                    true => {
                        Built { node: node(NodeKind::Negate(Box::new(inner.node))), steady: inner.steady }
                    }
                    false => inner,
                }
            }
            ExprKind::Binary(binary) => self.chain(binary, expr, grid)?,
            ExprKind::Aggregate(aggregate) => {
                let (kind, steady) = self.aggregate(aggregate, grid)?;
                Built { node: node(kind), steady }
            }
            ExprKind::Call(call) => {
                let (kind, steady) = self.call(call, grid)?;
                Built { node: node(kind), steady }
            }
            ExprKind::Selector(selector) => {
                let instant = self.instant(selector, expr.range, grid)?;
                Built { node: node(NodeKind::Instant(instant)), steady: selector.shift.at.is_some() }
            }
            ExprKind::Range(_) | ExprKind::Subquery(_) => {
                let (matrix, steady) = self.matrix(expr, grid)?;
                Built { node: node(NodeKind::Matrix(Box::new(matrix))), steady }
            }
        };
        Ok(built)
    }

    fn chain(&mut self, binary: &Binary, outermost: &Expr, grid: Grid) -> Result<Built> {
        let (innermost, links) = binary.chain(outermost);
        let mut left = self.expr(innermost, grid)?;
        for (expr, binary) in links {
            let right = self.expr(&binary.right, grid)?;
            let steady = left.steady && right.steady;
            let both_scalar =
                left.node.value_type == ValueType::Scalar && right.node.value_type == ValueType::Scalar;
            let (left_node, right_node) =
                if steady { (left.node, right.node) } else { (left.part(), right.part()) };
            let node = BinaryNode {
                op: binary.op,
                left: left_node,
                right: right_node,
                return_bool: binary.return_bool,
                matching: binary.matching.clone(),
            };
            let value_type = if both_scalar { ValueType::Scalar } else { ValueType::Vector };
            left = Built {
                node: Node::new(NodeKind::Binary(Box::new(node)), expr.range, grid, value_type),
                steady,
            };
        }
        Ok(left)
    }

    fn aggregate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<(NodeKind, bool)> {
        self.labels = needed::under(aggregate);
        let operand = self.expr(&aggregate.operand, grid)?;
        self.labels = NeededLabels::All;
        let parameter = match &aggregate.parameter {
            Some(parameter) => Some(self.expr(parameter, grid)?),
            None => None,
        };
        let steady = operand.steady && parameter.as_ref().is_none_or(|parameter| parameter.steady);
        let settle = |built: Built| if steady { built.node } else { built.part() };
        let node = AggregateNode {
            op: aggregate.op,
            parameter: parameter.map(settle),
            operand: settle(operand),
            operand_range: aggregate.operand.range,
            without: aggregate.without,
            labels: aggregate.labels.clone(),
        };
        Ok((NodeKind::Aggregate(Box::new(node)), steady))
    }

    fn call(&mut self, call: &Call, grid: Grid) -> Result<(NodeKind, bool)> {
        let function = call.function.function;
        if let Some(value) = self.constant(function) {
            self.anchors.of_query |= matches!(function, Function::Start | Function::End | Function::Range);
            return Ok((NodeKind::Number(value), true));
        }
        let asked = if function == Function::StartTimestamp { Asked::Start } else { Asked::Time };
        if matches!(function, Function::Timestamp | Function::StartTimestamp)
            && let ExprKind::Selector(selector) = &call.arguments[0].without_parens().kind
        {
            let range = call.arguments[0].range;
            // the times of samples are not between them
            let instant = InstantNode { asked, smoothed: false, ..self.instant(selector, range, grid)? };
            return Ok((NodeKind::Instant(instant), selector.shift.at.is_some()));
        }
        if function == Function::Info {
            return self.info(call, grid);
        }
        let absent_labels = match function {
            Function::Absent | Function::AbsentOverTime => absent_labels(&call.arguments[0]),
            _ => Labels::empty(),
        };
        if let Some(position) =
            call.arguments.iter().position(|argument| argument.value_type() == ValueType::Matrix)
        {
            return self.window(call, position, absent_labels, grid);
        }
        let before = self.buckets;
        self.buckets = match function {
            Function::HistogramQuantile | Function::HistogramQuantiles | Function::HistogramFraction => {
                Buckets::AlwaysNeeded
            }
            Function::HistogramCount | Function::HistogramSum | Function::HistogramAvg
                if before != Buckets::AlwaysNeeded =>
            {
                Buckets::Skipped
            }
            _ => before,
        };
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.expr(argument, grid)?);
        }
        self.buckets = before;
        let steady =
            !depends_on_time(function, arguments.len()) && arguments.iter().all(|argument| argument.steady);
        let settle = |built: Built| if steady { built.node } else { built.part() };
        let arguments = arguments.into_iter().map(settle).collect();
        Ok((NodeKind::Call(Box::new(CallNode { function, arguments, absent_labels })), steady))
    }

    /// Functions that are known before the evaluation starts.
    #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
    fn constant(&self, function: Function) -> Option<f64> {
        match function {
            Function::Pi => Some(std::f64::consts::PI),
            Function::Start => Some(self.query.0 as f64 / 1_000.0),
            Function::End => Some(self.query.1 as f64 / 1_000.0),
            Function::Step => Some(self.times.step_s),
            Function::Range => Some(self.times.range_s),
            _ => None,
        }
    }

    fn window(
        &mut self,
        call: &Call,
        position: usize,
        absent: Labels,
        grid: Grid,
    ) -> Result<(NodeKind, bool)> {
        let function = call.function.function;
        let (matrix, mut steady) = self.matrix(call.arguments[position].without_parens(), grid)?;
        self.labels = NeededLabels::All;
        check_edges(matrix.edges, function, call.function.name)?;
        steady &= !depends_on_time(function, call.arguments.len());
        let mut parameters = Vec::new();
        for (index, argument) in call.arguments.iter().enumerate() {
            if index != position {
                parameters.push(self.expr(argument, grid)?);
            }
        }
        steady &= parameters.iter().all(|parameter| parameter.steady);
        let settle = |built: Built| if steady { built.node } else { built.part() };
        let parameters: Vec<Node> = parameters.into_iter().map(settle).collect();
        let MatrixNode { of, times, range_ms, range, edges } = matrix;
        let parameter_range = parameters.first().map_or(range, |parameter| parameter.range);
        let windows = Windows { function, times, range_ms, edges, grid, range, parameter_range };
        let node = WindowNode { of, windows, parameters, absent_labels: absent };
        Ok((NodeKind::Window(Box::new(node)), steady))
    }

    fn matrix(&mut self, expr: &Expr, grid: Grid) -> Result<(MatrixNode, bool)> {
        match &expr.without_parens().kind {
            ExprKind::Range(range) => {
                let steady = range.selector.shift.at.is_some();
                Ok((self.range_selector(range, expr, grid)?, steady))
            }
            ExprKind::Subquery(subquery) => {
                let steady = subquery.shift.at.is_some();
                Ok((self.subquery(subquery, expr, grid)?, steady))
            }
            // the type check lets no others through
            _ => Err(PlanError::NotSupported { what: "a range vector that is no selector and no subquery" }),
        }
    }

    fn range_selector(&mut self, range: &RangeSelector, expr: &Expr, grid: Grid) -> Result<MatrixNode> {
        let range_ms = positive_ms(&range.range, self.times)?;
        self.note_range(&range.range);
        self.note(&range.selector.shift);
        let times = self.shifted(&range.selector.shift, grid)?;
        let edges = range.selector.edges;
        let lookback_ms = self.limits.lookback_ms;
        let before_ms = if edges == Edges::Plain { 0 } else { lookback_ms };
        let after_ms = if edges == Edges::Smoothed { lookback_ms } else { 0 };
        // the millisecond before a window is asked for too: what holds there is where its steps begin
        let start_ms = times.start_ms.saturating_sub(range_ms).saturating_sub(before_ms);
        let end_ms = times.end_ms().saturating_add(after_ms);
        let selection = self.select(&range.selector.matchers, start_ms, end_ms);
        Ok(MatrixNode { of: Windowed::Selection(selection), times, range_ms, range: expr.range, edges })
    }

    fn subquery(&mut self, subquery: &Subquery, expr: &Expr, grid: Grid) -> Result<MatrixNode> {
        let range_ms = positive_ms(&subquery.range, self.times)?;
        let step_ms = match &subquery.step {
            Some(step) => positive_ms(step, self.times)?,
            None => self.limits.subquery_step_ms,
        };
        subquery.step.iter().chain([&subquery.range]).for_each(|duration| self.note_range(duration));
        self.note(&subquery.shift);
        self.anchors.between_steps_ms = self.anchors.between_steps_ms.saturating_add(step_ms);
        let times = self.shifted(&subquery.shift, grid)?;
        let before = times.start_ms.saturating_sub(range_ms);
        let first = before.div_euclid(step_ms).saturating_add(1).saturating_mul(step_ms);
        let inner_grid = Grid::over(first, times.end_ms(), step_ms);
        if inner_grid.count > self.limits.subquery_steps_max {
            return Err(PlanError::TooManySteps);
        }
        let buckets = std::mem::replace(&mut self.buckets, Buckets::AlwaysNeeded);
        self.steps_most = self.steps_most.max(inner_grid.count);
        let inner = self.expr(&subquery.operand, inner_grid)?.part();
        self.buckets = buckets;
        let of = Windowed::Subquery(inner);
        Ok(MatrixNode { of, times, range_ms, range: expr.range, edges: Edges::Plain })
    }

    fn instant(&mut self, selector: &Selector, range: ByteRange, grid: Grid) -> Result<InstantNode> {
        let smoothed = match selector.edges {
            Edges::Plain => false,
            Edges::Smoothed => true,
            Edges::Anchored => return Err(PlanError::NotSupported { what: "anchored without a range" }),
        };
        self.note(&selector.shift);
        let times = self.shifted(&selector.shift, grid)?;
        let oldest = times.start_ms.saturating_sub(self.limits.lookback_ms).saturating_add(1);
        let newest = times.end_ms().saturating_add(if smoothed { self.limits.lookback_ms } else { 0 });
        let selection = self.select(&selector.matchers, oldest.min(times.start_ms), newest);
        Ok(InstantNode { selection, times, asked: Asked::Value, smoothed, range })
    }

    /// Notes what ties something to a time of its own.
    fn note(&mut self, shift: &Shift) {
        self.anchors.of_query |= shift.at.is_some();
        shift.offset.iter().for_each(|offset| self.note_range(offset));
    }

    fn note_range(&mut self, duration: &Duration) {
        self.anchors.of_query |= asks_for_range(duration);
    }

    pub(super) fn shifted(&self, shift: &Shift, grid: Grid) -> Result<Grid> {
        let offset_ms = match &shift.offset {
            Some(offset) => any_ms(offset, self.times)?,
            None => 0,
        };
        let base = match shift.at {
            None => grid,
            Some(At::Time(at_ms)) => grid.pinned(at_ms),
            Some(At::Start) => grid.pinned(self.query.0),
            Some(At::End) => grid.pinned(self.query.1),
        };
        Ok(base.earlier(offset_ms))
    }

    pub(super) fn select(&mut self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> usize {
        let key: String = matchers.iter().map(|matcher| format!("{matcher},")).collect();
        let next = self.selections.len();
        let totals_only = self.buckets == Buckets::Skipped;
        let index = *self.known.entry((key, start_ms, end_ms, totals_only)).or_insert(next);
        if index == next {
            self.selections.push(Selection { matchers: matchers.to_vec(), start_ms, end_ms });
            self.totals_only.push(totals_only);
            self.needed.push(self.labels.clone());
        } else {
            let known = std::mem::replace(&mut self.needed[index], NeededLabels::All);
            self.needed[index] = known.and(self.labels.clone());
        }
        index
    }
}

fn check_edges(edges: Edges, function: Function, name: &'static str) -> Result<()> {
    let rates = matches!(function, Function::Rate | Function::Increase | Function::Delta);
    let counts = matches!(function, Function::Changes | Function::Resets);
    let (modifier, allowed) = match edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored if rates || counts => return Ok(()),
        Edges::Smoothed if rates => return Ok(()),
        Edges::Anchored => ("anchored", "changes, delta, increase, rate, resets"),
        Edges::Smoothed => ("smoothed", "delta, increase, rate"),
    };
    Err(PlanError::EdgesNotAllowed { modifier, allowed, function: name })
}

/// Whether a function has another value at another time although its arguments are the same.
fn depends_on_time(function: Function, arguments: usize) -> bool {
    match function {
        Function::Time | Function::Timestamp | Function::PredictLinear => true,
        Function::DayOfMonth
        | Function::DayOfWeek
        | Function::DayOfYear
        | Function::DaysInMonth
        | Function::Hour
        | Function::Minute
        | Function::Month
        | Function::Year => arguments == 0,
        _ => false,
    }
}

/// The labels that `absent` can know: those that the last matcher for their name pins, unless one before did.
fn absent_labels(argument: &Expr) -> Labels {
    let matchers = match &argument.without_parens().kind {
        ExprKind::Selector(selector) => &selector.matchers,
        ExprKind::Range(range) => &range.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut labels = LabelsBuilder::default();
    let mut pinned = HashSet::new();
    for matcher in matchers.iter().filter(|matcher| &*matcher.name != Labels::NAME) {
        if matcher.op == MatchOp::Equal && pinned.insert(&matcher.name) {
            labels.set(matcher.name.clone(), matcher.value.clone());
        } else {
            labels.remove(&matcher.name);
        }
    }
    labels.build()
}
