//! The tree that is executed: times, windows and selections are fixed, syntax is gone.

use std::mem;
use std::sync::Arc;

use model::Labels;

use super::grid::Grid;
use crate::syntax::{AggregateOp, BinaryOp, ByteRange, Edges, Function, Matching, ValueType};

/// Something that has a value at each time of its grid.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// The piece of the query that it comes from.
    pub(crate) range: ByteRange,
    /// The times at which it is asked for.
    pub(crate) grid: Grid,
    pub(crate) value_type: ValueType,
    /// What is counted for it, if anything is.
    pub(crate) watched: Option<usize>,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Number(f64),
    String(String),
    /// A value that is the same at all times of the outer grid; inside, the grid has one time.
    Once(Box<Node>),
    Negate(Box<Node>),
    Binary(Box<BinaryNode>),
    Aggregate(Box<AggregateNode>),
    Call(Box<CallNode>),
    /// A function over windows.
    Window(Box<WindowNode>),
    Instant(InstantNode),
    /// A range selector or subquery that is the result itself.
    Matrix(Box<MatrixNode>),
}

#[derive(Debug)]
pub(crate) struct BinaryNode {
    pub(crate) op: BinaryOp,
    pub(crate) left: Node,
    pub(crate) right: Node,
    pub(crate) return_bool: bool,
    pub(crate) matching: Matching,
}

#[derive(Debug)]
pub(crate) struct AggregateNode {
    pub(crate) op: AggregateOp,
    pub(crate) parameter: Option<Node>,
    pub(crate) operand: Node,
    /// The piece of the query that is aggregated, with its parentheses.
    pub(crate) operand_range: ByteRange,
    pub(crate) without: bool,
    pub(crate) labels: Vec<Arc<str>>,
}

#[derive(Debug)]
pub(crate) struct CallNode {
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Node>,
    /// What `absent` gives its result.
    pub(crate) absent_labels: Labels,
}

#[derive(Debug)]
pub(crate) struct WindowNode {
    pub(crate) of: Windowed,
    pub(crate) windows: Windows,
    /// The arguments that are no windows.
    pub(crate) parameters: Vec<Node>,
    /// What `absent_over_time` gives its result.
    pub(crate) absent_labels: Labels,
}

/// A function over windows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Windows {
    pub(crate) function: Function,
    /// The ends of the windows, one per time of the grid: `offset` and `@` are applied.
    pub(crate) times: Grid,
    pub(crate) range_ms: i64,
    /// What happens at the edges of the windows.
    pub(crate) edges: Edges,
    /// The times of the evaluation.
    pub(crate) grid: Grid,
    /// The piece of the query that the windows come from.
    pub(crate) range: ByteRange,
    /// That of the first argument that is a number; `range` if there is none.
    pub(crate) parameter_range: ByteRange,
}

/// The values of a selection at single times.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InstantNode {
    /// Which of the plan's selections.
    pub(crate) selection: usize,
    /// The times that are looked up, one per time of the grid: `offset` and `@` are applied.
    pub(crate) times: Grid,
    pub(crate) asked: Asked,
    /// Whether values are interpolated between samples.
    pub(crate) smoothed: bool,
    /// The piece of the query that it comes from.
    pub(crate) range: ByteRange,
}

/// What is asked of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Value,
    /// When it was taken.
    Time,
    /// Since when it has counted.
    Start,
}

/// Windows that end at given times.
#[derive(Debug)]
pub(crate) struct MatrixNode {
    pub(crate) of: Windowed,
    /// The ends of the windows, one per time of the grid.
    pub(crate) times: Grid,
    pub(crate) range_ms: i64,
    pub(crate) range: ByteRange,
    /// What happens at the edges of the windows.
    pub(crate) edges: Edges,
}

#[derive(Debug)]
pub(crate) enum Windowed {
    Selection(usize),
    /// An expression with a grid of its own.
    Subquery(Node),
}

impl Node {
    pub(crate) fn new(kind: NodeKind, range: ByteRange, grid: Grid, value_type: ValueType) -> Self {
        Self { kind, range, grid, value_type, watched: None }
    }

    fn placeholder() -> Self {
        Self::new(NodeKind::Number(0.0), ByteRange::default(), Grid::once(0), ValueType::Scalar)
    }

    /// A value that does not depend on the time, evaluated once.
    pub(crate) fn held(mut self) -> Self {
        if self.grid.count <= 1 || matches!(self.kind, NodeKind::Number(_) | NodeKind::String(_)) {
            return self;
        }
        let (range, grid, value_type) = (self.range, self.grid, self.value_type);
        self.shrink();
        Self::new(NodeKind::Once(Box::new(self)), range, grid, value_type)
    }

    /// Reduces the grid to its first time.
    fn shrink(&mut self) {
        self.grid.count = self.grid.count.min(1);
        match &mut self.kind {
            NodeKind::Number(_) | NodeKind::String(_) => {}
            NodeKind::Once(inner) | NodeKind::Negate(inner) => inner.shrink(),
            NodeKind::Binary(binary) => {
                // chains grow to the left without a limit
                let mut next = binary;
                loop {
                    next.right.shrink();
                    next.left.grid.count = next.left.grid.count.min(1);
                    if !matches!(next.left.kind, NodeKind::Binary(_)) {
                        return next.left.shrink();
                    }
                    let NodeKind::Binary(inner) = &mut next.left.kind else { return };
                    next = inner;
                }
            }
            NodeKind::Aggregate(aggregate) => {
                aggregate.operand.shrink();
                if let Some(parameter) = &mut aggregate.parameter {
                    parameter.shrink();
                }
            }
            NodeKind::Call(call) => call.arguments.iter_mut().for_each(Self::shrink),
            NodeKind::Window(window) => {
                window.windows.times.count = window.windows.times.count.min(1);
                window.windows.grid.count = window.windows.grid.count.min(1);
                window.parameters.iter_mut().for_each(Self::shrink);
            }
            NodeKind::Instant(instant) => instant.times.count = instant.times.count.min(1),
            NodeKind::Matrix(matrix) => matrix.times.count = matrix.times.count.min(1),
        }
    }
}

impl BinaryNode {
    /// The operations of a chain from the inside out, and the innermost left operand.
    pub(crate) fn chain<'a>(&'a self, outermost: &'a Node) -> (&'a Node, Vec<(&'a Node, &'a Self)>) {
        let mut links = vec![(outermost, self)];
        let mut innermost = &self.left;
        while let NodeKind::Binary(binary) = &innermost.kind {
            links.push((innermost, binary));
            innermost = &binary.left;
        }
        links.reverse();
        (innermost, links)
    }
}

/// Chains of operators grow to the left without a limit, so they must not be dropped by recursion.
impl Drop for BinaryNode {
    fn drop(&mut self) {
        let mut next = mem::replace(&mut self.left, Node::placeholder());
        while let NodeKind::Binary(binary) = &mut next.kind {
            let inner = mem::replace(&mut binary.left, Node::placeholder());
            next = inner;
        }
    }
}
