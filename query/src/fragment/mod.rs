//! The smallest unit of work of a query: everything that can be computed from the series of one selection alone.
//!
//! A [`Fragment`] is a plain value that says what is read, what is made of each series, and into which groups the results
//! are folded. Evaluating it is pure: the same fragment over the same series gives the same [`Partial`], to the bit. So
//! fragments can run on threads, as they do here, or elsewhere: whoever implements [`FragmentRunner`] decides.

mod partial;
mod runner;

use std::sync::Arc;

use model::Selection;

use crate::exec::{ExecSettings, Scalar};
use crate::plan::{InstantNode, Windows};
use crate::syntax::{AggregateOp, ByteRange};

pub(crate) use partial::{GroupState, Partial, Yield};
pub(crate) use runner::{FragmentRunner, LocalRunner};

/// What is to be computed of the series of one selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragment {
    /// What is read.
    pub(crate) selection: Selection,
    /// Which of the query's selections that is.
    pub(crate) selected: usize,
    /// What is made of each series.
    pub(crate) leaf: Leaf,
    /// How the results are brought together; without it they stay apart.
    pub(crate) fold: Option<Fold>,
    /// How the query is evaluated.
    pub(crate) settings: ExecSettings,
}

/// What is made of one series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Leaf {
    /// Its value at single times.
    Instant(InstantNode),
    /// A function over windows, with its numbers.
    Windows(Windows, Vec<Scalar>),
}

/// A part of an aggregation: what the series of each group come to so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fold {
    pub(crate) op: AggregateOp,
    /// Whether `labels` are those that do not tell groups apart.
    pub(crate) without: bool,
    pub(crate) labels: Vec<Arc<str>>,
    /// The piece of the query that is aggregated.
    pub(crate) range: ByteRange,
}
