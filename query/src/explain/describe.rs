//! The tree of a plan as it is told.

use super::Described;
use crate::plan::{Asked, Node, NodeKind, Windowed};
use crate::syntax::ByteRange;

/// A tree with more nodes than this is told in part.
const NODES_MAX: usize = 500;
/// Likewise one with more levels: each of them is two of JSON, and many readers take no more than 128.
const LEVELS_MAX: usize = 50;

/// All nodes of a plan that are told.
pub(super) struct All {
    pub(super) root: Described,
    /// How many have figures.
    pub(super) nodes: usize,
    pub(super) omitted: usize,
}

/// Describes the nodes below this one, and numbers them.
pub(super) fn all(root: &mut Node) -> All {
    let mut describing = Describing { nodes: 0, level: 0, omitted: 0 };
    let root = describing.node(root);
    All { root, nodes: describing.nodes, omitted: describing.omitted }
}

struct Describing {
    nodes: usize,
    level: usize,
    omitted: usize,
}

impl Describing {
    fn node(&mut self, node: &mut Node) -> Described {
        let watched = self.nodes;
        self.nodes += 1;
        node.watched = Some(watched);
        let steps = node.grid.count;
        self.level += 1;
        let mut described = self.kind(node);
        self.level -= 1;
        // what is evaluated once is asked for at all times
        described.steps = described.steps.max(steps);
        described.watched = Some(watched);
        described
    }

    fn kind(&mut self, node: &mut Node) -> Described {
        let (range, steps) = (node.range, node.grid.count);
        let described =
            |kind, selection, children| Described { watched: None, kind, range, steps, selection, children };
        match &mut node.kind {
            NodeKind::Number(_) => described("numberLiteral", None, Vec::new()),
            NodeKind::String(_) => described("stringLiteral", None, Vec::new()),
            // it has the place of what it holds
            NodeKind::Once(inner) => self.kind(inner),
            NodeKind::Negate(operand) => {
                let operand = self.child(operand);
                described("unaryExpr", None, operand)
            }
            NodeKind::Binary(binary) => {
                // a chain is evaluated at once
                let mut operands = Vec::new();
                let mut next = &mut **binary;
                loop {
                    operands.push(&mut next.right);
                    if !matches!(next.left.kind, NodeKind::Binary(_)) {
                        operands.push(&mut next.left);
                        break;
                    }
                    let NodeKind::Binary(inner) = &mut next.left.kind else { break };
                    next = inner;
                }
                let children = operands.into_iter().rev().flat_map(|operand| self.child(operand)).collect();
                described("binaryExpr", None, children)
            }
            NodeKind::Aggregate(aggregate) => {
                let mut children = Vec::new();
                if let Some(parameter) = &mut aggregate.parameter {
                    children.extend(self.child(parameter));
                }
                children.extend(self.child(&mut aggregate.operand));
                described("aggregation", None, children)
            }
            NodeKind::Call(call) => {
                let children = call.arguments.iter_mut().flat_map(|argument| self.child(argument)).collect();
                described("call", None, children)
            }
            NodeKind::Window(window) => {
                let (range, steps) = (window.windows.range, window.windows.times.count);
                let mut children = vec![self.windowed(&mut window.of, range, steps)];
                children.extend(window.parameters.iter_mut().flat_map(|parameter| self.child(parameter)));
                described("call", None, children)
            }
            NodeKind::Instant(instant) => {
                let kind = if instant.asked == Asked::Value { "vectorSelector" } else { "call" };
                described(kind, Some(instant.selection), Vec::new())
            }
            NodeKind::Matrix(matrix) => {
                let (range, steps) = (matrix.range, matrix.times.count);
                self.windowed(&mut matrix.of, range, steps)
            }
        }
    }

    fn windowed(&mut self, of: &mut Windowed, range: ByteRange, steps: usize) -> Described {
        let (kind, selection, children) = match of {
            Windowed::Selection(selection) => ("matrixSelector", Some(*selection), Vec::new()),
            Windowed::Subquery(inner) => ("subquery", None, self.child(inner)),
        };
        Described { watched: None, kind, range, steps, selection, children }
    }

    fn child(&mut self, node: &mut Node) -> Vec<Described> {
        if self.nodes >= NODES_MAX || self.level >= LEVELS_MAX {
            self.omitted += count(node);
            return Vec::new();
        }
        vec![self.node(node)]
    }
}

/// How many nodes would be told of this one and what is below it.
fn count(node: &Node) -> usize {
    let (mut waiting, mut count) = (vec![node], 0);
    while let Some(node) = waiting.pop() {
        // that one has the place of what it holds
        count += usize::from(!matches!(node.kind, NodeKind::Once(_)));
        match &node.kind {
            NodeKind::Number(_) | NodeKind::String(_) | NodeKind::Instant(_) => {}
            NodeKind::Once(inner) | NodeKind::Negate(inner) => waiting.push(inner),
            NodeKind::Binary(binary) => {
                let (innermost, links) = binary.chain(node);
                waiting.push(innermost);
                waiting.extend(links.into_iter().map(|(_, link)| &link.right));
            }
            NodeKind::Aggregate(aggregate) => {
                waiting.extend(&aggregate.parameter);
                waiting.push(&aggregate.operand);
            }
            NodeKind::Call(call) => waiting.extend(&call.arguments),
            NodeKind::Window(window) => {
                count += 1;
                waiting.extend(window.of.inner());
                waiting.extend(&window.parameters);
            }
            NodeKind::Matrix(matrix) => waiting.extend(matrix.of.inner()),
        }
    }
    count
}

impl Windowed {
    fn inner(&self) -> Option<&Node> {
        match self {
            Self::Selection(_) => None,
            Self::Subquery(inner) => Some(inner),
        }
    }
}
