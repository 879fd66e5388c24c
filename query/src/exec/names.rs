//! What a series is called once it is computed with: nothing, now or at the end of the query.

use std::collections::HashMap;

use model::{Labels, MatchOp};

use super::points::Line;
use super::{ExecError, Executor};
use crate::plan::{Node, NodeKind, Windowed};
use crate::source::NeededLabels;
use crate::syntax::Function;

/// The labels that say what a metric is. A computed value is something else.
pub(super) const METADATA: [&str; 3] = NeededLabels::METADATA;

/// Whether a label says what a metric is.
pub(super) fn is_metadata(name: &str) -> bool {
    METADATA.contains(&name)
}

/// The labels without those that say what the metric is.
pub(super) fn without_metadata(labels: &Labels) -> Labels {
    if METADATA.iter().all(|name| labels.get(name).is_none()) {
        return labels.clone();
    }
    labels.to_builder().retain(|name| !is_metadata(name)).build()
}

/// Joins series that have become the same.
///
/// # Errors
/// If two of them have a value at the same time.
pub(super) fn merge_same(lines: Vec<Line>) -> Result<Vec<Line>, ExecError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(lines.len());
    let mut merged: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        let next = merged.len();
        let place = *places.entry(line.labels.clone()).or_insert(next);
        match merged.get_mut(place) {
            None => merged.push(line),
            Some(known) => {
                if !known.points.absorb(&line.points) {
                    return Err(ExecError::SameLabelset);
                }
            }
        }
    }
    Ok(merged)
}

impl Executor<'_> {
    /// Whether all series of a node are known to have the same name, so that none become the same without it.
    pub(super) fn has_one_name(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::Once(inner) => self.has_one_name(inner),
            NodeKind::Instant(instant) => self.selects_one_name(instant.selection),
            NodeKind::Window(window) => match &window.of {
                Windowed::Selection(selection) => self.selects_one_name(*selection),
                Windowed::Subquery(inner) => self.has_one_name(inner),
            },
            NodeKind::Negate(_) => true,
            NodeKind::Aggregate(aggregate) => {
                aggregate.without || !aggregate.labels.iter().any(|label| is_metadata(label))
            }
            // computed values have no name; comparisons and set operators keep that of an operand
            NodeKind::Binary(binary) => {
                !binary.op.is_set()
                    && (!binary.op.is_comparison() || binary.return_bool)
                    && !binary.op.is_trim()
            }
            NodeKind::Call(call) => match call.function {
                Function::LabelReplace | Function::LabelJoin | Function::Info => false,
                Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => {
                    self.has_one_name(&call.arguments[0])
                }
                _ => true,
            },
            NodeKind::Number(_) | NodeKind::String(_) | NodeKind::Matrix(_) => true,
        }
    }

    fn selects_one_name(&self, selection: usize) -> bool {
        let matchers = &self.plan.selections[selection].matchers;
        let pins = |name: &str| {
            matchers.iter().any(|matcher| &*matcher.name == name && matcher.op == MatchOp::Equal)
        };
        // type and unit go away together with the name
        let data = &self.data[selection];
        let typed =
            data.iter().any(|series| METADATA[1..].iter().any(|name| series.labels.get(name).is_some()));
        pins(Labels::NAME) && !typed
    }
}
