//! From a tree of syntax to what is executed.
//!
//! Planning fixes all times: the grid of every node, the windows of selectors and subqueries, and with them what must
//! be read. What does not depend on the time (everything under `@`) is marked to be evaluated once.

mod build;
mod duration;
mod grid;
mod info;
mod needed;
mod node;
mod reach;

pub(crate) use build::{Limits, plan};
pub(crate) use grid::Grid;
pub(crate) use node::{
    AggregateNode, Asked, BinaryNode, CallNode, InstantNode, MatrixNode, Node, NodeKind, WindowNode,
    Windowed, Windows,
};

pub(crate) use reach::Reach;

use model::Selection;

use crate::source::NeededLabels;

/// A query that is ready to be executed.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Node,
    /// What must be read, each once.
    pub(crate) selections: Vec<Selection>,
    /// Of which of them only the counts and sums of histograms are asked for.
    pub(crate) totals_only: Vec<bool>,
    /// Which labels of them matter.
    pub(crate) needed: Vec<NeededLabels>,
    /// How many times a piece of the query is evaluated at, where they are most.
    pub(crate) steps_most: usize,
    /// How far around a time lies what its value rests on; `None` where nobody can tell, or nothing is read.
    pub(crate) reach: Option<Reach>,
}

/// Why an expression that parses cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A computed width of a window.
    #[error("duration must be greater than 0")]
    DurationNotPositive,
    /// A computed duration.
    #[error("duration is out of range")]
    DurationOutOfRange,
    /// In a computed duration.
    #[error("division by zero")]
    DivisionByZero,
    /// In a computed duration.
    #[error("modulo by zero")]
    ModuloByZero,
    /// A subquery with more steps than samples may be held.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySteps,
    /// A modifier of a range selector that the function around it does not know.
    #[error("{modifier} modifier can only be used with: {allowed} - not with {function}")]
    EdgesNotAllowed {
        /// `anchored` or `smoothed`.
        modifier: &'static str,
        /// The functions that know it.
        allowed: &'static str,
        /// The function around it.
        function: &'static str,
    },
    /// Something that is not there yet.
    #[error("{what} is not supported yet")]
    NotSupported {
        /// What.
        what: &'static str,
    },
}
