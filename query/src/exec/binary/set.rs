//! `and`, `or`, `unless`: which series stay, by the labels of others.

use std::collections::HashMap;

use model::Labels;

use super::join::Signature;
use super::presence;
use crate::exec::points::Line;
use crate::exec::{Result, names};
use crate::plan::BinaryNode;
use crate::syntax::BinaryOp;

pub(super) fn combine(link: &BinaryNode, left: &[Line], right: &[Line], count: usize) -> Result<Vec<Line>> {
    let signature = Signature::new(&link.matching);
    match link.op {
        BinaryOp::And => Ok(keep(left, &by_signature(right, &signature, count), &signature, true)),
        BinaryOp::Unless => Ok(keep(left, &by_signature(right, &signature, count), &signature, false)),
        _ => {
            let mut lines = left.to_vec();
            lines.extend(keep(right, &by_signature(left, &signature, count), &signature, false));
            names::merge_same(lines)
        }
    }
}

/// At which places any series with a signature has a value.
pub(super) fn by_signature(
    lines: &[Line],
    signature: &Signature<'_>,
    count: usize,
) -> HashMap<Labels, Vec<bool>> {
    let mut groups: HashMap<Labels, Vec<&Line>> = HashMap::new();
    for line in lines {
        groups.entry(signature.of(&line.labels)).or_default().push(line);
    }
    groups
        .into_iter()
        .map(|(labels, lines)| (labels, presence(lines.into_iter().map(|line| &line.points), count)))
        .collect()
}

/// What the lines have where their partners are present, or where they are not.
fn keep(
    lines: &[Line],
    partners: &HashMap<Labels, Vec<bool>>,
    signature: &Signature<'_>,
    where_present: bool,
) -> Vec<Line> {
    let mut kept = Vec::new();
    for line in lines {
        let present = partners.get(&signature.of(&line.labels));
        let mut line = line.clone();
        line.points.retain(|index| present.is_some_and(|present| present[index]) == where_present);
        if !line.points.is_empty() {
            kept.push(line);
        }
    }
    kept
}
